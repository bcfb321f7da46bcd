"""Does a field remember more than it shows? The test of `hidden_memory`, wavevector by wavevector.

    R̃_k(τ) − R_k(τ) = −⟨[û_k(t + τ) − m_k] ĝ_k*⟩/N,        g = s(u(t) | u(t − d)) − s(u(t)) − E[… | u(t)]

with both conditional means linear in v, v² and v³ of the same wavevector, v the field less its mean. For a number these means are as good
as exact; for a field they are not, and what they leave meets what two networks that were trained alike have wrong unlike. That is a few
per cent of the response, so a difference is reported only if it is larger than a twentieth, and the difference is given along the
response itself, D(τ) = Re Σ_k R_k* (R̃_k − R_k)/Σ_k |R_k|²: by how much of itself the response changes.
"""

import math

import numpy as np
import torch

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.hidden_memory import FEWEST, PIECES, SEPARATE, HiddenMemory, hotelling
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.steins_identity import SMALL

VALUES = 2**21  # pixels at which the scores are compared, in each half
MULTIPLES = (1.0, 2.0, 0.5)  # of the distance d


def hidden_memory_of_fields(
    halves: tuple[TimeSeries, TimeSeries],
    scores: tuple[LearnedScore, LearnedScore],
    autocorrelation: torch.Tensor,
    preset: str = "quick",
    *,
    seed: int = 0,
    device: str = "auto",
) -> HiddenMemory:
    """Test a series of fields for hidden memory, which takes as long as it took to train `scores`.

    Args:
        halves: of the series.
        scores: fitted to the first and to the second half with this preset and with seed and seed + 1.
        autocorrelation: of a pixel, (lag,).

    Returns:
        HiddenMemory with response 1 and held 1 + D at every lag.
    """
    distance = _distance(autocorrelation, min(len(half.times) for half in halves))
    lags = list(dict.fromkeys(max(1, round(multiple * distance)) for multiple in MULTIPLES))
    cuts = [_cuts(half, distance, max(lags)) for half in halves]
    pieces = sum(len(half.u) * cut for half, cut in zip(halves, cuts, strict=True))
    lags, every = np.array(lags[: pieces // 3]), halves[0].every
    if pieces < FEWEST:
        nothing = torch.full((1,), math.nan)
        return HiddenMemory(distance * every, nothing, nothing, nothing, nothing, math.nan, pieces, SMALL)
    pairs = [
        fit_score(_with_past(half, distance), preset=preset, seed=seed + i, context=True, device=device) for i, half in enumerate(halves)
    ]
    changes = np.concatenate([_changes(halves[i], scores[1 - i], pairs[1 - i], distance, lags, cuts[i]) for i in (0, 1)])
    order, error = np.argsort(lags), changes.std(0, ddof=1) / math.sqrt(pieces)
    found = (lags * every, np.ones(len(lags)), 1 + changes.mean(0), error)
    return HiddenMemory(distance * every, *(torch.from_numpy(one[order]) for one in found), hotelling(changes), pieces, SMALL)


def _distance(autocorrelation: torch.Tensor, length: int) -> int:
    """The first lag at which the autocorrelation of a pixel is one half or less; an eighth of a member at most."""
    low = torch.nonzero(autocorrelation <= 0.5)
    return max(1, min(int(low[0]) if len(low) else length, length // 8))


def _cuts(half: TimeSeries, distance: int, last: int) -> int:
    """Pieces of each member; none where a lone one is too short."""
    room = (len(half.times) - last - distance) // (SEPARATE * last)
    return max(int(len(half.u) > 1), min(-(-PIECES // len(half.u)), room))


def _with_past(half: TimeSeries, distance: int) -> TimeSeries:
    """The same with the field `distance` samples earlier as its context."""
    return TimeSeries(half.u[:, distance:], half.times[distance:], half.axes, half.u[:, :-distance, None], half.lengths, half.info)


def _changes(half: TimeSeries, score, pair, distance: int, lags: np.ndarray, cuts: int) -> np.ndarray:
    """D by piece, (piece, lag)."""
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


def _modes(grid, fields: torch.Tensor) -> torch.Tensor:
    """(mode, member × origin), of the fields less their mean."""
    return grid.rfft(fields - fields.mean()).reshape(-1, math.prod(grid.spectral_shape)).T.to(torch.complex128)


def _unexplained(basis: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """What no combination of the basis, (mode, sample, q), explains of values (mode, sample)."""
    return values - (basis @ (basis.mH @ values[..., None]))[..., 0]
