"""An autoregressive model of one or several members, which whitens a series before a test looks for anything in it."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.signal

HIGHEST = 30  # the highest order that is tried
PATIENCE = 12  # successive orders without a better criterion, after which the search ends


@dataclass(frozen=True)
class Autoregression:
    """e(t) = y(t) + Σ_k a_k y(t − k) is white.

    Attributes:
        coefficients: a_1 … a_p, (order,).
    """

    coefficients: np.ndarray

    def whiten(self, y: np.ndarray) -> np.ndarray:
        """The innovations e, (..., time − order), of y, (..., time)."""
        return scipy.signal.lfilter(np.r_[1.0, self.coefficients], [1.0], y, axis=-1)[..., len(self.coefficients) :]

    def gain(self, frequency: float) -> float:
        """Gain |e|/|y| of the whitening filter at `frequency`, in cycles per sample."""
        return float(abs(np.polyval(np.r_[1.0, self.coefficients][::-1], np.exp(-2j * np.pi * frequency))))

    def distance(self, frequency: np.ndarray) -> np.ndarray:
        """Distance from e^(2πi frequency) to the nearest pole, in cycles per sample: the scale on which the spectrum varies."""
        nearest = np.full(np.shape(frequency), np.inf)
        z = np.exp(2j * np.pi * np.asarray(frequency))
        for root in np.roots(np.r_[1.0, self.coefficients]) if len(self.coefficients) else [0.0]:
            nearest = np.minimum(nearest, abs(z - root))
        return nearest / (2 * np.pi)


def fit_autoregression(y: np.ndarray, penalty: float) -> Autoregression:
    """Fit by Burg's method, which has no bias from the ends, to all members together; the order minimises n ln σ² + `penalty` · order.

    Args:
        y: (member, time), with the mean removed.
        penalty: ln n for the Bayesian information criterion, 2 ln ln n for that of Hannan and Quinn.
    """
    forward, backward, variance, count = y[:, 1:], y[:, :-1], float(np.square(y).mean()), y.size
    a = best = np.zeros(0)
    least = count * math.log(max(variance, 1e-300))
    for order in range(1, min(HIGHEST, y.shape[1] // 10) + 1):
        norm = float(np.vdot(forward, forward) + np.vdot(backward, backward))
        reflection = -2 * float(np.vdot(forward, backward)) / max(norm, 1e-300)
        a = np.append(a + reflection * a[::-1], reflection)
        variance *= 1 - reflection**2
        criterion = count * math.log(max(variance, 1e-300)) + penalty * order
        if criterion < least:
            least, best = criterion, a
        elif order > len(best) + PATIENCE:
            break
        forward, backward = (forward + reflection * backward)[:, 1:], (backward + reflection * forward)[:, :-1]
    return Autoregression(best)
