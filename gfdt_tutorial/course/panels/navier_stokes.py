"""The lab of the flow: a flow and its kicked twins."""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views import StirredFlow
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.fields import centred, heatmap, square_maps
from gfdt_tutorial.figures.lines import TraceData, line_trace

FLOW_TITLES = (
    "vorticity u: click to kick",
    "its kicked twin",
    "twin − flow",
    "mean difference of all pairs",
    "predicted mean difference",
    "size of the response",
)


def flow(view: StirredFlow) -> go.Figure:
    """A flow, its kicked twin and their difference; the mean difference beside the prediction; and the sizes of both against time."""
    figure = make_subplots(2, 3, subplot_titles=FLOW_TITLES, horizontal_spacing=0.08, vertical_spacing=0.14)
    blank = torch.zeros(view.system.grid.shape)
    for index in range(5):
        figure.add_trace(heatmap(view.system.grid, blank, showscale=False), 1 + index // 3, 1 + index % 3)
    figure.add_trace(line_trace([], [], "mean of all pairs", line=theme.style("truth")), 2, 3)
    figure.add_trace(line_trace([], [], "predicted", line=theme.style("generative")), 2, 3)
    figure.update_xaxes(title_text="time since the kick", range=[0, float(view.response.times[-1])], row=2, col=3)
    figure.update_yaxes(title_text="L2 norm", rangemode="tozero", row=2, col=3)
    figure.update_layout(template="gfdt", width=960, height=680, margin_t=100, legend_y=1.06)
    for trace, data in zip(figure.data, flow_data(view), strict=True):
        trace.update(data)
    return square_maps(figure)


def flow_data(view: StirredFlow) -> list[TraceData]:
    """The data of each trace of `flow`, in order. Both flows share one colour scale, and so do the differences."""
    grid, twin, itself, mean = view.system.grid, view.kicked, view.snapshot, view.mean
    scale = float(itself.abs().max())
    expected, found = float(view.predicted.abs().max()), float(mean.abs().max())
    response = max(expected, 0.1 * found if expected else found, 1e-6)  # the noise of the mean may exceed the scale of a prediction
    maps = [(itself, scale), (twin, scale), (twin - itself, response), (mean, response), (view.predicted, response)]
    shown: list[TraceData] = [{"z": centred(grid, field), "zmin": -limit, "zmax": limit} for field, limit in maps]
    past = np.arange(len(view.size)) * view.every
    return [
        *shown,
        {"x": past, "y": np.array(view.size)},
        {"x": view.response.times.numpy(), "y": view.prediction.flatten(1).norm(dim=1).numpy()},
    ]
