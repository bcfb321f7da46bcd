"""The Navier-Stokes flow: statistics, the effect of the time step, and the cost of a step."""

from collections.abc import Sequence

import torch

from gfdt_tutorial.bench.rows import MEMBERS, Row, batch, present, ratio
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.diagnostics import kurtosis
from gfdt_tutorial.systems.flow_forcing import WaveForcing
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.simulate import simulate


def flow_statistics(members: int = 64, duration: float = 100.0) -> list[Row]:
    """Moments and spectrum of the flow after 200 time units, and the difference between steps of 1/32 and 1/128; five minutes."""
    system = NavierStokes()
    u = simulate(system, members=members, spinup=200.0, duration=duration, every=2.0, seed=0).u
    k, spectrum = _shells(system, u)
    rows = [Row("Navier-Stokes: standard deviation", float(u.std())), Row("Navier-Stokes: kurtosis", kurtosis(u))]
    rows += [Row(f"Navier-Stokes: C_k, shell {int(n)}", float(value)) for n, value in zip(k, spectrum, strict=True)]
    return rows + _steps()


FINER = 4  # ratio of the two steps that are compared


class _SameWalk(WaveForcing):
    """Forcing for a step FINER times as long, whose phases follow the same random walk as with the short step."""

    def advance(self, lapse: float) -> torch.Tensor:
        for _ in range(FINER):
            super().advance(lapse / FINER)
        return self.spectra


class _SameForcing(NavierStokes):
    """The flow with long steps under the same forcing as the flow with short ones, which reduces the sampling error of the difference."""

    def make_noise(self, members: range, seed: int, device: torch.device | str) -> WaveForcing:
        return _SameWalk(self.grid, members, seed, amplitude=self.forcing, cutoff=self.highest_forced, device=device)


def _steps(members: int = MEMBERS, duration: float = 40.0, pairs: int = 1024) -> list[Row]:
    """The difference between steps of 1/32 and 1/128."""
    both = [_SameForcing(dt=1 / 32), NavierStokes(dt=1 / 32 / FINER)]
    runs = [simulate(each, members=members, spinup=None, duration=duration, every=1.0, seed=1).u for each in both]
    spectra = torch.stack([torch.stack([_shells(each, one[None])[1][2:] for one in u]) for each, u in zip(both, runs, strict=True)])
    ratio, without = _ratio(spectra.sum(1)), _ratio(spectra.sum(1, keepdim=True) - spectra)
    worst = int((ratio - 1).abs().argmax())
    twins = [perturb(each, lags=0.25, pairs=pairs, seed=5, every=0.25, amplitude=1 / 64, spinup=20.0, restarts=4) for each in both]
    label = "Navier-Stokes, dt = 1/32 against 1/128: "
    return [
        Row(label + "fields at the end, rms of the difference over rms", float((runs[0] - runs[1])[:, -1].norm() / runs[1][:, -1].norm())),
        Row(label + "C_k by shell, |k| ≥ 2, ratio from 1", float((ratio - 1).abs().max()), 0.05),
        Row(label + f"its standard error in the worst shell, |k| = {worst + 2}", float(_jackknife(without)[worst])),
        Row(label + "R at lag 1/4, L2 corrected for the noise of both", _apart(*twins), 0.01),
    ]


def _ratio(spectra: torch.Tensor) -> torch.Tensor:
    return spectra[0] / spectra[1]


def _jackknife(without: torch.Tensor) -> torch.Tensor:
    """Standard error from estimates that leave out one member each, (member, ...)."""
    return ((len(without) - 1) * without.var(0, correction=0)).sqrt()


def _shells(system: NavierStokes, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return shell_average(system.grid, mode_covariance(system.grid, u))


def _apart(one: Response, other: Response) -> float:
    """L2 distance of two noisy truths at their last lag, corrected for the noise of both by their halves."""
    difference = present(one.halves)[:, -1].double() - present(other.halves)[:, -1].double()
    return signed_root(float((difference[0] * difference[1]).sum()))


def step(sides: Sequence[int] = (32, 64, 128, 256), repeats: int = 15, intervals: int = 4) -> list[Row]:
    """A step of the flow over its lower limit, 32 real FFTs and N² normal numbers, on one thread."""
    return [
        Row(f"Navier-Stokes step over its floor, {n} × {n}, batch {batch(n)}, one thread", _floor_ratio(n, repeats, intervals), 1.5)
        for n in sides
    ]


def _floor_ratio(side: int, repeats: int, intervals: int) -> float:
    system, members, cpu = NavierStokes(grid=PeriodicGrid((side, side))), batch(side), torch.device("cpu")
    grid = system.grid
    noise, advance = system.make_noise(range(members), 0, cpu), system.stepper(intervals * system.step, cpu)
    state = system.initial(range(members), 0, cpu)
    fields, normals, rng = grid.irfft(state), torch.empty(members, *grid.shape), generator(0, Stream.BENCH)

    def floor() -> None:
        for _ in range(intervals):
            for _ in range(20):
                torch.fft.irfft2(state)
            for _ in range(12):
                torch.fft.rfft2(fields)
            normals.normal_(generator=rng)

    return ratio(lambda: advance(state, noise), floor, repeats)
