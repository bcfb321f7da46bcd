"""The page that reports what `analyse` found; it contains all it needs, and opens offline. Its text is in report.html.jinja, or in
component_report.html.jinja for unlike variables."""

from collections.abc import Mapping
from pathlib import Path

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup

from gfdt_tutorial.data.analysis import Analysis
from gfdt_tutorial.data.component_analysis import ComponentAnalysis
from gfdt_tutorial.figures.causal_maps import causal_matrices
from gfdt_tutorial.figures.response_matrix import LARGEST, response_matrix
from gfdt_tutorial.figures.series_overview import overview, response_at_all_places, response_overview
from gfdt_tutorial.scores.steins_identity import TOLERANCES, Identity

COLOURS = {"fine": "#009E73", "unknown": "#777777", "warning": "#B35900", "refused": "#B00020"}
GRADE_COLOURS = {"passes": "#009E73", "cannot tell": "#B35900", "fails": "#B00020"}


def page(found: Analysis | ComponentAnalysis) -> bytes:
    """The report as HTML with plotly.js inside (about 5 MB)."""
    return _of_components(found) if isinstance(found, ComponentAnalysis) else _of_one(found)


def _of_components(found: ComponentAnalysis) -> bytes:
    """The report of unlike variables."""
    members, steps, count = found.data.u.shape
    unit = found.about["data"].get("time_unit", "time units")
    text = _template("component_report.html.jinja").render(
        found=found,
        about=found.about,
        file=found.about["data"].get("file", "a series"),
        size=f"{members} member{'s' * (members > 1)} × {steps} samples, one every {found.data.every:.4g} {unit}",
        grade_colour=GRADE_COLOURS[found.grade],
        colours=COLOURS,
        confidence=f"{found.about['level']:.0%}",
        rungs=[{name: (rung.loss, *rung.behind) for name, rung in score.rungs.items()} for score in found.scores],
        responses=_html(response_matrix(found.responses), plotly=True) if count <= LARGEST else None,
        links=_html(causal_matrices(found.links), plotly=count > LARGEST) if count > 1 else None,
    )
    return text.encode()


def _of_one(found: Analysis) -> bytes:
    """The report of one field or number."""
    info = found.data.info
    headline = "combined" if "combined" in found.responses else "generative"
    all_places = response_at_all_places(found.responses[headline])
    text = _template("report.html.jinja").render(
        found=found,
        headline=headline,
        about=found.about,
        file=found.about["data"].get("file", "a series"),
        size=_size(found),
        grade_colour=GRADE_COLOURS[found.grade],
        colours=COLOURS,
        prepared=[*_listed(info.get("preparation")), *_listed(info.get("notes"))],
        overview=_html(overview(found.data, found.suitability), plotly=True),
        identities={name: _cells(one) for name, one in found.identities.items()},
        tolerances=TOLERANCES,
        confidence=f"{found.about['level']:.0%}",
        responses=_html(response_overview(found.responses)),
        all_places=None if all_places is None else _html(all_places),
    )
    return text.encode()


def _template(name: str) -> jinja2.Template:
    """The text of the page, with every value escaped that is not marked as HTML, and an error for a value that is missing."""
    here = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=here, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figures4": "{:.4g}".format, "named": _named}
    return environment.get_template(name)


def _named(values: Mapping[str, object], form: str) -> str:
    return ", ".join(form.format(name, value) for name, value in values.items())


def _size(found: Analysis) -> str:
    members, steps, *box = found.data.u.shape
    places = " × ".join(map(str, box)) + " places" if box else "one number"
    unit = found.about["data"].get("time_unit", "time units")
    return f"{members} member{'s' * (members > 1)} × {steps} samples, one every {found.data.every:.4g} {unit}; {places}"


def _listed(value: object) -> list[str]:
    """One remark or several as a list."""
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)] if value else []


def _cells(identity: Identity) -> list[str]:
    """The averages of one score, as in the columns of the table."""
    cells = [(*identity.linear, None), *((*getattr(identity, which), identity.grades[which]) for which in ("cubic", "pairs"))]
    cells += [(*identity.response, None)] if identity.response else []
    return [f"{value:.3f} ± {error:.3f}" + (f", {word}" if word else "") for value, error, word in cells]


def _html(figure: go.Figure, *, plotly: bool = False) -> Markup:
    """A figure as HTML; plotly.js goes with the first one."""
    return Markup(figure.to_html(full_html=False, include_plotlyjs=plotly))
