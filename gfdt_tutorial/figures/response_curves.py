"""Curves: responses and their errors against lag, numbers against time, spectra, and what a calibration costs."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.core import checks
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import band_trace, line_trace, log_log
from gfdt_tutorial.responses.errors import Errors
from gfdt_tutorial.responses.response import Response

DISPLACEMENTS = (0, 2, 4, 6)  # pixels along +x: the letter's R_11, R_31, R_51, R_71


# The methods behind the ways to calibrate: their slopes come from a score, or from more runs of the equation.
WAYS = {
    "theorem, learned score": "generative",
    "theorem, analytic score": "analytic",
    "theorem, Gaussian score": "gaussian",
    "finite differences": "finite differences",
}


def name_of(displacement: int) -> str:
    """R_11, R_31, …, numbered as in the letter, whose pixels count from 1."""
    return f"R<sub>{displacement + 1}1</sub>(t)"


def spectrum(curves: Mapping[str, tuple[torch.Tensor, torch.Tensor]], title: str = "Covariance of each wavevector") -> go.Figure:
    """C_k against wavenumber, log-log: {name: (k, C_k)}; k = 0 has no place on a logarithmic axis and is left out."""
    traces = [line_trace(k[1:], values[1:], name, index) for index, (name, (k, values)) in enumerate(curves.items())]
    figure = go.Figure(traces)
    figure.update_layout(template="gfdt", title=title, width=560, height=400, margin_t=100)
    log_log(figure)
    return figure


def response_curves(responses: Mapping[str, Response], displacements: Sequence[int] = DISPLACEMENTS) -> go.Figure:
    """R_11, R_31, R_51, R_71 against lag, with bands where there are any: {name: response}."""
    figure = make_subplots(1, len(displacements), subplot_titles=[name_of(d) for d in displacements], horizontal_spacing=0.06)
    for column, displacement in enumerate(displacements, start=1):
        add_responses(figure, responses, displacement, 1, column, legend=column == 1)
    figure.update_xaxes(title_text="lag t")
    figure.update_layout(template="gfdt", width=920, height=320, margin_t=90, legend_y=1.15)
    return figure


def observable_curves(responses: Mapping[str, Response], title: str, unit: str) -> go.Figure:
    """The answer of one number against lag, with bands: {name: response with values (lag,)}."""
    figure = go.Figure()
    for index, (name, response) in enumerate(responses.items()):
        if response.band is not None:
            figure.add_trace(band_trace(response.times, response.band.cpu(), name, index))
        figure.add_trace(line_trace(response.times, response.values.cpu(), name, index))
    figure.update_layout(template="gfdt", title=title, xaxis_title="time t", yaxis_title=unit, width=620, height=380, margin_t=100)
    return figure


def observable_panels(
    panels: Mapping[str, Mapping[str, Response]],
    unit: str,
    span: tuple[float, float] | None = None,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """The same for several numbers side by side: {title: {name: response with values (lag,)}}.

    Args:
        span: of the vertical axes; by default each fits what it shows.
        labels: of methods in the legend, where they are to say more than the usual ones.
    """
    figure = make_subplots(1, len(panels), subplot_titles=list(panels), horizontal_spacing=0.1)
    for column, responses in enumerate(panels.values(), start=1):
        for index, (name, response) in enumerate(responses.items()):
            if response.band is not None:
                figure.add_trace(band_trace(response.times, response.band.cpu(), name, index), 1, column)
            label = (labels or {}).get(name, theme.LABELS.get(name, name))
            line = line_trace(response.times, response.values.cpu(), name, index, legend=column == 1).update(name=label)
            figure.add_trace(line, 1, column)
    figure.update_xaxes(title="time t").update_yaxes(range=span)
    figure.update_yaxes(title=unit, col=1)
    return figure.update_layout(template="gfdt", width=480 * len(panels), height=440, margin_t=120, legend_y=1.12)


def calibration(table: Sequence[dict], close: float = 0.05, cost: str = "simulations") -> go.Figure:
    """How far the parameters are off, against what it cost to get there: rows with start, way, error and the cost.

    Args:
        close: marked by a line.
        cost: "simulations", the number of runs, or "seconds", of one core, with the training of scores.
    """
    unit = {"simulations": "runs so far", "seconds": "seconds of one core so far"}[checks.choice("cost", cost, ["simulations", "seconds"])]
    starts, ways = (list(dict.fromkeys(row[what] for row in table)) for what in ("start", "way"))
    figure = make_subplots(1, len(starts), subplot_titles=starts, shared_yaxes=True, horizontal_spacing=0.05)
    first, last = (end(row[cost] for row in table) for end in (min, max))
    for column, start in enumerate(starts, 1):
        for index, way in enumerate(ways):
            rows = [row for row in table if (row["start"], row["way"]) == (start, way)]
            x, y = ([row[key] for row in rows] for key in (cost, "error"))
            look = {"line": theme.style(WAYS.get(way, way), index), "mode": "lines+markers"}
            marker = {"symbol": ("circle", "square", "x", "diamond")[index % 4], "size": 9}
            line = line_trace(x, y, way, legend=column == 1, marker=marker, **look)
            figure.add_trace(line, 1, column)
        limit = {"name": f"{close:.0%}", "mode": "lines", "line": {"color": theme.GREY, "width": 4}, "showlegend": column == 1}
        figure.add_scatter(x=[first, last], y=[close, close], **limit, row=1, col=column)
    figure.update_yaxes(type="log").update_xaxes(title=unit, type="log" if cost == "seconds" else "linear")
    figure.update_yaxes(title="largest relative error of a parameter", col=1)
    return figure.update_layout(template="gfdt", width=900, height=420, margin_t=120, legend_y=1.3)


def error_curves(errors: Mapping[str, Errors]) -> go.Figure:
    """L2 and L∞ over the whole field against lag: {name: errors}."""
    figure = make_subplots(1, 2, subplot_titles=["L2 error", "L∞ error"], horizontal_spacing=0.1)
    add_errors(figure, errors, (1, 1), (1, 2), legend=True)
    figure.update_xaxes(title_text="lag t")
    figure.update_layout(template="gfdt", width=900, height=340, margin_t=90, legend_y=1.15)
    return figure


def comparison(responses: Mapping[str, Response], errors: Mapping[str, Errors], title: str = "") -> go.Figure:
    """R_11, R_31, R_51, R_71 and both errors against lag."""
    names = [name_of(d) for d in DISPLACEMENTS]
    figure = make_subplots(2, 3, subplot_titles=[*names[:2], "L2 error", *names[2:], "L∞ error"], horizontal_spacing=0.08)
    for (row, column), displacement in zip(((1, 1), (1, 2), (2, 1), (2, 2)), DISPLACEMENTS, strict=True):
        add_responses(figure, responses, displacement, row, column, legend=(row, column) == (1, 1))
    add_errors(figure, errors, (1, 3), (2, 3), legend=False)
    figure.update_xaxes(title_text="lag t", row=2)
    figure.update_layout(template="gfdt", title=title, width=1000, height=560, margin_t=110, legend_y=1.08)
    return figure


def add_responses(figure: go.Figure, responses: Mapping[str, Response], displacement: int, row: int, column: int, *, legend: bool) -> None:
    """The curves of one displacement, and their bands where there are any, in one panel; the legend names those of one panel."""
    for index, (name, response) in enumerate(responses.items()):
        if response.band is not None:
            figure.add_trace(band_trace(response.times, response.band_along(displacement).cpu(), name, index), row, column)
        curve = line_trace(response.times, response.along(displacement).cpu(), name, index, legend=legend)
        figure.add_trace(curve, row, column)


def add_errors(figure: go.Figure, errors: Mapping[str, Errors], l2: tuple[int, int], linf: tuple[int, int], *, legend: bool) -> None:
    """Both errors against lag, each in the panel (row, column) given for it."""
    for index, (name, error) in enumerate(errors.items()):
        figure.add_trace(line_trace(error.times, error.l2, name, index, legend=legend), *l2)
        figure.add_trace(line_trace(error.times, error.linf, name, index, legend=False), *linf)
    for row, column in (l2, linf):
        figure.update_yaxes(rangemode="tozero", row=row, col=column)
