"""The runs of one batch of kicked twins: pairs that start from one state, kicked by ±δ, and feel the same noise."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, derived, generator
from gfdt_tutorial.responses.kick_patterns import bump_spectrum
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import Trajectory

KICK_KINDS = ("pixel", "random signs", "smooth")
SMOOTH = 6  # largest wavenumber of a smooth kick, in multiples of the fundamental one


class TwinSums(NamedTuple):
    """What a batch adds to the experiment.

    estimates, squares: (lag, *shape), the sum of the estimates of R, and that of the squares of the sum over the kicks of each run; with C
        unlike variables (lag, C, C, *shape), to and from.
    kicks: (*shape), the sum of the autocorrelations of the patterns.
    growth: (pair, lag), |J|² of each pair.
    """

    estimates: torch.Tensor
    squares: torch.Tensor
    kicks: torch.Tensor
    growth: torch.Tensor


@dataclass(frozen=True)
class TwinRuns:
    """The experiment, as a function of a range of runs; arguments as in `perturb`, `lags` in steps."""

    system: System
    lags: int
    seed: int
    every: float
    kick: str
    amplitude: float
    spinup: float
    restarts: int
    device: torch.device

    def __call__(self, members: range) -> TwinSums:
        if self.system.variables is not None:
            return self._of_components(members)
        grid = self.system.grid
        run = Trajectory(self.system, members, derived(self.seed, Stream.TWINS), self.every, self.device)
        state, noise = run.start(self.spinup)
        total = torch.zeros(self.lags + 1, len(members), *grid.shape, device=self.device)
        norms = torch.zeros(len(members), self.restarts, self.lags + 1)
        kicks = torch.zeros(grid.shape, dtype=torch.float64)
        for restart in range(self.restarts):
            pattern = self._pattern(members, restart)
            shift = self.amplitude * self.system.state(pattern)
            kicked = torch.stack([state + shift, state - shift])
            for lag, twins in enumerate(run.steps(kicked, noise, self.lags)):
                threads.stop_if_interrupted()
                difference = (twins[0] - twins[1]) / (2 * self.amplitude)
                total[lag] += self._estimates(difference, pattern)
                norms[:, restart, lag] = self._norm(difference).cpu()
            state = twins[0]
            kicks += self._estimates(self.system.state(pattern), pattern).double().sum(0).cpu()
        if self.kick == "pixel":
            kicks *= len(members)  # all are kicked alike, so that one pattern represents them
        squares = total.double().square().sum(1).cpu()
        return TwinSums(total.sum(1, dtype=torch.float64).cpu(), squares, kicks, norms.flatten(0, 1))

    def _of_components(self, members: range) -> TwinSums:
        """Twins of each component kicked in turn, all from one state and under the same noise."""
        count, grid = len(self.system.variables or ()), self.system.grid
        run = Trajectory(self.system, members, derived(self.seed, Stream.TWINS), self.every, self.device)
        state, noise = run.start(self.spinup)
        total = torch.zeros(self.lags + 1, len(members), count, count, *grid.shape, device=self.device)
        norms = torch.zeros(len(members), self.restarts, self.lags + 1)
        kick = torch.zeros(count, count, *grid.shape, device=self.device)
        kick.view(count, count, -1)[..., 0] = torch.eye(count, device=self.device)
        shift = self.amplitude * self.system.state(kick)[:, None]  # (from, 1, *state)
        for restart in range(self.restarts):
            kicked = torch.cat([state + shift, state - shift])
            for lag, twins in enumerate(run.steps(kicked, noise, self.lags)):
                threads.stop_if_interrupted()
                difference = self.system.field(twins[:count] - twins[count:]) / (2 * self.amplitude)  # (from, member, to, *shape)
                total[lag] += difference.movedim(0, 2)
                norms[:, restart, lag] = difference.square().flatten(2).sum(2).mean(0).cpu()
            state = twins[0]
        squares = total.double().square().sum(1).cpu()
        kicks = len(members) * kick[0, 0].double().cpu()  # all are kicked at one place
        return TwinSums(total.sum(1, dtype=torch.float64).cpu(), squares, kicks, norms.flatten(0, 1))

    def _pattern(self, members: range, restart: int) -> torch.Tensor:
        """(member, *shape), or (1, *shape) where all members are kicked alike; unit amplitude."""
        grid = self.system.grid
        if self.kick == "pixel":
            pattern = torch.zeros(1, *grid.shape, device=self.device)
            pattern[(0,) * (len(grid.shape) + 1)] = 1
            return pattern
        streams = [generator(self.seed, Stream.KICK_SIGNS, member * self.restarts + restart) for member in members]
        if self.kick == "smooth":
            return torch.stack([_smooth(grid, stream) for stream in streams]).to(self.device)
        return torch.stack([2.0 * torch.randint(2, grid.shape, generator=stream) - 1 for stream in streams]).to(self.device)

    def _estimates(self, spectra: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
        """One estimate of R(d) per pair.

        Random signs: (1/N²) Σ_x p(x) δu(x + d), whose mean is R(d) as ⟨p(x) p(x')⟩ = δ. Smooth: R_k = δû_k/p̂_k where the kick has power.
        """
        grid = self.system.grid
        if self.kick == "pixel":
            return self.system.field(spectra)
        if self.kick == "smooth":
            kicked = grid.rfft(pattern)
            return grid.irfft(torch.where(smooth_modes(grid).to(kicked.device), spectra / kicked, 0))
        return grid.irfft(spectra * grid.rfft(pattern).conj()) / grid.size

    def _norm(self, difference: torch.Tensor) -> torch.Tensor:
        """|J|² for each pair: of the kicked pixel's column, or the mean over all columns."""
        grid = self.system.grid
        squares = self.system.field(difference).square().sum(grid.axes)
        return squares if self.kick == "pixel" else squares / grid.size


def smooth_modes(grid: PeriodicGrid) -> torch.Tensor:
    """(*spectral_shape), which wavevectors a smooth kick excites."""
    return grid.k_squared <= (SMOOTH * grid.fundamental) ** 2 * (1 + 1e-9)


def _smooth(grid: PeriodicGrid, stream: torch.Generator) -> torch.Tensor:
    """A field of unit mean square with the spectrum of a bump, its wavevectors having fixed moduli and random phases."""
    noise = grid.rfft(torch.randn(grid.shape, generator=stream, dtype=torch.float64))
    modulus = torch.where(smooth_modes(grid), bump_spectrum(grid), 0)
    power = float((modulus.square() * grid.multiplicity).sum())
    return grid.irfft(noise / noise.abs() * modulus * (grid.size / power**0.5)).float()
