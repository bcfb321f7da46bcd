"""The truth by experiment: kick one of two twins that share their noise, and average what becomes of the difference."""

import math
from itertools import pairwise

import torch

from gfdt_tutorial import checks
from gfdt_tutorial.progress import progress
from gfdt_tutorial.randomness import generator
from gfdt_tutorial.responses.curves import Response, lag_times
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.systems.simulate import System, Trajectory

PARTS = 16  # independent parts of the truth, kept so that errors against it can be freed of its own noise
BATCH = 32  # pairs stepped together

KICKS = ("pixel", "random signs")


def perturb(
    system: System,
    lags: float = 90.0,
    pairs: int = 512,
    seed: int = 1,
    *,
    every: float = 1.0,
    kick: str = "pixel",
    amplitude: float = 1 / 16,
    spinup: float | None = None,
    device: str = "auto",
    level: float = 0.90,
) -> Response:
    """The dynamical response: (u₊ − u₋)/2δ for twins kicked by ±δ, with the same noise, averaged over pairs.

    The central difference removes the quadratic term of the kick. In a linear system the common noise cancels exactly, and a single
    pair gives the response to rounding; in a chaotic one the pairs scatter, and `standard_error` says by how much.

    Args:
        system: to be kicked.
        lags: the largest lag, in time units.
        pairs: how many; PARTS or more, so that the truth can be split in parts.
        seed: of start and noise; use another than that of the data.
        every: spacing of the lags.
        kick: "pixel", ±δ at pixel (0, 0); or "random signs", ±δ with an independent sign at every pixel, correlated out afterwards:
            every pixel then serves as the kicked one, at an L2 error of (⟨|J|²⟩/n)^½ against (⟨|J|²⟩ − |R|²)/n)^½ for one pixel,
            J being one column of the propagator.
        amplitude: δ, in units of the field; the letter's 1/16.
        spinup: time before the kick; the system's own by default.
        device: "auto", "cpu" or "cuda".
        level: of the band.

    Returns:
        Response, on the CPU, with method "dynamical", a standard error, and PARTS independent parts.

    Raises:
        ValueError: too few pairs, an unknown kick, a size out of range.
        DivergedError: a twin left the finite numbers.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck
    >>> perturb(OrnsteinUhlenbeck(), lags=10.0, pairs=16).values.shape
    torch.Size([11, 32, 32])
    """
    where = checks.resolve_device(device)
    times = lag_times(lags, every)
    pairs = checks.whole("pairs", pairs, minimum=PARTS)
    checks.choice("kick", kick, KICKS)
    checks.probability("level", level)
    amplitude = checks.positive("amplitude", amplitude)
    spinup = system.spinup if spinup is None else checks.positive("spinup", spinup, zero=True)
    parts = torch.zeros(PARTS, len(times), *system.grid.shape, device=where)
    squares = torch.zeros(len(times), *system.grid.shape, device=where)
    edges = [round(i * pairs / PARTS) for i in range(PARTS + 1)]
    batches = [(p, range(a, min(a + BATCH, edges[p + 1]))) for p in range(PARTS) for a in range(edges[p], edges[p + 1], BATCH)]
    for part, members in progress(batches, label=f"twins {system.name}"):
        run = Trajectory(system, members, seed, every, where)
        pattern = _pattern(system.grid, kick, members, seed, where)
        state, noise = run.start(spinup)
        shift = amplitude * system.grid.rfft(pattern)
        for lag, twins in enumerate(run.steps(torch.stack([state + shift, state - shift]), noise, len(times) - 1)):
            answers = _answers(system.grid, (twins[0] - twins[1]) / (2 * amplitude), pattern, kick)
            parts[part, lag] += answers.sum(0)
            squares[lag] += answers.square().sum(0)
    parts, squares = parts.cpu(), squares.cpu()
    values = parts.sum(0) / pairs
    variance = (squares / pairs - values.square()).clamp_min(0) * (pairs / (pairs - 1))
    sizes = torch.tensor([b - a for a, b in pairwise(edges)], dtype=parts.dtype)
    return Response(
        times=times,
        values=values,
        method="dynamical",
        standard_error=(variance / pairs).sqrt(),
        freedom=pairs - 1,
        level=level,
        parts=parts / sizes.reshape(-1, *[1] * (parts.ndim - 1)),
        grid=system.grid,
        info={"system": system.name, "pairs": pairs, "kick": kick, "amplitude": amplitude, "seed": seed, "device": str(where)},
    )


def _pattern(grid: PeriodicGrid, kick: str, members: range, seed: int, device: torch.device) -> torch.Tensor:
    """(member, *shape), or (1, *shape) where all members are kicked alike; unit amplitude."""
    if kick == "pixel":
        pattern = torch.zeros(1, *grid.shape, device=device)
        pattern[(0,) * (len(grid.shape) + 1)] = 1
        return pattern
    signs = [torch.randint(2, grid.shape, generator=generator(seed, 2, member)) for member in members]
    return (2.0 * torch.stack(signs) - 1).to(device)


def _answers(grid: PeriodicGrid, spectra: torch.Tensor, pattern: torch.Tensor, kick: str) -> torch.Tensor:
    """One estimate of R(d) a pair. Random signs: (1/N²) Σ_x p(x) δu(x + d), whose mean is R(d) as ⟨p(x) p(x')⟩ = δ."""
    if kick == "pixel":
        return grid.irfft(spectra)
    return grid.irfft(spectra * grid.rfft(pattern).conj()) / math.prod(grid.shape)
