"""What curves are made of: a line and a band in the look of their method, the losses of a training, and logarithmic axes."""

import numpy as np
import plotly.graph_objects as go
import torch

from gfdt_tutorial.figures import theme
from gfdt_tutorial.scores.training import Training


def line_trace(x, y, name: str, index: int = 0, *, legend: bool | str = True, **options) -> go.Scatter:
    """The trace of a curve, in the look of a method, or the next of a sequence for any other name.

    Args:
        legend: whether it is named there, or in which legend.
    """
    label = theme.LABELS.get(name, name)
    common = {"mode": "lines", "line": theme.style(name, index), "name": label, "legendgroup": name, "showlegend": bool(legend)}
    if isinstance(legend, str):
        common["legend"] = legend
    return go.Scatter(x=np.asarray(x), y=np.asarray(y), **common | options)


def band_trace(x, band: torch.Tensor, name: str, index: int) -> go.Scatter:
    """The trace of a band (2, x): upper edge out, lower edge back, filled."""
    there, back = np.asarray(x), np.asarray(x)[::-1]
    edges = np.concatenate([band[1].numpy(), band[0].numpy()[::-1]])
    fill = theme.faint(theme.style(name, index)["color"])
    options = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    return go.Scatter(x=np.concatenate([there, back]), y=edges, fill="toself", fillcolor=fill, legendgroup=name, **options)


def loss_traces() -> list[go.Scatter]:
    """Empty traces for the losses of a training. Training and validation loss of the *same*, averaged weights can be compared; the loss of
    each batch is that of the newest weights, which are ahead of the average."""
    batch = line_trace([], [], "each batch, newest weights", line={"color": theme.GREY, "width": 1})
    return [batch, line_trace([], [], "training, averaged weights", 0), line_trace([], [], "validation, averaged weights", 1)]


def losses_data(training: Training) -> list[dict]:
    """What the traces of `loss_traces` show, in order."""
    batches = np.arange(1, len(training.losses) + 1)
    looks = [{"x": steps, "y": values} for steps, values in (np.array(each).T for each in (training.averaged, training.validations))]
    return [{"x": batches, "y": np.asarray(training.losses)}, *looks]


def log_log(figure: go.Figure, **where) -> None:
    """Axes of a spectrum: wavenumber along x, a tick each power of ten along y."""
    figure.update_xaxes(type="log", title_text="wavenumber k", tickvals=[1, 2, 4, 8, 16, 32, 64], **where)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1, **where)
