"""What the constants of the Allen-Cahn field were chosen from: its step, its noise, and the network that learns its score."""

import time
import warnings
from dataclasses import dataclass, replace

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.experiments.shipped import load_shipped, ship_table
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores import diagnostics
from gfdt_tutorial.scores.budgets import Budget, budget
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.white_noise import WhiteNoise


def limits(members: int = 128) -> list[Row]:
    """The measurements that LARGEST_STEP and LARGEST_RATIO of systems/allen_cahn.py were chosen from; ten minutes.

    Runs with different steps are driven by the same noise. Such fields stay together for long, so that the effect of the step on ⟨ū²⟩
    stands out from its scatter. Stein's identity at k = 0, from the same runs, scatters less by itself.
    """
    rows: list[Row] = []
    steps = (1 / 64, 1 / 32, 1 / 16)
    found = [_largest_scale(dt, steps[0], members) for dt in steps]
    for dt, (coarse, _), (fine, _) in zip(steps[1:], found[1:], found[:-1], strict=True):
        ratio = float(coarse.mean() / fine.mean())
        rows.append(Row(f"α dt = {16 * dt:.2f}: ⟨ū²⟩ over that at half the step, from 1", ratio - 1))
        rows.append(Row("   its standard error", float((coarse - ratio * fine).std() / fine.mean()) / members**0.5))
    for dt, (_, identity) in zip(steps, found, strict=True):
        rows.append(Row(f"α dt = {16 * dt:.2f}: −⟨u_k s_k*⟩ at k = 0", float(identity.mean())))
        rows.append(Row("   its standard error", float(identity.std()) / members**0.5))
    for alpha in (8.0, 16.0, 20.0, 24.0, 28.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            system = AllenCahn(alpha=alpha, dt=0.5 / max(16.0, alpha))
        noise, state = WhiteNoise(system.grid, range(16), 0), system.grid.rfft(torch.full((16, *system.grid.shape), 0.9))
        step = system.stepper(300.0, torch.device("cpu"))
        mean = float(system.grid.irfft(step(state, noise)).mean())
        rows.append(Row(f"α/ε² = {alpha / system.epsilon**2:.0f}: spatial mean 300 time units after a start in one phase", mean))
    return rows


def _largest_scale(dt: float, finest: float, members: int, spinup: int = 20, intervals: int = 150) -> torch.Tensor:
    """(2, member): ū² and −⟨u_k s_k*⟩ at k = 0 with A = 0, averaged over time; the noise is summed from that of the finest steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = AllenCahn(advection=0.0, dt=dt)
    noise, parts = WhiteNoise(system.grid, range(members), 0), round(dt / finest)
    step, state = system.stepper(10.0, torch.device("cpu")), system.initial(range(members), 0, torch.device("cpu"))
    found = []
    for _ in range(spinup + intervals):
        state = step(state, lambda: sum((noise() for _ in range(parts)), start=torch.zeros(())) / parts**0.5)
        u = system.grid.irfft(state)
        mean, score = (fields.mean((1, 2)) for fields in (u, system.score(u)))
        found.append(torch.stack([mean.square(), -system.grid.size * mean * score]))
    return torch.stack(found[spinup:]).double().mean(0)


@dataclass(frozen=True)
class Architecture:
    """A network and how it is trained."""

    budget: Budget
    start: str = "gaussian"


def _architectures() -> dict[str, Architecture]:
    quick = budget("quick", kind="white")
    budgets = {
        "3 × 3 to 32 channels, one mixing layer, σ = 0.01 (shipped)": quick,
        "no neighbours: 1 × 1": replace(quick, kernels=(1, 1)),
        "5 × 5": replace(quick, kernels=(5, 1)),
        "3 × 3, two mixing layers": replace(quick, kernels=(3, 1, 1)),
        "3 × 3 twice": replace(quick, kernels=(3, 3)),
        "8 channels": replace(quick, width=8),
        "64 channels": replace(quick, width=64),
        "σ = 0.05": replace(quick, level=0.05),
        "σ = 0.2": replace(quick, level=0.2),
        "noise with the data's spectrum, σ = 0.15": replace(quick, noise="data", level=0.15),
        "naive loss": replace(quick, antithetic=False),
        "naive loss, σ = 0.2": replace(quick, antithetic=False, level=0.2),
    }
    return {what: Architecture(one) for what, one in budgets.items()} | {"white start, ten times too large": Architecture(quick, "wrong")}


def architectures() -> list[Row]:
    """Networks and losses for the Allen-Cahn score: the table of lesson 04, which is written to the assets; about ten minutes."""
    calm, system = AllenCahn(advection=0.0), AllenCahn()
    fit_calm, fit = (simulate(s, members=64, duration=300.0, every=2.0, seed=1000) for s in (calm, system))
    test = simulate(calm, members=16, duration=100.0, every=20.0, seed=0).u.flatten(0, 1)
    use = simulate(system, members=128, duration=400.0, seed=0)
    truth, found = load_shipped("allen-cahn-truth"), {}
    for what, one in _architectures().items():
        began = time.perf_counter()
        scores = [fit_score(data, budget=one.budget, start=one.start) for data in (fit_calm, fit)]
        seconds = (time.perf_counter() - began) / 2
        response = respond(use, scores[1], lags=90.0, form="controlled", symmetries=("reflect y",), resamples=2)
        error = diagnostics.relative_error(scores[0](test), calm.score(test))
        numbers = {"relative_error": error, "l2": compare(response, truth).quoted["l2"], "seconds": seconds}
        found[what] = {name: float(f"{value:.3g}") for name, value in numbers.items()}
    table = [{"what": what, **numbers} for what, numbers in found.items()]
    ship_table("allen-cahn-architectures", table, command="python -m gfdt_tutorial bench --only architectures")
    return [Row(f"{what}: {key}", value) for what, numbers in found.items() for key, value in numbers.items()]
