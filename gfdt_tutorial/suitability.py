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
import scipy.fft
import scipy.stats
import torch

from gfdt_tutorial import statistics
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.spectral import PeriodicGrid

VERDICTS = ("fine", "unknown", "warning", "refused")
SIGNIFICANT = 1e-3  # probability by chance, of all that one check tests taken together
OF_EIGHT = SIGNIFICANT / 8  # of stationarity: the mean and the variance, each along two shapes and tested for cycles once or twice
DRIFT = 0.2  # of the mean, in standard deviations, or of the variance, relative; beyond is no matter of precision
UNEVEN = 0.1  # the same for a profile over the box, root mean square
PERIODS = 6  # of a cycle in the record: of fewer, nothing can be said
SHORTEST = 16  # samples
MANY = 8  # members, of which the scatter tells the error
FEW, TOO_FEW = 100, 10  # independent times
SMOOTH = 1.5  # exponent of the structure function: 1 for paths driven by white noise, 2 for smooth ones
COARSE = 0.5  # ⟨(v(t + h) − v(t))²⟩ beyond which a smooth path, too, has an exponent below that
HEAVY = 10.0  # kurtosis - 3
LEVEL = 0.1  # share of the commonest value, beyond which no smooth density comes near


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
        stepped: whether one value makes up more than a tenth of all, as where something is on or off: no smooth density, so no score.
    """

    checks: tuple[Check, ...]
    decorrelation: float
    effective: float
    autocorrelation: torch.Tensor
    mean: float
    spread: float
    stepped: bool

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
    return Suitability(
        tuple(checks), record.memory[0], record.effective, record.autocorrelation, record.mean, record.spread, record.commonest[1] > LEVEL
    )


class _Record:
    """What several checks look at, measured once, in units of the spread of the data: v = (u − ⟨u⟩)/std u."""

    def __init__(self, data: TimeSeries):
        self.data, self.grid, self.every = data, data.grid, data.every
        self.mean = statistics.mean(data.u)
        self.spread = math.sqrt(sum(float((one.double() - self.mean).square().mean()) for one in data.u) / len(data.u))
        if not self.spread > 1e-6 * abs(self.mean):
            raise ValueError(
                f"all values are {self.mean:g} but for rounding: data that do not vary have no score; is it the right variable? "
                "(If it does vary, take off the mean first: values are kept in single precision, seven digits.)"
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
        return len(self.data.u) * self.length

    @property
    def cuts(self) -> int:
        """Pieces of each member, such that there are 8 in all or more: whole members, or parts that last some decorrelation times."""
        return 1 if len(self.data.u) >= MANY else self.parts(len(self.data.u))

    def parts(self, members: int) -> int:
        """Into how many each of so few members is cut for that."""
        wanted = min(32, max(8, members * self.length / 8))
        return min(math.ceil(wanted / members), len(self.data.times) // 2)

    @property
    def length(self) -> float:
        """Of a member, in decorrelation times of the slowest scale."""
        return self.every * len(self.data.times) / self.memory[0]

    def members(self) -> Iterator[torch.Tensor]:
        """v of one member after the other, (time, *shape)."""
        return (((one - self.mean) / self.spread).cpu() for one in self.data.u)

    def pieces(self) -> Iterator[torch.Tensor]:
        """v of nearly independent pieces."""
        return (part for one in self.members() for part in torch.tensor_split(one, self.cuts))

    @cached_property
    def commonest(self) -> tuple[float, float]:
        """The commonest value and its share of all, or of a million taken at random."""
        values = self.data.u.flatten()
        if len(values) > 10**6:
            values = values[torch.randint(len(values), (10**6,), generator=torch.Generator().manual_seed(0)).to(values.device)]
        levels, counts = values.unique(return_counts=True)
        return float(levels[counts.argmax()]), float(counts.max() / len(values))

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


@dataclass(frozen=True)
class _Change:
    """By how much something changes with time, its standard error, and the probability by chance."""

    size: float
    error: float
    chance: float
    finding: str
    advice: str


def _stationarity(record: _Record) -> Check:
    """Mean and variance against time: a straight line, the first eighth against the rest, and cycles.

    The mean before the variance, which shows whatever is wrong with the mean; and the largest first, for a trend has a little of every
    period, and a cycle a little of a trend.
    """
    courses = list(zip(record.courses, ("mean", "variance"), ("standard deviations", "of itself"), strict=True))
    changes, cycles = ([kind(record, *course) for course in courses] for kind in (_changes, _cycles))
    for found in map(list.__add__, changes, cycles):
        if large := [one for one in found if one.chance < OF_EIGHT and abs(one.size) > DRIFT]:
            worst = max(large, key=lambda one: abs(one.size))
            return Check("stationarity", worst.size, worst.error, "refused", f"{worst.finding}.", worst.advice)
    least = min((one for found in changes for one in found), key=lambda one: one.chance)
    if least.chance > OF_EIGHT:
        return Check("stationarity", least.size, least.error, "fine", f"{least.finding}, which is within sampling.")
    advice = "Small and significant: small responses may be this drift."
    return Check("stationarity", least.size, least.error, "warning", f"{least.finding}.", advice)


def _changes(record: _Record, course: np.ndarray, name: str, unit: str) -> list[_Change]:
    """Of a course, (member, time): along a straight line, and after the first eighth."""
    steps = course.shape[-1]
    line, rest = np.linspace(0, 1, steps), np.where(np.arange(steps) < steps / 8, 0.0, 1.0)
    advice = "Drop the spin-up, take off the trend, or keep the part of the record that is steady."
    found = []
    for shape, words in ((line, "from start to end"), (rest, "after the first eighth")):
        size, error, chance = _change(record, course, shape)
        found.append(_Change(size, error, chance, f"The {name} changes by {size:.2g} ± {error:.1g} {unit} {words}", advice))
    return found


def _change(record: _Record, course: np.ndarray, shape: np.ndarray) -> tuple[float, float, float]:
    """By how much a course, (member, time), follows a shape that runs from 0 to 1; standard error; probability by chance.

    By least squares for each member where there are 8 or more, else for the means of pieces in time.
    """
    members = len(course)
    if members >= MANY:
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


def _cycles(record: _Record, course: np.ndarray, name: str, unit: str) -> list[_Change]:
    """Of a course, (member, time): what keeps time with a clock, as an oscillation of the system's own does not beyond its memory.

    Members share a clock, so a cycle has one phase in all of them; if each has a clock of its own, then in all parts of one.
    """
    members, steps = course.shape
    course, tests = course - course.mean(), []
    if members >= MANY:
        tests.append(_cycle([list(course)], steps))
    if members < MANY or record.length > 16:
        few = course[: MANY - 1]  # of more, what little one part still knows of the next would become significant
        cuts = record.parts(len(few))
        part = np.arange(steps) * cuts // steps
        tests.append(_cycle([[row * (part == one) for one in range(cuts)] for row in few], steps / cuts))
    remedy = "Take off the mean" if name == "mean" else "Divide the anomalies by the standard deviation"
    return [
        _Change(
            size,
            error,
            chance,
            f"A cycle of period {period * record.every:.4g} moves the {name} up and down by {size:.2g} ± {error:.1g} {unit}",
            f"{remedy} of each phase of the cycle, such as of every calendar month.",
        )
        for period, size, error, chance in tests
    ]


def _cycle(groups: list[list[np.ndarray]], samples: float) -> tuple[float, float, float, float]:
    """The largest of the significant cycles, else the likeliest: period in samples, amplitude, standard error, probability by chance.

    Without cycles the Fourier coefficients of the pieces of a group scatter about zero, whatever the spectrum: the power of their mean
    over its variance has the F distribution, with two degrees of freedom for each group, since a coefficient is complex.

    Args:
        groups: pieces of one clock each, zero where a piece is not, (time,).
        samples: that a piece holds.
    """
    steps, pieces = groups[0][0].size, len(groups[0])
    length = 2 * scipy.fft.next_fast_len(4 * steps, real=True)  # lines eight times as dense: a period between two is not lost
    power, noise = np.mean([_coherence(group, length) for group in groups], axis=0)
    frequency = np.arange(length // 2 + 1) / length
    real = frequency > 0.5 - 1 / steps  # two samples a period have no phase
    freedom = np.where(real, 1, 2) * len(groups)
    tested = frequency * steps >= PERIODS
    chance = np.where(tested, tested.sum() * scipy.stats.f.sf(power / noise, freedom, freedom * (pieces - 1)), math.inf)
    scale = np.where(real, 1, 2) / samples
    size, error = scale * np.sqrt(np.maximum(power - noise, 0)), scale * np.sqrt(noise / 2 / len(groups))
    significant = chance < OF_EIGHT
    best = int(np.argmax(np.where(significant, size, -1)) if significant.any() else np.argmin(chance))
    return 1 / frequency[best], float(size[best]), float(error[best]), float(chance[best])


def _coherence(pieces: list[np.ndarray], length: int) -> np.ndarray:
    """(2, line): of the Fourier coefficients of some pieces, |mean|² and the variance of that mean."""
    total, square = np.zeros(length // 2 + 1, complex), np.full(length // 2 + 1, 1e-30)
    for piece in pieces:
        coefficients = np.fft.rfft(piece, length)
        total += coefficients
        square += np.abs(coefficients) ** 2
    count = len(pieces)
    power = np.abs(total / count) ** 2
    return np.stack([power, np.maximum(square / count - power, 1e-30) / (count - 1)])


def _homogeneity(record: _Record) -> Check:
    """Of the mean, the variance, the squared differences between successive samples, which the memory of a place shows in, and those
    between neighbours, which a seam in the box shows in.

    In a homogeneous ensemble the Fourier coefficients of a profile over the box, k ≠ 0, are zero but for sampling, and independent: the
    power of each over its variance between pieces has the F distribution, with two degrees of freedom for a complex coefficient.
    """
    found = []
    for name, profiles in _profiles(record).items():
        size, error, chance = _profile_test(record.grid, profiles / (1.0 if name == "mean" else float(profiles.mean()) or 1.0))
        found.append((name, size, error, chance))
    significant = [one for one in found if one[3] * len(found) < SIGNIFICANT]
    first = significant[0] if significant else min(found, key=lambda one: one[3])
    # the mean before the variance, both before the steps in time, and all before those in space, which show whatever is wrong with these
    name, size, error, _ = next((one for one in significant if one[1] > UNEVEN), first)
    finding = f"The {name} varies over the box by {size:.2g} ± {error:.1g} {'standard deviations' if name == 'mean' else 'of itself'}"
    if not significant:
        return Check("homogeneity", size, error, "fine", f"{finding}, which is within sampling.")
    advice = SEAM if name.startswith("step along") else PACES if name.startswith("step in") else PLACES
    return Check("homogeneity", size, error, "refused" if size > UNEVEN else "warning", f"{finding}.", advice)


PLACES = (
    "An average over places would answer for none of them: take off the mean of each pixel and divide by its standard deviation "
    "(which does not even out how fast a place forgets), analyse a part of the box that is uniform, or one number at a time."
)
PACES = (
    "Places forget at different rates, and an average over places would answer for none of them: analyse a part of the box that is "
    "uniform, or one number at a time. Dividing by the standard deviation does not even this out."
)
SEAM = "Does the box close on itself? A window cut from a larger field does not; else take a part that is uniform, or one number at a time."


def _profiles(record: _Record) -> dict[str, np.ndarray]:
    """Time means over each piece of what homogeneity makes the same everywhere: name → (piece, *shape)."""
    found: dict[str, list[np.ndarray]] = {}
    for v in record.pieces():
        quantities = {"mean": v, "variance": v.square(), "step in time, squared,": v.diff(dim=0).square()}
        quantities |= {f"step along {'x' if axis == -1 else 'y'}, squared,": (v.roll(-1, axis) - v).square() for axis in record.grid.axes}
        for name, values in quantities.items():
            found.setdefault(name, []).append(values.double().mean(0).numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def _profile_test(grid: PeriodicGrid, profiles: np.ndarray) -> tuple[float, float, float]:
    """Of profiles from independent pieces, (piece, *shape): the root mean square over the box of their mean, freed of sampling, about its
    average; what sampling alone gives; and the probability of such coefficients by chance, Fisher's over all wavevectors or that of the
    largest, whichever is less. One place, or profiles that agree to rounding, leave nothing to compare: 0, 0, 1."""
    count = len(profiles)
    spectra = grid.rfft(torch.as_tensor(profiles)).numpy() / grid.size
    power = np.abs(spectra.mean(0)) ** 2
    noise = (np.abs(spectra - spectra.mean(0)) ** 2).sum(0) / (count - 1) / count
    weight = grid.multiplicity.numpy().copy()
    weight.flat[0] = 0
    size = math.sqrt(max(0.0, float((weight * (power - noise)).sum())))
    freedom = _freedom(grid)
    used = (freedom > 0) & (noise > 1e-30)
    if not used.any():
        return 0.0, 0.0, 1.0
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
    have γ = 1 at small τ, paths of a differential equation without noise, or with slow forcing, γ = 2. Pieces that do not vary, such as a
    dry spell, say nothing of it."""
    pieces = [[float((v[step:] - v[:-step]).square().mean()) for step in (1, 2)] for v in record.pieces() if len(v) > 2]
    varying = np.array([piece for piece in pieces if min(piece) > 0])
    if len(varying) < 2:
        return Check("smoothness", 0.0, 0.0, "unknown", "Too few pieces of the record vary from sample to sample to tell.")
    one, two = varying.T
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
    level, share = record.commonest
    if share > LEVEL:
        finding = f"One value, {level:g}, makes up {share:.0%} of all: there is no smooth density, and a score cannot be had."
        return Check("Gaussianity", share, 0.0, "warning", finding, STEPPED)
    found = [(abs(z), value, error, f"{shape} of a {name}") for name, rows in moments.items() for z, value, error, shape in _shapes(rows)]
    if not found:
        return Check("Gaussianity", 0.0, 0.0, "unknown", "All that varies is in one piece of the record, too little to tell.")
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


STEPPED = "Take the quantity before it was rounded, cut off or turned into classes, or an average of it that varies smoothly."


def _shapes(rows: list[list[float]]) -> list[tuple[float, float, float, str]]:
    """(z, value, error, name) of skewness and kurtosis − 3, from raw moments ⟨v⟩ … ⟨v⁴⟩ of pieces; nothing if one holds all that varies."""
    moments = np.array(rows)
    without = (moments.sum(0) - moments) / (len(moments) - 1)
    if (without[:, 1] - without[:, 0] ** 2).min() < 1e-9:
        return []
    values, each = _standardised(moments.mean(0)), np.stack([_standardised(one) for one in without])
    errors = np.sqrt((len(moments) - 1) * each.var(0)) + 1e-12
    return [(float(v / e), float(v), float(e), name) for v, e, name in zip(values, errors, ("skewness", "kurtosis - 3"), strict=True)]


def _standardised(moments: np.ndarray) -> np.ndarray:
    a, b, c, d = moments
    variance = b - a**2
    third = c - 3 * a * b + 2 * a**3
    fourth = d - 4 * a * c + 6 * a**2 * b - 3 * a**4
    return np.array([third / variance**1.5, fourth / variance**2 - 3])
