"""Lines in a spectrum: power at one frequency against that of its neighbours, or against the scatter between members."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.stats

from gfdt_tutorial.data.suitability.autoregression import Autoregression, fit_autoregression

WIDTHS = (3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128, 181)  # of the neighbourhood on either side, in Fourier frequencies
LOUDEST = 12  # lines that are lowered
RARE = 0.01  # chance below which the frequency of a line is worth refining
FAINT = 4.0  # power over background; less is never significant, and need not be judged


@dataclass(frozen=True)
class Background:
    """How the background is modelled.

    Attributes:
        parsimony: the order costs `parsimony` · ln n (1, Bayes), or with 0 the 2 ln ln n of Hannan and Quinn, which follows peaks better.
        tamed: a line that chance gives once in e^tamed series is lowered to its neighbours before the model is fitted.
        reach: half-width of the neighbourhood, as a share of the distance to the nearest pole of the model.
    """

    parsimony: float
    tamed: float
    reach: float


SMOOTH = Background(parsimony=1, tamed=5.0, reach=1.25)
PEAKED = Background(parsimony=0, tamed=8.0, reach=0.5)  # gives an oscillation of the system's own the benefit of the doubt


@dataclass(frozen=True)
class Found:
    """A line, or several harmonics: frequency in cycles a sample, amplitude and its standard error, probability by chance, and power over
    background."""

    frequency: float
    size: float
    error: float
    chance: float
    ratio: float = 0.0


class Lines:
    """Lines of some members, (member, time), judged in one of three ways.

    `Lines.many` asks whether members have one phase, judged by the scatter between them, and assumes nothing of the spectrum. `Lines.few`
    judges by neighbouring frequencies, after the spectrum has been made flat by an autoregressive model; `together` is whether the members
    share a clock. The neighbourhood is narrow where the model has a pole close to the unit circle: a peak of the width of a few Fourier
    frequencies, as an oscillation of the system's own has, is then judged by few degrees of freedom, and is no line.
    """

    def __init__(self, y: np.ndarray, together: bool, model: Autoregression, background: Background | None):
        self.e, self.together, self.model = model.whiten(y), together, model
        self.members, self.steps = self.e.shape
        self.frequency = np.arange(self.steps + 1) / (2 * self.steps)  # lines twice as dense as Fourier's
        self.total, self.square = _sums(self.e)
        self.noise = self.count = None
        if background is not None:
            self.noise, self.count = _neighbourhood(self.square / self.members, self.steps, model, background)

    @classmethod
    def many(cls, y: np.ndarray) -> "Lines":
        """For eight members or more, with one clock."""
        return cls(y - y.mean(), True, Autoregression(np.zeros(0)), None)

    @classmethod
    def few(cls, y: np.ndarray, together: bool, background: Background) -> "Lines":
        """For few members."""
        y = scipy.signal.detrend(y, axis=-1)
        penalty = background.parsimony * math.log(y.size) or 2 * math.log(math.log(y.size))
        return cls(y, together, fit_autoregression(_tamed(y, background.tamed), penalty), background)

    def blind(self, periods: int) -> Found:
        """The likeliest line at any frequency with `periods` in the record or more, all that are tested counted."""
        power, noise, top, bottom = self._judged(self.total, self.square, slice(None))
        tested = self.frequency * self.steps >= periods
        loud = np.flatnonzero(tested & (power > FAINT * noise))
        if not len(loud):
            return Found(float(self.frequency[-1]), 0.0, 0.0, 1.0)
        freedom = np.where(self.frequency[loud] > 0.5 - 0.5 / self.steps, 1, 2)  # two samples a period have no phase
        chance = scipy.stats.f.sf(power[loud] / noise[loud], freedom * top, 2 * np.broadcast_to(bottom, power.shape)[loud])
        best = int(loud[np.lexsort((-power[loud] / noise[loud], chance))[0]])
        frequency = self.frequency[best]
        if best < self.steps and tested.sum() * chance.min() < RARE:
            frequency = _summit(self.e, frequency, self.together)
        size, error = self._amplitude(power[best], noise[best], frequency)
        ratio = float(power[best] / noise[best])
        return Found(float(frequency), size, error, min(1.0, float(tested.sum() * chance.min())), ratio)

    def at(self, frequency: float, harmonics: int = 1) -> Found:
        """A line at `frequency` and at its multiples, taken together."""
        ratios, tops, bottoms, sizes, errors = zip(*(self._one(k * frequency) for k in range(1, harmonics + 1)), strict=True)
        ratio = np.dot(ratios, tops) / sum(tops)
        chance = float(scipy.stats.f.sf(ratio, sum(tops), min(bottoms)))
        return Found(frequency, float(np.linalg.norm(sizes)), float(np.max(errors)), chance, float(ratio))

    def _one(self, frequency: float) -> tuple[float, float, float, float, float]:
        """Power over background, degrees of freedom of either, amplitude and standard error."""
        c = self._coefficients(frequency)
        near = min(round(2 * self.steps * frequency), self.steps)
        power, noise, top, bottom = self._judged(c.sum(), np.square(abs(c)).sum(), near)
        freedom = 1 if frequency > 0.5 - 0.5 / self.steps else 2
        return float(power / noise), freedom * top, float(2 * bottom), *self._amplitude(power, noise, frequency)

    def _coefficients(self, frequency: float) -> np.ndarray:
        return self.e @ np.exp(-2j * np.pi * frequency * np.arange(self.steps))

    def _judged(self, total, square, where):
        """Power, background, and half the degrees of freedom of each."""
        power = np.square(abs(total)) / self.members if self.together else square / self.members
        if self.noise is None:
            return power, np.maximum(square - power, 1e-30) / (self.members - 1), 1, self.members - 1
        return power, self.noise[where], 1 if self.together else self.members, self.members * self.count[where]

    def _amplitude(self, power, noise, frequency: float) -> tuple[float, float]:
        scale = (1 if frequency > 0.5 - 0.5 / self.steps else 2) / (self.steps * max(self.model.gain(frequency), 1e-12))
        shared = self.members if self.together else 1
        size = scale * math.sqrt(max(float(power - noise), 0.0) / shared)
        return size, scale * math.sqrt(float(noise) / 2 / self.members)


def _sums(e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ c and Σ |c|² over members, (line,), one member after the other."""
    total, square = 0.0, 0.0
    for one in e:
        c = scipy.fft.rfft(one, 2 * e.shape[1])
        total, square = total + c, square + np.square(abs(c))
    return total, square


