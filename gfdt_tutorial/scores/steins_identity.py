"""Stein's identity: averages that are known for the true score. By how much does a score miss them, and what does that mean for a response?

For any smooth function q of the field an integration by parts gives −⟨q s_j⟩ = ⟨∂q/∂u_j⟩, whatever the density. With q = u_i this is
−⟨u_i s_j⟩ = δ_ij, with q = (u_i − ⟨u⟩)³ the cubic identity below. A score ŝ = s + e that misses the identity by m = −⟨q e⟩ for several q
has at least the error e = −mᵀ⟨q qᵀ⟩⁻¹ q, its projection on these functions. Through it the response has the error

    δR(t) = −⟨u(t) e⟩ = ⟨u(t) qᵀ⟩ ⟨q qᵀ⟩⁻¹ m,        δR(t) − C(t) C(0)⁻¹ δR(0)

where the second form is that of a response with the Gaussian control variate, which removes what the score misses along u itself. Errors
of the score along other functions remain invisible, so this is a lower bound of its error.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.core.series import TimeSeries

FIELDS = 8192  # of each half, at which the identities are averaged
NUMBERS = 131_072  # the same for series of single numbers
VALUES = 2**23  # pixels, of each half
COLLINEAR = 1e-6  # of the largest eigenvalue: functions with smaller ones are linearly dependent
PIECES = 8  # of each half, or its members: their scatter gives the standard errors
SURE = 3.0  # standard errors by which an identity must be missed to count as missed
SMALL = 0.05  # the largest miss that is tolerated, however significant
WRONG = 0.2  # a miss that the data must be able to show; otherwise the identity cannot tell a right score from a wrong one
LAGS = 6  # at which the implied error of the response is evaluated
GRADES = ("passes", "cannot tell", "fails")


def stein(grid: PeriodicGrid, fields: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """−⟨û_k ŝ_k*⟩ / N², (*spectral_shape,), complex: 1 at every wavevector for the true score, since ⟨u_i s_j⟩ = −δ_ij.

    The identity is necessary and not sufficient: the Gaussian score of the same data passes exactly, whatever the density.

    Args:
        fields, scores: (..., *shape), at the same instants; the mean of the fields is removed.
    """
    spectra = grid.rfft(fields - fields.mean()).reshape(-1, *grid.spectral_shape)
    return -(spectra * grid.rfft(scores).reshape(-1, *grid.spectral_shape).conj()).mean(0) / grid.size


def cubic_stein(fields: torch.Tensor, scores: torch.Tensor) -> float:
    """−⟨v³ s⟩ / 3⟨v²⟩ at one pixel, v = u − ⟨u⟩: 1 for the true score.

    For the Gaussian score of independent pixels it is a third of their kurtosis. It therefore distinguishes a score that describes the
    shape of the density from one that describes its covariance alone.
    """
    v = fields - fields.mean()
    return float(-(v**3 * scores).mean() / (3 * v.square().mean()))


def grade(value: float, error: float, true: float = 0.0) -> str:
    """The grade of a value with a standard error, whose true value is known.

    It "fails" if it differs from the true value by more than SURE standard errors and by more than SMALL. The data "cannot tell" if there
    is no finite number, or if SURE standard errors exceed WRONG, so that a score that is wrong by as much would pass. Otherwise, it
    "passes".

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
    """Averages that are known for the true score, on data to which the score was not fitted; v = (u − ⟨u⟩)/std u, s per unit of v.

    Attributes:
        linear: −⟨v s⟩, true value 1. A miss of x is an error of x in the raw R(0); the normalised and the controlled form remove it.
        cubic: −⟨v³ s⟩/3, true value 1; for the Gaussian score a third of the kurtosis.
        pairs: (Σ_d ⟨v_i v_j s_{i+d}⟩²)^½ over all displacements d, with j one or two pixels from i along each axis (for a single number,
            j = i), true value 0. The contribution of sampling is subtracted, so the value can be negative. It shows what a score misses of
            the dependence between neighbours.
        response: the error of the controlled response that cubic and pairs imply, summed over displacements as in L2, at the lag where it
            is largest; true value 0, the contribution of sampling subtracted. None if no lags were given.
        Each is (value, standard error).
    """

    linear: tuple[float, float]
    cubic: tuple[float, float]
    pairs: tuple[float, float]
    response: tuple[float, float] | None = None

    @property
    def grades(self) -> dict[str, str]:
        """ "passes", "cannot tell" or "fails" for each of the first three, by the rule of `grade`."""
        return {"linear": grade(*self.linear, 1.0), "cubic": grade(*self.cubic, 1.0), "pairs": grade(*self.pairs)}

    @property
    def grade(self) -> str:
        """The worse of `cubic` and `pairs`; the quoted response does not contain what `linear` measures."""
        return max((self.grades[name] for name in ("cubic", "pairs")), key=GRADES.index)

    @property
    def holds(self) -> bool:
        """Whether the grade is "passes"."""
        return self.grade == "passes"


def identity(
    halves: tuple[TimeSeries, TimeSeries], scores: Sequence[Callable[[torch.Tensor], torch.Tensor]], lags: float | None = None
) -> Identity:
    """The identities of each score on the half of the data to which it was not fitted.

    Args:
        halves: of one series.
        scores: fitted to the first and to the second half.
        lags: the largest lag of the response, in time units, if its implied error is wanted.
    """
    found = [_averages(half, score, lags) for half, score in zip(halves, reversed(scores), strict=True)]
    linear, cubic, pairs, implied = (torch.cat(each) for each in zip(*found, strict=True))
    sizes = [_size(errors) for errors in implied.unbind(1)]
    return Identity(_mean_and_error(linear), _mean_and_error(cubic), _size(pairs), max(sizes, default=None))


