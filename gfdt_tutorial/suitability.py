"""Whether a series is what the theorem asks for, before anything is believed that is computed from it.

The response of a *stationary* system, averaged over a *homogeneous* periodic box, from the *density* of what was measured: none of the
three can be seen in the answer, which comes out smooth and wrong. Each is measured here against its own sampling error.
"""

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.special
import scipy.stats
import torch

from gfdt_tutorial import statistics
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.spectral import PeriodicGrid

VERDICTS = ("fine", "unknown", "warning", "refused")
SIGNIFICANT = 1e-3  # probability by chance, of all that one check tests taken together
DRIFT = 0.2  # of the mean over the record, in standard deviations, or of the variance, relative: beyond is no matter of precision
UNEVEN = 0.1  # the same for a profile over the box, root mean square
CYCLE = 0.02  # share of the variance
SHORTEST = 16  # samples
FEW, TOO_FEW = 100, 10  # independent times
SMOOTH = 1.5  # exponent of the structure function: 1 for paths driven by white noise, 2 for smooth ones
COARSE = 0.5  # ⟨(v(t + h) − v(t))²⟩ beyond which a smooth path, too, has an exponent below that
HEAVY = 10.0  # kurtosis - 3


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        value, error: the finding as a number and its sampling error; what it is a number of, `finding` says.
        verdict: "fine", "unknown" (these data cannot tell), "warning" or "refused".
        finding: in words.
        advice: what to do about it; empty where there is nothing to do.
    """

    name: str
    value: float
    error: float
    verdict: str
    finding: str
    advice: str = ""


@dataclass(frozen=True)
class Suitability:
    """All checks of one series.

    Attributes:
        checks: in the order in which they are made.
        decorrelation: time after which the slowest scale has forgotten itself, in time units.
        effective: independent times of that scale in the whole record.
        autocorrelation: of a pixel, (lag,), at every lag up to half the series.
        mean, spread: of all values, in units of the data.
    """

    checks: tuple[Check, ...]
    decorrelation: float
    effective: float
    autocorrelation: torch.Tensor
    mean: float
    spread: float

    @property
    def refused(self) -> tuple[Check, ...]:
        """Those that say stop."""
        return tuple(check for check in self.checks if check.verdict == "refused")

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    def __str__(self) -> str:
        lines = [f"{check.name:13} {check.verdict:8} {check.finding} {check.advice}" for check in self.checks]
        return "\n".join(textwrap.fill(line, 110, subsequent_indent=23 * " ") for line in lines)


def examine(data: TimeSeries) -> Suitability:
    """Memory, stationarity, homogeneity, smoothness and Gaussianity of a series, each against its sampling error.

    Nothing is refused here: `Suitability.refused` says what should be. A check is significant below one false alarm in a thousand
    series, all that it tests counted.

    Raises:
        ValueError: fewer than 16 samples in time, or values that do not vary.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, simulate
    >>> print(examine(simulate(OrnsteinUhlenbeck(), members=16, duration=400.0))["homogeneity"].verdict)
    fine
    """
    if len(data.times) < SHORTEST:
        raise ValueError(f"the series has {len(data.times)} samples in time, too short to judge; expected {SHORTEST} at least")
    record = _Record(data)
    checks = [_memory(record), _stationarity(record)]
    checks += [_homogeneity(record)] if data.grid.shape else []
    checks += [_smoothness(record), _gaussianity(record)]
    return Suitability(tuple(checks), record.memory[0], record.effective, record.autocorrelation, record.mean, record.spread)


class _Record:
    """What several checks look at, measured once, in units of the spread of the data: v = (u − ⟨u⟩)/std u."""

    def __init__(self, data: TimeSeries):
        self.data, self.grid, self.every = data, data.grid, data.every
        self.mean = statistics.mean(data.u)
        self.spread = math.sqrt(sum(float((one.double() - self.mean).square().mean()) for one in data.u) / len(data.u))
        if not self.spread > 1e-6 * abs(self.mean):
            raise ValueError(
                f"all values are {self.mean:g} but for rounding: data that do not vary have no score; is it the right variable?"
            )

    @cached_property
    def memory(self) -> tuple[float, bool, float]:
        """Decorrelation time of the slowest shell that holds a hundredth of the variance, whether it is resolved, and that of a pixel."""
        large = self.lagged[0] > 0.01 * self.lagged[0].sum()
        times = [statistics.decorrelation_time(shell / shell[0], self.every) for shell in self.lagged[:, large].T]
        return max(times)[0], all(known for _, known in times), statistics.decorrelation_time(self.autocorrelation, self.every)[0]

    @cached_property
    def lagged(self) -> torch.Tensor:
        """Autocovariance by shell, (lag, shell)."""
        return statistics.autocovariance(self.grid, self.data.u, self.mean)

    @property
    def autocorrelation(self) -> torch.Tensor:
        """Of a pixel, (lag,)."""
        pixel = self.lagged.sum(1)
        return pixel / pixel[0]

    @property
    def effective(self) -> float:
        """Independent times of the slowest scale, all members together."""
        return len(self.data.u) * self.every * len(self.data.times) / self.memory[0]

    @property
    def cuts(self) -> int:
        """Pieces of each member, such that there are 8 in all or more: whole members, or parts that last some decorrelation times."""
        members, steps = self.data.u.shape[:2]
        wanted = min(32, max(8, self.effective / 8))
        return 1 if members >= 8 else min(math.ceil(wanted / members), steps // 2)

    def members(self) -> Iterator[torch.Tensor]:
        """v of one member after the other, (time, *shape)."""
        return (((one - self.mean) / self.spread).cpu() for one in self.data.u)

    def pieces(self) -> Iterator[torch.Tensor]:
        """v of nearly independent pieces."""
        return (part for one in self.members() for part in torch.tensor_split(one, self.cuts))

    @cached_property
    def courses(self) -> np.ndarray:
        """⟨v⟩ and ⟨v²⟩ over the box against time, (2, member, time)."""
        rows = [one.flatten(1) if self.grid.shape else one[:, None] for one in self.members()]
        return np.stack([[row.double().pow(power).mean(1).numpy() for row in rows] for power in (1, 2)])


def _memory(record: _Record) -> Check:
    (slowest, resolved, pixel), effective = record.memory, record.effective
    whole = f"the record of {len(record.data.u)} × {record.every * len(record.data.times):.4g} holds {effective:.0f} independent times."
    finding = f"The slowest scale forgets itself in {slowest:.3g}, a pixel in {pixel:.3g} time units; {whole}"
    error = slowest * math.sqrt(10 / effective)
    if effective < TOO_FEW:
        return Check(
            "memory", slowest, error, "refused", finding, f"Record at least {FEW * slowest:.3g} time units in all, in longer runs."
        )
    if effective < FEW or not resolved:
        return Check("memory", slowest, error, "warning", finding, "Bands will be wide, and the checks below can miss much.")
    return Check("memory", slowest, error, "fine", finding)


def _stationarity(record: _Record) -> Check:
    """Mean and variance against time: a straight line, and the first eighth against the rest; then a cycle of the mean."""
    period, share, by_chance = _cycle(record.courses[0], record.every)
    if by_chance < SIGNIFICANT and share > CYCLE:
        advice = "Take off the mean of each phase of the cycle, such as the mean of every calendar month."
        return Check("stationarity", share, 0.0, "refused", f"A cycle of period {period:.4g} carries {share:.0%} of the variance.", advice)
    steps = record.courses.shape[-1]
    line, rest = np.linspace(0, 1, steps), np.where(np.arange(steps) < steps / 8, 0.0, 1.0)
    found = [
        (*_change(record, course, shape), f"{name} changes by", f"{unit} {words}")
        for course, name, unit in zip(record.courses, ("The mean", "The variance"), ("standard deviations", "of itself"), strict=True)
        for shape, words in ((line, "from start to end"), (rest, "after the first eighth"))
    ]
    change, error, chance, what, where = min(found, key=lambda one: one[2])
    finding = f"{what} {change:.2g} ± {error:.1g} {where}"
    if chance * len(found) > SIGNIFICANT:
        return Check("stationarity", change, error, "fine", f"{finding}, which is within sampling.")
    if abs(change) > DRIFT:
        advice = "Drop the spin-up, take off the trend, or keep the part of the record that is steady."
        return Check("stationarity", change, error, "refused", f"{finding}.", advice)
    return Check("stationarity", change, error, "warning", f"{finding}.", "Small and significant: small responses may be this drift.")


def _change(record: _Record, course: np.ndarray, shape: np.ndarray) -> tuple[float, float, float]:
    """By how much a course, (member, time), follows a shape that runs from 0 to 1; standard error; probability by chance.

    By least squares for each member where there are 8 or more, else for the means of pieces in time.
    """
    members = len(course)
    if members >= 8:
        x = shape - shape.mean()
        each = course @ x / (x @ x)
        change, error, freedom = each.mean(), each.std(ddof=1) / math.sqrt(members), members - 1
    else:
        y = np.concatenate([[part.mean() for part in np.array_split(one, record.cuts)] for one in course])
        x = np.tile([part.mean() for part in np.array_split(shape, record.cuts)], members)
        x = x - x.mean()
        change, freedom = x @ y / (x @ x), len(y) - 2
        rest = y - y.mean() - change * x
        error = math.sqrt(rest @ rest / freedom / (x @ x))
    return float(change), float(error), float(2 * scipy.stats.t.sf(abs(change) / max(error, 1e-9), freedom))


def _cycle(course: np.ndarray, every: float) -> tuple[float, float, float]:
    """The line that stands out most from the spectrum of a course, (member, time): period, share of the variance of a pixel, and the
    probability of such a line by chance.

    A power is compared with a power law through those between half and twice its frequency, taken two standard errors too high; of
    fewer than 6 periods nothing can be said.
    """
    members, steps = course.shape
    power = (np.abs(np.fft.rfft(course - course.mean(), axis=1)) ** 2).mean(0) * 2 / steps**2
    lines = np.arange(6, len(power) // 2)
    if not len(lines) or not power[1:].min() > 1e-12:
        return math.inf, 0.0, 1.0
    excess = [power[j] / _background(power, j, members) for j in lines]
    best = int(np.argmax(excess))
    chance = len(lines) * scipy.stats.gamma.sf(members * excess[best], members)
    return every * steps / lines[best], float(power[lines[best] - 1 : lines[best] + 2].sum()), float(chance)


def _background(power: np.ndarray, j: int, members: int) -> float:
    """At line j, from the logarithms of the powers around it, which scatter as those of means of `members` exponential variables."""
    around = np.array([k for k in range(j // 2, 2 * j + 1) if abs(k - j) > 2])
    _, level = np.polyfit(np.log(around / j), np.log(power[around]), 1)
    bias, scatter = scipy.special.digamma(members) - math.log(members), math.sqrt(scipy.special.polygamma(1, members))
    return math.exp(level - bias + 2 * scatter / math.sqrt(len(around)))


def _homogeneity(record: _Record) -> Check:
    """Of the mean, the variance, and the squared differences between neighbours, which a seam in the box shows in.

    In a homogeneous ensemble the Fourier coefficients of a profile over the box, k ≠ 0, are zero but for sampling, and independent: the
    power of each over its variance between pieces has the F distribution, with two degrees of freedom for a complex coefficient.
    """
    found = []
    for name, profiles in _profiles(record).items():
        size, error, chance = _profile_test(record.grid, profiles / (1.0 if name == "mean" else float(profiles.mean())))
        found.append((name, size, error, chance))
    significant = [one for one in found if one[3] * len(found) < SIGNIFICANT]
    # the mean before the variance, and both before the steps, which show whatever is wrong with these
    name, size, error, _ = next((one for one in significant if one[1] > UNEVEN), min(significant or found, key=lambda one: one[3]))
    finding = f"The {name} varies over the box by {size:.2g} ± {error:.1g} {'standard deviations' if name == 'mean' else 'of itself'}"
    if not significant:
        return Check("homogeneity", size, error, "fine", f"{finding}, which is within sampling.")
    advice = SEAM if name.startswith("step") else PLACES
    return Check("homogeneity", size, error, "refused" if size > UNEVEN else "warning", f"{finding}.", advice)


PLACES = (
    "An average over places would answer for none of them: take off the mean of each pixel and divide by its standard deviation, "
    "analyse a part of the box that is uniform, or one number at a time."
)
SEAM = "Does the box close on itself? A window cut from a larger field does not; else take a part that is uniform, or one number at a time."


def _profiles(record: _Record) -> dict[str, np.ndarray]:
    """Time means over each piece of what homogeneity makes the same everywhere: name → (piece, *shape)."""
    found: dict[str, list[np.ndarray]] = {}
    for v in record.pieces():
        quantities = {"mean": v, "variance": v.square()}
        quantities |= {f"step along {'x' if axis == -1 else 'y'}, squared,": (v.roll(-1, axis) - v).square() for axis in record.grid.axes}
        for name, values in quantities.items():
            found.setdefault(name, []).append(values.double().mean(0).numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def _profile_test(grid: PeriodicGrid, profiles: np.ndarray) -> tuple[float, float, float]:
    """Of profiles from independent pieces, (piece, *shape): the root mean square over the box of their mean, freed of sampling, about its
    average; what sampling alone gives; and the probability of such coefficients by chance, Fisher's over all wavevectors or that of the
    largest, whichever is less."""
    count = len(profiles)
    spectra = grid.rfft(torch.as_tensor(profiles)).numpy() / grid.size
    power = np.abs(spectra.mean(0)) ** 2
    noise = (np.abs(spectra - spectra.mean(0)) ** 2).sum(0) / (count - 1) / count
    weight = grid.multiplicity.numpy().copy()
    weight.flat[0] = 0
    size = math.sqrt(max(0.0, float((weight * (power - noise)).sum())))
    freedom = _freedom(grid)
    used = (freedom > 0) & (noise > 1e-30)
    ratio, nu = power[used] / noise[used], freedom[used]
    chances = np.clip(scipy.stats.f.sf(ratio, nu, nu * (count - 1)), 1e-300, 1.0)
    fisher = scipy.stats.chi2.sf(-2 * np.log(chances).sum(), 2 * len(chances))
    return size, math.sqrt(float((weight * noise).sum())), float(min(1.0, 2 * min(fisher, len(chances) * chances.min())))


def _freedom(grid: PeriodicGrid) -> np.ndarray:
    """(*half,): 2 for a complex coefficient, 1 for a real one, 0 for k = 0 and for those that are another's conjugate."""
    freedom = np.full(grid.half, 2)
    n = grid.shape[-1]
    for column in {0, n // 2} if n % 2 == 0 else {0}:
        if len(grid.shape) == 2:
            rows = grid.shape[0]
            freedom[rows // 2 + 1 :, column] = 0
            freedom[[0, rows // 2] if rows % 2 == 0 else [0], column] = 1
        else:
            freedom[column] = 1
    freedom.flat[0] = 0
    return freedom


def _smoothness(record: _Record) -> Check:
    """The exponent of the structure function, ⟨(u(t + τ) − u(t))²⟩ ∝ τ^γ between one and two sampling steps: paths driven by white noise
    have γ = 1 at small τ, paths of a differential equation without noise, or with slow forcing, γ = 2."""
    one, two = (np.array([float((v[step:] - v[:-step]).square().mean()) for v in record.pieces()]) for step in (1, 2))
    exponent = math.log2(two.mean() / one.mean())
    error = float(np.std(np.log2(two / one), ddof=1)) / math.sqrt(len(one))
    finding = f"⟨(u(t + τ) − u(t))²⟩ grows like τ^{exponent:.2f}: exponent 1 is noise, 2 a smooth path."
    if exponent <= SMOOTH and one.mean() > COARSE:
        words = f"Samples are too far apart to tell ({exponent:.2f} as they stand)."
        return Check(
            "smoothness", exponent, error, "unknown", words, "Does the system have noise of its own? If not, see the limits in lesson 07."
        )
    if exponent > SMOOTH:
        advice = "Without noise a smooth density is in doubt, and with it the answer at lags shorter than the memory."
        return Check("smoothness", exponent, error, "warning", finding, advice)
    return Check("smoothness", exponent, error, "fine", finding)


def _gaussianity(record: _Record) -> Check:
    """Skewness and kurtosis − 3 of a pixel and of differences between neighbours, with errors by the jackknife over pieces."""
    moments: dict[str, list[list[float]]] = {}
    for v in record.pieces():
        steps = {"step": v.roll(-1, -1) - v} if record.grid.shape else {}
        for name, values in {"pixel": v, **steps}.items():
            moments.setdefault(name, []).append([float(values.double().pow(power).mean()) for power in (1, 2, 3, 4)])
    found = [(abs(z), value, error, f"{shape} of a {name}") for name, rows in moments.items() for z, value, error, shape in _shapes(rows)]
    sure, value, error, name = max(found)
    finding = f"The {name} is {value:.2f} ± {error:.1g}, 0 for a Gaussian."
    if max(value for _, value, _, name in found if name.startswith("kurtosis")) > HEAVY:
        return Check(
            "Gaussianity", value, error, "warning", finding, "A few large events carry the averages, and a score needs many of them."
        )
    words = (
        "The Gaussian score cannot be exact; a learned one can gain." if sure > 4 else "As far as this tells, the Gaussian score will do."
    )
    return Check("Gaussianity", value, error, "fine", f"{finding} {words}")


def _shapes(rows: list[list[float]]) -> list[tuple[float, float, float, str]]:
    """(z, value, error, name) of skewness and kurtosis − 3, from raw moments ⟨v⟩ … ⟨v⁴⟩ of pieces."""
    moments = np.array(rows)
    without = (moments.sum(0) - moments) / (len(moments) - 1)
    values, each = _standardised(moments.mean(0)), np.stack([_standardised(one) for one in without])
    errors = np.sqrt((len(moments) - 1) * each.var(0)) + 1e-12
    return [(float(v / e), float(v), float(e), name) for v, e, name in zip(values, errors, ("skewness", "kurtosis - 3"), strict=True)]


def _standardised(moments: np.ndarray) -> np.ndarray:
    a, b, c, d = moments
    variance = b - a**2
    third = c - 3 * a * b + 2 * a**3
    fourth = d - 4 * a * c + 6 * a**2 * b - 3 * a**4
    return np.array([third / variance**1.5, fourth / variance**2 - 3])
