"""A system outside the package: the stochastic Swift-Hohenberg equation in one dimension, below the onset of its pattern."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.core.grid import cast


@dataclass(frozen=True)
class SwiftHohenberg(gfdt.System):
    """∂ₜu = r u − (1 + Δ)² u − u³ + ε ξ on a box of eight wavelengths; the mean is damped at rate 1, as −(1 + Δ)² has it."""

    r: float = -0.2
    epsilon: float = 0.2
    grid: gfdt.PeriodicGrid = field(default_factory=lambda: gfdt.PeriodicGrid((64,), (16 * torch.pi,)))
    name = "swift-hohenberg"
    spinup, lags, every, reach = 20.0, 10.0, 0.5, 0.5
    parameter_table: ClassVar = {"r": gfdt.Parameter("r", "distance from the onset", "per unit time")}

    def initial(self, members, seed, device):
        return torch.zeros(len(members), *self.grid.spectral_shape, dtype=torch.complex64, device=device)

    def stepper(self, every, device):
        steps = round(every / 0.05)
        h, grid = every / steps, self.grid
        growth = torch.exp(h * (self.r - (1 + grid.laplacian) ** 2))
        like = torch.zeros((), dtype=torch.complex64, device=device)
        growth, spread = cast(growth, like), cast(self.epsilon * h**0.5 * grid.white, like)

        def step(spectra, noise):
            for _ in range(steps):
                spectra = growth * (spectra - h * grid.rfft(grid.irfft(spectra) ** 3) + spread * noise())
            return spectra

        return step

    def drift_derivative(self, parameter):
        return (lambda u: u), (lambda u: u.new_full(u.shape[:-1], float(self.grid.size)))
