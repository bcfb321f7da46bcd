"""The parts of curves: lines and bands in the style of their method, the losses of a training, and logarithmic axes."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import plotly.graph_objects as go
import torch

from gfdt_tutorial.figures import theme
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.training import Training

Numbers = torch.Tensor | np.ndarray | Sequence[float]


class TraceData(TypedDict, total=False):
    """What a trace shows now: the properties of it that are to be updated."""

    x: Numbers
    y: Numbers
    z: np.ndarray
    zmin: float
    zmax: float
    visible: bool


def line_trace(
    x: Numbers,
    y: Numbers,
    name: str,
    index: int = 0,
    *,
    legend: bool | str = True,
    line: theme.Line | None = None,
    mode: str = "lines",
    marker: dict | None = None,
) -> go.Scatter:
    """The trace of a curve, in the style of its method.

    Args:
        index: of the style in a sequence, for a name that is no method.
        legend: whether the curve appears in the legend, or the name of the legend.
        line, mode, marker: as in `plotly.graph_objects.Scatter`; the line is that of the method by default.
    """
    label, look = theme.LABELS.get(name, name), theme.style(name, index) if line is None else line
    trace = go.Scatter(x=np.asarray(x), y=np.asarray(y), mode=mode, line=look, name=label, legendgroup=name, showlegend=bool(legend))
    if marker is not None:
        trace.marker = marker
    if isinstance(legend, str):
        trace.legend = legend
    return trace


def band_trace(x: Numbers, band: torch.Tensor, name: str, index: int) -> go.Scatter:
    """The trace of a band (2, x): along the upper edge, back along the lower one, and filled."""
    there, back = np.asarray(x), np.asarray(x)[::-1]
    edges = np.concatenate([band[1].numpy(), band[0].numpy()[::-1]])
    fill = theme.faint(theme.style(name, index)["color"])
    trace = go.Scatter(x=np.concatenate([there, back]), y=edges, fill="toself", fillcolor=fill, legendgroup=name)
    return trace.update(mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False)


def curve_with_band(response: Response | None, displacement: int) -> list[TraceData]:
    """The data of a band and a line: the response at one displacement; both are empty without a response."""
    if response is None:
        return [{"x": [], "y": []}, {"x": [], "y": []}]
    times, band = response.times, response.band_along(displacement)
    edges = band_trace([], torch.zeros(2, 0), response.method, 0) if band is None else band_trace(times, band, response.method, 0)
    return [{"x": edges.x, "y": edges.y}, {"x": times.numpy(), "y": response.along(displacement).numpy()}]


def loss_traces() -> list[go.Scatter]:
    """Empty traces for the losses of a training.

    Training and validation loss can be compared, because both are those of the averaged weights; the loss of each batch is that of the
    newest weights, which are ahead of the average.
    """
    batch = line_trace([], [], "each batch, newest weights", line={"color": theme.GREY, "width": 1})
    return [batch, line_trace([], [], "training, averaged weights", 0), line_trace([], [], "validation, averaged weights", 1)]


def losses_data(training: Training) -> list[TraceData]:
    """The data of the traces of `loss_traces`, in order."""
    batches = np.arange(1, len(training.losses) + 1)
    averaged, validations = (np.array(each).T for each in (training.averaged, training.validations))
    newest: TraceData = {"x": batches, "y": np.asarray(training.losses)}
    return [newest, {"x": averaged[0], "y": averaged[1]}, {"x": validations[0], "y": validations[1]}]


def log_log(figure: go.Figure, row: int | None = None, column: int | None = None) -> None:
    """Give a panel, or all panels, the axes of a spectrum: wavenumber along x, and a tick at each power of ten along y."""
    figure.update_xaxes(type="log", title_text="wavenumber k", tickvals=[1, 2, 4, 8, 16, 32, 64], row=row, col=column)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1, row=row, col=column)
