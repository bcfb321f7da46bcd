"""Spectral lines: the power at one frequency against that of neighbouring frequencies, or against the scatter between members."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.stats

from gfdt_tutorial.data.suitability.autoregression import Autoregression, fit_autoregression

WIDTHS = (3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128, 181)  # half-widths of the neighbourhood, in Fourier frequencies
LOUDEST = 12  # at most this many lines are lowered
RARE = 0.01  # p-value below which the frequency of a line is refined
FAINT = 4.0  # ratio of power to background below which no line is significant, and none is tested


@dataclass(frozen=True)
class Background:
    """How the background spectrum is modelled.

    Attributes:
        criterion: for the order of the autoregressive model: "BIC", or "Hannan-Quinn", whose smaller penalty follows peaks better.
        lowered: a line so strong that chance gives one in e^lowered series is lowered to its neighbours before the model is fitted.
        bandwidth: half-width of the neighbourhood, as a fraction of the distance to the nearest pole of the model.
    """

    criterion: Literal["BIC", "Hannan-Quinn"]
    lowered: float
    bandwidth: float


SMOOTH_BACKGROUND = Background(criterion="BIC", lowered=5.0, bandwidth=1.25)
PEAKED_BACKGROUND = Background(
    criterion="Hannan-Quinn", lowered=8.0, bandwidth=0.5
)  # gives an oscillation of the system's own the benefit of the doubt


@dataclass(frozen=True)
class Line:
    """A spectral line, or several harmonics taken together.

    Attributes:
        frequency: of the fundamental, in cycles per sample.
        amplitude, error: the amplitude and its standard error.
        p_value: probability of so strong a line by chance.
        ratio: of power to background.
    """

    frequency: float
    amplitude: float
    error: float
    p_value: float
    ratio: float = 0.0


class Periodogram:
    """The periodogram of some members, (member, time), and the background against which its lines are tested, in one of three ways.

    `Periodogram.between_members` tests for a phase that all members have in common, against the scatter between them, and assumes
    nothing about the spectrum. `Periodogram.of_few` tests against neighbouring frequencies, after an autoregressive model has flattened
    the spectrum; `together` says whether the members share a clock. The neighbourhood is narrow where the model has a pole close to the
    unit circle: a peak with a width of a few Fourier frequencies, as an oscillation of the system's own has, is then tested with few
    degrees of freedom, and is not taken for a line.
    """

    def __init__(self, y: np.ndarray, together: bool, model: Autoregression, background: Background | None):
        self.e, self.together, self.model = model.whiten(y), together, model
        self.members, self.steps = self.e.shape
        self.frequency = np.arange(self.steps + 1) / (2 * self.steps)  # twice as dense as the Fourier frequencies
        self.total, self.square = _sums(self.e)
        neighbours = None if background is None else _neighbourhood(self.square / self.members, self.steps, model, background)
        self.noise: np.ndarray | None = None if neighbours is None else neighbours[0]
        self.count: np.ndarray | None = None if neighbours is None else neighbours[1]

    @classmethod
    def between_members(cls, y: np.ndarray) -> "Periodogram":
        """For eight members or more that share a clock."""
        return cls(y - y.mean(), True, Autoregression(np.zeros(0)), None)

    @classmethod
    def of_few(cls, y: np.ndarray, together: bool, background: Background) -> "Periodogram":
        """For few members."""
        y = scipy.signal.detrend(y, axis=-1)
        penalty = math.log(y.size) if background.criterion == "BIC" else 2 * math.log(math.log(y.size))
        return cls(y, together, fit_autoregression(_lower_lines(y, background.lowered), penalty), background)

    def strongest(self, periods: int) -> Line:
        """The most significant line at any frequency with `periods` cycles or more in the record; the p-value accounts for the search."""
        power, noise, top, bottom = self._power_and_background(self.total, self.square, slice(None))
        tested = self.frequency * self.steps >= periods
        candidates = np.flatnonzero(tested & (power > FAINT * noise))
        if not len(candidates):
            return Line(float(self.frequency[-1]), 0.0, 0.0, 1.0)
        dof = np.where(self.frequency[candidates] > 0.5 - 0.5 / self.steps, 1, 2)  # at two samples per period there is no phase
        p_value = scipy.stats.f.sf(power[candidates] / noise[candidates], dof * top, 2 * np.broadcast_to(bottom, power.shape)[candidates])
        best = int(candidates[np.lexsort((-power[candidates] / noise[candidates], p_value))[0]])
        frequency = self.frequency[best]
        if best < self.steps and tested.sum() * p_value.min() < RARE:
            frequency = _summit(self.e, frequency, self.together)
        amplitude, error = self._amplitude(float(power[best]), float(noise[best]), float(frequency))
        ratio = float(power[best] / noise[best])
        return Line(float(frequency), amplitude, error, min(1.0, float(tested.sum() * p_value.min())), ratio)

    def line_at(self, frequency: float, harmonics: int = 1) -> Line:
        """The line at `frequency` together with its harmonics; `harmonics=1` is the fundamental alone."""
        ratios, tops, bottoms, amplitudes, errors = zip(*(self._one(k * frequency) for k in range(1, harmonics + 1)), strict=True)
        ratio = np.dot(ratios, tops) / sum(tops)
        p_value = float(scipy.stats.f.sf(ratio, sum(tops), min(bottoms)))
        return Line(frequency, float(np.linalg.norm(amplitudes)), float(np.max(errors)), p_value, float(ratio))

    def _one(self, frequency: float) -> tuple[float, float, float, float, float]:
        """Ratio of power to background, degrees of freedom of both, amplitude and standard error."""
        c = self._coefficients(frequency)
        near = min(round(2 * self.steps * frequency), self.steps)
        power, noise, top, bottom = self._power_and_background(c.sum(), np.square(abs(c)).sum(), near)
        dof = 1 if frequency > 0.5 - 0.5 / self.steps else 2
        return float(power / noise), dof * top, float(2 * bottom), *self._amplitude(float(power), float(noise), frequency)

    def _coefficients(self, frequency: float) -> np.ndarray:
        """Fourier coefficient of each member, (member,)."""
        return self.e @ np.exp(-2j * np.pi * frequency * np.arange(self.steps))

    def _power_and_background(
        self, total: np.ndarray, square: np.ndarray, where: int | slice
    ) -> tuple[np.ndarray, np.ndarray, int, np.ndarray | int]:
        """Power, background, and half the degrees of freedom of each, (line,), or of a single line."""
        power = np.square(abs(total)) / self.members if self.together else square / self.members
        if self.noise is None or self.count is None:
            return power, np.maximum(square - power, 1e-30) / (self.members - 1), 1, self.members - 1
        return power, self.noise[where], 1 if self.together else self.members, self.members * self.count[where]

    def _amplitude(self, power: float, noise: float, frequency: float) -> tuple[float, float]:
        """Amplitude and standard error, in units of the series before whitening."""
        scale = (1 if frequency > 0.5 - 0.5 / self.steps else 2) / (self.steps * max(self.model.gain(frequency), 1e-12))
        coherent = self.members if self.together else 1
        amplitude = scale * math.sqrt(max(float(power - noise), 0.0) / coherent)
        return amplitude, scale * math.sqrt(float(noise) / 2 / self.members)


def _sums(e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ c and Σ |c|² over members, (line,); one member is transformed at a time."""
    total, square = np.zeros(e.shape[1] + 1, dtype=complex), np.zeros(e.shape[1] + 1)
    for one in e:
        c = scipy.fft.rfft(one, 2 * e.shape[1])
        total, square = total + c, square + np.square(abs(c))
    return total, square


