"""Hidden memory of a field: the test of `hidden_memory`, for each wavevector.

    R̃_k(τ) − R_k(τ) = −⟨[û_k(t + τ) − m_k] ĝ_k*⟩/N,        g = s(u(t) | u(t − d)) − s(u(t)) − E[… | u(t)]

where both conditional means are linear in v, v² and v³ at the same wavevector, with v the field less its mean. For a number the
conditional means are practically exact; for a field they are not, and their errors combine with the different errors of the two networks.
This amounts to a few per cent of the response, so a difference is reported only if it is larger than a twentieth. It is given along the
response itself, D(τ) = Re Σ_k R_k* (R̃_k − R_k)/Σ_k |R_k|², as the relative change of the response.
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.hidden_memory import FEWEST, PIECES, SEPARATE, HiddenMemory, hotelling
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.steins_identity import SMALL

Score = Callable[..., torch.Tensor]  # of a field, and of an earlier field where the score is conditional
VALUES = 2**21  # values at which the scores are compared, at most, in each half
MULTIPLES = (1.0, 2.0, 0.5)  # of the distance d: the lags that are tested


def hidden_memory_of_fields(
    halves: tuple[TimeSeries, TimeSeries],
    scores: tuple[LearnedScore, LearnedScore],
    autocorrelation: torch.Tensor,
    preset: str = "quick",
    *,
    seed: int = 0,
    device: str = "auto",
) -> HiddenMemory:
    """Test a series of fields for hidden memory; this takes as long as the training of `scores`.

    Args:
        halves: the two halves of the series.
        scores: fitted to the first and to the second half with this preset and the seeds `seed` and `seed` + 1.
        autocorrelation: of a pixel, (lag,).

    Returns:
        HiddenMemory with response 1 and conditional response 1 + D at every lag.
    """
    distance = _distance(autocorrelation, min(len(half.times) for half in halves))
    wanted = list(dict.fromkeys(max(1, round(multiple * distance)) for multiple in MULTIPLES))
    cuts = [_cuts(half, distance, max(wanted)) for half in halves]
    pieces = sum(len(half.u) * cut for half, cut in zip(halves, cuts, strict=True))
    lags, every = np.array(wanted[: pieces // 3]), halves[0].every
    if pieces < FEWEST:
        nothing = torch.full((1,), math.nan)
        return HiddenMemory(distance * every, nothing, nothing, nothing, nothing, math.nan, pieces, SMALL)
    pairs = [
        fit_score(_with_past(half, distance), preset=preset, seed=seed + i, context=True, device=device) for i, half in enumerate(halves)
    ]
    changes = np.concatenate([_changes(halves[i], scores[1 - i], pairs[1 - i], distance, lags, cuts[i]) for i in (0, 1)])
    order, error = np.argsort(lags), changes.std(0, ddof=1) / math.sqrt(pieces)
    found = [torch.from_numpy(one[order]) for one in (lags * every, np.ones(len(lags)), 1 + changes.mean(0), error)]
    return HiddenMemory(distance * every, found[0], found[1], found[2], found[3], hotelling(changes), pieces, SMALL)


def _distance(autocorrelation: torch.Tensor, length: int) -> int:
    """The first lag at which the autocorrelation of a pixel is one half or less; an eighth of a member at most."""
    low = torch.nonzero(autocorrelation <= 0.5)
    return max(1, min(int(low[0]) if len(low) else length, length // 8))


def _cuts(half: TimeSeries, distance: int, last: int) -> int:
    """Number of pieces of each member; 0 if there is a single member and it is too short."""
    room = (len(half.times) - last - distance) // (SEPARATE * last)
    return max(int(len(half.u) > 1), min(-(-PIECES // len(half.u)), room))


def _with_past(half: TimeSeries, distance: int) -> TimeSeries:
    """The same series, with the field `distance` samples earlier as its context."""
    return TimeSeries(half.u[:, distance:], half.times[distance:], half.axes, half.u[:, :-distance, None], half.lengths, half.info)


def _changes(half: TimeSeries, score: Score, pair: Score, distance: int, lags: np.ndarray, cuts: int) -> np.ndarray:
    """D of each piece, (piece, lag)."""
    grid, mean, spread = half.grid, half.u.mean(), float(half.u.std())
    room = len(half.times) - int(lags.max()) - distance
    origins = distance + torch.arange(0, room, -(-len(half.u) * room * grid.size // VALUES))
    u, found = half.u[:, origins], []
    v = (u - mean) / spread
    functions = torch.stack([_modes(grid, v**power) for power in (1, 2, 3)], -1)
    basis = torch.linalg.qr(functions)[0]
    g = _unexplained(basis, _modes(grid, (pair(u, half.u[:, origins - distance, None]) - score(u)) * spread))
    weight = grid.multiplicity.flatten()[:, None]
    for lag in lags:
        later = _modes(grid, (half.u[:, origins + int(lag)] - mean) / spread)
        response = (later * functions[..., 0].conj()).mean(1, keepdim=True) / functions[..., 0].abs().square().mean(1, keepdim=True)
        along = weight * response.conj() / (weight * response.abs().square()).sum()
        each = -(along * _unexplained(basis, later) * g.conj()).real.sum(0) / grid.size
        split = np.array_split(each.reshape(len(u), -1).numpy(), cuts, axis=1)
        found.append(np.concatenate([piece.mean(1) for piece in split]))
    return np.stack(found, -1)


def _modes(grid: PeriodicGrid, fields: torch.Tensor) -> torch.Tensor:
    """Spectra of the fields less their mean, (mode, member × origin)."""
    return grid.rfft(fields - fields.mean()).reshape(-1, math.prod(grid.spectral_shape)).T.to(torch.complex128)


def _unexplained(basis: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Residual of values, (mode, sample), after projection on an orthonormal basis, (mode, sample, q)."""
    return values - (basis @ (basis.mH @ values[..., None]))[..., 0]
