"""The accuracy of a score of the double well, and of the responses that it gives alone or together with a forecast."""

from dataclasses import dataclass

import torch

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.systems.base import Function
from gfdt_tutorial.systems.double_well import DoubleWell, Moments


@dataclass(frozen=True)
class ScoreCheck:
    """Relative root-mean-square errors of a score of the double well, and of the responses of mean and variance that it gives.

    Attributes:
        response: from the data, (lag, 2).
        score: error of the score, (⟨|s − s*|²⟩/⟨|s*|²⟩)^½ under the exact density.
        mean, variance: errors of that response, over lags > 0.
        both: error of the two as one vector, the L2 of `compare` over that of the truth.
        infinite_data: `both` in the infinite-data limit, which leaves the error of the score alone.
    """

    response: Response
    score: float
    mean: float
    variance: float
    both: float
    infinite_data: float


def check_score(system: DoubleWell, score: Function, data: TimeSeries, *, lags: float = 2.0) -> ScoreCheck:
    """The impulse response of mean and variance by a score, compared with the exact one.

    The average is over the data in both directions of time, because one variable in a potential is reversible. The observable is centred
    on the mean of the data for the estimate, and on the exact mean for the truth.

    Raises:
        ValueError: as `sensitivities`.
    """
    sampled = Moments(float(data.u.mean()))
    estimate = sensitivities(data.both_ways(), score, sampled, {"kick": None}, lags=lags, integrate=False, form="raw")["kick"]
    moments = Moments(float(system.average(torch.clone)))
    truth, infinite = (system.response(estimate.times, moments, one) for one in (system.score, score))
    exact = system.score(system.points)
    off = score(system.points) - exact
    error, size = (system.average(lambda x: off.square()), system.average(lambda x: exact.square()))
    return ScoreCheck(
        response=estimate,
        score=float((error / size).sqrt()),
        mean=_relative(estimate.values[:, 0], truth[:, 0]),
        variance=_relative(estimate.values[:, 1], truth[:, 1]),
        both=_relative(estimate.values, truth),
        infinite_data=_relative(infinite, truth),
    )


@dataclass(frozen=True)
class Estimates:
    """Responses of ⟨x⟩ to a unit impulse in the infinite-data limit, each (lag,).

    Attributes:
        exact: the truth.
        by_score: −⟨x(t) ŝ⟩.
        by_forecast: ⟨∂ₓm̂_t⟩.
        combined: ⟨∂ₓm̂_t⟩ − ⟨(x(t) − m̂_t) ŝ⟩.
    """

    exact: torch.Tensor
    by_score: torch.Tensor
    by_forecast: torch.Tensor
    combined: torch.Tensor


def spoiled_estimates(system: DoubleWell, lags: torch.Tensor, score_error: Function, forecast_error: Function) -> Estimates:
    """The estimates with a score ŝ = s + g and a forecast m̂_t = m_t + h, by quadrature.

    Args:
        lags: (lag,), in time units.
        score_error, forecast_error: g and h, functions of x in torch; h is the same at every lag.
    """
    x = system.points
    off, ahead = score_error(x), forecast_error(x)
    slope = torch.func.jvp(forecast_error, (x,), (torch.ones_like(x),))[1]
    exact = system.response(lags).double()
    means = system.conditional_means(lags).double()
    means = means - _mean(system, means[0])

    def average(values: torch.Tensor) -> torch.Tensor:
        return _mean(system, values)

    score = torch.as_tensor(system.score(x)).double() + off
    by_score = torch.stack([-average(mean * score) for mean in means])
    by_forecast = exact + average(slope)  # ⟨∂ₓm_t⟩ = −⟨m_t s⟩, which is the response itself
    return Estimates(exact, by_score, by_forecast, by_forecast + average(ahead * score))


def _mean(system: DoubleWell, values: torch.Tensor) -> torch.Tensor:
    """∫ ρ A dx of values at the points."""
    weights = system.density.double() / system.density.double().sum()
    return (weights * values.double()).sum()


def _relative(values: torch.Tensor, truth: torch.Tensor) -> float:
    return float((values - truth)[1:].norm() / truth[1:].norm())
