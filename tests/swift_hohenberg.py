"""A system outside the package: the stochastic Swift-Hohenberg equation in one dimension, below the onset of its pattern."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.core.grid import cast


@dataclass(frozen=True)
class SwiftHohenberg(gfdt.System):
    """∂ₜu = r u − (1 + Δ)² u − g u³ + ε ξ with r < 0, on a box of eight wavelengths; the operator damps the spatial mean at rate 1 − r."""

    r: float = -0.2
    g: float = 1.0
    epsilon: float = 0.2
    dt: float = 0.05
    grid: gfdt.PeriodicGrid = field(default_factory=lambda: gfdt.PeriodicGrid((64,), (16 * torch.pi,)))
    name = "swift-hohenberg"
    spinup, lags, every, reach = 20.0, 10.0, 0.5, 0.5
    parameter_table: ClassVar = {"r": gfdt.Parameter("r", "distance from the onset", "per unit time")}

    @property
    def rates(self):
        return self.r - (1 + self.grid.laplacian) ** 2

    def initial(self, members, seed, device):
        return torch.zeros(len(members), *self.grid.spectral_shape, dtype=torch.complex64, device=device)

    def stepper(self, every, device):
        steps = math.ceil(every / self.dt - 1e-9)
        h, grid = every / steps, self.grid
        growth, like = torch.exp(h * self.rates), torch.zeros((), dtype=torch.complex64, device=device)
        spread = cast(self.epsilon * ((growth**2 - 1) / (2 * self.rates)).sqrt() * grid.white, like)
        growth = cast(growth, like)

        def step(spectra, noise):  # exponential Euler: exact but for the cubic term
            for _ in range(steps):
                spectra = growth * (spectra - h * self.g * grid.rfft(grid.irfft(spectra) ** 3)) + spread * noise()
            return spectra

        return step

    def drift_derivative(self, parameter):
        return (lambda u: u), (lambda u: u.new_full(u.shape[:-1], float(self.grid.size)))
