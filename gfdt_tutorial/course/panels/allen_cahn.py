"""The lab of the Allen-Cahn field: a response that converges while its data are simulated."""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views import LiveResponse
from gfdt_tutorial.figures.fields import centred, heatmap, square_maps
from gfdt_tutorial.figures.lines import TraceData, band_trace, curve_with_band, line_trace
from gfdt_tutorial.figures.response_curves import name_of
from gfdt_tutorial.responses.response import Response

LIVE_TITLES = ("field u: click to kick", "kicked twin − field", "predicted mean response")
LIVE_SHOWN = (0, 2)  # displacements, in pixels


def live(view: LiveResponse, truth: Response | None = None) -> go.Figure:
    """A running field, its change by one kick and the predicted mean change; below, responses with their bands, and the standard error."""
    titles = [*LIVE_TITLES, *map(name_of, LIVE_SHOWN), "standard error of R<sub>11</sub>"]
    figure = make_subplots(2, 3, subplot_titles=titles, horizontal_spacing=0.08, vertical_spacing=0.16)
    for column in (1, 2, 3):
        figure.add_trace(heatmap(view.system.grid, torch.zeros(view.system.grid.shape), showscale=False), 1, column)
    for column in range(1, len(LIVE_SHOWN) + 1):
        figure.add_trace(line_trace([], [], "truth", legend=column == 1), 2, column)
        for name in ("gaussian", *view.scores):
            figure.add_trace(band_trace([], torch.zeros(2, 0), name, 0), 2, column)
            figure.add_trace(line_trace([], [], name, legend=column == 1), 2, column)
    figure.add_trace(line_trace([], [], list(view.scores)[-1], legend=False, mode="lines+markers"), 2, 3)
    for column in (1, 2):
        figure.update_xaxes(title_text="lag t", range=[0, view.lags], row=2, col=column)
    figure.update_yaxes(range=[-0.1, 1.05], row=2, col=1).update_yaxes(range=[-0.2, 0.6], row=2, col=2)
    figure.update_xaxes(type="log", title_text="member × time", row=2, col=3).update_yaxes(type="log", row=2, col=3)
    figure.update_layout(template="gfdt", width=960, height=680, margin_t=100, legend_y=1.06)
    for trace, data in zip(figure.data, live_data(view, truth), strict=True):
        trace.update(data)
    return square_maps(figure)


def live_data(view: LiveResponse, truth: Response | None = None) -> list[TraceData]:
    """The data of each trace of `live`, in order."""
    grid, estimates = view.system.grid, view.responses()
    best = estimates.get(list(view.scores)[-1])
    predicted = torch.zeros(grid.shape) if best is None else best.to(view.pattern)[min(view.since, view.lags)]
    shown: list[TraceData] = [{"z": centred(grid, field)} for field in (view.snapshot, view.difference, predicted)]
    for displacement in LIVE_SHOWN:
        known = np.full(view.lags + 1, np.nan) if truth is None else truth.along(displacement)[: view.lags + 1].numpy()
        shown.append({"x": view.times.numpy(), "y": known})
        for name in ("gaussian", *view.scores):
            shown += curve_with_band(estimates.get(name), displacement)
    amount, error = zip(*view.history, strict=True) if view.history else ((), ())
    return [*shown, {"x": list(amount), "y": list(error)}]
