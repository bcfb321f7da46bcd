"""A double well whose score and whose forecast are spoiled on purpose."""

from dataclasses import dataclass
from functools import cached_property

import torch

from gfdt_tutorial.experiments.double_well import Estimates, spoiled_estimates
from gfdt_tutorial.responses.response import lag_times
from gfdt_tutorial.systems.double_well import DoubleWell

SHOWN = 0.5  # the lag at which the forecast is shown


@dataclass(frozen=True)
class SpoiledWell:
    """The response of the mean by a spoiled score ŝ = s + δ g, by a spoiled forecast m̂ = m + δ′ h, and by both together, without sampling.

    Args:
        well: the system.
        score_error, forecast_error: δ and δ′.
        lags: the largest lag.
    """

    well: DoubleWell
    score_error: float = 0.5
    forecast_error: float = 0.3
    lags: float = 3.0

    @cached_property
    def times(self) -> torch.Tensor:
        """Lags 0, 1/20, 2/20, …"""
        return lag_times(self.lags, 0.05)

    @staticmethod
    def g(x: torch.Tensor) -> torch.Tensor:
        """The shape of the error of the score, per unit of x."""
        return -torch.tanh(2 * x)

    @staticmethod
    def h(x: torch.Tensor) -> torch.Tensor:
        """The shape of the error of the forecast."""
        return torch.sin(x)

    @cached_property
    def scores(self) -> tuple[torch.Tensor, torch.Tensor]:
        """s and ŝ at the points of the well."""
        true = torch.as_tensor(self.well.score(self.well.points)).double()
        return true, true + self.score_error * self.g(self.well.points)

    @cached_property
    def forecasts(self) -> tuple[torch.Tensor, torch.Tensor]:
        """m_t and m̂_t at the points of the well, at the lag SHOWN."""
        true = self.well.conditional_means(torch.tensor([SHOWN]))[0].double()
        return true, true + self.forecast_error * self.h(self.well.points)

    @cached_property
    def estimates(self) -> Estimates:
        """The responses, each (lag,)."""
        return spoiled_estimates(self.well, self.times, lambda x: self.score_error * self.g(x), lambda x: self.forecast_error * self.h(x))

    @property
    def errors(self) -> dict[str, float]:
        """The largest error over lags of the response by the score, by the forecast, and by both."""
        found = self.estimates
        curves = {"score": found.by_score, "forecast": found.by_forecast, "combined": found.combined}
        return {name: float((curve - found.exact).abs().max()) for name, curve in curves.items()}
