"""Is a score right, and are generated fields? Distances to a known score, moments, and the variance of the gradient of a loss.

Identities that every true score obeys are in `steins_identity`.
"""

from collections.abc import Callable

import scipy.stats
import torch

from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores.matching import antithetic_loss, naive_loss
from gfdt_tutorial.scores.network import ScoreNetwork


def relative_error(scores: torch.Tensor, exact: torch.Tensor) -> float:
    """(⟨|s − s*|²⟩ / ⟨|s*|²⟩)^½."""
    return float(((scores - exact).square().mean() / exact.square().mean()).sqrt())


def fisher_divergence(scores: torch.Tensor, exact: torch.Tensor) -> float:
    """½⟨|s − s*|²⟩ per pixel, which score matching minimises."""
    return 0.5 * float((scores - exact).square().mean())


def kurtosis(fields: torch.Tensor) -> float:
    """⟨v⁴⟩ / ⟨v²⟩², v = u − ⟨u⟩; 3 for a Gaussian."""
    return float(scipy.stats.kurtosis(fields.detach().double().cpu().numpy(), axis=None, fisher=False))


def density_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Wasserstein-1 distance of the densities of two sets of pixels, divided by the standard deviation of the second."""
    first, second = (values.detach().double().cpu().numpy().ravel() for values in (one, other))
    return float(scipy.stats.wasserstein_distance(first, second) / other.double().std())


def gradient_variances(
    network: ScoreNetwork, data: TimeSeries, sigma: float, *, mean: float, pairs: int = 32, repeats: int = 64, seed: int = 0
) -> tuple[float, float]:
    """Variance over the noise of the gradients of the naive and the antithetic loss, at one noise level and for one batch of fields.

    Args:
        network: whose parameters the gradients are taken with respect to.
        sigma: the noise level, in the network's coordinates.
        mean: ⟨u⟩.
        pairs: fields in the batch.
        repeats: draws of the noise.
        seed: of fields and noise.

    Returns:
        (naive, antithetic): the trace of the covariance of the gradient over all parameters. The naive loss gets 2 × `pairs` draws of
        noise, so that both losses evaluate the network equally often.
    """
    rng = generator(seed, Stream.GRADIENTS)
    index = torch.randint(data.snapshots, (pairs,), generator=rng)
    fields = (data.u.flatten(0, 1)[index.to(data.u.device)] - mean).to(network.root)
    w = network.grid.irfft(network.grid.rfft(fields) / network.root)
    angle = torch.atan(torch.tensor(float(sigma)))
    twice = w.repeat(2, *[1] * (w.ndim - 1))
    naive = _gradient_variance(network, naive_loss, twice, angle, repeats, rng)
    return naive, _gradient_variance(network, antithetic_loss, w, angle, repeats, rng)


def _gradient_variance(
    network: ScoreNetwork,
    loss: Callable[[ScoreNetwork, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
    w: torch.Tensor,
    angle: torch.Tensor,
    repeats: int,
    rng: torch.Generator,
) -> float:
    gradients = []
    for _ in range(repeats):
        noise = torch.randn(w.shape, generator=rng).to(w)
        value = loss(network, w, noise, angle.repeat(len(w)).to(w))
        parts = torch.autograd.grad(value, list(network.parameters()), allow_unused=True, materialize_grads=True)
        gradients.append(torch.cat([part.flatten() for part in parts]))
    return float(torch.stack(gradients).var(0).sum())
