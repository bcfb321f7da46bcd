"""Trends and level shifts in the mean and in the variance."""

import math

import numpy as np
import scipy.fft
import scipy.stats

from gfdt_tutorial.data.suitability.autoregression import fit_autoregression
from gfdt_tutorial.data.suitability.change import Change
from gfdt_tutorial.data.suitability.record import MANY, Record

PARTS = 8  # of the record: a level shift is tested at the end of each but the last
LINE_PREFERENCE = 1.07  # a step must explain more than a straight line by this factor, because seven steps are tried
COARSE = 8192  # block means, at most, suffice to show any trend
FEWEST, MOST = 6, 48  # number of slow cosines that estimate the noise


def trends(record: Record, profile: np.ndarray, name: str, unit: str, fraction: float) -> list[Change]:
    """The shape that explains most of a time profile, (member, time): a straight line, or a step after some eighths of the record.

    Args:
        fraction: of the significance level of the check that this test may use.
    """
    shapes = _shapes(profile.shape[-1])
    explained = np.array([_explained(profile, shape) for shape in shapes])
    explained[0] *= LINE_PREFERENCE
    best = int(explained.argmax())
    size, error, p_value = fit_shape(record, profile, shapes[best])
    shift = np.where(np.arange(profile.shape[-1]) < _shift(profile), 0.0, 1.0)
    if best == 0 and _explained(profile, shift) > explained[0]:  # a step between two eighths fits better than the line
        best, (size, error, _) = PARTS - 1, fit_shape(record, profile, shift)
    words, advice = _words(record, profile, best)
    return [Change(size, error, p_value * PARTS / fraction, f"The {name} changes by {size:.2g} ± {error:.1g} {unit} {words}", advice)]


def _shapes(steps: int) -> list[np.ndarray]:
    """A straight line from 0 to 1, and a step after each eighth but the last, each (time,)."""
    time = np.arange(steps)
    return [np.linspace(0, 1, steps)] + [np.where(time < steps * part / PARTS, 0.0, 1.0) for part in range(1, PARTS)]


def _explained(profile: np.ndarray, shape: np.ndarray) -> float:
    """Magnitude of the projection of the mean profile on the normalised shape."""
    x = shape - shape.mean()
    return abs(float(x @ profile.mean(0))) / math.sqrt(x @ x)


def _words(record: Record, profile: np.ndarray, shape: int) -> tuple[str, str]:
    if shape == 0:
        return "from start to end", "Remove the trend (detrend), drop the spin-up, or keep the part of the record that is stationary."
    if shape == 1:
        return "after the first eighth", "Drop the spin-up, or keep the part of the record that is stationary."
    at = record.every * _shift(profile)
    return f"in a level shift near {at:.3g} time units from the start", "Cut at the shift, and use the parts as members, each centred."


def _shift(profile: np.ndarray) -> int:
    """The change point: the sample before and after which the means differ most significantly."""
    steps = profile.shape[-1]
    before = np.arange(1, steps)
    gap = np.cumsum(profile.mean(0) - profile.mean())[:-1]
    return int(before[np.argmax(abs(gap) / np.sqrt(before * (steps - before)))])


def fit_shape(record: Record, profile: np.ndarray, shape: np.ndarray) -> tuple[float, float, float]:
    """Amplitude in a time profile, (member, time), of a shape that runs from 0 to 1; its standard error; its p-value.

    With eight members or more, the amplitude is fitted to each by least squares, and the scatter between members gives the error. With
    fewer, an autoregressive model whitens profile and shape, and the slowest cosines of the residual, over which the spectrum is flat,
    give the noise.
    """
    if len(profile) >= MANY:
        x = shape - shape.mean()
        each = profile @ x / (x @ x)
        size, error, dof = each.mean(), each.std(ddof=1) / math.sqrt(len(each)), float(len(each) - 1)
    else:
        size, error, dof = _against_cosines(block_means(profile), block_means(shape[None])[0])
    return float(size), float(error), float(2 * scipy.stats.t.sf(abs(size) / max(error, 1e-9), dof))


def block_means(profile: np.ndarray) -> np.ndarray:
    """Means over blocks in time, at most COARSE of them."""
    block = -(-profile.shape[-1] // COARSE)
    steps = profile.shape[-1] // block * block
    return profile[:, :steps].reshape(len(profile), -1, block).mean(-1)


def _against_cosines(y: np.ndarray, shape: np.ndarray) -> tuple[float, float, float]:
    """Change, standard error, degrees of dof; each member has its own mean."""
    y, x = y - y.mean(-1, keepdims=True), shape - shape.mean()
    rest = y - (y @ x).mean() / (x @ x) * x
    model = fit_autoregression(rest, math.log(rest.size))
    e, x = model.whiten(y), model.whiten(x)
    e, x = e - e.mean(-1, keepdims=True), x - x.mean()
    steps = len(x)
    slow = int(np.clip(2 * steps * model.distance(np.array(0.0)), FEWEST, min(MOST, steps - 3)))
    cosines = [scipy.fft.dct(one, norm="ortho", axis=-1)[..., 1 : slow + 2] for one in (e, x)]
    along = cosines[0] @ cosines[1] / np.linalg.norm(cosines[1])  # the component along the shape is not noise
    noise = float((np.square(cosines[0]).sum(-1) - np.square(along)).mean()) / slow
    return float((e @ x).mean() / (x @ x)), math.sqrt(noise / (len(e) * (x @ x))), len(e) * slow
