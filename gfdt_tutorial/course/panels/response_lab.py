"""The response lab: the response to a kick or a forcing, predicted by every method."""

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views.response_lab import METHODS, Predictions
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.fields import centred, heatmap, square_maps
from gfdt_tutorial.figures.lines import TraceData, line_trace
from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble

MAPS = 6  # the truth, at most four other methods, and the measured response
COLUMNS = 3 * MAPS
PREDICTED = ("truth", *METHODS)


def predictions(view: Predictions, time: float, measured: ForcedEnsemble | None = None) -> go.Figure:
    """The response to a kick or a forcing by every method.

    Above are maps at one time on one scale; below, against time, the responses along the kick, their errors, and the time profile of the
    forcing.
    """
    below = ["response along the kick, ⟨u, p⟩/|p|", "L2 error over all pixels"] + (["time profile f(t)"] if view.time_profile else [])
    wide = COLUMNS // len(below)
    specs: list[list[dict | None]] = [[None] * COLUMNS, [None] * COLUMNS]
    specs[0][::3] = [{"colspan": 3} for _ in range(MAPS)]
    specs[1][: wide * len(below) : wide] = [{"colspan": wide, "l": 0.03 * bool(index)} for index in range(len(below))]
    figure = make_subplots(2, COLUMNS, specs=specs, subplot_titles=[" "] * MAPS + below, horizontal_spacing=0.02, vertical_spacing=0.18)
    for slot in range(MAPS):
        figure.add_trace(heatmap(view.grid, torch.zeros(view.grid.shape), showscale=slot == 0), 1, 3 * slot + 1)
    figure.data[0].colorbar.update(x=1.01, y=0.8, len=0.45, title="u")
    for column, names in ((1, (*PREDICTED, "measured", "t")), (wide + 1, (*METHODS, "size", "t"))):
        for name in names:
            figure.add_trace(_line(name, legend=column == 1 and name != "t"), 2, column)
    if view.time_profile:
        for name in ("f", "t"):
            figure.add_trace(_line(name, legend=False), 2, 2 * wide + 1)
    figure.update_xaxes(title_text="time t", row=2).update_xaxes(showticklabels=False, ticks="", showline=False, row=1)
    figure.update_yaxes(showticklabels=False, ticks="", showline=False, row=1)
    figure.update_layout(template="gfdt", width=960, height=560, margin={"t": 70, "b": 90, "r": 80}, legend={"y": -0.16, "yanchor": "top"})
    for annotation, title in zip(figure.layout.annotations, prediction_titles(view), strict=False):
        annotation.text = title
    for trace, data in zip(figure.data, predictions_data(view, time, measured), strict=True):
        trace.update(data)
    return square_maps(figure).update_annotations(font_size=13)


def prediction_titles(view: Predictions) -> list[str]:
    """The titles of the maps of `predictions`."""
    names = [theme.LABELS.get(name, name) for name in (*view.fields, "measured")]
    return [name.replace(", given", ",<br>given").replace(" combined", "<br>combined") for name in names] + [""] * (MAPS - len(names))


def predictions_data(view: Predictions, time: float, measured: ForcedEnsemble | None = None) -> list[TraceData]:
    """The data of each trace of `predictions`, in order."""
    row, times = view.row(time), view.times.numpy()
    reached = -1 if measured is None else measured.row
    fields = [field[row] for field in view.fields.values()]
    found = None if measured is None or reached < 0 else measured.responses[: reached + 1]
    fields.append(torch.zeros(view.grid.shape) if found is None else found[min(row, reached)])
    scale = max(1.1 * float(view.linear[row].abs().max()), 1e-9)
    shown: list[TraceData] = [{"z": centred(view.grid, field), "zmin": -scale, "zmax": scale, "visible": True} for field in fields]
    for _ in range(MAPS - len(shown)):
        shown.append({"visible": False})
    along = {"truth" if name == view.lab_system.truth else name: curve for name, curve in view.along.items()}
    curves = [_curve(times, along.get(name)) for name in PREDICTED]
    curves.append(_curve(times[: reached + 1], None if found is None else view.project(found)))
    errors = [_curve(times, view.errors.get(name)) for name in METHODS] + [_curve(times, view.size)]
    groups = [curves, errors] + ([[_curve(times, view.forcing)]] if view.time_profile else [])
    return shown + [data for group in groups for data in (*group, _marker(float(view.times[row]), group))]


def _line(name: str, *, legend: bool) -> go.Scatter:
    looks: dict[str, theme.Line] = {"t": {"color": theme.INK, "width": 1}, "f": theme.style("f"), "size": theme.style("truth")}
    labels = {"size": "size of the true response", "truth": "truth"}
    line = line_trace([], [], name, legend=legend, line=looks.get(name))
    return line.update(name=labels.get(name, line.name), hoverinfo="skip" if name == "t" else None)


def _curve(times: np.ndarray, values: torch.Tensor | None) -> TraceData:
    if values is None:
        return {"x": [], "y": [], "visible": False}
    return {"x": times, "y": values.float().numpy(), "visible": True}


def _marker(time: float, curves: list[TraceData]) -> TraceData:
    """A vertical line at a time, as high as the curves that it crosses."""
    values = np.concatenate([np.asarray(curve["y"]) for curve in curves])
    return {"x": [time, time], "y": [float(values.min(initial=0)), float(values.max(initial=0))]}
