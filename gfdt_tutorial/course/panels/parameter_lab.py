"""The parameter lab: changes of statistics with the parameters, predicted and measured."""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views.parameter_lab import METHODS, ParameterChange
from gfdt_tutorial.figures.fields import centred, heatmap, square_maps
from gfdt_tutorial.figures.lines import TraceData, band_trace, line_trace
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.response import Response

PARAMETER_TITLES = ("u, unperturbed", "u, changed", "δ⟨u²⟩", "δC<sub>k</sub>/C<sub>k</sub> at t", "δρ(u) at t", "δ⟨u⁴⟩")
MOVED = (*METHODS, "measured")


def parameters(view: ParameterChange, run: ChangedEnsemble | None = None) -> go.Figure:
    """A member before and after the change; predicted and measured changes of statistics.

    ⟨u²⟩ and ⟨u⁴⟩ are drawn against time, the relative change of the spectrum and the change of the density of pixel values at the last
    time that was reached.
    """
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


def parameters_data(view: ParameterChange, run: ChangedEnsemble | None = None) -> list[TraceData]:
    """The data of each trace of `parameters`, in order."""
    lab, reached = view.lab_system, view.row(run)
    fields = torch.zeros(2, *lab.system.grid.shape) if run is None or run.fields is None else run.fields
    scale = max(float(fields[0].abs().max()), 1e-9)
    shown: list[TraceData] = [{"z": centred(lab.system.grid, field), "zmin": -scale, "zmax": scale} for field in fields]
    moved = dict(view.predicted)
    if run is not None and reached > 0:
        moved["measured"] = run.response()
    for number in (0, 1):
        for name in MOVED:
            stop = reached + 1 if name == "measured" else len(view.times)
            shown += _moved(name, moved.get(name), view.times[:stop], (slice(stop), number))
    row, statistics = (reached if reached > 0 else len(view.times) - 1), lab.statistics
    shells = slice(statistics.spectrum.start + 1, statistics.spectrum.stop)  # k = 0 is left out, because the axis is logarithmic
    for x, numbers, unit in (
        (statistics.k[1:], shells, lab.mean[shells]),
        (statistics.middles, statistics.density, torch.ones(len(statistics.middles))),
    ):
        for name in MOVED:
            shown += _moved(name, moved.get(name), x, (row, numbers), unit)
    return shown


Index = int | slice


def _moved(
    name: str, response: Response | None, x: torch.Tensor, where: tuple[Index, Index], unit: torch.Tensor | float = 1.0
) -> list[TraceData]:
    """Band and line of some of the changes, in a unit."""
    if response is None or response.band is None:
        return [{"x": [], "y": []}, {"x": [], "y": []}]
    band = band_trace(x, response.band[(slice(None), *where)] / unit, name, 0)
    return [{"x": band.x, "y": band.y}, {"x": np.asarray(x), "y": np.asarray(response.values[where] / unit)}]
