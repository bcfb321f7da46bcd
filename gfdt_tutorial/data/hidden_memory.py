"""Hidden memory of a number: the response with an earlier sample held fixed, compared with the response without.

For a Markov series, conditioning the score on the past does not change the response,

    R̃(τ) = −⟨u(t + τ) ∂ ln ρ(u(t) | u(t − d))/∂u(t)⟩ = R(τ) = −⟨u(t + τ) ∂ ln ρ(u(t))/∂u(t)⟩        for every d > 0

because, given u(t), the future u(t + τ) does not depend on the past. If variables that were not measured have a memory of their own, the
two differ: they are responses to kicks that hold different variables fixed, and neither need be the response to a given kick of the number.

The Markov property does not depend on the coordinate, so the number is first replaced by its normal scores z = Φ⁻¹(F(u)), with F its
distribution function. This removes heavy tails, and the score of z alone is exactly −z. With m(z) = E[z(t + τ) | z(t) = z],

    R̃(τ) − R(τ) = −⟨[z(t + τ) − m(z(t))] g⟩,    g = s(z(t) | z(t − d)) + z(t) − E[s(z(t) | z(t − d)) + z(t) | z(t)]

where both conditional means are least-squares cubic splines in z. For a Markov series this vanishes for *any* function g of the pair, so
that a badly learned score cannot cause a false alarm: an error of the score matters only in combination with an error of m. (For the
regression of one residual on another see Robinson, Econometrica 56, 931, 1988.)
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.fft
import scipy.stats
import torch
from scipy.interpolate import BSpline

from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.data.suitability.check import SIGNIFICANT
from gfdt_tutorial.scores.pair_score import PairScores

ORIGINS = 65_536  # at most, evenly spaced: neighbours within the memory are redundant
KNOTS = np.arange(-2.75, 3.0, 0.25)  # of the cubic splines in z; polynomials up to degree 9 give false alarms for a Markov double well
MULTIPLES = (1.0, 2.0, 0.5, 4.0)  # of the distance d: the lags that are tested, or the first of them if there are few pieces
PIECES = 16  # of each half, at least, if its members are long enough
FEWEST = 12  # pieces of both halves; with fewer the result is "unknown"
SIGNIFICANT_LAG = 3.0  # standard errors of the difference at a single lag
SEPARATE = 4  # length of a nearly independent piece, in units of the largest lag


@dataclass(frozen=True)
class HiddenMemory:
    """The result of `hidden_memory`, for normal scores z; or of `hidden_memory_of_fields`, relative to a response of 1.

    Attributes:
        distance: the time d by which the sample that is held fixed is earlier.
        lags: the tested lags, (lag,), in time units.
        response: R, (lag,).
        conditional: R̃, the response with the earlier sample held fixed, (lag,).
        error: standard error of R̃ − R, (lag,).
        p_value: probability of so large a difference for a Markov series, all lags taken together; NaN if it could not be computed.
        pieces: number of nearly independent pieces of the series whose scatter gives the standard errors.
        least: the smallest difference that is reported; 0 for numbers.
    """

    distance: float
    lags: torch.Tensor
    response: torch.Tensor
    conditional: torch.Tensor
    error: torch.Tensor
    p_value: float
    pieces: int
    least: float = 0.0

    @property
    def verdict(self) -> str:
        """ "found" if the difference is significant and, at some lag, at least `least`; "not found"; or "unknown"."""
        if math.isnan(self.p_value):
            return "unknown"
        return "found" if self.p_value < SIGNIFICANT and abs(self.difference[self._worst]) >= self.least else "not found"

    @property
    def difference(self) -> torch.Tensor:
        """R̃ − R, (lag,)."""
        return self.conditional - self.response

    @property
    def _worst(self) -> int:
        """The lag of the most significant difference, among those that are large enough if any of them is significant."""
        size, ratio = self.difference.abs(), self.difference.abs() / self.error
        large = (size >= self.least) & (ratio > SIGNIFICANT_LAG)
        return int(torch.where(large, ratio, 0.0).argmax() if large.any() else ratio.argmax())

    @property
    def finding(self) -> str:
        """The result in words."""
        if self.verdict == "unknown":
            return f"The series contains {self.pieces} pieces that are longer than its memory, too few to test for hidden memory."
        lag, alone, conditional, error = (float(values[self._worst]) for values in (self.lags, self.response, self.conditional, self.error))
        start = f"With the sample {self.distance:.3g} earlier held fixed, the response at lag {lag:.3g} "
        if self.least:
            start += f"changes by {conditional - alone:+.1%} ± {error:.1%} of itself"
        else:
            start += f"is {conditional:.3f} instead of {alone:.3f}, that is by {conditional - alone:+.3f} ± {error:.3f} in normal scores"
        if self.verdict == "found":
            return f"{start}. The future depends on more than the present value: the response depends on what else the kick holds fixed."
        if self.p_value < SIGNIFICANT:
            return f"{start}. A change by less than {self.least:.0%} of the response may be an error of the two scores that are compared."
        return f"{start}, which is within sampling (p = {self.p_value:.2g} for a Markov series)."

    def plain(self) -> dict[str, Any]:
        """As plain JSON values, under the keys of `analysis.json`."""
        keys = {"conditional": "held", "p_value": "chance"}  # of format 2; the other attributes have the names of their keys
        values = {keys.get(name, name): value for name, value in vars(self).items()}
        numbers = {key: value.tolist() if isinstance(value, torch.Tensor) else value for key, value in values.items()}
        return numbers | {"verdict": self.verdict, "finding": self.finding}


def hidden_memory(data: TimeSeries, *, seed: int = 0) -> HiddenMemory:
    """Test a series of numbers, without space axes, for hidden memory, at the distance d where the autocorrelation has fallen to one half.

    Each half of the series is averaged with the pair score that was learned from the other half.

    Args:
        data: a series without space axes, of one member or many.
        seed: of the training of the pair scores.

    Raises:
        ValueError: `data` is not a series, or a series of fields.

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
    error = differences.std(0, ddof=1) / math.sqrt(pieces)
    found = [torch.from_numpy(one[order]) for one in (np.array(lags) * data.every, alone, alone + differences.mean(0), error)]
    return HiddenMemory(distance * data.every, found[0], found[1], found[2], found[3], hotelling(differences), pieces)


