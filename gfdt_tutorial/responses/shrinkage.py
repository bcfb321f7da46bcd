"""Shrinkage of an estimate towards another one from which the data do not distinguish it, after James and Stein.

For an estimate R and a target T with less scatter, such as the regression hypothesis, take

    T + w (R − T),    w = max(0, 1 − 2/χ²),    χ² the mean of [(R − T)/error]² over lags and observables

This costs less than (2/χ) standard errors where the departure of R from T is real. The weight w is itself an estimate, so every resample of
the bootstrap makes its own; and at lags where the departure is significant by itself, the part of it that is left
out, (1 − w) times the departure corrected for noise, counts in the band.

Source: James and Stein, Proc. Fourth Berkeley Symp. 1, 361 (1961).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gfdt_tutorial.responses.lagged_sums import Estimator
from gfdt_tutorial.responses.observable_samples import ROUNDING

DOUBT = 2.0  # χ² below which a departure from the target is attributed to noise, for which χ² is 1 on average


@dataclass(frozen=True)
class Shrunk:
    """An estimator drawn towards a target.

    Args:
        estimator: T + w (R − T), with a w of its own for each resample.
        left_out: (lag, n), the part of the departure that is left out although it is significant.
        chi2, kept: χ² and w of the estimate itself.
    """

    estimator: Estimator
    left_out: torch.Tensor
    chi2: float
    kept: float


def shrunk(
    estimator: Estimator,
    target: Estimator,
    one_each: torch.Tensor,
    finish: Callable[[torch.Tensor], torch.Tensor],
    bootstrap: Callable[[Estimator], torch.Tensor],
) -> Shrunk:
    """`estimator`, drawn towards `target`.

    Args:
        one_each: (1, group), the weights of the estimate itself.
        finish: from responses (..., lag, n) to the form in which both are compared, such as their integral over lags.
        bootstrap: from an estimator to its standard error.
    """

    def departure(drawn: torch.Tensor) -> torch.Tensor:
        return finish(estimator(drawn)) - finish(target(drawn))

    found, error = departure(one_each), bootstrap(departure)
    known = error > ROUNDING * found.abs().amax()

    def chi_squared(departures: torch.Tensor) -> torch.Tensor:
        """(resample,)."""
        if not known.any():
            return departures.new_zeros(len(departures))
        return (departures[:, known] / error[known]).square().mean(1)

    def drawn_towards(drawn: torch.Tensor) -> torch.Tensor:
        weight = _kept(chi_squared(departure(drawn)))[:, None, None]
        return (1 - weight) * target(drawn) + weight * estimator(drawn)

    chi2 = chi_squared(found)
    kept = float(_kept(chi2))
    significant = (found[0].square() - error.square()).clamp_min(0).sqrt()
    return Shrunk(drawn_towards, (1 - kept) * significant, float(chi2), kept)


def _kept(chi2: torch.Tensor) -> torch.Tensor:
    """w = max(0, 1 − 2/χ²)."""
    return (1 - DOUBT / chi2.clamp_min(1e-30)).clamp_min(0.0)