@dataclass
class _Moments:
    """What is needed for the implied error of a response, summed over pieces; q are the functions, u first among them.

    Attributes:
        missed: m of each piece, (mode, q).
        gram: ⟨q q†⟩, (mode, q, q).
        lagged: ⟨u(t) q†⟩, (lag, mode, q), lag 0 first.
    """

    missed: list[torch.Tensor] = field(default_factory=list)
    gram: torch.Tensor | float = 0.0
    lagged: torch.Tensor | float = 0.0

    def add(self, grid: PeriodicGrid, v: torch.Tensor, s: torch.Tensor, later: list[torch.Tensor]) -> None:
        """A further piece: v and s at the origins, and v at each lag."""
        spectra = _spectra(grid, [v, v.pow(3), *(v * other for other in _neighbours(grid, v))])
        true = torch.tensor([1.0, 3 * float(v.square().mean())] + [0.0] * len(_neighbours(grid, v)), dtype=torch.float64)
        self.missed.append(-_products(grid, spectra, _spectra(grid, [s]))[..., 0] - true)
        self.gram = self.gram + _products(grid, spectra, spectra)
        self.lagged = self.lagged + torch.stack([_products(grid, _spectra(grid, [one]), spectra)[:, 0] for one in later])

    def implied(self, grid: PeriodicGrid) -> torch.Tensor:
        """δR(t) − C(t) C(0)⁻¹ δR(0), (piece, lag, *shape)."""
        lagged, gram = torch.as_tensor(self.lagged), torch.as_tensor(self.gram)
        relaxed = lagged[1:] - lagged[1:, :, :1] / lagged[:1, :, :1] * lagged[:1]
        coefficients = torch.linalg.pinv(gram, rtol=COLLINEAR, hermitian=True) @ torch.stack(self.missed)[..., None]
        modes = torch.einsum("lkq,pkq->plk", relaxed, coefficients[..., 0])
        return grid.irfft(modes.reshape(*modes.shape[:2], *grid.spectral_shape))


def _averages(half: TimeSeries, score: Callable[[torch.Tensor], torch.Tensor], lags: float | None) -> tuple[torch.Tensor, ...]:
    """Of each piece of one half: linear, cubic, pairs (piece, q, *shape), implied error of the response (piece, lag, *shape)."""
    grid, mean, spread = half.grid, half.u.mean(), half.u.double().std()
    last = 0 if lags is None else half.steps(lags)
    steps = sorted({round(last * part / LAGS) for part in range(1, LAGS + 1)} - {0})
    linear, cubic, pairs, moments = [], [], [], _Moments()
    for part, origins in _pieces(half, last):
        u = half.u[part][:, origins]
        v, s = (u - mean).double() / spread, score(u).double() * spread
        linear.append(-(v * s).mean())
        cubic.append(-(v.pow(3) * s).mean() / 3)
        pairs.append(torch.stack([_crossed(grid, v * other, s) for other in _neighbours(grid, v)]))
        if steps:
            moments.add(grid, v, s, [(half.u[part][:, origins + step] - mean).double() / spread for step in [0, *steps]])
    implied = moments.implied(grid) if steps else torch.empty(len(linear), 0, *grid.shape)
    return torch.stack(linear), torch.stack(cubic), torch.stack(pairs), implied


def _pieces(half: TimeSeries, last: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Members and origins of each of PIECES pieces: of the members, or of the time where there are fewer members."""
    members, length = len(half.u), len(half.times) - last
    most = min(FIELDS if half.grid.shape else NUMBERS, VALUES // half.grid.size)
    origins = torch.arange(0, length, -(-members * length // most))
    if members < PIECES:
        yield from ((slice(None), some) for some in origins.chunk(PIECES))
    else:
        edges = [round(members * piece / PIECES) for piece in range(PIECES + 1)]
        yield from ((slice(first, stop), origins) for first, stop in pairwise(edges))


def _spectra(grid: PeriodicGrid, functions: list[torch.Tensor]) -> torch.Tensor:
    """Of functions (member, time, *shape), each less its mean, (mode, sample, q)."""
    return torch.stack([grid.rfft(one - one.mean()).reshape(-1, math.prod(grid.spectral_shape)).T for one in functions], -1)


def _products(grid: PeriodicGrid, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """⟨one other†⟩ per wavevector, (mode, p, q)."""
    return one.mT @ other.conj() / (one.shape[1] * grid.size)


def _neighbours(grid: PeriodicGrid, v: torch.Tensor) -> list[torch.Tensor]:
    """v one and two pixels further along each axis; without axes, v itself."""
    return [v.roll(-step, axis) for axis in grid.axes for step in (1, 2)] or [v]


def _crossed(grid: PeriodicGrid, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """⟨one_i other_{i+d}⟩ at every displacement d, (*shape)."""
    return grid.irfft((grid.rfft(other) * grid.rfft(one).conj()).mean((0, 1))) / grid.size


def _mean_and_error(values: torch.Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def _size(values: torch.Tensor) -> tuple[float, float]:
    """The length of the mean over pieces, (piece, ...), as a vector: signed, with the contribution of sampling subtracted; and that."""
    noise = float((values.var(0) / len(values)).sum())
    return signed_root(float(values.mean(0).square().sum()) - noise), math.sqrt(noise)
