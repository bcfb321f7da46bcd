"""Trends and level shifts, in the mean and in the variance."""

import math

import numpy as np
import scipy.fft
import scipy.stats

from gfdt_tutorial.data.suitability.autoregression import fit_autoregression
from gfdt_tutorial.data.suitability.change import Change
from gfdt_tutorial.data.suitability.record import MANY, Record

PARTS = 8  # of the record: a level may shift at the end of each but the last
PLAIN = 1.07  # a step must explain this much more than a straight line, since there are seven of them
COARSE = 8192  # samples show every drift
FEWEST, MOST = 6, 48  # slow cosines that measure the noise


def drifts(record: Record, course: np.ndarray, name: str, unit: str, share: float) -> list[Change]:
    """Of a time profile, (member, time): the shape that explains most of it, a straight line or a step after some eighths of the record.

    Args:
        share: of the false alarms of the check.
    """
    shapes = _shapes(course.shape[-1])
    explained = np.array([_explained(course, shape) for shape in shapes])
    explained[0] *= PLAIN
    best = int(explained.argmax())
    size, error, chance = change(record, course, shapes[best])
    shift = np.where(np.arange(course.shape[-1]) < _shift(course), 0.0, 1.0)
    if best == 0 and _explained(course, shift) > explained[0]:  # found by the line, and better described by a step between two eighths
        best, (size, error, _) = PARTS - 1, change(record, course, shift)
    words, advice = _words(record, course, best)
    return [Change(size, error, chance * PARTS / share, f"The {name} changes by {size:.2g} ± {error:.1g} {unit} {words}", advice)]


def _shapes(steps: int) -> list[np.ndarray]:
    """A straight line from 0 to 1, and a step after each eighth, (time,)."""
    time = np.arange(steps)
    return [np.linspace(0, 1, steps)] + [np.where(time < steps * part / PARTS, 0.0, 1.0) for part in range(1, PARTS)]


def _explained(course: np.ndarray, shape: np.ndarray) -> float:
    x = shape - shape.mean()
    return abs(float(x @ course.mean(0))) / math.sqrt(x @ x)


def _words(record: Record, course: np.ndarray, shape: int) -> tuple[str, str]:
    if shape == 0:
        return "from start to end", "Take off the trend (detrend), drop the spin-up, or keep the part of the record that is steady."
    if shape == 1:
        return "after the first eighth", "Drop the spin-up, or keep the part of the record that is steady."
    at = record.every * _shift(course)
    return f"in a level shift near {at:.3g} time units from the start", "Cut at the shift, and take the parts as members, each centred."


def _shift(course: np.ndarray) -> int:
    """The sample before which and after which the means differ most clearly."""
    steps = course.shape[-1]
    before = np.arange(1, steps)
    gap = np.cumsum(course.mean(0) - course.mean())[:-1]
    return int(before[np.argmax(abs(gap) / np.sqrt(before * (steps - before)))])


def change(record: Record, course: np.ndarray, shape: np.ndarray) -> tuple[float, float, float]:
    """By how much a time profile, (member, time), follows a shape that runs from 0 to 1; standard error; probability by chance.

    By least squares for each member where there are eight or more, judged by their scatter. Else an autoregressive model makes profile
    and shape white, and the slowest cosines of what is left, over which the spectrum is flat, measure the noise.
    """
    if len(course) >= MANY:
        x = shape - shape.mean()
        each = course @ x / (x @ x)
        size, error, freedom = each.mean(), each.std(ddof=1) / math.sqrt(len(each)), len(each) - 1
    else:
        size, error, freedom = _against_cosines(coarse(course), coarse(shape[None])[0])
    return float(size), float(error), float(2 * scipy.stats.t.sf(abs(size) / max(error, 1e-9), freedom))


def coarse(course: np.ndarray) -> np.ndarray:
    """Means over blocks, COARSE at most."""
    block = -(-course.shape[-1] // COARSE)
    steps = course.shape[-1] // block * block
    return course[:, :steps].reshape(len(course), -1, block).mean(-1)


def _against_cosines(y: np.ndarray, shape: np.ndarray) -> tuple[float, float, float]:
    """Change, standard error, degrees of freedom; each member has a mean of its own."""
    y, x = y - y.mean(-1, keepdims=True), shape - shape.mean()
    rest = y - (y @ x).mean() / (x @ x) * x
    model = fit_autoregression(rest, math.log(rest.size))
    e, x = model.whiten(y), model.whiten(x)
    e, x = e - e.mean(-1, keepdims=True), x - x.mean()
    steps = len(x)
    slow = int(np.clip(2 * steps * model.distance(np.array(0.0)), FEWEST, min(MOST, steps - 3)))
    cosines = [scipy.fft.dct(one, norm="ortho", axis=-1)[..., 1 : slow + 2] for one in (e, x)]
    along = cosines[0] @ cosines[1] / np.linalg.norm(cosines[1])  # the shape itself is no noise
    noise = float((np.square(cosines[0]).sum(-1) - np.square(along)).mean()) / slow
    return float((e @ x).mean() / (x @ x)), math.sqrt(noise / (len(e) * (x @ x))), len(e) * slow
