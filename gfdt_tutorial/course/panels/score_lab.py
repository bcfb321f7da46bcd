"""The score lab: responses while a score is learned."""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views import LearningResponse
from gfdt_tutorial.figures.lines import TraceData, band_trace, curve_with_band, line_trace, loss_traces, losses_data
from gfdt_tutorial.figures.response_curves import name_of

LEARNED = (0, 2, 4)  # displacements, in pixels


def learning(view: LearningResponse) -> go.Figure:
    """Responses while a score is learned: R_11, R_31, R_51 beside the truth; below, their error and the loss against step."""
    titles = [*map(name_of, LEARNED), "L2 error of the response", "loss"]
    specs = [[{}, {}, {}], [{"colspan": 2}, None, {}]]
    figure = make_subplots(2, 3, specs=specs, subplot_titles=titles, horizontal_spacing=0.08, vertical_spacing=0.2)
    for column in range(1, len(LEARNED) + 1):
        figure.add_trace(line_trace([], [], "truth", legend=column == 1), 1, column)
        for name in ("gaussian", "analytic"):
            figure.add_trace(line_trace([], [], name, legend=column == 1), 1, column)
        figure.add_trace(band_trace([], torch.zeros(2, 0), "generative", 0), 1, column)
        figure.add_trace(line_trace([], [], "generative", legend=column == 1), 1, column)
    for name in ("gaussian", "analytic", "generative"):
        figure.add_trace(line_trace([], [], name, legend=False, mode="lines+markers" if name == "generative" else "lines"), 2, 1)
    for trace in loss_traces():
        figure.add_trace(trace, 2, 3)
    figure.update_xaxes(title_text="lag t", row=1).update_xaxes(title_text="step", row=2)
    figure.update_yaxes(range=[-0.25, 0.6], row=1).update_yaxes(range=[-0.25, 1.05], row=1, col=1).update_yaxes(
        rangemode="tozero", row=2, col=1
    )
    figure.update_layout(template="gfdt", width=960, height=600, margin_t=100, legend_y=1.07)
    for trace, data in zip(figure.data, learning_data(view), strict=True):
        trace.update(data)
    return figure


def learning_data(view: LearningResponse) -> list[TraceData]:
    """The data of each trace of `learning`, in order."""
    found = view.responses["generative"]
    shown: list[TraceData] = []
    times = found.times.numpy()
    for displacement in LEARNED:
        for response in (view.truth, view.responses["gaussian"], view.responses["analytic"]):
            shown.append({"x": times, "y": response.along(displacement)[: len(times)].numpy()})
        shown += curve_with_band(found, displacement)
    steps = [0, view.training.budget.steps]
    shown += [{"x": steps, "y": [view.errors[name]] * 2} for name in ("gaussian", "analytic")]
    looks, errors = zip(*view.history, strict=True)
    return [*shown, {"x": np.asarray(looks), "y": np.asarray(errors)}, *losses_data(view.training)]
