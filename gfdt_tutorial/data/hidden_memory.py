"""Does a number remember more than it shows? The response with an earlier sample held fixed, beside the response without.

For a Markov series the score may be given any of the past without any effect on the response,

    R̃(τ) = −⟨u(t + τ) ∂ ln ρ(u(t) | u(t − d))/∂u(t)⟩ = R(τ) = −⟨u(t + τ) ∂ ln ρ(u(t))/∂u(t)⟩        for every d > 0

since u(t + τ) depends on u(t) alone. If variables that were not measured carry memory of their own, the two differ: they answer for
kicks that hold different things fixed, and neither need be what a kick of the number would do.

The Markov property does not depend on the coordinate, so the number is first replaced by its normal scores z = Φ⁻¹(F(u)), with F its
distribution function: heavy tails are gone, and the score of z alone is −z, without any error. With m(z) = E[z(t + τ) | z(t) = z],

    R̃(τ) − R(τ) = −⟨[z(t + τ) − m(z(t))] g⟩,    g = s(z(t) | z(t − d)) + z(t) − E[s(z(t) | z(t − d)) + z(t) | z(t)]

where both conditional means are cubic splines in z, by least squares. For a Markov series this vanishes for *any* function g of the pair,
so that a badly learned score cannot accuse it: an error of the score counts only where it meets an error of m. (For the regression of one
residual on another see Robinson, Econometrica 56, 931, 1988.)
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
import scipy.stats
import torch
from scipy.interpolate import BSpline

from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.data.suitability.check import SIGNIFICANT
from gfdt_tutorial.scores.pair_score import PairScores

ORIGINS = 65_536  # at most, evenly spread: neighbours within the memory tell the same
KNOTS = np.arange(-2.75, 3.0, 0.25)  # in z, of the cubic splines: with polynomials up to degree 9 a Markov double well is accused
MULTIPLES = (1.0, 2.0, 0.5, 4.0)  # of the distance d: the lags that are tested, the first ones where there are few pieces
PIECES = 16  # of each half, at least, where its members can be cut so far
FEWEST = 12  # pieces of both halves, below which nothing is said
SURE = 3.0  # standard errors of a single difference that counts
SEPARATE = 4  # times the largest lag: pieces this long are nearly independent


@dataclass(frozen=True)
class HiddenMemory:
    """What `hidden_memory` found, for normal scores z; or `hidden_memory_of_fields`, where the response is 1 and changes by parts of it.

    Attributes:
        distance: d, in time units: how much earlier the sample was that is held fixed.
        lags: (lag,), in time units, those that were tested.
        response: (lag,), R.
        held: (lag,), R̃.
        error: (lag,), standard error of R̃ − R.
        chance: probability of so large a difference, all lags taken together, for a Markov series; NaN if it could not be had.
        pieces: nearly independent pieces of the series from whose scatter the errors come.
        least: the least difference that counts; 0 for numbers.
    """

    distance: float
    lags: torch.Tensor
    response: torch.Tensor
    held: torch.Tensor
    error: torch.Tensor
    chance: float
    pieces: int
    least: float = 0.0

    @property
    def verdict(self) -> str:
        """ "found" below one chance in a thousand, if at some lag the difference is not too small to count, "not found", or "unknown"."""
        if math.isnan(self.chance):
            return "unknown"
        return "found" if self.chance < SIGNIFICANT and abs(self.difference[self._worst]) >= self.least else "not found"

    @property
    def difference(self) -> torch.Tensor:
        """R̃ − R, (lag,)."""
        return self.held - self.response

    @property
    def _worst(self) -> int:
        """The lag of the surest difference, among those that count if there are any that are sure."""
        size, sure = self.difference.abs(), self.difference.abs() / self.error
        counts = (size >= self.least) & (sure > SURE)
        return int(torch.where(counts, sure, 0.0).argmax() if counts.any() else sure.argmax())

    @property
    def finding(self) -> str:
        """In words."""
        if self.verdict == "unknown":
            return f"The series holds {self.pieces} pieces that are longer than its memory, too few to look for hidden memory."
        lag, alone, held, error = (float(values[self._worst]) for values in (self.lags, self.response, self.held, self.error))
        start = f"With the sample {self.distance:.3g} earlier held fixed, the response at lag {lag:.3g} "
        if self.least:
            start += f"changes by {held - alone:+.1%} ± {error:.1%} of itself"
        else:
            start += f"is {held:.3f} instead of {alone:.3f}, a difference of {held - alone:+.3f} ± {error:.3f} in normal scores"
        if self.verdict == "found":
            return f"{start}. The future depends on more than the present value: the response depends on what else the kick holds fixed."
        if self.chance < SIGNIFICANT:
            return f"{start}. Less than {self.least:.0%} of the response may be an error of the two scores that are compared."
        return f"{start}, which is within sampling (probability {self.chance:.2g} for a Markov series)."

    def plain(self) -> dict:
        """As plain JSON values."""
        numbers = {name: value.tolist() if isinstance(value, torch.Tensor) else value for name, value in vars(self).items()}
        return numbers | {"verdict": self.verdict, "finding": self.finding}


def hidden_memory(data: TimeSeries, *, seed: int = 0) -> HiddenMemory:
    """Test a series of lone numbers for hidden memory, at a distance d where the autocorrelation has fallen to about one half.

    Each half of the series is averaged with the pair score that was learned from the other half.

    Args:
        data: of lone numbers, one member or many.
        seed: of the training of the pair scores.

    Raises:
        ValueError: no series, or one of fields.

    >>> from gfdt_tutorial import DoubleWell, simulate
    >>> hidden_memory(simulate(DoubleWell(), members=16, duration=200.0, every=0.5)).verdict
    'not found'
    """
    check_series(data)
    if data.grid.shape:
        raise ValueError(f"these data are fields of shape {data.grid.shape}; this test is for one number: average over space first")
    z = normal_scores(data.u)
    distance = _distance(z)
    halves = [_Half(part, distance, z.size) for part in _halves(z)]
    pieces = sum(half.pieces for half in halves)
    if pieces < FEWEST or min(half.now.size for half in halves) < 100:
        nothing = torch.full((1,), math.nan)
        return HiddenMemory(distance * data.every, nothing, nothing, nothing, nothing, math.nan, pieces)
    lags = _lags(distance)[: pieces // 3]
    scores = PairScores.fit([half.pairs for half in halves], seed=seed)
    learned = [half.innovation(scores, 1 - part) for part, half in enumerate(halves)]
    differences = np.concatenate([half.differences(g, lags) for half, g in zip(halves, learned, strict=True)])
    alone = np.mean([half.response(lags) for half in halves], axis=0)
    order = np.argsort(lags)
    found = (np.array(lags) * data.every, alone, alone + differences.mean(0), differences.std(0, ddof=1) / math.sqrt(pieces))
    return HiddenMemory(distance * data.every, *(torch.from_numpy(one[order]) for one in found), hotelling(differences), pieces)


def normal_scores(u: torch.Tensor) -> np.ndarray:
    """Φ⁻¹((rank − ½)/n) of all values together, (member, time), double precision; equal values share their mean rank."""
    values = u.double().cpu().numpy()
    ranks = scipy.stats.rankdata(values.ravel()).reshape(values.shape)
    return scipy.stats.norm.ppf((ranks - 0.5) / values.size)


def hotelling(differences: np.ndarray) -> float:
    """Hotelling's T² test of independent pieces, (piece, lag): the probability by chance of a mean so far from zero."""
    count, size = differences.shape
    mean, covariance = differences.mean(0), np.atleast_2d(np.cov(differences.T))
    squared = count * mean @ np.linalg.pinv(covariance, hermitian=True) @ mean
    return float(scipy.stats.f.sf((count - size) / (size * (count - 1)) * squared, size, count - size))


