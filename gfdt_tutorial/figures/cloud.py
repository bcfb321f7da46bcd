"""A cloud of states, shifted by a kick, and with weights that represent the shift."""

import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from gfdt_tutorial.figures import theme

CLOUD_TITLES = ("unperturbed states", "all shifted by δ", "unperturbed, with weights 1 − δs")
LARGEST = 16  # pixels across, of a marker


def kicked_cloud(states: torch.Tensor, weights: torch.Tensor, kick: float) -> go.Figure:
    """States of two variables; the same states with the first variable kicked; and the unperturbed states with other weights.

    Args:
        states: (state, 2).
        weights: (state,), 1 − δ s; the area of a marker, which is red above 1, blue below 1, and absent where the weight is negative.
        kick: δ, in units of the variable.
    """
    figure = make_subplots(1, 3, subplot_titles=CLOUD_TITLES, horizontal_spacing=0.06, shared_yaxes=True)
    x, y = states.T.numpy()
    plain, faint = {"size": 5, "color": theme.INK}, {"size": 5, "color": theme.GREY}
    area = {"size": weights.clamp_min(0).numpy(), "sizemode": "area", "sizeref": float(weights.max()) / LARGEST**2, "sizemin": 0}
    colour = {"color": weights.numpy(), "colorscale": theme.FIELD_SCALE, "cmid": 1, "line": {"width": 0.5, "color": theme.INK}}
    clouds = ((1, x, plain), (2, x, faint), (2, x + kick, plain), (3, x, area | colour))
    for column, along, marker in clouds:
        figure.add_trace(go.Scatter(x=along, y=y, mode="markers", marker=marker, showlegend=False), 1, column)
    for column, middle in ((1, 0.0), (2, kick), (3, float((weights * states[:, 0]).mean()))):
        figure.add_vline(x=middle, line={"color": theme.INK, "dash": "dot", "width": 1.5}, row=1, col=column)
    span = [float(x.min()) - 0.2, float(x.max()) + kick + 0.2]
    figure.update_xaxes(title_text="u<sub>1</sub>", range=span).update_yaxes(title_text="u<sub>2</sub>", col=1)
    return figure.update_layout(template="gfdt", width=920, height=340, margin_t=50)
