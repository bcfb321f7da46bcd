"""A training beside a score that is known: loss, Stein's identity, and size of the score."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views import TrainingView
from gfdt_tutorial.figures.lines import TraceData, line_trace, loss_traces, losses_data

TRAINING_TITLES = ("loss", "−⟨û ŝ*⟩/N² by shell", "learned over exact score by shell")


def training(view: TrainingView) -> go.Figure:
    """Loss against step, Stein's identity by shell, and learned over exact score by shell."""
    figure = make_subplots(1, 3, subplot_titles=TRAINING_TITLES, horizontal_spacing=0.09)
    for trace in loss_traces():
        figure.add_trace(trace, 1, 1)
    for column in (2, 3):
        figure.add_trace(line_trace([0, float(view.k[-1])], [1, 1], "exact", legend=False), 1, column)
        figure.add_trace(line_trace([], [], "generative", legend=column == 2), 1, column)
    figure.update_xaxes(title_text="step", range=[0, view.training.budget.steps], row=1, col=1)
    figure.update_xaxes(title_text="wavenumber k", row=1, col=2).update_xaxes(title_text="wavenumber k", row=1, col=3)
    figure.update_yaxes(range=[-0.5, 3], row=1, col=2).update_yaxes(range=[-0.5, 3], row=1, col=3)
    figure.update_layout(template="gfdt", width=920, height=340, margin_t=90, legend_y=1.15)
    for trace, data in zip(figure.data, training_data(view), strict=True):
        trace.update(data)
    return figure


def training_data(view: TrainingView) -> list[TraceData]:
    """The data of each trace of `training`, in order."""
    reference: TraceData = {"x": view.k[[0, -1]].numpy(), "y": np.ones(2)}
    return [
        *losses_data(view.training),
        reference,
        {"x": view.k.numpy(), "y": view.stein.numpy()},
        reference,
        {"x": view.k.numpy(), "y": view.gain.numpy()},
    ]