def _distance(z: np.ndarray) -> int:
    """The first lag, in samples, at which the autocorrelation is one half or less; an eighth of a member at most."""
    steps = z.shape[1]
    longest, length = max(1, steps // 8), scipy.fft.next_fast_len(2 * steps, real=True)
    power = sum(np.abs(scipy.fft.rfft(member, length)) ** 2 for member in z)
    products = scipy.fft.irfft(power, length)[: longest + 1] / (steps - np.arange(longest + 1))
    low = np.nonzero(products <= 0.5 * products[0])[0]
    return int(low[0]) if len(low) else longest


def _lags(distance: int) -> list[int]:
    return list(dict.fromkeys(max(1, round(multiple * distance)) for multiple in MULTIPLES))


def _halves(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the members, or of the time of a lone one."""
    return tuple(np.array_split(z, 2, axis=0 if len(z) > 1 else 1))


class _Half:
    """Origins t of one half of a series, and what is seen from them.

    Args:
        z: (member, time).
        distance: d, in samples.
        whole: samples of both halves.
    """

    def __init__(self, z: np.ndarray, distance: int, whole: int):
        self.z, last = z, max(_lags(distance))
        self.origins = np.arange(distance, z.shape[1] - last, max(1, whole // ORIGINS))
        members, room = len(z), (z.shape[1] - last - distance) // (SEPARATE * last)
        self.cuts = max(1, min(-(-PIECES // members), room))
        self.pieces = members * self.cuts if room >= 1 or members > 1 else 0
        self.now, self.before = z[:, self.origins], z[:, self.origins - distance]

    @property
    def pairs(self) -> torch.Tensor:
        """(z(t), z(t − d)), (member × origin, 2)."""
        return torch.from_numpy(np.stack([self.now.ravel(), self.before.ravel()], -1))

    def innovation(self, scores: PairScores, part: int) -> np.ndarray:
        """g by the score of one part, (member × origin,)."""
        pairs = self.pairs.float()
        with torch.no_grad():
            score = scores(pairs.expand(len(scores.weights[0]), *pairs.shape))[part]
        return self._unexplained(score.double().numpy() + self.now.ravel())

    def differences(self, g: np.ndarray, lags: list[int]) -> np.ndarray:
        """R̃ − R by piece, (piece, lag)."""
        found = []
        for lag in lags:
            product = -self._unexplained(self.z[:, self.origins + lag].ravel()) * g
            split = np.array_split(product.reshape(self.now.shape), self.cuts, axis=1)
            found.append(np.concatenate([piece.mean(1) for piece in split]))
        return np.stack(found, -1)

    def response(self, lags: list[int]) -> np.ndarray:
        """R = ⟨z(t + τ) z(t)⟩, (lag,)."""
        return np.array([np.mean(self.z[:, self.origins + lag] * self.now) for lag in lags])

    def _unexplained(self, values: np.ndarray) -> np.ndarray:
        """values − E[values | z(t)], by cubic splines in z(t)."""
        return values - self._basis @ (self._basis.T @ values)

    @cached_property
    def _basis(self) -> np.ndarray:
        """Orthonormal functions of z(t) that span the cubic splines, (member × origin, spline)."""
        z = self.now.ravel()
        ends = np.abs(z).max() + 0.1
        knots = np.concatenate([[-ends] * 4, KNOTS[np.abs(KNOTS) < ends - 0.1], [ends] * 4])
        return np.linalg.qr(BSpline.design_matrix(z, knots, 3).toarray())[0]
