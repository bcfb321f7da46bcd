"""The parameter lab: statistics that move when a parameter does, predicted and measured."""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views.parameter_lab import METHODS, ParameterChange
from gfdt_tutorial.figures.fields import centred, heatmap, square_maps
from gfdt_tutorial.figures.lines import band_trace, line_trace
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.response import Response

PARAMETER_TITLES = ("u, undisturbed", "u, changed", "δ⟨u²⟩", "δC<sub>k</sub>/C<sub>k</sub> at t", "δρ(u) at t", "δ⟨u⁴⟩")
MOVED = (*METHODS, "measured")


def parameters(view: ParameterChange, run: ChangedEnsemble | None = None) -> go.Figure:
    """A member as it is and as it is changed; how far the statistics move, predicted and measured: ⟨u²⟩ and ⟨u⁴⟩ against time, and at the
    last time reached the spectrum, relative to itself, and the density of pixel values."""
    figure = make_subplots(2, 3, subplot_titles=PARAMETER_TITLES, horizontal_spacing=0.09, vertical_spacing=0.2)
    grid = view.lab_system.system.grid
    for column in (1, 2):
        figure.add_trace(heatmap(grid, torch.zeros(grid.shape), showscale=False), 1, column)
    for row, column in ((1, 3), (2, 3), (2, 1), (2, 2)):
        for name in MOVED:
            figure.add_trace(band_trace([], torch.zeros(2, 0), name, 0), row, column)
            figure.add_trace(line_trace([], [], name, legend=column == 3 and row == 1), row, column)
    figure.update_xaxes(title_text="time t since the change", col=3)
    figure.update_xaxes(type="log", title_text="wavenumber k", tickvals=[1, 2, 4, 8, 16, 32], row=2, col=1)
    figure.update_xaxes(title_text="u", row=2, col=2)
    figure.update_layout(template="gfdt", width=960, height=680, margin_t=100, legend_y=1.07)
    for trace, data in zip(figure.data, parameters_data(view, run), strict=True):
        trace.update(data)
    return square_maps(figure)


def parameters_data(view: ParameterChange, run: ChangedEnsemble | None = None) -> list[dict]:
    """What each trace of `parameters` shows, in order."""
    known, reached = view.lab_system, view.row(run)
    fields = torch.zeros(2, *known.system.grid.shape) if run is None or run.fields is None else run.fields
    scale = max(float(fields[0].abs().max()), 1e-9)
    shown = [{"z": centred(known.system.grid, field), "zmin": -scale, "zmax": scale} for field in fields]
    moved = dict(view.predicted) | ({} if reached < 1 else {"measured": run.response()})
    for number in (0, 1):
        for name in MOVED:
            stop = reached + 1 if name == "measured" else len(view.times)
            shown += _moved(name, moved.get(name), view.times[:stop], (slice(stop), number))
    row, measures = (reached if reached > 0 else len(view.times) - 1), known.statistics
    shells = slice(measures.spectrum.start + 1, measures.spectrum.stop)  # k = 0 has no place on a logarithmic axis
    for x, numbers, unit in (
        (measures.k[1:], shells, known.mean[shells]),
        (measures.middles, measures.density, torch.ones(len(measures.middles))),
    ):
        for name in MOVED:
            shown += _moved(name, moved.get(name), x, (row, numbers), unit)
    return shown


def _moved(name: str, response: Response | None, x: torch.Tensor, where: tuple, unit: torch.Tensor | float = 1.0) -> list[dict]:
    """Band and line of a part of what moved, in a unit."""
    if response is None:
        return [{"x": [], "y": []}] * 2
    band = band_trace(x, response.band[(slice(None), *where)] / unit, name, 0)
    return [{"x": band.x, "y": band.y}, {"x": np.asarray(x), "y": np.asarray(response.values[where] / unit)}]
