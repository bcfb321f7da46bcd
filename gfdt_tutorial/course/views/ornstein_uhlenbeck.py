"""An Ornstein-Uhlenbeck field at some parameters, in closed form."""

from dataclasses import dataclass
from functools import cached_property

import torch

from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.responses.response import exact_response, lag_times
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck


@dataclass(frozen=True)
class Exploration:
    """An Ornstein-Uhlenbeck field at given parameters, and its mean response to a kick, all in closed form.

    Args:
        system: the parameters.
        pattern: (*shape), the kick.
        lag: the time at which the response is mapped; the nearest of `times` is used.
        lags: the largest lag.
        seed: of the white noise that is filtered to give the snapshot; the realisation is then the same for all parameters.
    """

    system: OrnsteinUhlenbeck
    pattern: torch.Tensor
    lag: float = 20.0
    lags: float = 90.0
    seed: int = 0

    @cached_property
    def times(self) -> torch.Tensor:
        """Lags 0, 1, 2, …"""
        return lag_times(self.lags, 1.0)

    @property
    def row(self) -> int:
        """Index of `lag` among `times`."""
        return int((self.times - self.lag).abs().argmin())

    @cached_property
    def snapshot(self) -> torch.Tensor:
        """(*shape): one sample of the stationary density."""
        return self.system.grid.irfft(self.system.initial(range(1), self.seed, torch.device("cpu")))[0]

    @cached_property
    def k(self) -> torch.Tensor:
        """Wavenumbers of the shells."""
        return shell_average(self.system.grid, self.system.grid.k_squared)[0]

    @cached_property
    def spectrum(self) -> torch.Tensor:
        """C_k by shell."""
        return shell_average(self.system.grid, self.system.mode_covariance)[1]

    @cached_property
    def reference(self) -> torch.Tensor:
        """C_k by shell at the letter's parameters, on this grid."""
        return shell_average(self.system.grid, OrnsteinUhlenbeck(grid=self.system.grid).mode_covariance)[1]

    @cached_property
    def response(self) -> torch.Tensor:
        """(lag, *shape): the mean response to the kick, in units of the field."""
        return exact_response(self.system, lags=self.lags).to(self.pattern)

    def along(self, displacement: int) -> torch.Tensor:
        """(lag,): the response `displacement` pixels downstream of the centre of the kick, periodic."""
        shape = self.system.grid.shape
        line = self.response if len(shape) == 1 else self.response[:, 0]
        return line[:, displacement % shape[-1]]
