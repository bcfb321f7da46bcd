"""One style for all figures: one colour per method in every figure, and dashes for prints in grey.

Every line has a contrast of at least 3:1 on white, and the colours of one figure can be told apart with each of the three kinds of colour
blindness (`tests/test_theme.py` tests both). Lines that belong to no method are in shades of slate, so that none looks like a method.
"""

from typing import TypedDict

import plotly.graph_objects as go
import plotly.io as pio

INK, GREY = "#000000", "#949494"
ORANGE, BLUE, GREEN, PURPLE = "#D55E00", "#0072B2", "#17665C", "#75106A"
ALARM = "#B00020"  # for warnings in words; no method has it
SEQUENCE = ("#16202B", "#4A6178", "#2F4254", "#5F7A94")  # dark and light in turn, all darker than the grey of the truth below them
DASHES = ("solid", "dash", "dot", "dashdot")

# method → (colour, dash, width); the truth is wide and grey and lies below the others
METHODS = {
    "exact": (GREY, "solid", 7),
    "truth": (GREY, "solid", 7),
    "dynamical": (INK, "dot", 2),
    "gaussian": (ORANGE, "dash", 2),
    "analytic": (BLUE, "dashdot", 2),
    "generative": (GREEN, "solid", 2),
    "conditioned": (PURPLE, "longdash", 2),
    "combined": ("#C4006A", "solid", 2.5),
    "forecast": ("#7A5200", "dash", 2),
    "measured": ("#3311A0", "solid", 1.5),
    "regression on one": ("#5E1020", "dot", 2),
    "regression on all": ("#1497F7", "dashdot", 2),
    "kubo": ("#725A00", "longdashdot", 2),
    "finite differences": ("#1B1030", "dashdot", 2.5),
    "histogram": ("#4A2418", "solid", 1.5),
    "kernel density": ("#A8341C", "longdash", 2),
    "clusters": ("#6A2C91", "dot", 2.5),
    "polynomial": ("#0A6E8C", "solid", 2),
}
LABELS = {
    "exact": "exact",
    "truth": "truth (kicked twins)",
    "dynamical": "dynamical (kicked twins)",
    "gaussian": "Gaussian",
    "analytic": "analytic score",
    "generative": "generative",
    "conditioned": "generative, given the forcing",
    "combined": "score and forecast combined",
    "forecast": "forecast alone",
    "measured": "measured here",
    "regression on one": "regression on one observable",
    "regression on all": "regression on all observables",
    "kubo": "Kubo's formula",
    "polynomial": "polynomial score",
}
FIELD_SCALE = "RdBu_r"  # diverging: red above, blue below, white at zero
TRANSPARENCY = 0.18

pio.templates["gfdt"] = go.layout.Template(pio.templates["simple_white"])
pio.templates["gfdt"].layout.update(
    font={"size": 13},
    colorway=SEQUENCE,
    legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    margin={"l": 55, "r": 20, "t": 70, "b": 45},
)
pio.templates["gfdt"].data.table[0].cells.height = 25  # with plotly's 20 the lower edge of letters of this size is cut off


class Line(TypedDict, total=False):
    """A line in plotly's terms."""

    color: str
    dash: str
    width: float


def style(method: str, index: int = 0) -> Line:
    """The line of a method; for any other name, the `index`-th shade of slate."""
    colour, dash, width = METHODS.get(method, (SEQUENCE[index % len(SEQUENCE)], DASHES[index % len(DASHES)], 2))
    return {"color": colour, "dash": dash, "width": width}


def faint(colour: str) -> str:
    """The transparent colour of a band."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{TRANSPARENCY})"
