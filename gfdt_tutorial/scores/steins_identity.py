"""Averages that are known for the true score: by how much a score misses them, whether that can be told, and what it means for a response.

For any smooth function q of the field an integration by parts gives −⟨q s_j⟩ = ⟨∂q/∂u_j⟩, whatever the density. A score ŝ = s + e that
misses this by m = −⟨q e⟩ for several q errs at least by e = −mᵀ⟨q qᵀ⟩⁻¹ q, its part along these functions, and with it the response by

    δR(t) = −⟨u(t) e⟩ = ⟨u(t) qᵀ⟩ ⟨q qᵀ⟩⁻¹ m,        δR(t) − C(t) C(0)⁻¹ δR(0)

where the second form is that of a response with the Gaussian control variate, which takes out what the score misses along u itself. What
a score misses along other functions stays unseen, so this is a lower bound of its error.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.core.series import TimeSeries

FIELDS = 8192  # at which identities are averaged, of each half
NUMBERS = 131_072  # the same for series of lone numbers
VALUES = 2**23  # pixels, of each half
COLLINEAR = 1e-6  # of the largest eigenvalue: what is below is one function said twice
PIECES = 8  # of each half, or its members: their scatter gives the errors
SURE = 3.0  # standard errors by which an identity must be missed to count as missed
SMALL = 0.05  # the largest miss that is let pass, however sure
WRONG = 0.2  # a miss that the errors must be able to show, or the identity cannot tell a right score from a wrong one
LAGS = 6  # at which the implied error of the response is evaluated
GRADES = ("passes", "cannot tell", "fails")


def grade(value: float, error: float, true: float = 0.0) -> str:
    """ "fails" if a value misses the true one by more than SURE standard errors and by more than SMALL; "cannot tell" if one that is wrong
    by WRONG could lie within SURE standard errors of the true one, or there is no number; else "passes".

    >>> grade(1.02, 0.01, 1.0), grade(1.3, 0.02, 1.0), grade(5.8, 3.1, 1.0)
    ('passes', 'fails', 'cannot tell')
    """
    if not (math.isfinite(value) and math.isfinite(error)):
        return "cannot tell"
    miss = abs(value - true)
    if miss > SURE * error and miss > SMALL:
        return "fails"
    return "cannot tell" if SURE * error > WRONG else "passes"


TOLERANCES = (
    f"An identity fails if it is missed by more than {SURE:g} standard errors and by more than {SMALL:g}. Where {SURE:g} standard errors "
    f"exceed {WRONG:g}, a score that is wrong by as much would pass too, so the data cannot tell."
)


@dataclass(frozen=True)
class Identity:
    """Averages that are known for the true score, on data that the score was not fitted to; v = (u − ⟨u⟩)/std u, s per unit of v.

    Attributes:
        linear: −⟨v s⟩, 1. A miss of x is an error of x in the raw R(0); the normalised and the controlled form take it out.
        cubic: −⟨v³ s⟩/3, 1; for the Gaussian score a third of the kurtosis.
        pairs: (Σ_d ⟨v_i v_j s_{i+d}⟩²)^½ over all displacements d, with j one or two pixels from i along each axis (of a lone number, i),
            0; what sampling adds is taken off, so that it can fall below. It shows what a score overlooks of how neighbours hang together.
        response: size of the error of the controlled response that the last two imply, Σ over displacements as in L2, at the lag where it
            is largest; 0, what sampling adds taken off. None if no lags were given.
        Each is (value, standard error).
    """

    linear: tuple[float, float]
    cubic: tuple[float, float]
    pairs: tuple[float, float]
    response: tuple[float, float] | None = None

    @property
    def grades(self) -> dict[str, str]:
        """ "passes", "cannot tell" or "fails", for each of the first three, as `grade` says."""
        return {"linear": grade(*self.linear, 1.0), "cubic": grade(*self.cubic, 1.0), "pairs": grade(*self.pairs)}

    @property
    def grade(self) -> str:
        """The worst of `cubic` and `pairs`; `linear` is taken out of the response that is quoted."""
        return max((self.grades[name] for name in ("cubic", "pairs")), key=GRADES.index)

    @property
    def holds(self) -> bool:
        """Whether it passes."""
        return self.grade == "passes"


def identity(halves: tuple[TimeSeries, TimeSeries], scores: list, lags: float | None = None) -> Identity:
    """The identities of each score on the half of the data that it was not fitted to.

    Args:
        halves: of one series.
        scores: fitted to the first and to the second half.
        lags: the largest lag of the response, in time units, if its implied error is asked for.
    """
    found = [_averages(half, score, lags) for half, score in zip(halves, reversed(scores), strict=True)]
    linear, cubic, pairs, implied = (torch.cat(each) for each in zip(*found, strict=True))
    sizes = [_size(errors) for errors in implied.unbind(1)]
    return Identity(_mean_and_error(linear), _mean_and_error(cubic), _size(pairs), max(sizes, default=None))


def _averages(half: TimeSeries, score, lags: float | None) -> tuple[torch.Tensor, ...]:
    """Of each piece of one half: linear, cubic, pairs (piece, q, *shape), implied error of the response (piece, lag, *shape)."""
    grid, mean, spread = half.grid, half.u.mean(), half.u.double().std()
    last = 0 if lags is None else half.steps(lags)
    steps = sorted({round(last * part / LAGS) for part in range(1, LAGS + 1)} - {0})
    linear, cubic, pairs, missed, gram, lagged = [], [], [], [], 0.0, 0.0
    for part, origins in _pieces(half, last):
        u = half.u[part][:, origins]
        v, s = (u - mean).double() / spread, score(u).double() * spread
        neighbours = _neighbours(grid, v)
        linear.append(-(v * s).mean())
        cubic.append(-(v.pow(3) * s).mean() / 3)
        pairs.append(torch.stack([_crossed(grid, v * other, s) for other in neighbours]))
        if steps:
            spectra = _spectra(grid, [v, v.pow(3), *(v * other for other in neighbours)])
            true = torch.tensor([1.0, 3 * float(v.square().mean())] + [0.0] * len(neighbours), dtype=torch.float64)
            missed.append(-_products(grid, spectra, _spectra(grid, [s]))[..., 0] - true)
            gram = gram + _products(grid, spectra, spectra)
            later = [_spectra(grid, [(half.u[part][:, origins + step] - mean).double() / spread]) for step in [0, *steps]]
            lagged = lagged + torch.stack([_products(grid, one, spectra)[:, 0] for one in later])
    implied = _implied(grid, torch.stack(missed), gram, lagged) if steps else torch.empty(len(linear), 0, *grid.shape)
    return torch.stack(linear), torch.stack(cubic), torch.stack(pairs), implied


def _pieces(half: TimeSeries, last: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Members and origins of each of PIECES pieces: of the members, or of the time of fewer."""
    members, length = len(half.u), len(half.times) - last
    most = min(FIELDS if half.grid.shape else NUMBERS, VALUES // half.grid.size)
    origins = torch.arange(0, length, -(-members * length // most))
    if members < PIECES:
        yield from ((slice(None), some) for some in origins.chunk(PIECES))
    else:
        edges = [round(members * piece / PIECES) for piece in range(PIECES + 1)]
        yield from ((slice(first, stop), origins) for first, stop in pairwise(edges))


def _implied(grid: PeriodicGrid, missed: torch.Tensor, gram: torch.Tensor, lagged: torch.Tensor) -> torch.Tensor:
    """δR(t) − C(t) C(0)⁻¹ δR(0), (piece, lag, *shape).

    Args:
        missed: m, (piece, mode, q).
        gram: ⟨q q†⟩, (mode, q, q), u first among the q.
        lagged: ⟨u(t) q†⟩, (lag, mode, q), lag 0 first.
    """
    relaxed = lagged[1:] - lagged[1:, :, :1] / lagged[:1, :, :1] * lagged[:1]
    coefficients = torch.linalg.pinv(gram, rtol=COLLINEAR, hermitian=True) @ missed[..., None]
    modes = torch.einsum("lkq,pkq->plk", relaxed, coefficients[..., 0])
    return grid.irfft(modes.reshape(*modes.shape[:2], *grid.spectral_shape))


def _spectra(grid: PeriodicGrid, functions: list[torch.Tensor]) -> torch.Tensor:
    """Of functions (member, time, *shape), each less its mean, (mode, sample, q)."""
    return torch.stack([grid.rfft(one - one.mean()).reshape(-1, math.prod(grid.spectral_shape)).T for one in functions], -1)


def _products(grid: PeriodicGrid, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """⟨one other†⟩ per wavevector, (mode, p, q)."""
    return one.mT @ other.conj() / (one.shape[1] * grid.size)


def _neighbours(grid: PeriodicGrid, v: torch.Tensor) -> list[torch.Tensor]:
    return [v.roll(-step, axis) for axis in grid.axes for step in (1, 2)] or [v]


def _crossed(grid: PeriodicGrid, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """⟨one_i other_{i+d}⟩ at every displacement d, (*shape)."""
    return grid.irfft((grid.rfft(other) * grid.rfft(one).conj()).mean((0, 1))) / grid.size


def _mean_and_error(values: torch.Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def _size(values: torch.Tensor) -> tuple[float, float]:
    """Of the mean over pieces, (piece, ...), as a vector: its length, freed of what sampling adds and signed, and that."""
    noise = float((values.var(0) / len(values)).sum())
    return signed_root(float(values.mean(0).square().sum()) - noise), math.sqrt(noise)
