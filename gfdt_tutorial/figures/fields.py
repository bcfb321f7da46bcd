"""Maps: one field, the response of all pixels at a few lags, and the trace and axes that every map has."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.figures import theme
from gfdt_tutorial.responses.response import Response


def field_map(grid: PeriodicGrid, field: torch.Tensor, title: str, *, unit: str = "u") -> go.Figure:
    """One field as a map with the origin in the middle."""
    figure = go.Figure(heatmap(grid, field, unit=unit))
    figure.update_layout(template="gfdt", title=title, width=460, height=430)
    return square_maps(figure)


def heatmap(
    grid: PeriodicGrid,
    field: torch.Tensor,
    *,
    unit: str = "u",
    showscale: bool = True,
    zmin: float | None = None,
    zmax: float | None = None,
) -> go.Heatmap:
    """The trace of a map; white is zero.

    Args:
        unit: title of the colour bar.
        showscale: whether there is a colour bar.
        zmin, zmax: ends of the colour scale; by default those of the field.
    """
    x, y = _centred_axes(grid)
    hover = "x = %{x:.2f}, y = %{y:.2f}: %{z:.3f}<extra></extra>"
    bar = {"title": unit, "thickness": 12}
    trace = go.Heatmap(z=centred(grid, field), x=x, y=y, hovertemplate=hover, showscale=showscale, colorbar=bar)
    return trace.update(colorscale=theme.FIELD_SCALE, zmid=0, zmin=zmin, zmax=zmax)


def centred(grid: PeriodicGrid, field: torch.Tensor) -> np.ndarray:
    """A field in rows, with the origin moved from the corner to the middle; six decimals, because maps are sent to the browser as text."""
    values = field.detach().cpu().double()
    shifted = torch.roll(values, [n // 2 for n in grid.shape], dims=grid.axes) if grid.shape else values
    return np.round(np.atleast_2d(shifted.numpy()), 6)


def response_maps(response: Response, lags: Sequence[float], field: torch.Tensor | None = None) -> go.Figure:
    """The response of the whole field at a few lags, each map on its own scale.

    Args:
        lags: in time units; the nearest lags of the response are shown.
        field: (lag, *shape), the response to some pattern (`response.to(pattern)`); by default to a unit kick of one pixel, in the middle.

    Raises:
        ValueError: the response is not one of a field.
    """
    if response.grid is None:
        raise ValueError("response has no grid, so it is not one of a field; expected what `respond` or `perturb` return")
    values = response.values if field is None else field
    rows = [int((response.times - lag).abs().argmin()) for lag in lags]
    titles = [f"t = {float(response.times[row]):g}, largest {float(values[row].abs().max()):.2g}" for row in rows]
    figure = make_subplots(1, len(rows), subplot_titles=titles, horizontal_spacing=0.04)
    for column, row in enumerate(rows, start=1):
        figure.add_trace(heatmap(response.grid, values[row], showscale=False), 1, column)
    figure.update_layout(template="gfdt", width=920, height=300)
    return square_maps(figure)


def square_maps(figure: go.Figure) -> go.Figure:
    """Give x and y equal units in every panel with a map of two axes."""
    for trace in figure.select_traces(selector={"type": "heatmap"}):
        if len(trace.y) > 1:
            axis = trace.xaxis or "x"
            figure.layout["yaxis" + (trace.yaxis or "y")[1:]].update(scaleanchor=axis, constrain="domain")
            figure.layout["xaxis" + axis[1:]].update(constrain="domain")
    return figure


def _centred_axes(grid: PeriodicGrid) -> tuple[np.ndarray, np.ndarray]:
    if not grid.shape:  # a lone number is one pixel
        return np.zeros(1), np.zeros(1)
    shifted = [c.numpy() - (n // 2) * length / n for c, n, length in zip(grid.coordinates, grid.shape, grid.lengths, strict=True)]
    return shifted[-1], (shifted[0] if len(shifted) == 2 else np.zeros(1))
