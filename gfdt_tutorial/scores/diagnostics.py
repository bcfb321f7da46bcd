"""Is a score right? Identities that any true score obeys, and distances to a score that is known."""

from collections.abc import Callable

import numpy as np
import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores.matching import antithetic_loss, naive_loss
from gfdt_tutorial.scores.network import ScoreNetwork


def stein(grid: PeriodicGrid, fields: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """−⟨û_k ŝ_k*⟩ / N², (*spectral_shape,), complex: 1 at every wavevector for the true score (⟨u_i s_j⟩ = −δ_ij, by parts).

    Necessary and not sufficient: the Gaussian score of the same data passes exactly, whatever the density.

    Args:
        fields, scores: (..., *shape), at the same instants; the mean of the fields is removed.
    """
    spectra = grid.rfft(fields - fields.mean()).reshape(-1, *grid.spectral_shape)
    return -(spectra * grid.rfft(scores).reshape(-1, *grid.spectral_shape).conj()).mean(0) / grid.size


def cubic_stein(fields: torch.Tensor, scores: torch.Tensor) -> float:
    """−⟨v³ s⟩ / 3⟨v²⟩ at one pixel, v = u − ⟨u⟩: 1 for the true score.

    For the Gaussian score of independent pixels it is their kurtosis over three: this identity tells a score that knows the shape of
    the density from one that knows its covariance alone.
    """
    v = fields - fields.mean()
    return float(-(v**3 * scores).mean() / (3 * v.square().mean()))


def relative_error(scores: torch.Tensor, exact: torch.Tensor) -> float:
    """(⟨|s − s*|²⟩ / ⟨|s*|²⟩)^½."""
    return float(((scores - exact).square().mean() / exact.square().mean()).sqrt())


def fisher_divergence(scores: torch.Tensor, exact: torch.Tensor) -> float:
    """½⟨|s − s*|²⟩ per pixel, what score matching minimises."""
    return 0.5 * float((scores - exact).square().mean())


def kurtosis(fields: torch.Tensor) -> float:
    """⟨v⁴⟩ / ⟨v²⟩², v = u − ⟨u⟩; 3 for a Gaussian."""
    v = (fields - fields.mean()).double()
    return float((v**4).mean() / v.square().mean() ** 2)


def density_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Wasserstein-1 distance of two pixel densities, over the standard deviation of the second: mean gap between equal quantiles."""
    levels = (np.arange(1000) + 0.5) / 1000
    first, second = (np.quantile(values.detach().cpu().numpy().ravel(), levels) for values in (one, other))
    return float(np.abs(first - second).mean() / other.double().std())


def gradient_variances(
    network: ScoreNetwork, data: TimeSeries, sigma: float, *, mean: float, pairs: int = 32, repeats: int = 64, seed: int = 0
) -> tuple[float, float]:
    """Variance over the noise of the gradient of the naive and of the antithetic loss, at one noise level and on one batch of fields.

    Returns:
        (naive, antithetic): the trace of the covariance of the gradient over all parameters. The naive loss gets 2 × `pairs` noises,
        so that both evaluate the network equally often.
    """
    rng = generator(seed, Stream.GRADIENTS)
    index = torch.randint(data.snapshots, (pairs,), generator=rng)
    fields = (data.u.flatten(0, 1)[index.to(data.u.device)] - mean).to(network.root)
    w = network.grid.irfft(network.grid.rfft(fields) / network.root)
    angle = torch.atan(torch.tensor(float(sigma)))
    twice = w.repeat(2, *[1] * (w.ndim - 1))
    return tuple(_gradient_variance(network, *case, angle, repeats, rng) for case in ((naive_loss, twice), (antithetic_loss, w)))


def _gradient_variance(network: ScoreNetwork, loss: Callable, w: torch.Tensor, angle: torch.Tensor, repeats: int, rng) -> float:
    gradients = []
    for _ in range(repeats):
        noise = torch.randn(w.shape, generator=rng).to(w)
        value = loss(network, w, noise, angle.repeat(len(w)).to(w))
        parts = torch.autograd.grad(value, list(network.parameters()), allow_unused=True, materialize_grads=True)
        gradients.append(torch.cat([part.flatten() for part in parts]))
    return float(torch.stack(gradients).var(0).sum())
