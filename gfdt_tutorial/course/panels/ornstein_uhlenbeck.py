"""The explorer of the Ornstein-Uhlenbeck field."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views import Exploration
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.fields import centred, heatmap, square_maps
from gfdt_tutorial.figures.lines import TraceData, line_trace, log_log
from gfdt_tutorial.figures.response_curves import DISPLACEMENTS

EXPLORER_TITLES = ("snapshot u", "covariance C<sub>k</sub>", "mean response at lag t", "response downstream of the kick")


def explorer(view: Exploration) -> go.Figure:
    """Snapshot, spectrum, and the response to a kick: as a map at one lag, and at a few displacements along +x against lag."""
    figure = make_subplots(2, 2, subplot_titles=EXPLORER_TITLES, horizontal_spacing=0.12, vertical_spacing=0.22)
    grid = view.system.grid
    figure.add_trace(heatmap(grid, view.snapshot, showscale=False), 1, 1)
    figure.add_trace(line_trace(view.k[1:], view.reference[1:], "the letter's parameters", line=theme.style("exact")), 1, 2)
    figure.add_trace(line_trace(view.k[1:], view.spectrum[1:], "these parameters"), 1, 2)
    figure.add_trace(heatmap(grid, view.response[view.row], showscale=False), 2, 1)
    for index, displacement in enumerate(DISPLACEMENTS):
        figure.add_trace(line_trace(view.times, view.along(displacement), f"{displacement} pixels", index, legend="legend2"), 2, 2)
    figure.add_trace(line_trace([], [], "lag t", line={"color": theme.INK, "width": 1}, legend=False), 2, 2)
    log_log(figure, row=1, column=2)
    figure.update_xaxes(title_text="lag t", row=2, col=2)
    figure.update_layout(template="gfdt", width=900, height=720, margin_t=80)
    figure.update_layout(legend={"x": 0.56, "y": 1.045}, legend2={"orientation": "h", "x": 0.56, "y": 0.425, "yanchor": "bottom"})
    for trace, data in zip(figure.data, explorer_data(view), strict=True):
        trace.update(data)
    return square_maps(figure)


def explorer_data(view: Exploration) -> list[TraceData]:
    """The data of each trace of `explorer` that change with a slider, in order."""
    grid, curves = view.system.grid, [view.along(d).numpy() for d in DISPLACEMENTS]
    lowest, highest = min(c.min() for c in curves), max(c.max() for c in curves)
    lag = float(view.times[view.row])
    maps_and_spectra: list[TraceData] = [
        {"z": centred(grid, view.snapshot)},
        {"y": view.reference[1:].numpy()},
        {"y": view.spectrum[1:].numpy()},
        {"z": centred(grid, view.response[view.row])},
    ]
    responses: list[TraceData] = [{"y": curve} for curve in curves]
    return [*maps_and_spectra, *responses, {"x": [lag, lag], "y": [lowest, highest]}]
