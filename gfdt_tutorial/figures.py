"""Plotly figures: data in, Figure out, no mathematics. A widget may wrap any of them and update it in place."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial import storage, theme
from gfdt_tutorial.cache import Cache, Form, Stage, fetch
from gfdt_tutorial.lab import METHODS, Answers
from gfdt_tutorial.parameter_lab import METHODS as PREDICTED
from gfdt_tutorial.parameter_lab import Shift
from gfdt_tutorial.responses.changed import Changed
from gfdt_tutorial.responses.curves import Errors, Response
from gfdt_tutorial.responses.pushes import Pushed
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.systems.double_well import DoubleWell
from gfdt_tutorial.views import Exploration, KickedWell, LearningResponse, LiveResponse, StirredFlow, TrainingView

IMAGE = Form(lambda image, folder: (folder / "image").write_bytes(image), lambda folder: (folder / "image").read_bytes())
DISPLACEMENTS = (0, 2, 4, 6)  # pixels along +x: the letter's R_11, R_31, R_51, R_71


def name_of(displacement: int) -> str:
    """R_11, R_31, …, numbered as in the letter, whose pixels count from 1."""
    return f"R<sub>{displacement + 1}1</sub>(t)"


def field_map(grid: PeriodicGrid, field: torch.Tensor, title: str, *, unit: str = "u") -> go.Figure:
    """One field as a map, the origin in the middle."""
    figure = go.Figure(heatmap(grid, field, unit=unit))
    figure.update_layout(template="gfdt", title=title, width=460, height=430)
    return square_maps(figure)


def heatmap(grid: PeriodicGrid, field: torch.Tensor, *, unit: str = "u", **options) -> go.Heatmap:
    """The trace of a map; white is zero."""
    x, y = _centred_axes(grid)
    hover = "x = %{x:.2f}, y = %{y:.2f}: %{z:.3f}<extra></extra>"
    colours = {"colorscale": theme.FIELD_SCALE, "zmid": 0, "colorbar": {"title": unit, "thickness": 12}}
    return go.Heatmap(z=centred(grid, field), x=x, y=y, hovertemplate=hover, **colours | options)


def centred(grid: PeriodicGrid, field: torch.Tensor) -> np.ndarray:
    """A field with the origin moved from the corner to the middle, in rows. Six decimals: maps travel to the browser as text."""
    shifted = torch.roll(field.detach().cpu().double(), [n // 2 for n in grid.shape], dims=grid.axes)
    return np.round(np.atleast_2d(shifted.numpy()), 6)


def response_maps(response: Response, lags: Sequence[float], field: torch.Tensor | None = None) -> go.Figure:
    """The answer of the whole field at a few lags, each map on a scale of its own.

    Args:
        field: (lag, *shape), the answer to some pattern (`response.to(pattern)`); by default to a unit kick of one pixel, in the middle.
    """
    values = response.values if field is None else field
    rows = [int((response.times - lag).abs().argmin()) for lag in lags]
    titles = [f"t = {float(response.times[row]):g}, largest {float(values[row].abs().max()):.2g}" for row in rows]
    figure = make_subplots(1, len(rows), subplot_titles=titles, horizontal_spacing=0.04)
    for column, row in enumerate(rows, start=1):
        figure.add_trace(heatmap(response.grid, values[row], showscale=False), 1, column)
    figure.update_layout(template="gfdt", width=920, height=300)
    return square_maps(figure)


def spectrum(curves: Mapping[str, tuple[torch.Tensor, torch.Tensor]], title: str = "Covariance of each wavevector") -> go.Figure:
    """C_k against wavenumber, log-log: {name: (k, C_k)}; k = 0 has no place on a logarithmic axis and is left out."""
    traces = [_line(k[1:], values[1:], name, index) for index, (name, (k, values)) in enumerate(curves.items())]
    figure = go.Figure(traces)
    figure.update_layout(template="gfdt", title=title, width=560, height=400, margin_t=100)
    _log_log(figure)
    return figure


def response_curves(responses: Mapping[str, Response], displacements: Sequence[int] = DISPLACEMENTS) -> go.Figure:
    """R_11, R_31, R_51, R_71 against lag, with bands where there are any: {name: response}."""
    figure = make_subplots(1, len(displacements), subplot_titles=[name_of(d) for d in displacements], horizontal_spacing=0.06)
    for column, displacement in enumerate(displacements, start=1):
        add_responses(figure, responses, displacement, 1, column)
    figure.update_xaxes(title_text="lag t")
    figure.update_layout(template="gfdt", width=920, height=320, margin_t=90, legend_y=1.15)
    return figure


def observable_curves(responses: Mapping[str, Response], title: str, unit: str) -> go.Figure:
    """The answer of one number against lag, with bands: {name: response with values (lag,)}."""
    figure = go.Figure()
    for index, (name, response) in enumerate(responses.items()):
        if response.band is not None:
            figure.add_trace(_band(response.times, response.band.cpu(), name, index))
        figure.add_trace(_line(response.times, response.values.cpu(), name, index))
    figure.update_layout(template="gfdt", title=title, xaxis_title="time t", yaxis_title=unit, width=620, height=380, margin_t=100)
    return figure


def observable_panels(panels: Mapping[str, Mapping[str, Response]], unit: str, span: tuple[float, float] | None = None) -> go.Figure:
    """The same for several numbers side by side: {title: {name: response with values (lag,)}}.

    Args:
        span: of the vertical axes; by default each fits what it shows.
    """
    figure = make_subplots(1, len(panels), subplot_titles=list(panels), horizontal_spacing=0.1)
    for column, responses in enumerate(panels.values(), start=1):
        for index, (name, response) in enumerate(responses.items()):
            if response.band is not None:
                figure.add_trace(_band(response.times, response.band.cpu(), name, index), 1, column)
            figure.add_trace(_line(response.times, response.values.cpu(), name, index, legend=column == 1), 1, column)
    figure.update_xaxes(title="time t").update_yaxes(range=span)
    figure.update_yaxes(title=unit, col=1)
    return figure.update_layout(template="gfdt", width=480 * len(panels), height=420, margin_t=110)


def calibration(table: Sequence[dict], close: float = 0.05) -> go.Figure:
    """How far the parameters are off, against the runs that it took to get there: rows with way, simulations, error.

    Args:
        close: marked by a line.
    """
    figure = go.Figure()
    for index, way in enumerate(dict.fromkeys(row["way"] for row in table)):
        rows = [row for row in table if row["way"] == way]
        line = _line([row["simulations"] for row in rows], [row["error"] for row in rows], way, index)
        line.update(mode="lines+markers", marker={"symbol": ("circle", "square", "x", "diamond")[index % 4], "size": 9})
        figure.add_trace(line)
    figure.add_hline(close, line_dash="dot", line_color=theme.PALE)
    figure.update_yaxes(type="log", title="largest relative error of a parameter").update_xaxes(title="undisturbed runs so far")
    return figure.update_layout(template="gfdt", width=820, height=420, margin_t=90)


def error_curves(errors: Mapping[str, Errors]) -> go.Figure:
    """L2 and L∞ over the whole field against lag: {name: errors}."""
    figure = make_subplots(1, 2, subplot_titles=["L2 error", "L∞ error"], horizontal_spacing=0.1)
    add_errors(figure, errors, (1, 1), (1, 2), legend=True)
    figure.update_xaxes(title_text="lag t")
    figure.update_layout(template="gfdt", width=900, height=340, margin_t=90, legend_y=1.15)
    return figure


def comparison(responses: Mapping[str, Response], errors: Mapping[str, Errors], title: str = "") -> go.Figure:
    """R_11, R_31, R_51, R_71 and both errors against lag."""
    names = [name_of(d) for d in DISPLACEMENTS]
    figure = make_subplots(2, 3, subplot_titles=[*names[:2], "L2 error", *names[2:], "L∞ error"], horizontal_spacing=0.08)
    for (row, column), displacement in zip(((1, 1), (1, 2), (2, 1), (2, 2)), DISPLACEMENTS, strict=True):
        add_responses(figure, responses, displacement, row, column)
    add_errors(figure, errors, (1, 3), (2, 3), legend=False)
    figure.update_xaxes(title_text="lag t", row=2)
    figure.update_layout(template="gfdt", title=title, width=1000, height=560, margin_t=110, legend_y=1.08)
    return figure


EXPLORER_TITLES = ("snapshot u", "covariance C<sub>k</sub>", "mean answer at lag t", "answer downstream of the kick")


def explorer(view: Exploration) -> go.Figure:
    """Snapshot, spectrum, the answer to a kick as a map at one lag, and along +x against lag. `explorer_data` fills its traces."""
    figure = make_subplots(2, 2, subplot_titles=EXPLORER_TITLES, horizontal_spacing=0.12, vertical_spacing=0.22)
    grid = view.system.grid
    figure.add_trace(heatmap(grid, view.snapshot, showscale=False), 1, 1)
    figure.add_trace(_line(view.k[1:], view.reference[1:], "the letter's parameters", line=theme.style("exact")), 1, 2)
    figure.add_trace(_line(view.k[1:], view.spectrum[1:], "these parameters"), 1, 2)
    figure.add_trace(heatmap(grid, view.answer[view.row], showscale=False), 2, 1)
    for index, displacement in enumerate(DISPLACEMENTS):
        figure.add_trace(_line(view.times, view.along(displacement), f"{displacement} pixels", index, legend="legend2"), 2, 2)
    figure.add_trace(_line([], [], "lag t", line={"color": theme.INK, "width": 1}, legend=False), 2, 2)
    _log_log(figure, row=1, col=2)
    figure.update_xaxes(title_text="lag t", row=2, col=2)
    figure.update_layout(template="gfdt", width=900, height=720, margin_t=80)
    figure.update_layout(legend={"x": 0.56, "y": 1.045}, legend2={"orientation": "h", "x": 0.56, "y": 0.425, "yanchor": "bottom"})
    for trace, data in zip(figure.data, explorer_data(view), strict=True):
        trace.update(data)
    return square_maps(figure)


def explorer_data(view: Exploration) -> list[dict]:
    """What each trace of `explorer` shows, in order: all that changes when a slider moves."""
    grid, curves = view.system.grid, [view.along(d).numpy() for d in DISPLACEMENTS]
    lowest, highest = min(c.min() for c in curves), max(c.max() for c in curves)
    lag = float(view.times[view.row])
    return [
        {"z": centred(grid, view.snapshot)},
        {"y": view.reference[1:].numpy()},
        {"y": view.spectrum[1:].numpy()},
        {"z": centred(grid, view.answer[view.row])},
        *[{"y": curve} for curve in curves],
        {"x": [lag, lag], "y": [lowest, highest]},
    ]


TRAINING_TITLES = ("loss", "−⟨û ŝ*⟩/N² by shell", "learned over exact score by shell")


def training(view: TrainingView) -> go.Figure:
    """Loss against step; Stein identity by shell; learned over exact score by shell. `training_data` fills its traces."""
    figure = make_subplots(1, 3, subplot_titles=TRAINING_TITLES, horizontal_spacing=0.09)
    figure.add_trace(_line([], [], "training", line={"color": theme.PALE, "width": 1}), 1, 1)
    figure.add_trace(_line([], [], "validation"), 1, 1)
    for column in (2, 3):
        figure.add_trace(_line([0, float(view.k[-1])], [1, 1], "exact", legend=False), 1, column)
        figure.add_trace(_line([], [], "generative", legend=column == 2), 1, column)
    figure.update_xaxes(title_text="step", range=[0, view.training.budget.steps], row=1, col=1)
    figure.update_xaxes(title_text="wavenumber k", row=1, col=2).update_xaxes(title_text="wavenumber k", row=1, col=3)
    figure.update_yaxes(range=[-0.5, 3], row=1, col=2).update_yaxes(range=[-0.5, 3], row=1, col=3)
    figure.update_layout(template="gfdt", width=920, height=340, margin_t=90, legend_y=1.15)
    for trace, data in zip(figure.data, training_data(view), strict=True):
        trace.update(data)
    return figure


def training_data(view: TrainingView) -> list[dict]:
    """What each trace of `training` shows, in order."""
    reference = {"x": view.k[[0, -1]].numpy(), "y": np.ones(2)}
    steps, validation = np.array(view.training.validations).T
    losses = np.asarray(view.training.losses)
    return [
        {"x": np.arange(1, len(losses) + 1), "y": losses},
        {"x": steps, "y": validation},
        reference,
        {"x": view.k.numpy(), "y": view.stein.numpy()},
        reference,
        {"x": view.k.numpy(), "y": view.gain.numpy()},
    ]


LEARNED = (0, 2, 4)  # displacements, in pixels


def learning(view: LearningResponse) -> go.Figure:
    """Responses while a score is learned: R_11, R_31, R_51 beside the truth; below, their error and the loss, against step."""
    titles = [*map(name_of, LEARNED), "L2 error of the response", "loss"]
    specs = [[{}, {}, {}], [{"colspan": 2}, None, {}]]
    figure = make_subplots(2, 3, specs=specs, subplot_titles=titles, horizontal_spacing=0.08, vertical_spacing=0.2)
    for column in range(1, len(LEARNED) + 1):
        figure.add_trace(_line([], [], "truth", legend=column == 1), 1, column)
        for name in ("gaussian", "analytic"):
            figure.add_trace(_line([], [], name, legend=column == 1), 1, column)
        figure.add_trace(_band([], torch.zeros(2, 0), "generative", 0), 1, column)
        figure.add_trace(_line([], [], "generative", legend=column == 1), 1, column)
    for name in ("gaussian", "analytic", "generative"):
        figure.add_trace(_line([], [], name, legend=False, mode="lines+markers" if name == "generative" else "lines"), 2, 1)
    figure.add_trace(_line([], [], "training", line={"color": theme.PALE, "width": 1}), 2, 3)
    figure.add_trace(_line([], [], "validation"), 2, 3)
    figure.update_xaxes(title_text="lag t", row=1).update_xaxes(title_text="step", row=2)
    figure.update_yaxes(range=[-0.25, 0.6], row=1).update_yaxes(range=[-0.25, 1.05], row=1, col=1).update_yaxes(
        rangemode="tozero", row=2, col=1
    )
    figure.update_layout(template="gfdt", width=960, height=600, margin_t=100, legend_y=1.07)
    for trace, data in zip(figure.data, learning_data(view), strict=True):
        trace.update(data)
    return figure


def learning_data(view: LearningResponse) -> list[dict]:
    """What each trace of `learning` shows, in order."""
    shown, found = [], view.responses["generative"]
    times = found.times.numpy()
    for displacement in LEARNED:
        band = _band(found.times, found.band_along(displacement), "generative", 0)
        truth, *known = (view.truth, view.responses["gaussian"], view.responses["analytic"])
        shown += [{"x": times, "y": response.along(displacement)[: len(times)].numpy()} for response in (truth, *known)]
        shown += [{"x": band.x, "y": band.y}, {"x": times, "y": found.along(displacement).numpy()}]
    steps = [0, view.training.budget.steps]
    shown += [{"x": steps, "y": [view.errors[name]] * 2} for name in ("gaussian", "analytic")]
    losses = np.asarray(view.training.losses)
    series = (zip(*view.history, strict=True), (np.arange(1, len(losses) + 1), losses), np.array(view.training.validations).T)
    return shown + [{"x": np.asarray(x), "y": np.asarray(y)} for x, y in series]


LIVE_TITLES = ("field u: click to kick", "kicked twin less itself", "mean answer predicted")
LIVE_SHOWN = (0, 2)  # displacements, in pixels


def live(view: LiveResponse, truth: Response | None = None) -> go.Figure:
    """A running field, what one kick does to it and would do on average; below, estimates with their bands, and how these shrink."""
    titles = [*LIVE_TITLES, *map(name_of, LIVE_SHOWN), "standard error of R<sub>11</sub>"]
    figure = make_subplots(2, 3, subplot_titles=titles, horizontal_spacing=0.08, vertical_spacing=0.16)
    for column in (1, 2, 3):
        figure.add_trace(heatmap(view.system.grid, torch.zeros(view.system.grid.shape), showscale=False), 1, column)
    for column in range(1, len(LIVE_SHOWN) + 1):
        figure.add_trace(_line([], [], "truth", legend=column == 1), 2, column)
        for name in ("gaussian", *view.scores):
            figure.add_trace(_band([], torch.zeros(2, 0), name, 0), 2, column)
            figure.add_trace(_line([], [], name, legend=column == 1), 2, column)
    figure.add_trace(_line([], [], list(view.scores)[-1], legend=False, mode="lines+markers"), 2, 3)
    for column in (1, 2):
        figure.update_xaxes(title_text="lag t", range=[0, view.lags], row=2, col=column)
    figure.update_yaxes(range=[-0.1, 1.05], row=2, col=1).update_yaxes(range=[-0.2, 0.6], row=2, col=2)
    figure.update_xaxes(type="log", title_text="member × time", row=2, col=3).update_yaxes(type="log", row=2, col=3)
    figure.update_layout(template="gfdt", width=960, height=680, margin_t=100, legend_y=1.06)
    for trace, data in zip(figure.data, live_data(view, truth), strict=True):
        trace.update(data)
    return square_maps(figure)


def live_data(view: LiveResponse, truth: Response | None = None) -> list[dict]:
    """What each trace of `live` shows, in order."""
    grid, estimates = view.system.grid, view.responses()
    best = estimates.get(list(view.scores)[-1])
    predicted = torch.zeros(grid.shape) if best is None else best.to(view.pattern)[min(view.since, view.lags)]
    shown = [{"z": centred(grid, field)} for field in (view.snapshot, view.difference, predicted)]
    for displacement in LIVE_SHOWN:
        known = np.full(view.lags + 1, np.nan) if truth is None else truth.along(displacement)[: view.lags + 1].numpy()
        shown.append({"x": view.times.numpy(), "y": known})
        for name in ("gaussian", *view.scores):
            if name not in estimates:
                shown += [{"x": [], "y": []}, {"x": [], "y": []}]
                continue
            response = estimates[name]
            band = _band(response.times, response.band_along(displacement), name, 0)
            shown += [{"x": band.x, "y": band.y}, {"x": response.times.numpy(), "y": response.along(displacement).numpy()}]
    amount, error = zip(*view.history, strict=True) if view.history else ((), ())
    return [*shown, {"x": list(amount), "y": list(error)}]


FLOW_TITLES = (
    "vorticity u: click to kick",
    "its kicked twin",
    "twin less itself",
    "the same, mean of all pairs",
    "predicted mean",
    "size of the answer",
)


def flow(view: StirredFlow) -> go.Figure:
    """A flow, its kicked twin, their difference; the mean over pairs beside the prediction; and both sizes against time."""
    figure = make_subplots(2, 3, subplot_titles=FLOW_TITLES, horizontal_spacing=0.08, vertical_spacing=0.14)
    blank = torch.zeros(view.system.grid.shape)
    for index in range(5):
        figure.add_trace(heatmap(view.system.grid, blank, showscale=False), 1 + index // 3, 1 + index % 3)
    figure.add_trace(_line([], [], "mean of all pairs", line=theme.style("truth")), 2, 3)
    figure.add_trace(_line([], [], "predicted", line=theme.style("generative")), 2, 3)
    figure.update_xaxes(title_text="time since the kick", range=[0, float(view.response.times[-1])], row=2, col=3)
    figure.update_yaxes(title_text="L2 norm", rangemode="tozero", row=2, col=3)
    figure.update_layout(template="gfdt", width=960, height=680, margin_t=100, legend_y=1.06)
    for trace, data in zip(figure.data, flow_data(view), strict=True):
        trace.update(data)
    return square_maps(figure)


def flow_data(view: StirredFlow) -> list[dict]:
    """What each trace of `flow` shows, in order. Both flows share a scale, and so do both means."""
    grid, twin, itself, mean = view.system.grid, view.kicked, view.snapshot, view.mean
    scale = float(itself.abs().max())
    expected, found = float(view.predicted.abs().max()), float(mean.abs().max())
    answer = max(expected, 0.1 * found if expected else found, 1e-6)  # what chance adds to the mean may leave the scale of a prediction
    maps = [(itself, scale), (twin, scale), (twin - itself, answer), (mean, answer), (view.predicted, answer)]
    shown = [{"z": centred(grid, field), "zmin": -limit, "zmax": limit} for field, limit in maps]
    past = np.arange(len(view.size)) * view.every
    return [
        *shown,
        {"x": past, "y": np.array(view.size)},
        {"x": view.response.times.numpy(), "y": view.answer.flatten(1).norm(dim=1).numpy()},
    ]


PARAMETER_TITLES = ("u, undisturbed", "u, changed", "δ⟨u²⟩", "δC<sub>k</sub>/C<sub>k</sub> at t", "δρ(u) at t", "δ⟨u⁴⟩")
MOVED = (*PREDICTED, "measured")


def parameters(view: Shift, run: Changed | None = None) -> go.Figure:
    """A member as it is and as it is changed; how far the statistics move, predicted and measured: ⟨u²⟩ and ⟨u⁴⟩ against time, and at the
    last time reached the spectrum, relative to itself, and the density of pixel values."""
    figure = make_subplots(2, 3, subplot_titles=PARAMETER_TITLES, horizontal_spacing=0.09, vertical_spacing=0.2)
    grid = view.known.system.grid
    for column in (1, 2):
        figure.add_trace(heatmap(grid, torch.zeros(grid.shape), showscale=False), 1, column)
    for row, column in ((1, 3), (2, 3), (2, 1), (2, 2)):
        for name in MOVED:
            figure.add_trace(_band([], torch.zeros(2, 0), name, 0), row, column)
            figure.add_trace(_line([], [], name, legend=column == 3 and row == 1), row, column)
    figure.update_xaxes(title_text="time t since the change", col=3)
    figure.update_xaxes(type="log", title_text="wavenumber k", tickvals=[1, 2, 4, 8, 16, 32], row=2, col=1)
    figure.update_xaxes(title_text="u", row=2, col=2)
    figure.update_layout(template="gfdt", width=960, height=680, margin_t=100, legend_y=1.07)
    for trace, data in zip(figure.data, parameters_data(view, run), strict=True):
        trace.update(data)
    return square_maps(figure)


def parameters_data(view: Shift, run: Changed | None = None) -> list[dict]:
    """What each trace of `parameters` shows, in order."""
    known, reached = view.known, view.row(run)
    fields = torch.zeros(2, *known.system.grid.shape) if run is None or run.fields is None else run.fields
    scale = max(float(fields[0].abs().max()), 1e-9)
    shown = [{"z": centred(known.system.grid, field), "zmin": -scale, "zmax": scale} for field in fields]
    moved = dict(view.predicted) | ({} if reached < 1 else {"measured": run.response()})
    for number in (0, 1):
        for name in MOVED:
            stop = reached + 1 if name == "measured" else len(view.times)
            shown += _moved(name, moved.get(name), view.times[:stop], (slice(stop), number))
    row, measures = (reached if reached > 0 else len(view.times) - 1), known.measures
    shells = slice(measures.spectrum.start + 1, measures.spectrum.stop)  # k = 0 has no place on a logarithmic axis
    for x, numbers, unit in (
        (measures.k[1:], shells, known.mean[shells]),
        (known.bins, measures.density, torch.ones(len(known.bins))),
    ):
        for name in MOVED:
            shown += _moved(name, moved.get(name), x, (row, numbers), unit)
    return shown


def _moved(name: str, response: Response | None, x: torch.Tensor, where: tuple, unit: torch.Tensor | float = 1.0) -> list[dict]:
    """Band and line of a part of what moved, in a unit."""
    if response is None:
        return [{"x": [], "y": []}] * 2
    band = _band(x, response.band[(slice(None), *where)] / unit, name, 0)
    return [{"x": band.x, "y": band.y}, {"x": np.asarray(x), "y": np.asarray(response.values[where] / unit)}]


MAPS = 5  # the truth, three other methods at most, and what is measured
ANSWERED = ("truth", *METHODS)


def answers(view: Answers, time: float, measured: Pushed | None = None) -> go.Figure:
    """The answer to a kick or a push by every method, as maps at one time on one scale; below, against time, their part along the kick and
    their errors, and the time course of the push."""
    below = ["answer along the kick, ⟨u, p⟩/|p|", "L2 error over all pixels"] + (["time course f(t)"] if view.course else [])
    wide = 15 // len(below)
    specs = [[None] * 15, [None] * 15]
    specs[0][::3] = [{"colspan": 3} for _ in range(MAPS)]
    specs[1][: wide * len(below) : wide] = [{"colspan": wide, "l": 0.03 * bool(index)} for index in range(len(below))]
    figure = make_subplots(2, 15, specs=specs, subplot_titles=[" "] * MAPS + below, horizontal_spacing=0.02, vertical_spacing=0.18)
    for slot in range(MAPS):
        figure.add_trace(heatmap(view.grid, torch.zeros(view.grid.shape), showscale=slot == 0), 1, 3 * slot + 1)
    figure.data[0].colorbar.update(x=1.01, y=0.8, len=0.45, title="u")
    for column, names in ((1, (*ANSWERED, "measured", "t")), (wide + 1, (*METHODS, "size", "t"))):
        for name in names:
            figure.add_trace(_answer_line(name, legend=column == 1 and name != "t"), 2, column)
    if view.course:
        for name in ("f", "t"):
            figure.add_trace(_answer_line(name, legend=False), 2, 2 * wide + 1)
    figure.update_xaxes(title_text="time t", row=2).update_xaxes(showticklabels=False, ticks="", showline=False, row=1)
    figure.update_yaxes(showticklabels=False, ticks="", showline=False, row=1)
    figure.update_layout(template="gfdt", width=960, height=560, margin={"t": 70, "b": 90, "r": 80}, legend={"y": -0.16, "yanchor": "top"})
    for annotation, title in zip(figure.layout.annotations, answer_titles(view), strict=False):
        annotation.text = title
    for trace, data in zip(figure.data, answers_data(view, time, measured), strict=True):
        trace.update(data)
    return square_maps(figure).update_annotations(font_size=13)


def answer_titles(view: Answers) -> list[str]:
    """Of the maps of `answers`."""
    names = [theme.LABELS.get(name, name) for name in (*view.fields, "measured")]
    return [name.replace(", given", ",<br>given") for name in names] + [""] * (MAPS - len(names))


def answers_data(view: Answers, time: float, measured: Pushed | None = None) -> list[dict]:
    """What each trace of `answers` shows, in order."""
    row, times = view.row(time), view.times.numpy()
    reached = -1 if measured is None else measured.row
    fields = [field[row] for field in view.fields.values()]
    fields.append(torch.zeros(view.grid.shape) if reached < 0 else measured.answers[min(row, reached)])
    scale = max(1.1 * float(view.linear[row].abs().max()), 1e-9)
    shown = [{"z": centred(view.grid, field), "zmin": -scale, "zmax": scale, "visible": True} for field in fields]
    shown += [{"visible": False}] * (MAPS - len(shown))
    along = {"truth" if name == view.known.truth else name: curve for name, curve in view.along.items()}
    curves = [_curve(times, along.get(name)) for name in ANSWERED]
    curves.append(_curve(times[: reached + 1], None if reached < 0 else view.project(measured.answers[: reached + 1])))
    errors = [_curve(times, view.errors.get(name)) for name in METHODS] + [_curve(times, view.size)]
    groups = [curves, errors] + ([[_curve(times, view.pushes)]] if view.course else [])
    return shown + [data for group in groups for data in (*group, _marker(float(view.times[row]), group))]


def _answer_line(name: str, *, legend: bool) -> go.Scatter:
    looks = {"t": {"color": theme.INK, "width": 1}, "f": theme.style("analytic"), "size": theme.style("truth")}
    labels = {"size": "size of the true answer", "truth": "truth"}
    line = _line([], [], name, legend=legend, **({"line": looks[name]} if name in looks else {}))
    return line.update(name=labels.get(name, line.name), hoverinfo="skip" if name == "t" else None)


def _curve(times: np.ndarray, values: torch.Tensor | None) -> dict:
    if values is None:
        return {"x": [], "y": [], "visible": False}
    return {"x": times, "y": values.float().numpy(), "visible": True}


def _marker(time: float, curves: list[dict]) -> dict:
    """A line at a time, as high as what it crosses."""
    values = np.concatenate([curve["y"] for curve in curves])
    return {"x": [time, time], "y": [float(values.min(initial=0)), float(values.max(initial=0))]}


def save_html(figure: go.Figure, path: str | Path) -> Path:
    """A page that opens offline: plotly.js is inside (about 5 MB)."""
    page = figure.to_html(include_plotlyjs=True, full_html=True)
    return storage.write(path, lambda file: file.write(page.encode()))


def save_image(figure: go.Figure, path: str | Path, *, scale: float = 2, cache: Cache | None = None) -> Path | None:
    """PNG or SVG by the path's ending; None, with nothing written, where kaleido finds no Chromium.

    Args:
        cache: where an image of the very same figure is looked for and kept, as starting Chromium takes seconds.
    """
    options = {"format": Path(path).suffix.lstrip("."), "scale": scale}
    drawn = {"figure": hashlib.sha256(figure.to_json().encode()).hexdigest(), "plotly": version("plotly"), **options}
    stage = Stage("figure", "image", drawn, (__name__,), "cpu")
    try:
        image = fetch(cache, stage, lambda checkpoint: figure.to_image(**options), IMAGE).value
    except Exception as error:  # kaleido has its own exceptions, which differ between its versions
        print(f"no image {path}: {type(error).__name__} (pip install kaleido, and Chromium, make images)")
        return None
    return storage.write(path, lambda file: file.write(image))


def add_responses(figure: go.Figure, responses: Mapping[str, Response], displacement: int, row: int, column: int) -> None:
    """The curves of one displacement, and their bands where there are any, in one panel; the legend names those of displacement 0."""
    for index, (name, response) in enumerate(responses.items()):
        if response.band is not None:
            figure.add_trace(_band(response.times, response.band_along(displacement).cpu(), name, index), row, column)
        curve = _line(response.times, response.along(displacement).cpu(), name, index, legend=displacement == 0)
        figure.add_trace(curve, row, column)


def add_errors(figure: go.Figure, errors: Mapping[str, Errors], l2: tuple[int, int], linf: tuple[int, int], *, legend: bool) -> None:
    """Both errors against lag, each in the panel (row, column) given for it."""
    for index, (name, error) in enumerate(errors.items()):
        figure.add_trace(_line(error.times, error.l2, name, index, legend=legend), *l2)
        figure.add_trace(_line(error.times, error.linf, name, index, legend=False), *linf)
    for row, column in (l2, linf):
        figure.update_yaxes(rangemode="tozero", row=row, col=column)


def _line(x, y, name: str, index: int = 0, *, legend: bool | str = True, **options) -> go.Scatter:
    label = theme.LABELS.get(name, name)
    common = {"mode": "lines", "line": theme.style(name, index), "name": label, "legendgroup": name, "showlegend": bool(legend)}
    if isinstance(legend, str):
        common["legend"] = legend
    return go.Scatter(x=np.asarray(x), y=np.asarray(y), **common | options)


def _band(x, band: torch.Tensor, name: str, index: int) -> go.Scatter:
    """Upper edge out, lower edge back, filled."""
    there, back = np.asarray(x), np.asarray(x)[::-1]
    edges = np.concatenate([band[1].numpy(), band[0].numpy()[::-1]])
    fill = theme.faint(theme.style(name, index)["color"])
    options = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    return go.Scatter(x=np.concatenate([there, back]), y=edges, fill="toself", fillcolor=fill, legendgroup=name, **options)


def _centred_axes(grid: PeriodicGrid) -> tuple[np.ndarray, np.ndarray]:
    shifted = [c.numpy() - (n // 2) * length / n for c, n, length in zip(grid.coordinates, grid.shape, grid.lengths, strict=True)]
    return shifted[-1], (shifted[0] if len(shifted) == 2 else np.zeros(1))


def square_maps(figure: go.Figure) -> go.Figure:
    """Equal units along x and y in every panel that holds a map with two axes."""
    for trace in figure.select_traces(selector={"type": "heatmap"}):
        if len(trace.y) > 1:
            axis = trace.xaxis or "x"
            figure.layout["yaxis" + (trace.yaxis or "y")[1:]].update(scaleanchor=axis, constrain="domain")
            figure.layout["xaxis" + axis[1:]].update(constrain="domain")
    return figure


def _log_log(figure: go.Figure, **where) -> None:
    figure.update_xaxes(type="log", title_text="wavenumber k", tickvals=[1, 2, 4, 8, 16, 32, 64], **where)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1, **where)


WELL_TITLES = ("potential V(x)", "density ρ(x)", "score s(x) = ∂<sub>x</sub> ln ρ")


def well(system: DoubleWell) -> go.Figure:
    """Potential, density and score of a double well, where walkers are found."""
    x, density = system.points, system.density
    shown = density > 1e-3 * density.max()
    figure = make_subplots(1, 3, subplot_titles=WELL_TITLES, horizontal_spacing=0.07)
    for column, curve in enumerate((system.potential(x), density, system.score(x)), start=1):
        figure.add_trace(_line(x[shown], curve[shown], WELL_TITLES[column - 1], legend=False, line=theme.style("analytic")), 1, column)
    figure.add_hline(y=0, line_width=1, line_color=theme.PALE, row=1, col=3)
    figure.update_traces(line_dash="solid").update_xaxes(title_text="x")
    return figure.update_layout(template="gfdt", width=920, height=300, margin_t=50)


def walkers(series: TimeSeries) -> go.Figure:
    """The paths of a few members of one variable against time."""
    figure = go.Figure([_line(series.times, path, f"walker {member}", member) for member, path in enumerate(series.u)])
    figure.update_traces(line_dash="solid", line_width=1.2)
    figure.update_layout(template="gfdt", xaxis_title="time t", yaxis_title="x", width=920, height=280, margin_t=40)
    return figure


def mean_and_variance(responses: Mapping[str, Response]) -> go.Figure:
    """The impulse response of mean and variance against lag: {name: response with values (lag, 2)}; lines, or points with their bands."""
    figure = make_subplots(1, 2, subplot_titles=["mean", "variance"], horizontal_spacing=0.09)
    for index, (name, response) in enumerate(responses.items()):
        for part in (0, 1):
            trace = _line(response.times, response.values[:, part], name, index, legend=part == 0)
            if response.band is not None:
                half = (response.band[1] - response.values)[:, part].numpy()
                marker = {"symbol": SYMBOLS.get(name, "circle"), "size": 8, "color": trace.line.color}
                trace.update(mode="markers", marker=marker, error_y={"array": half, "thickness": 1.5, "width": 3})
            figure.add_trace(trace, 1, part + 1)
    figure.update_xaxes(title_text="lag t")
    return figure.update_layout(template="gfdt", width=920, height=350, margin_t=80, legend_y=1.1)


SYMBOLS = {
    "gaussian": "triangle-up",
    "histogram": "diamond-open",
    "kernel density": "square-open",
    "clusters": "x-thin-open",
    "generative": "circle-open",
}


def one_variable_scores(system: DoubleWell, scores: Mapping[str, Callable]) -> go.Figure:
    """Scores of one variable beside the exact one, and what is wrong with them; each where all but 1 walker in 1000 is found."""
    x, exact = system.points, system.score(system.points)
    below = system.density.cumsum(0) / system.density.sum()
    shown = (below > 5e-4) & (below < 1 - 5e-4)
    figure = make_subplots(1, 2, subplot_titles=["score s(x)", "less the exact score"], horizontal_spacing=0.09)
    figure.add_trace(_line(x[shown], exact[shown], "exact"), 1, 1)
    for index, (name, score) in enumerate(scores.items()):
        found = score(x)
        figure.add_trace(_line(x[shown], found[shown], name, index), 1, 1)
        figure.add_trace(_line(x[shown], (found - exact)[shown], name, index, legend=False), 1, 2)
    figure.update_yaxes(range=[-3, 3], row=1, col=2).update_xaxes(title_text="x")
    return figure.update_layout(template="gfdt", width=920, height=390, margin_t=80, legend_y=1.1)


KICKED_TITLES = ("density, and after the kick", "change of the mean", "change of the variance")
KICKED = {"truth": "exact, this kick", "analytic": "linear, exact score", "gaussian": "linear, Gaussian score"}


def kicked_well(view: KickedWell) -> go.Figure:
    """The density before and right after a kick; the change of mean and variance, exact and as predicted. `kicked_well_data` fills it."""
    figure = make_subplots(1, 3, subplot_titles=KICKED_TITLES, horizontal_spacing=0.08)
    figure.add_trace(_line([], [], "before", line={"color": theme.INK, "width": 1.5}), 1, 1)
    figure.add_trace(_line([], [], "right after", line={"color": theme.SKY, "width": 2}), 1, 1)
    for column in (2, 3):
        for name, label in KICKED.items():
            figure.add_trace(_line([], [], label, legend=column == 2, line=theme.style(name)), 1, column)
    figure.update_xaxes(title_text="x", range=[-2.5, 2.5], row=1, col=1)
    for column in (2, 3):
        figure.update_xaxes(title_text="time t", row=1, col=column)
    figure.update_layout(template="gfdt", width=960, height=350, margin_t=80, legend_y=1.12)
    for trace, data in zip(figure.data, kicked_well_data(view), strict=True):
        trace.update(data)
    return figure


def kicked_well_data(view: KickedWell) -> list[dict]:
    """What each trace of `kicked_well` shows, in order."""
    x, times = view.well.points[::2].numpy(), view.times.numpy()
    densities = [{"x": x, "y": density[::2].numpy()} for density in (view.well.density, view.kicked_density)]
    curves = (view.exact, view.linear, view.gaussian)
    return densities + [{"x": times, "y": curve[:, part].numpy()} for part in (0, 1) for curve in curves]
