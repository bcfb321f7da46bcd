"""A change of the noise, where it is additive and white, as a change of the drift."""

import zlib
from collections.abc import Callable

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.responses.theorem import Perturbation, along, score_of


def noise_derivative(score: Callable, grid: PeriodicGrid, rate: torch.Tensor, seed: int = 0) -> Perturbation:
    """(f, ∇·f), the change of the drift that moves averages at one time as a change of the noise does.

        f = −½ D′ s,    ∇·f = −½ tr(D′ ∇s)

    In the Fokker-Planck equation the noise, of covariance D per unit time between pixels, stands as ½∇·(D∇ρ) = −∇·(−½ D s ρ): as a drift
    would. D′ is the derivative of D by the parameter: for D = N²ε²Σ and ε it is (2/ε) N²ε²Σ, which `system.noise_derivative("epsilon")`
    gives. The trace is estimated by tr(D′∇s) ≈ z·(∇s D′z) with random signs z, a derivative of the score along one direction (Hutchinson
    1989). The signs of a snapshot belong to (seed, snapshot), so the estimate does not depend on how snapshots are blocked.

    It takes noise that is additive, white in time and independent of the field. Noise that multiplies the field also changes the drift;
    noise that remembers, such as the waves that stir the Navier-Stokes flow, is state that the field does not show, and for it there is
    `drift_derivative("forcing")`, given the forcing.

    Args:
        score: differentiable by torch, as learned, Gaussian and analytic ones are.
        rate: D′, (*spectral_shape,), its symbol.
        seed: of the signs.

    Raises:
        ValueError: a rate of another shape, a score that needs a context, or one that cannot be differentiated.
    """
    if tuple(rate.shape) != tuple(grid.spectral_shape):
        raise ValueError(f"rate has shape {tuple(rate.shape)}; expected one value a wavevector, {tuple(grid.spectral_shape)}")
    if getattr(score, "needs_context", False):
        raise ValueError("this score needs the hidden forcing, which a change of white noise knows nothing of; give one of the field alone")

    def f(u: torch.Tensor) -> torch.Tensor:
        return grid.apply(-0.5 * rate, score_of(score, u, None))

    def divergence(u: torch.Tensor) -> torch.Tensor:
        z = _signs(u, grid, seed)
        moved = z * along(score, u, grid.apply(rate, z), "a change of the noise takes the derivative of the score")
        return -0.5 * (moved.sum(grid.axes) if grid.shape else moved)

    return f, divergence


def _signs(u: torch.Tensor, grid: PeriodicGrid, seed: int) -> torch.Tensor:
    """±1 in the shape of u, drawn for each snapshot from a stream that its values name; +1 for lone numbers, whose trace is one term."""
    if not grid.shape:
        return torch.ones_like(u)
    snapshots = u.detach().cpu().reshape(-1, grid.size).numpy()
    streams = [generator(seed, Stream.TRACE, zlib.crc32(values.tobytes())) for values in snapshots]
    signs = torch.stack([2.0 * torch.randint(2, grid.shape, generator=stream) - 1 for stream in streams])
    return signs.reshape(u.shape).to(u)
