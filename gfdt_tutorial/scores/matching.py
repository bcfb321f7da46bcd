"""Denoising score matching: two losses with the same minimum and very different noise.

With y± = cos φ w ± sin φ z, the score of the noise kernel is ∓z / sin φ, and a network s learns the score of the noisy data by

    naive        ½ |s(y₊) + z / sin φ|²
    antithetic   ¼ (|s(y₊)|² + |s(y₋)|²) + z · (s(y₊) − s(y₋)) / (2 sin φ)

Both have the same expectation up to a constant (Vincent, Neural Computation 23, 1661, 2011). As φ → 0 the naive one sees z/sin φ, whose
variance grows like 1/φ²; in the antithetic one the difference s(y₊) − s(y₋) shrinks with φ, and nothing blows up.

A network that knows levels has the loss of each field times sin²φ: the error of the noise that it reads off the field. Over levels even
in ln tan φ these add up to a bound on how far the generated density is from that of the data (Song et al., NeurIPS 2021); without the
weight the lowest levels, whose scores are the largest, would be all that is learned.
"""

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.scores.network import ScoreNetwork


def antithetic_loss(
    network: ScoreNetwork, w: torch.Tensor, z: torch.Tensor, angle: torch.Tensor, context=None, reach: float = 0.0
) -> torch.Tensor:
    """(): mean over fields and pixels; two network evaluations a field.

    Args:
        w, z: (batch, *shape), data and white noise in the network's coordinates.
        angle: (batch,), noise angles φ > 0.
        context: (batch, channel, *shape) or None.
        reach: in pixels; other than 0, each place counts by its `local_variance` h, and the loss becomes ½⟨h |s − s*|²⟩. Where a field is
            quiet its score is large and easily wrong by much, and a few such places would be all that is learned; with h it is the error
            relative to the score that counts. Any h of the noisy field leaves the minimum where it is.
    """
    sine, cosine = _wide(angle.sin(), w), _wide(angle.cos(), w)
    both = torch.cat([cosine * w + sine * z, cosine * w - sine * z])
    twice = None if context is None else context.repeat(2, *[1] * (context.ndim - 1))
    scores = network(both, twice, angle.repeat(2))
    plus, minus = scores.chunk(2)
    first, second = (local_variance(network.grid, both, reach) * scores).chunk(2) if reach else (plus, minus)
    return _weighted(network, 0.25 * (first * plus + second * minus) + z * (first - second) / (2 * sine), sine)


def local_variance(grid: PeriodicGrid, y: torch.Tensor, reach: float) -> torch.Tensor:
    """h(y), y² in the mean over a Gaussian neighbourhood of `reach` pixels, like y."""
    spacing = [length / n for n, length in zip(grid.shape, grid.lengths, strict=True)]
    narrow = sum((k * reach * step) ** 2 for k, step in zip(grid.wavenumbers, spacing, strict=True))
    return grid.apply(torch.exp(-narrow / 2), y.square()).clamp_min(1e-6)


def naive_loss(network: ScoreNetwork, w: torch.Tensor, z: torch.Tensor, angle: torch.Tensor, context=None) -> torch.Tensor:
    """(): the textbook form, for comparison; one network evaluation a field."""
    sine, cosine = _wide(angle.sin(), w), _wide(angle.cos(), w)
    return _weighted(network, 0.5 * (network(cosine * w + sine * z, context, angle) + z / sine).square(), sine)


def _weighted(network: ScoreNetwork, losses: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    return (losses * sine.square() if network.levels else losses).mean()


def _wide(numbers: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return numbers.reshape(-1, *[1] * (like.ndim - 1))
