"""A double well whose walkers are kicked."""

from dataclasses import dataclass
from functools import cached_property

import torch

from gfdt_tutorial.core.spectra import interpolate
from gfdt_tutorial.responses.response import lag_times
from gfdt_tutorial.systems.double_well import DoubleWell, Moments


@dataclass(frozen=True)
class KickedWell:
    """A double well whose walkers are all kicked at time 0: the change of mean and variance, exact and predicted, without sampling.

    Args:
        well: the system.
        kick: δ, from −1 to 1.
        lags: the largest lag.
    """

    well: DoubleWell
    kick: float = 0.4
    lags: float = 3.0

    @cached_property
    def times(self) -> torch.Tensor:
        """Lags 0, 1/20, 2/20, …"""
        return lag_times(self.lags, 0.05)

    @cached_property
    def rest(self) -> tuple[float, float]:
        """Mean and variance of the unperturbed well."""
        return float(self.well.average(torch.clone)), self.well.variance

    @cached_property
    def kicked_density(self) -> torch.Tensor:
        """ρ(x − δ) at the points of the well."""
        return interpolate(self.well.points, self.well.density, self.well.points - self.kick).clamp_min(0)

    @cached_property
    def exact(self) -> torch.Tensor:
        """(lag, 2): the exact change of mean and variance after this kick, to all orders."""
        mean, variance = self.rest
        first, second = self.well.kicked(self.times, self.kick, Moments(mean)).T
        return torch.stack([first - mean, second - (first - mean).square() - variance], dim=1)

    @cached_property
    def linear(self) -> torch.Tensor:
        """(lag, 2): δ times the impulse response, which the theorem gives with the exact score."""
        return self.kick * self.well.response(self.times, Moments(self.rest[0])).double()

    @cached_property
    def gaussian(self) -> torch.Tensor:
        """(lag, 2): δ times the response with the Gaussian score, −(x − ⟨x⟩)/⟨(x − ⟨x⟩)²⟩."""
        mean, variance = self.rest
        return self.kick * self.well.response(self.times, Moments(mean), lambda x: (mean - x) / variance).double()

    @property
    def nonlinearity(self) -> float:
        """Relative error of the linear response of the mean, root mean square over lags; 0 without a kick."""

        return float((self.linear - self.exact)[:, 0].norm() / self.exact[:, 0].norm().clamp_min(1e-6))
