"""The double well of lesson 01: its potential, density and score, trajectories, and mean and variance after a kick."""

from collections.abc import Callable, Mapping

import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import line_trace
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.systems.double_well import DoubleWell

WELL_TITLES = ("potential V(x)", "density ρ(x)", "score s(x) = ∂<sub>x</sub> ln ρ")


def well(system: DoubleWell) -> go.Figure:
    """Potential, density and score of a double well where the density is not negligible."""
    x, density = system.points, system.density
    shown = density > 1e-3 * density.max()
    figure = make_subplots(1, 3, subplot_titles=WELL_TITLES, horizontal_spacing=0.07)
    for column, curve in enumerate((system.energy(x), density, system.score(x)), start=1):
        figure.add_trace(line_trace(x[shown], curve[shown], WELL_TITLES[column - 1], legend=False), 1, column)
    figure.add_hline(y=0, line_width=1, line_color=theme.GREY, row=1, col=3)
    figure.update_traces(line_dash="solid").update_xaxes(title_text="x")
    return figure.update_layout(template="gfdt", width=920, height=300, margin_t=50)


def walkers(series: TimeSeries) -> go.Figure:
    """Trajectories of a few members of one variable against time."""
    figure = go.Figure([line_trace(series.times, path, f"walker {member}", member) for member, path in enumerate(series.u)])
    figure.update_traces(line_dash="solid", line_width=1.2)
    figure.update_layout(template="gfdt", xaxis_title="time t", yaxis_title="x", width=920, height=280, margin_t=40)
    return figure


SYMBOLS = {
    "gaussian": "triangle-up",
    "histogram": "diamond-open",
    "kernel density": "square-open",
    "clusters": "x-thin-open",
    "generative": "circle-open",
}


def mean_and_variance(responses: Mapping[str, Response]) -> go.Figure:
    """Impulse response of mean and variance against lag, {name: response with values (lag, 2)}; as points where it has a band."""
    figure = make_subplots(1, 2, subplot_titles=["mean", "variance"], horizontal_spacing=0.09)
    for index, (name, response) in enumerate(responses.items()):
        for part in (0, 1):
            trace = line_trace(response.times, response.values[:, part], name, index, legend=part == 0)
            if response.band is not None:
                half = (response.band[1] - response.values)[:, part].numpy()
                marker = {"symbol": SYMBOLS.get(name, "circle"), "size": 8, "color": trace.line.color}
                trace.update(mode="markers", marker=marker, error_y={"array": half, "thickness": 1.5, "width": 3})
            figure.add_trace(trace, 1, part + 1)
    figure.update_xaxes(title_text="lag t")
    return figure.update_layout(template="gfdt", width=920, height=350, margin_t=80, legend_y=1.1)


def one_variable_scores(system: DoubleWell, scores: Mapping[str, Callable[[torch.Tensor], torch.Tensor]]) -> go.Figure:
    """Scores of one variable beside the exact one, and their errors, over the range that holds all but 1 in 1000 values."""
    x, exact = system.points, system.score(system.points)
    below = system.density.cumsum(0) / system.density.sum()
    shown = (below > 5e-4) & (below < 1 - 5e-4)
    figure = make_subplots(1, 2, subplot_titles=["score s(x)", "score minus exact score"], horizontal_spacing=0.09)
    figure.add_trace(line_trace(x[shown], exact[shown], "exact"), 1, 1)
    for index, (name, score) in enumerate(scores.items()):
        found = score(x)
        figure.add_trace(line_trace(x[shown], found[shown], name, index), 1, 1)
        figure.add_trace(line_trace(x[shown], (found - exact)[shown], name, index, legend=False), 1, 2)
    figure.update_yaxes(range=[-3, 3], row=1, col=2).update_xaxes(title_text="x")
    return figure.update_layout(template="gfdt", width=920, height=390, margin_t=80, legend_y=1.1)
