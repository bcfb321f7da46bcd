"""Curves: responses and their errors against lag, observables against time, spectra, and the cost of a calibration."""

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

# The methods behind the ways to calibrate, whose slopes come from a score or from more simulations.
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
    """C_k against wavenumber, log-log: {name: (k, C_k)}; k = 0 is left out, because the axis is logarithmic."""
    traces = [line_trace(k[1:], values[1:], name, index) for index, (name, (k, values)) in enumerate(curves.items())]
    figure = go.Figure(traces)
    figure.update_layout(template="gfdt", title=title, width=560, height=400, margin_t=100)
    log_log(figure)
    return figure


def response_curves(responses: Mapping[str, Response], displacements: Sequence[int] = DISPLACEMENTS) -> go.Figure:
    """R_11, R_31, R_51, R_71 against lag, with bands where they exist: {name: response}."""
    figure = make_subplots(1, len(displacements), subplot_titles=[name_of(d) for d in displacements], horizontal_spacing=0.06)
    for column, displacement in enumerate(displacements, start=1):
        add_responses(figure, responses, displacement, 1, column, legend=column == 1)
    figure.update_xaxes(title_text="lag t")
    figure.update_layout(template="gfdt", width=920, height=320, margin_t=90, legend_y=1.15)
    return figure


def observable_curves(responses: Mapping[str, Response], title: str, unit: str) -> go.Figure:
    """The response of one observable against lag, with bands: {name: response with values (lag,)}."""
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
    """Responses of several observables side by side, with bands: {title: {name: response with values (lag,)}}.

    Args:
        unit: of the vertical axes.
        span: of the vertical axes; by default each fits its curves.
        labels: of methods in the legend, where they differ from the usual ones.
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
    """The largest relative error of the parameters against the cost until then, for every start and way.

    Args:
        table: one row per update, with the keys start, way, error and that of the cost.
        close: an error that is marked by a line.
        cost: "simulations", the number of runs, or "seconds" of one core, including the training of scores.
    """
    unit = {"simulations": "runs so far", "seconds": "seconds of one core so far"}[checks.choice("cost", cost, ["simulations", "seconds"])]
    starts, ways = (list(dict.fromkeys(row[what] for row in table)) for what in ("start", "way"))
    figure = make_subplots(1, len(starts), subplot_titles=starts, shared_yaxes=True, horizontal_spacing=0.05)
    first, last = (end(row[cost] for row in table) for end in (min, max))
    for column, start in enumerate(starts, 1):
        for index, way in enumerate(ways):
            rows = [row for row in table if (row["start"], row["way"]) == (start, way)]
            x, y = ([row[key] for row in rows] for key in (cost, "error"))
            look = theme.style(WAYS.get(way, way), index)
            marker = {"symbol": ("circle", "square", "x", "diamond")[index % 4], "size": 9}
            figure.add_trace(line_trace(x, y, way, legend=column == 1, marker=marker, line=look, mode="lines+markers"), 1, column)
        limit = go.Scatter(x=[first, last], y=[close, close], mode="lines", line={"color": theme.GREY, "width": 4})
        figure.add_trace(limit.update(name=f"{close:.0%}", showlegend=column == 1), 1, column)
    figure.update_yaxes(type="log").update_xaxes(title=unit, type="log" if cost == "seconds" else "linear")
    figure.update_yaxes(title="largest relative error of a parameter", col=1)
    return figure.update_layout(template="gfdt", width=900, height=420, margin_t=120, legend_y=1.3)


def error_curves(errors: Mapping[str, Errors]) -> go.Figure:
    """L2 and L∞ errors over the whole field against lag: {name: errors}."""
    figure = make_subplots(1, 2, subplot_titles=["L2 error", "L∞ error"], horizontal_spacing=0.1)
    add_errors(figure, errors, (1, 1), (1, 2), legend=True)
    figure.update_xaxes(title_text="lag t")
    figure.update_layout(template="gfdt", width=900, height=340, margin_t=90, legend_y=1.15)
    return figure


def comparison(responses: Mapping[str, Response], errors: Mapping[str, Errors], title: str = "") -> go.Figure:
    """R_11, R_31, R_51, R_71, and the L2 and L∞ errors, against lag."""
    names = [name_of(d) for d in DISPLACEMENTS]
    figure = make_subplots(2, 3, subplot_titles=[*names[:2], "L2 error", *names[2:], "L∞ error"], horizontal_spacing=0.08)
    for (row, column), displacement in zip(((1, 1), (1, 2), (2, 1), (2, 2)), DISPLACEMENTS, strict=True):
        add_responses(figure, responses, displacement, row, column, legend=(row, column) == (1, 1))
    add_errors(figure, errors, (1, 3), (2, 3), legend=False)
    figure.update_xaxes(title_text="lag t", row=2)
    figure.update_layout(template="gfdt", title=title, width=1000, height=560, margin_t=110, legend_y=1.08)
    return figure


def add_responses(figure: go.Figure, responses: Mapping[str, Response], displacement: int, row: int, column: int, *, legend: bool) -> None:
    """Add the curves of one displacement, with bands where they exist, to one panel.

    Args:
        displacement: in pixels along +x.
        legend: whether the curves appear in the legend; they should for one panel of a figure.
    """
    for index, (name, response) in enumerate(responses.items()):
        band = response.band_along(displacement)
        if band is not None:
            figure.add_trace(band_trace(response.times, band.cpu(), name, index), row, column)
        curve = line_trace(response.times, response.along(displacement).cpu(), name, index, legend=legend)
        figure.add_trace(curve, row, column)


def add_errors(figure: go.Figure, errors: Mapping[str, Errors], l2: tuple[int, int], linf: tuple[int, int], *, legend: bool) -> None:
    """Add the L2 and the L∞ errors against lag, each to the panel (row, column) that is given for it."""
    for index, (name, error) in enumerate(errors.items()):
        figure.add_trace(line_trace(error.times, error.l2, name, index, legend=legend), *l2)
        figure.add_trace(line_trace(error.times, error.linf, name, index, legend=False), *linf)
    for row, column in (l2, linf):
        figure.update_yaxes(rangemode="tozero", row=row, col=column)
