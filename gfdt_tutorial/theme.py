"""One look for all figures: colours that the colour-blind can tell apart (Okabe and Ito 2008), and dashes for those who print in grey."""

import plotly.graph_objects as go
import plotly.io as pio

INK, ORANGE, BLUE, GREEN, PURPLE, SKY, PALE = "#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#BDBDBD"
SEQUENCE = (BLUE, ORANGE, GREEN, PURPLE)
DASHES = ("solid", "dash", "dot", "dashdot")

# method → (colour, dash, width): a method looks the same in every figure; the truth lies wide and pale below the others
METHODS = {
    "exact": (PALE, "solid", 7),
    "truth": (PALE, "solid", 7),
    "dynamical": (INK, "dot", 2),
    "gaussian": (ORANGE, "dash", 2),
    "analytic": (BLUE, "dashdot", 2),
    "generative": (GREEN, "solid", 2),
    "conditioned": (PURPLE, "longdash", 2),
    "measured": (SKY, "solid", 1.5),
}
# these stand beside the exact, Gaussian and generative ones, or what is measured, never beside the others: their colours serve again
MORE_METHODS = {
    "regression on one": (PURPLE, "dot", 2),
    "regression on all": (INK, "dashdot", 2),
    "kubo": (BLUE, "longdash", 2),
    "without control variate": (BLUE, "dot", 2),  # with the analytic score, in lesson 12
    "with control variate": (BLUE, "dashdot", 2),
    "finite differences": (INK, "dot", 2),
    "histogram": (SKY, "solid", 1.5),
    "kernel density": (PURPLE, "longdash", 2),
    "clusters": (BLUE, "dot", 2.5),
}
LABELS = {
    "exact": "exact",
    "truth": "truth (kicked twins)",
    "dynamical": "dynamical (kicked twins)",
    "gaussian": "Gaussian",
    "analytic": "analytic score",
    "generative": "generative",
    "conditioned": "generative, given the forcing",
    "measured": "measured here",
    "regression on one": "regression on one observable",
    "regression on all": "regression on all observables",
    "kubo": "Kubo's formula",
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
pio.templates["gfdt"].data.table[0].cells.height = 25  # plotly's 20 cuts off the lower edge of letters of this size


def style(method: str, index: int = 0) -> dict:
    """The line of a method, or the next of a sequence for any other name."""
    colour, dash, width = (METHODS | MORE_METHODS).get(method, (SEQUENCE[index % len(SEQUENCE)], DASHES[index % len(DASHES)], 2))
    return {"color": colour, "dash": dash, "width": width}


def faint(colour: str) -> str:
    """A colour for bands, see-through."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{TRANSPARENCY})"
