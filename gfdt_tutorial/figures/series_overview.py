"""Figures of a series for `analyse`: an overview of the data before the analysis, and the responses after it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial import figures
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.suitability import Suitability
from gfdt_tutorial.figures import theme
from gfdt_tutorial.responses.response import Response

SHOWN = 300  # largest number of samples in time
LAGS = 500  # largest number of lags of a curve


def overview(data: TimeSeries, found: Suitability) -> go.Figure:
    """The first member, the density of all values beside a Gaussian of the same mean and spread, and the autocorrelation of a pixel.

    A member with two space axes is shown by its last snapshot, with one space axis as a map of space and time, without space as a curve.

    Args:
        found: what `examine` returned for the data.
    """
    titles = (
        ("u(t)", "u(x, t)", "u(y, x), last time")[len(data.grid.shape)],
        "density of u",
        f"autocorrelation{' of a pixel' if data.grid.shape else ''}",
    )
    figure = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.09)
    figure.add_trace(_first_member(data, found), 1, 1)
    for trace in _density(data.u, found):
        figure.add_trace(trace, 1, 2)
    last = min(len(found.autocorrelation), max(8, round(4 * found.decorrelation / data.every)))
    lags = np.arange(last)[:: -(-last // LAGS)]
    autocorrelation = found.autocorrelation[lags].numpy()
    figure.add_trace(go.Scatter(x=data.every * lags, y=autocorrelation, line={"color": theme.BLUE}, showlegend=False), 1, 3)
    figure.add_hline(y=0, line_color=theme.GREY, line_width=1, row=1, col=3)
    figure.update_xaxes(title_text=("t", "x", "x")[len(data.grid.shape)], row=1, col=1)
    figure.update_yaxes(title_text=("u", "t", "y")[len(data.grid.shape)], title_standoff=4, row=1, col=1)
    figure.update_xaxes(title_text="u", row=1, col=2)
    figure.update_xaxes(title_text="lag t", row=1, col=3)
    figure.update_layout(template="gfdt", width=900, height=340, margin_t=90, legend={"x": 0.36, "y": 1.12})
    return figures.square_maps(figure) if len(data.grid.shape) == 2 else figure


def _first_member(data: TimeSeries, found: Suitability) -> go.Scatter | go.Heatmap:
    steps = min(SHOWN, max(40, round(8 * found.decorrelation / data.every)))
    some, times = data.u[0, :steps].cpu(), data.times[:steps].numpy()
    if not data.grid.shape:
        return go.Scatter(x=times, y=some.numpy(), line={"color": theme.BLUE, "width": 1}, showlegend=False)
    if len(data.grid.shape) == 2:
        return figures.heatmap(data.grid, data.u[0, -1] - found.mean, showscale=False)
    return _space_time(data.grid.coordinates[0].numpy(), times, some - found.mean)


def _space_time(x: np.ndarray, times: np.ndarray, values: torch.Tensor) -> go.Heatmap:
    z = np.round(values.double().numpy(), 4)
    return go.Heatmap(z=z, x=x, y=times, colorscale=theme.FIELD_SCALE, zmid=0, showscale=False)


def _density(u: torch.Tensor, found: Suitability) -> list[go.Scatter]:
    some = u.flatten()[:: -(-u.numel() // 1_000_000)].double().cpu().numpy()
    heights, edges = np.histogram(some, bins=80, density=True)
    middles = (edges[1:] + edges[:-1]) / 2
    gaussian = np.exp(-0.5 * ((middles - found.mean) / found.spread) ** 2) / (found.spread * np.sqrt(2 * np.pi))
    return [
        go.Scatter(x=middles, y=heights, name="data", line={"color": theme.BLUE}),
        go.Scatter(x=middles, y=gaussian, name="Gaussian", line=theme.style("gaussian")),
    ]


def response_overview(responses: Mapping[str, Response]) -> go.Figure:
    """Responses with bands, {name: response}: one panel for a scalar, and one per displacement along x for a field."""
    responses = {name: _thinned(response) for name, response in responses.items()}
    shape = _grid(next(iter(responses.values()))).shape
    displacements = [-1, 0, 1, 2] if shape and shape[-1] > 4 else [0]
    titles = ["R(t)"] if displacements == [0] else [f"displacement {d:+d}" if d else "the place itself" for d in displacements]
    figure = make_subplots(1, len(displacements), subplot_titles=titles, horizontal_spacing=0.06)
    for column, displacement in enumerate(displacements, start=1):
        figures.add_responses(figure, responses, displacement, 1, column, legend=column == 1)
    figure.update_xaxes(title_text="lag t")
    figure.update_layout(template="gfdt", width=max(460, 225 * len(displacements)), height=320, margin_t=90, legend_y=1.15)
    return figure


def _thinned(response: Response) -> Response:
    """The response at no more than LAGS lags, as a curve does not show more."""
    some = slice(None, None, -(-len(response.times) // LAGS))
    error = None if response.standard_error is None else response.standard_error[some]
    return replace(response, times=response.times[some], values=response.values[some], standard_error=error, parts=None)


def response_at_all_places(response: Response) -> go.Figure | None:
    """The response of all places to a kick of the one in the middle: a map of space and lag, or with two space axes maps at four lags.

    Returns:
        None for a scalar, which has no places.
    """
    grid = _grid(response)
    if not grid.shape:
        return None
    if len(grid.shape) == 2:
        rows = sorted({round(part * (len(response.times) - 1)) for part in (0.04, 0.12, 0.35, 1.0)})
        return figures.response_maps(response, [float(response.times[row]) for row in rows])
    n = grid.shape[0]
    shifted = response.values.cpu().roll(n // 2, -1)
    place = np.arange(n) - n // 2
    largest = float(shifted[1:].abs().max())
    figure = go.Figure(_space_time(place, response.times.numpy(), shifted).update(zmin=-largest, zmax=largest, showscale=True))
    figure.update_layout(template="gfdt", title="R(d, t)", xaxis_title="displacement, in pixels", yaxis_title="lag t")
    return figure.update_layout(width=560, height=380)


def _grid(response: Response) -> PeriodicGrid:
    if response.grid is None:
        raise ValueError("response has no grid; expected one from `respond` or `perturb`, whose grid has no axes for a scalar")
    return response.grid
