"""A change of additive white noise, written as a change of the drift."""

import zlib

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.responses.theorem import Perturbation, along, score_of


def noise_derivative(score: Score, grid: PeriodicGrid, rate: torch.Tensor, *, seed: int = 0) -> Perturbation:
    """(f, ∇·f), the change of the drift that has the same effect on averages at one time as a change of the noise.

        f = −½ D′ s,    ∇·f = −½ tr(D′ ∇s)

    In the Fokker-Planck equation the noise, of covariance D per unit time between pixels, appears as ½∇·(D∇ρ) = −∇·(−½ D s ρ), as a drift
    −½ D s would. D′ is the derivative of D by the parameter: for D = N²ε²Σ and ε it is (2/ε) N²ε²Σ, which
    `system.noise_derivative("epsilon")` gives. The trace is estimated by tr(D′∇s) ≈ z·(∇s D′z) with random signs z, a derivative of the
    score along one direction (Hutchinson 1989). The signs of a snapshot belong to (seed, snapshot), so the estimate does not depend on how
    snapshots are blocked.

    The noise must be additive, white in time and independent of the field. Multiplicative noise also changes the drift. Noise with a
    memory, such as the waves that stir the Navier-Stokes flow, is a hidden part of the state; for it use `drift_derivative("forcing")`,
    given the forcing.

    Args:
        score: differentiable by torch, as learned, Gaussian and analytic scores are.
        rate: the symbol of D′, (*spectral_shape,).
        seed: of the signs.

    Raises:
        ValueError: a rate of another shape, a score that needs a context, or one that cannot be differentiated.
    """
    if tuple(rate.shape) != tuple(grid.spectral_shape):
        raise ValueError(f"rate has shape {tuple(rate.shape)}; expected one value per wavevector, {tuple(grid.spectral_shape)}")
    if getattr(score, "needs_context", False):
        raise ValueError(
            "this score needs the hidden forcing, on which a change of white noise does not depend; give a score of the field alone"
        )

    def f(u: torch.Tensor) -> torch.Tensor:
        return grid.apply(-0.5 * rate, score_of(score, u, None))

    def divergence(u: torch.Tensor) -> torch.Tensor:
        z = _signs(u, grid, seed)
        moved = z * along(score, u, grid.apply(rate, z), "a change of the noise takes the derivative of the score")
        return -0.5 * (moved.sum(grid.axes) if grid.shape else moved)

    return f, divergence


def _signs(u: torch.Tensor, grid: PeriodicGrid, seed: int) -> torch.Tensor:
    """±1 in the shape of u, drawn for each snapshot from a stream that its values name; +1 for plain numbers, whose trace has one term."""
    if not grid.shape:
        return torch.ones_like(u)
    snapshots = u.detach().cpu().reshape(-1, grid.size).numpy()
    streams = [generator(seed, Stream.TRACE, zlib.crc32(values.tobytes())) for values in snapshots]
    signs = torch.stack([2.0 * torch.randint(2, grid.shape, generator=stream) - 1 for stream in streams])
    return signs.reshape(u.shape).to(u)
