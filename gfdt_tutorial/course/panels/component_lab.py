"""Changes of the means and of the second moments of a few unlike variables: a column of means beside a triangle of moments."""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views.component_lab import ComponentChange, pairs_of
from gfdt_tutorial.figures.lines import TraceData, band_trace, line_trace
from gfdt_tutorial.responses.response import Response


def component_changes(view: ComponentChange, measured: Response | None = None) -> go.Figure:
    """Row i has the change of ⟨x_i⟩, and those of ⟨x_i x_j⟩ for j ≥ i, against time since the change."""
    names = view.lab.system.components
    count = len(names)
    figure = make_subplots(count, count + 1, subplot_titles=_titles(names), horizontal_spacing=0.05, vertical_spacing=0.11)
    for number, (row, column) in enumerate(_places(count)):
        for name in (*view.lab.responses, "measured"):
            figure.add_trace(band_trace([], torch.zeros(2, 0), name, 0), row, column)
            figure.add_trace(line_trace([], [], name, legend=number == 0), row, column)
    figure.update_xaxes(title_text="time t", row=count).update_annotations(font_size=13)
    figure.update_layout(template="gfdt", width=960, height=120 + 180 * count, margin_t=90, legend_y=1.07)
    for trace, data in zip(figure.data, component_changes_data(view, measured), strict=True):
        trace.update(data)
    return figure


def component_changes_data(view: ComponentChange, measured: Response | None = None) -> list[TraceData]:
    """The data of each trace of `component_changes`, in order."""
    shown: list[TraceData] = []
    curves = {**view.predicted, "measured": measured}
    for number in range(len(_places(len(view.lab.system.components)))):
        for name, response in curves.items():
            if response is None or response.band is None:
                shown += [{"x": [], "y": []}, {"x": [], "y": []}]
                continue
            band = band_trace(response.times, response.band[:, :, number], name, 0)
            shown += [{"x": band.x, "y": band.y}, {"x": response.times.numpy(), "y": np.asarray(response.values[:, number])}]
    return shown


def _places(count: int) -> list[tuple[int, int]]:
    """Row and column of each moment: the means in the first column, ⟨x_i x_j⟩ in row i and column 1 + j."""
    return [(i + 1, 1) for i in range(count)] + [(i + 1, j + 2) for i, j in pairs_of(count)]


def _titles(names: tuple[str, ...]) -> list[str]:
    """By panel, row by row; those below the diagonal stay empty."""
    count = len(names)
    rows = ([f"δ⟨{a}⟩", *(f"δ⟨{a} {names[j]}⟩" if j >= i else "" for j in range(count))] for i, a in enumerate(names))
    return [title for row in rows for title in row]