def _tamed(y: np.ndarray, rare: float) -> np.ndarray:
    """y with each line that chance gives once in e^rare series lowered to the median of its neighbours, or the model would follow it."""
    y, steps = y.copy(), y.shape[1]
    factor = (rare + math.log(steps)) / math.log(2)
    for _ in range(LOUDEST):
        power = _sums(y)[1][1:]
        median = scipy.ndimage.median_filter(power, 41, mode="mirror")
        line = int(np.argmax(power / np.maximum(median, 1e-30)))
        if not power[line] > factor * median[line]:
            break
        frequency = _summit(y, (line + 1) / (2 * steps), False)
        waves = np.linalg.qr(np.exp(2j * np.pi * frequency * np.arange(steps))[:, None].view(float).reshape(steps, 2))[0]
        y -= (1 - math.sqrt(median[line] / math.log(2) / power[line])) * (y @ waves) @ waves.T
    return y


def _summit(y: np.ndarray, near: float, together: bool) -> float:
    """The frequency of most power within half a Fourier frequency."""
    steps, time = y.shape[1], np.arange(y.shape[1])

    def less(frequency):
        c = y @ np.exp(-2j * np.pi * frequency * time)
        return -float(abs(c.sum()) if together else np.square(abs(c)).sum())

    ends = (max(near - 0.5 / steps, 0.0), min(near + 0.5 / steps, 0.5))
    return float(scipy.optimize.minimize_scalar(less, bounds=ends, method="bounded", options={"xatol": 1e-3 / steps}).x)


def _neighbourhood(power: np.ndarray, steps: int, model: Autoregression, background: Background) -> tuple[np.ndarray, np.ndarray]:
    """Mean power of the neighbours of each line, and how many there are, both (line,): those at whole Fourier frequencies from it, from two
    away to the width of the neighbourhood, frequency 0 left out."""
    capped = np.minimum(power, 6 * max(float(np.median(power)), 1e-30) / math.log(2))  # another line is no background
    reach = background.reach * steps * model.distance(np.arange(steps + 1) / (2 * steps))
    widest = max(WIDTHS[0], min(WIDTHS[-1], steps // 4))
    widths = np.array([one for one in WIDTHS if one < widest] + [widest])
    width = widths[np.clip(np.searchsorted(widths, reach, side="right") - 1, 0, None)]
    mean, count = np.empty(steps + 1), np.empty(steps + 1)
    for parity in (0, 1):
        values, weight = capped[parity::2].copy(), np.ones(len(capped[parity::2]))
        values[: 1 - parity] = weight[: 1 - parity] = 0
        sums = [_window(one, width[parity::2]) - _window(one, 1) for one in (values, weight)]
        count[parity::2] = np.maximum(sums[1], 1)
        mean[parity::2] = sums[0] / count[parity::2]
    return np.maximum(mean, 1e-30), count


def _window(values: np.ndarray, width: np.ndarray | int) -> np.ndarray:
    """The sum over all that are `width` away or less."""
    sums, at = np.append(0.0, np.cumsum(values)), np.arange(len(values))
    return sums[np.minimum(at + width + 1, len(values))] - sums[np.maximum(at - width, 0)]
