"""One page that tells what `analyse` found: it holds all it needs, and opens offline."""

import html

import plotly.graph_objects as go

from gfdt_tutorial.data.analysis import Analysis
from gfdt_tutorial.figures.series_overview import overview, response_at_all_places, response_overview
from gfdt_tutorial.scores.steins_identity import TOLERANCES, Identity

COLOURS = {"fine": "#009E73", "unknown": "#777777", "warning": "#B35900", "refused": "#B00020"}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.2rem; margin-top: 2rem } p { max-width: 48rem }
table { border-collapse: collapse }
td, th { padding: .35rem .8rem .35rem 0; vertical-align: top; text-align: left; border-bottom: 1px solid #ddd }
.said { white-space: nowrap; font-weight: 600 } .about { color: #555; margin-top: 0 }
.alarm { border: 2px solid #B00020; padding: .6rem 1rem; color: #B00020 } .figure { overflow-x: auto }
.verdict { border-left: 6px solid; padding: .4rem 1rem; background: #f6f6f6 }
"""


def page(found: Analysis) -> bytes:
    """The report as HTML, plotly.js inside (about 5 MB)."""
    parts = [_head(found), _alarm(found), _verdict(found), _looks(found), _checks(found), _score(found), _memory(found), _response(found)]
    parts.append(_made(found))
    title = html.escape(str(found.about["data"].get("file", "a series")))
    start = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: response</title><style>{STYLE}</style></head><body>'
    )
    return (start + "\n".join(parts) + "</body></html>\n").encode()


def _head(found: Analysis) -> str:
    data, about = found.data, found.about["data"]
    members, steps, *box = data.u.shape
    size = " × ".join(map(str, box)) + " places" if box else "one number"
    unit = html.escape(f" {about['time_unit']}" if "time_unit" in about else " time units")
    name = html.escape(str(about.get("file", "a series")) + (f", {about['variable']}" if "variable" in about else ""))
    each = f"{members} member{'s' * (members > 1)} × {steps} samples, one every {data.every:.4g}{unit}; {size}"
    values = f"mean {found.suitability.mean:.4g}, spread {found.suitability.spread:.4g}"
    return f'<h1>How {name} responds to a small kick</h1><p class="about">{each}; {values}.</p>'


def _alarm(found: Analysis) -> str:
    if not found.forced:
        return ""
    names = " and ".join(check.name for check in found.suitability.refused)
    words = f"<b>Forced.</b> These data were refused for their {names}, and the analysis was told to go on. Do not trust what follows."
    return f'<p class="alarm">{words}</p>'


def _verdict(found: Analysis) -> str:
    colour = {"passes": "#009E73", "cannot tell": "#B35900", "fails": "#B00020"}[found.grade]
    data = found.data.info
    done = "".join(f"<li>{html.escape(str(one))}</li>" for name in ("preparation", "notes") for one in _listed(data.get(name)))
    before = f"<p>What was done to the data before:</p><ul>{done}</ul>" if done else ""
    words = f'<p class="verdict" style="border-color:{colour}"><b>{html.escape(found.verdict)}</b></p>'
    return f"<h2>Verdict</h2>{words}<p>{html.escape(found.kicked)}</p>{before}"


def _listed(value: object) -> list:
    """What was noted, one or several, as a list."""
    return [] if not value else list(value) if isinstance(value, list | tuple) else [value]


def _looks(found: Analysis) -> str:
    return "<h2>What it looks like</h2>" + _figure(overview(found.data, found.suitability), first=True)


def _checks(found: Analysis) -> str:
    rows = "".join(
        f'<tr><td>{check.name}</td><td class="said" style="color:{COLOURS[check.verdict]}">{check.verdict}</td>'
        f"<td>{html.escape(check.finding)} {html.escape(check.advice)}</td></tr>"
        for check in found.suitability.checks
    )
    words = "The theorem is about stationary systems; averages over places ask for a box in which one is as good as another."
    return f"<h2>May it be trusted?</h2><p>{words}</p><table>{rows}</table>"


def _score(found: Analysis) -> str:
    head = (
        "<tr><th>score</th><th>−⟨v s⟩</th><th>−⟨v³ s⟩ / 3</th><th>⟨v v′ s⟩</th><th>implied error of R</th><th>grade</th></tr>"
        "<tr><td>(true)</td><td>1</td><td>1</td><td>0</td><td>0</td><td></td></tr>"
    )
    rows = "".join(_identities(name, one, found.grades[name]) for name, one in found.identities.items())
    words = (
        "Averages that are known for the true score, v = (u − ⟨u⟩)/std u, on data that the score was not fitted to. The first holds for "
        "any fit: a miss of x is an error of x in R(0), before the control variate takes it out. The second asks for the shape of the "
        "density, the third for how neighbours v, v′ hang together (its size over all places). What the last two miss implies an error of "
        "the response, whose size at the worst lag is given, where R(0) is 1. What no identity here sees is not in it."
    )
    table = f"<table>{head}{rows}</table>"
    return f"<h2>Is the score right?</h2><p>{words}</p>{table}<p>{TOLERANCES}</p><p>{found.halves.finding}</p>"


def _identities(name: str, one: Identity, grade: str) -> str:
    cells = [(*one.linear, None), *((*getattr(one, which), one.grades[which]) for which in ("cubic", "pairs"))]
    cells += [(*one.response, None)] if one.response else []
    values = "".join(f"<td>{value:.3f} ± {error:.3f}{f', {word}' if word else ''}</td>" for value, error, word in cells)
    return f'<tr><td>{name}</td>{values}<td class="said">{grade}</td></tr>'


def _memory(found: Analysis) -> str:
    if found.hidden is None:
        words = (
            "This was not tested. Fields are tested with the presets tiny and quick, as the test doubles the training, and only if their "
            "paths are not smooth: the score given an earlier sample of a smooth path hardly exists."
        )
    else:
        words = (
            "If the future depends on the present value alone, the response does not change when the score is given an earlier sample too. "
            f"{found.hidden.finding}"
        )
    return f"<h2>Does it remember more than it shows?</h2><p>{html.escape(words)}</p>"


def _response(found: Analysis) -> str:
    where = "R(d, t): the mean change, a time t later, d pixels downstream of a place that was raised by one"
    what = where if found.data.grid.shape else "R(t): the mean change, a time t after the number alone was raised by one"
    level = f"{found.about['level']:.0%}"
    words = f"{what}; like per like, so without a unit. Bands ({level}) hold the error of sampling, and not what is wrong with a score."
    everywhere = response_at_all_places(found.responses["generative"])
    maps = "" if everywhere is None else "<p>The generative response of all places, the kicked one in the middle:</p>" + _figure(everywhere)
    return f"<h2>The response to a kick</h2><p>{words}</p>{_figure(response_overview(found.responses))}{maps}"


def _made(found: Analysis) -> str:
    about = found.about
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in about["seconds"].items())
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in found.notes)
    line = f"Preset {about['preset']}, seed {about['seed']}, on {about['device']}; {versions}. {seconds}."
    files = "The arrays are in responses.npz, these numbers in analysis.json, the scores in score-1 and score-2."
    return f"<h2>How it was made</h2><p>{html.escape(line)} {files}</p>" + (f"<p>Notes:</p><ul>{notes}</ul>" if notes else "")


def _figure(figure: go.Figure, *, first: bool = False) -> str:
    return f'<div class="figure">{figure.to_html(full_html=False, include_plotlyjs=first)}</div>'
