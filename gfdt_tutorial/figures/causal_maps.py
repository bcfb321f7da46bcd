"""Causal maps as matrices and as graphs: who drives whom, beside what correlation says of the same data."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.figures import theme
from gfdt_tutorial.responses.causal_map import CausalMap, check_links

RADIUS = 0.17  # of a node; the nodes stand on a circle of radius 1
RIGHT, FALSE, MISSED = theme.BLUE, theme.ALARM, theme.GREY
LARGEST = 12  # variables of which a graph can still be read


def causal_matrices(maps: Mapping[str, CausalMap], side: int = 330) -> go.Figure:
    """The strength of every link, from (column) → to (row), with a dot on those that are present: {title: map}.

    Raises:
        ValueError: no maps, or maps of different variables.
    """
    names = _names(maps)
    figure = make_subplots(1, len(maps), subplot_titles=list(maps), horizontal_spacing=0.16 / len(maps))
    largest = max(float(_off_diagonal(one.strength).abs().max()) for one in maps.values()) or 1.0
    for column, one in enumerate(maps.values(), start=1):
        strength = torch.where(one.p_value.isnan(), torch.nan, one.strength)
        texts = [[_told(one, i, j) for j in range(len(names))] for i in range(len(names))]
        heat = go.Heatmap(
            x=names, y=names, z=strength.numpy(), customdata=np.array(texts), hovertemplate="%{customdata}<extra></extra>", zmin=-largest,
            zmax=largest, colorscale=theme.FIELD_SCALE, showscale=column == len(maps), colorbar={"title": "strength", "thickness": 12},
        )  # fmt: skip
        figure.add_trace(heat, row=1, col=column)
        there = one.present.nonzero().tolist()
        dots = go.Scatter(
            x=[names[j] for _, j in there], y=[names[i] for i, _ in there], mode="markers", name="present", showlegend=column == 1,
            marker={"symbol": "circle", "size": 9, "color": theme.INK, "line": {"color": "white", "width": 1.5}}, hoverinfo="skip",
        )  # fmt: skip
        figure.add_trace(dots, row=1, col=column)
    figure.update_xaxes(title_text="kicked", type="category").update_yaxes(autorange="reversed", type="category")
    figure.update_yaxes(title_text="answers", col=1)
    return figure.update_layout(template="gfdt", width=150 + side * len(maps), height=150 + side, legend_y=1.12)


def causal_graphs(
    maps: Mapping[str, CausalMap], true: torch.Tensor | Sequence[Sequence[float]] | None = None, side: int = 330
) -> go.Figure:
    """An arrow for every link that is present, the thicker the stronger: {title: map}.

    Args:
        true: (to, from), not zero where there is a link, such as the Jacobian of the drift. Arrows that are not in it are then red and
            broken, and those that are missing grey and dotted.

    Raises:
        ValueError: no maps, maps of different variables, or of more than twelve; true links of another shape.
    """
    names = _names(maps)
    if len(names) > LARGEST:
        raise ValueError(f"a graph of {len(names)} variables cannot be read; take causal_matrices")
    known = None if true is None else check_links(true, names)
    figure = make_subplots(1, len(maps), subplot_titles=list(maps), horizontal_spacing=0.03)
    angles = [math.pi / 2 - 2 * math.pi * number / len(names) for number in range(len(names))]
    places = [(math.cos(angle), math.sin(angle)) for angle in angles]
    largest = max(float(_off_diagonal(one.strength).abs().max()) for one in maps.values()) or 1.0
    for column, one in enumerate(maps.values(), start=1):
        for i, to in enumerate(names):
            for j, source in enumerate(names):
                if i == j:
                    continue
                there, real = bool(one.present[i, j]), known is None or bool(known[i, j] != 0)
                if there or (known is not None and real):
                    kind = ("present" if real else "false") if there else "missed"
                    width = 1.5 + 4 * abs(float(one.strength[i, j])) / largest if there else 1.5
                    for trace in _arrow(places[j], places[i], kind, width, f"{source} → {to}<br>{_told(one, i, j)}"):
                        figure.add_trace(trace, row=1, col=column)
        x, y = zip(*places, strict=True)
        nodes = go.Scatter(
            x=x, y=y, mode="markers+text", text=names, showlegend=False, hoverinfo="skip",
            marker={"size": 34, "color": "white", "line": {"color": theme.INK, "width": 2}},
        )  # fmt: skip
        figure.add_trace(nodes, row=1, col=column)
    for kind in ("present", "false", "missed") if known is not None else ("present",):
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines", line=_line(kind, 3), name=_LABELS[kind]), row=1, col=1)
    figure.update_xaxes(visible=False, range=[-1.4, 1.4]).update_yaxes(visible=False, range=[-1.4, 1.4])
    return figure.update_layout(template="gfdt", width=40 + side * len(maps), height=130 + side, legend_y=1.12)


_LABELS = {"present": "link", "false": "false link", "missed": "link that is missed"}


def _line(kind: str, width: float) -> theme.Line:
    colour, dash = {"present": (RIGHT, "solid"), "false": (FALSE, "dash"), "missed": (MISSED, "dot")}[kind]
    return {"color": colour, "dash": dash, "width": width}


def _arrow(start: tuple[float, float], end: tuple[float, float], kind: str, width: float, told: str) -> list[go.Scatter]:
    """A bent line from one node to another, so that there and back do not cover each other, and its head."""
    first, last = np.array(start), np.array(end)
    along = (last - first) / np.linalg.norm(last - first)
    aside = np.array([along[1], -along[0]])
    first, last = first + 1.1 * RADIUS * along + 0.06 * aside, last - 1.25 * RADIUS * along + 0.06 * aside
    t = np.linspace(0, 1, 21)[:, None]
    curve = (1 - t) * first + t * last + 4 * t * (1 - t) * 0.08 * aside
    line = _line(kind, width)
    tip = curve[-1] - curve[-3]
    angle = math.degrees(math.atan2(tip[0], tip[1]))
    shaft = go.Scatter(x=curve[:, 0], y=curve[:, 1], mode="lines", line=line, showlegend=False, hoverinfo="text", text=told)
    marker = {"symbol": "triangle-up", "size": 9 + 1.5 * width, "angle": angle, "color": line["color"]}
    head = go.Scatter(x=curve[-1:, 0], y=curve[-1:, 1], mode="markers", marker=marker, showlegend=False, hoverinfo="text", text=told)
    return [shaft, head]


def _told(one: CausalMap, i: int, j: int) -> str:
    if bool(one.p_value[i, j].isnan()):
        return f"{one.components[i]} itself: not tested"
    return f"{float(one.strength[i, j]):.3g} ± {float(one.standard_error[i, j]):.2g}, p = {float(one.p_value[i, j]):.2g}"


def _off_diagonal(matrix: torch.Tensor) -> torch.Tensor:
    return matrix - torch.diag(matrix.diagonal())


def _names(maps: Mapping[str, CausalMap]) -> tuple[str, ...]:
    known = {one.components for one in maps.values()}
    if len(known) != 1:
        raise ValueError("expected one causal map or more, all of the same variables")
    return next(iter(known))