def _lower_lines(y: np.ndarray, rarity: float) -> np.ndarray:
    """y with each line that chance gives once in e^rarity series lowered to the median of its neighbours; the model would follow it."""
    y, steps = y.copy(), y.shape[1]
    factor = (rarity + math.log(steps)) / math.log(2)
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
    """The frequency of maximal power within half a Fourier frequency of `near`."""
    steps, time = y.shape[1], np.arange(y.shape[1])

    def negative_power(frequency: float) -> float:
        c = y @ np.exp(-2j * np.pi * frequency * time)
        return -float(abs(c.sum()) if together else np.square(abs(c)).sum())

    ends = (max(near - 0.5 / steps, 0.0), min(near + 0.5 / steps, 0.5))
    return float(scipy.optimize.minimize_scalar(negative_power, bounds=ends, method="bounded", options={"xatol": 1e-3 / steps}).x)


def _neighbourhood(power: np.ndarray, steps: int, model: Autoregression, background: Background) -> tuple[np.ndarray, np.ndarray]:
    """Mean power of the neighbours of each line, and their number, both (line,).

    Neighbours are whole Fourier frequencies apart from the line, from two to the half-width of the neighbourhood, without frequency 0.
    """
    capped = np.minimum(power, 6 * max(float(np.median(power)), 1e-30) / math.log(2))  # another line is not background
    bandwidth = background.bandwidth * steps * model.distance(np.arange(steps + 1) / (2 * steps))
    widest = max(WIDTHS[0], min(WIDTHS[-1], steps // 4))
    widths = np.array([one for one in WIDTHS if one < widest] + [widest])
    width = widths[np.clip(np.searchsorted(widths, bandwidth, side="right") - 1, 0, None)]
    mean, count = np.empty(steps + 1), np.empty(steps + 1)
    for parity in (0, 1):
        values, weight = capped[parity::2].copy(), np.ones(len(capped[parity::2]))
        values[: 1 - parity] = weight[: 1 - parity] = 0
        sums = [_window(one, width[parity::2]) - _window(one, 1) for one in (values, weight)]
        count[parity::2] = np.maximum(sums[1], 1)
        mean[parity::2] = sums[0] / count[parity::2]
    return np.maximum(mean, 1e-30), count


def _window(values: np.ndarray, width: np.ndarray | int) -> np.ndarray:
    """Sum over all entries at a distance of `width` or less."""
    sums, at = np.append(0.0, np.cumsum(values)), np.arange(len(values))
    return sums[np.minimum(at + width + 1, len(values))] - sums[np.maximum(at - width, 0)]