def normal_scores(u: torch.Tensor) -> np.ndarray:
    """Normal scores Φ⁻¹((rank − ½)/n) of all values together, (member, time), double precision; ties have their mean rank."""
    values = u.double().cpu().numpy()
    ranks = scipy.stats.rankdata(values.ravel()).reshape(values.shape)
    return scipy.stats.norm.ppf((ranks - 0.5) / values.size)


def hotelling(differences: np.ndarray) -> float:
    """p-value of Hotelling's T² test of zero mean, for independent pieces, (piece, lag)."""
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
    """The tested lags, in samples, the most important first."""
    return list(dict.fromkeys(max(1, round(multiple * distance)) for multiple in MULTIPLES))


def _halves(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Halves of the members, or of the samples of a single member."""
    first, second = np.array_split(z, 2, axis=0 if len(z) > 1 else 1)
    return first, second


class _Half:
    """Time origins t of one half of a series, with averages over them.

    Args:
        z: normal scores, (member, time).
        distance: d, in samples.
        whole: number of samples in both halves.
    """

    def __init__(self, z: np.ndarray, distance: int, whole: int) -> None:
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
        """g from the pair score of one half, (member × origin,)."""
        pairs = self.pairs.float()
        with torch.no_grad():
            score = scores(pairs.expand(len(scores.weights[0]), *pairs.shape))[part]
        return self._unexplained(score.double().numpy() + self.now.ravel())

    def differences(self, g: np.ndarray, lags: list[int]) -> np.ndarray:
        """R̃ − R of each piece, (piece, lag)."""
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
