"""Denoising score matching in one dimension: noisy targets and their mean in each bin."""

import plotly.graph_objects as go
import torch

from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import line_trace


def noisy_targets(x: torch.Tensor, targets: torch.Tensor, places: torch.Tensor, means: torch.Tensor, score: torch.Tensor) -> go.Figure:
    """The targets −z/σ of noisy data, their mean in each bin, and the score of the noisy data.

    Args:
        x, targets: (sample,).
        places, means, score: (bin,), centres of the bins, means of the targets, and the score at the centres.
    """
    faint = {"size": 3, "color": theme.SEQUENCE[1], "opacity": 0.4}
    cloud = go.Scatter(x=x.numpy(), y=targets.numpy(), mode="markers", name="targets −z/σ", marker=faint)
    found = {"size": 8, "color": theme.INK, "symbol": "circle-open", "line": {"width": 1.5}}
    middle = go.Scatter(x=places.numpy(), y=means.numpy(), mode="markers", name="their mean in each bin", marker=found)
    exact = line_trace(places, score, "score of the noisy data", line=theme.style("analytic"))
    figure = go.Figure([cloud, middle, exact])
    figure.update_layout(template="gfdt", xaxis_title="x = w + σz", yaxis_title="target", width=700, height=380, margin_t=60)
    return figure
