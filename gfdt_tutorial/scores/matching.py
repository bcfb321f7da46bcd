"""Denoising score matching: two losses with the same minimum and very different noise.

With y± = cos φ w ± sin φ z, the score of the noise kernel is ∓z / sin φ, and a network s learns the score of the noisy data by

    naive        ½ |s(y₊) + z / sin φ|²
    antithetic   ¼ (|s(y₊)|² + |s(y₋)|²) + z · (s(y₊) − s(y₋)) / (2 sin φ)

Both have the same expectation up to a constant (Vincent, Neural Computation 23, 1661, 2011). As φ → 0 the naive loss contains z/sin φ,
whose variance grows like 1/φ²; in the antithetic loss the difference s(y₊) − s(y₋) shrinks with φ, and the variance stays bounded.

For a network that takes the noise angle as an input, the loss of each field is multiplied by sin²φ, which makes it the error of the noise
that the network infers from the field. With ln tan φ uniformly distributed these losses sum to a bound on the distance between the
generated density and that of the data (Song et al., NeurIPS 2021). Without the weight, the lowest noise levels, whose scores are largest,
would dominate the loss.
"""

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.scores.network import ScoreNetwork


def antithetic_loss(
    network: ScoreNetwork,
    w: torch.Tensor,
    z: torch.Tensor,
    angle: torch.Tensor,
    context: torch.Tensor | None = None,
    *,
    reach: float = 0.0,
) -> torch.Tensor:
    """(): the mean over fields and pixels, at two network evaluations per field.

    Args:
        w, z: (batch, *shape), data and white noise in the network's coordinates.
        angle: (batch,), noise angles φ > 0.
        context: (batch, channel, *shape) or None.
        reach: in pixels. If it is not 0, each place is weighted by its `local_variance` h, and the loss becomes ½⟨h |s − s*|²⟩. Where a
            field is quiet, its score is large and so is the error of its score; without the weight, a few such places would dominate the
            loss. With it, the loss measures the relative error of the score. A weight h that is a function of the noisy field leaves the
            minimum where it is.
    """
    sine, cosine = _wide(angle.sin(), w), _wide(angle.cos(), w)
    both = torch.cat([cosine * w + sine * z, cosine * w - sine * z])
    twice = None if context is None else context.repeat(2, *[1] * (context.ndim - 1))
    scores = network(both, twice, angle.repeat(2))
    plus, minus = scores.chunk(2)
    first, second = (local_variance(network.grid, both, reach) * scores).chunk(2) if reach else (plus, minus)
    return _weighted(network, 0.25 * (first * plus + second * minus) + z * (first - second) / (2 * sine), sine)


def local_variance(grid: PeriodicGrid, y: torch.Tensor, reach: float) -> torch.Tensor:
    """h(y): y² averaged over a Gaussian neighbourhood of standard deviation `reach` pixels; of the shape of y."""
    spacing = [length / n for n, length in zip(grid.shape, grid.lengths or (), strict=True)]
    widths = [(k * reach * step) ** 2 for k, step in zip(grid.wavenumbers, spacing, strict=True)]
    return grid.apply(torch.exp(-sum(widths, torch.zeros(())) / 2), y.square()).clamp_min(1e-6)


def naive_loss(
    network: ScoreNetwork, w: torch.Tensor, z: torch.Tensor, angle: torch.Tensor, context: torch.Tensor | None = None
) -> torch.Tensor:
    """(): the textbook form, for comparison; one network evaluation per field."""
    sine, cosine = _wide(angle.sin(), w), _wide(angle.cos(), w)
    return _weighted(network, 0.5 * (network(cosine * w + sine * z, context, angle) + z / sine).square(), sine)


def _weighted(network: ScoreNetwork, losses: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    return (losses * sine.square() if network.takes_angle else losses).mean()


def _wide(numbers: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return numbers.reshape(-1, *[1] * (like.ndim - 1))
