"""Whether mean and variance stay: no trend, no spin-up, no cycle."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.stats

from gfdt_tutorial.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.suitability.record import MANY, Record

OF_EIGHT = SIGNIFICANT / 8  # of stationarity: the mean and the variance, each along two shapes and tested for cycles once or twice
DRIFT = 0.2  # of the mean, in standard deviations, or of the variance, relative; beyond is no matter of precision
PERIODS = 6  # of a cycle in the record: of fewer, nothing can be said


@dataclass(frozen=True)
class _Change:
    """By how much something changes with time, its standard error, and the probability by chance."""

    size: float
    error: float
    chance: float
    finding: str
    advice: str


def stationarity_check(record: Record) -> Check:
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


def _changes(record: Record, course: np.ndarray, name: str, unit: str) -> list[_Change]:
    """Of a course, (member, time): along a straight line, and after the first eighth."""
    steps = course.shape[-1]
    line, rest = np.linspace(0, 1, steps), np.where(np.arange(steps) < steps / 8, 0.0, 1.0)
    advice = "Drop the spin-up, take off the trend, or keep the part of the record that is steady."
    found = []
    for shape, words in ((line, "from start to end"), (rest, "after the first eighth")):
        size, error, chance = change(record, course, shape)
        found.append(_Change(size, error, chance, f"The {name} changes by {size:.2g} ± {error:.1g} {unit} {words}", advice))
    return found


def change(record: Record, course: np.ndarray, shape: np.ndarray) -> tuple[float, float, float]:
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


def _cycles(record: Record, course: np.ndarray, name: str, unit: str) -> list[_Change]:
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
