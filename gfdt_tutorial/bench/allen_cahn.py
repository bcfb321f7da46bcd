"""The Allen-Cahn field: accuracy, statistics, generation, its step, and what its constants were chosen from."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import torch

from gfdt_tutorial.bench.rows import Row, batch, mean_and_scatter, ratio
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.memory import peak_memory_mb
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.experiments.comparison import compare_methods
from gfdt_tutorial.experiments.reference_truth import reference_truth
from gfdt_tutorial.experiments.shipped import load_shipped, ship_table
from gfdt_tutorial.generation.sampling import sample
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores import diagnostics
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.fit import fit_score, suited
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.steins_identity import stein
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.white_noise import WhiteNoise


def accuracy(seeds=(0, 1, 2), preset: str = "quick", reach=(0.06, 0.015), cost=(60, 180, 1200)) -> list[Row]:
    """The Allen-Cahn field from nothing, against the shipped truth: each form of the response, mean and scatter over the seeds.

    Args:
        reach: bounds of L2 and L∞ in the controlled form.
    """
    found = [compare_methods(AllenCahn(), preset=preset, seed=seed) for seed in seeds]
    label, seconds, rows = f"Allen-Cahn, {preset}, ", [one.seconds for one in found], []
    for key in ("gaussian", *(f"{method}{form}" for form in ("_normalised", "", "_controlled") for method in ("analytic", "generative"))):
        for name, which, bound in zip(("L2", "L∞"), ("l2", "linf"), reach, strict=True):
            values = [one.errors[key].quoted[which] for one in found]
            rows += mean_and_scatter(f"{label}{key}: quoted {name}", values, bound if key == "generative_controlled" else None)
    return [
        *rows,
        Row(label + "its own twins against the shipped truth: quoted L2", max(one.checks["own_twins_l2"] for one in found)),
        Row(label + "training, its data included", max(one["fit"] for one in seconds), cost[0], "s"),
        Row(label + "data, training, response, own twins", max(sum(one.values()) for one in seconds), cost[1], "s"),
        Row(label + "peak memory of this process", peak_memory_mb() or math.nan, cost[2], "MB"),
    ]


def standard() -> list[Row]:
    """The same with the preset standard: about ten minutes a seed."""
    return accuracy((0, 1, 2), "standard", (0.03, 0.010), (None, 720, None))


def elsewhere(seeds=(0,), pairs: int = 1024) -> list[Row]:
    """The preset quick at other parameters, against twins made for it: L2 of the generative response over that of the Gaussian."""
    rows = []
    for change in ({"alpha": 4.0}, {"advection": 0.05}):
        system = AllenCahn(**change)
        truth = reference_truth(system, pairs=pairs, seed=77)
        ratios = []
        for seed in seeds:
            found = compare_methods(system, preset="quick", seed=seed)
            errors = [compare(found.responses[name], truth).quoted["l2"] for name in ("generative_normalised", "gaussian")]
            ratios.append(errors[0] / errors[1])
        rows.append(Row(f"Allen-Cahn, quick, {change}: generative over Gaussian L2", max(ratios), 0.5))
    return rows


def statistics(seeds=(0, 1, 2), members: int = 64, duration: float = 1500.0) -> list[Row]:
    """A = 0: moments against Hamiltonian Monte Carlo, and −⟨u_k s_k*⟩ by shell, in standard errors between members, the worst."""
    system = AllenCahn(advection=0.0)
    moments, deviations = [], []
    for seed in seeds:
        u = simulate(system, members=members, spinup=1000.0, duration=duration, every=5.0, seed=seed).u
        moments.append([float(u.square().mean()), float((u**4).mean()), float(u.mean((2, 3)).square().mean())])
        each = torch.stack([shell_average(system.grid, stein(system.grid, one, system.score(one)).real)[1] for one in u])
        deviations.append(float(((each.mean(0) - 1) / (each.std(0) / members**0.5)).abs().max()))
    names = zip(("⟨u²⟩", "⟨u⁴⟩", "⟨ū²⟩"), (0.748, 0.789, 0.010), (0.005, 0.006, 0.003), strict=True)
    rows = [
        Row(f"Allen-Cahn, A = 0: {name} from {known}", max(abs(one[i] - known) for one in moments), within)
        for i, (name, known, within) in enumerate(names)
    ]
    return [*rows, Row("Allen-Cahn, A = 0: −⟨u_k s_k*⟩ from 1, worst shell, in standard errors", max(deviations), 3.0)]


def generation(seeds=(0, 1, 2), count: int = 2048) -> list[Row]:
    """Fields drawn from the density learned by the preset quick, and from the Gaussian one, against the data; the worst of the seeds."""
    learned, gaussian, seconds = [], [], []
    for seed in seeds:
        # many members, as the mean of each keeps for long what it starts with
        data = simulate(AllenCahn(), members=256, duration=60.0, every=2.0, seed=seed)
        began = time.perf_counter()
        score = fit_score(data, seed=seed, noise_levels=True, validation=0.05)
        fitted = time.perf_counter()
        learned.append(likeness(data, sample(score, count, seed=seed)))
        seconds.append((fitted - began, time.perf_counter() - fitted))
        start = Training(data, suited(data, noise_levels=True), noise_levels=True, seed=seed, validation=0.05).score()
        gaussian.append(likeness(data, sample(start, count // 8, seed=seed)))
    label = f"Allen-Cahn, {count} generated fields: "
    rows = [
        Row(label + what, max(one[i] for one in learned), bound)
        for i, (what, bound) in enumerate(zip(LIKENESS, (0.10, 0.10, 0.03), strict=True))
    ]
    rows += [
        Row(f"   {what}, {count // 8} from the Gaussian score, the least", min(one[i] for one in gaussian))
        for i, what in enumerate(LIKENESS)
        if i
    ]
    return [
        *rows,
        Row(label + "training", max(one[0] for one in seconds), 300, "s"),
        Row(label + "drawing them", max(one[1] for one in seconds), None, "s"),
    ]


LIKENESS = ("shell spectrum over that of the data, from 1", "kurtosis from that of the data", "pixel density, W1 over std")


def likeness(data: TimeSeries, drawn: torch.Tensor) -> tuple[float, float, float]:
    """How far a sample is from data in what LIKENESS names."""
    grid = data.grid
    known, found = (shell_average(grid, mode_covariance(grid, u, float(u.mean())))[1] for u in (data.u, drawn))
    kurtosis = abs(diagnostics.kurtosis(drawn) - diagnostics.kurtosis(data.u))
    return float((found / known - 1).abs().max()), kurtosis, diagnostics.density_distance(drawn, data.u)


def step(sides=(32, 64, 128, 256), repeats: int = 15, intervals: int = 4) -> list[Row]:
    """A step of 1/32 over four real FFTs and N² normals, one thread."""
    return [
        Row(f"Allen-Cahn step over its floor, {n} × {n}, batch {batch(n)}, one thread", _floor_ratio(n, repeats, intervals), 1.5)
        for n in sides
    ]


def _floor_ratio(side: int, repeats: int, intervals: int) -> float:
    system, members = AllenCahn(grid=PeriodicGrid((side, side))), batch(side)
    grid, every = system.grid, intervals * system.dt
    noise = WhiteNoise(grid, range(members), 0)
    step = system.stepper(every, torch.device("cpu"))
    state = system.initial(range(members), 0, torch.device("cpu"))
    fields, normals, rng = grid.irfft(state), torch.empty(members, *grid.shape), generator(0, Stream.BENCH)

    def floor():
        for _ in range(8 * intervals):
            for _ in range(2):
                torch.fft.irfft2(state)
                torch.fft.rfft2(fields)
            normals.normal_(generator=rng)

    return ratio(lambda: [step(state, noise) for _ in range(8)], floor, repeats)


def large(side: int = 128) -> list[Row]:
    """The same code on a larger grid: 16 members, 60 time units."""
    system = AllenCahn(grid=PeriodicGrid((side, side)))
    rows, label = [], f"Allen-Cahn, {side} × {side}, "

    def timed(what: str, work: Callable):
        start = time.perf_counter()
        result = work()
        rows.append(Row(label + what, time.perf_counter() - start, None, "s"))
        return result

    data = timed("simulation, 16 members × 110 time units", lambda: simulate(system, members=16, duration=60.0, seed=0))
    score = timed("training, quick", lambda: fit_score(data, preset="quick"))
    for name, known in (("Gaussian", GaussianScore.fit(data)), ("generative", score)):
        answer = timed(f"{name} response at 21 lags", lambda known=known: respond(data, known, lags=20.0, resamples=50, form="controlled"))
        rows.append(Row(label + f"{name}: R_11 at lag 1", float(answer.values[1, 0, 0])))
    return rows


def limits(members: int = 128) -> list[Row]:
    """What LARGEST_STEP and LARGEST_RATIO of systems/allen_cahn.py are chosen from; ten minutes.

    Runs at different steps feel the same noise: fields that do stay together for long, so that less of what the step does to ⟨ū²⟩ is
    lost in its scatter. The identity at k = 0, of the same runs, scatters less by itself.
    """
    rows, steps = [], (1 / 64, 1 / 32, 1 / 16)
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
    """(2, member): ū² and −⟨u_k s_k*⟩ at k = 0 with A = 0, averaged over time; noise as of the finest steps, added up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = AllenCahn(advection=0.0, dt=dt)
    noise, parts = WhiteNoise(system.grid, range(members), 0), round(dt / finest)
    step, state = system.stepper(10.0, torch.device("cpu")), system.initial(range(members), 0, torch.device("cpu"))
    found = []
    for _ in range(spinup + intervals):
        state = step(state, lambda: sum(noise() for _ in range(parts)) / parts**0.5)
        u = system.grid.irfft(state)
        mean, score = (fields.mean((1, 2)) for fields in (u, system.score(u)))
        found.append(torch.stack([mean.square(), -system.grid.size * mean * score]))
    return torch.stack(found[spinup:]).double().mean(0)


ARCHITECTURES = {
    "3 × 3 to 32 channels, one mixing layer, σ = 0.01 (shipped)": {},
    "no neighbours: 1 × 1": {"kernels": (1, 1)},
    "5 × 5": {"kernels": (5, 1)},
    "3 × 3, two mixing layers": {"kernels": (3, 1, 1)},
    "3 × 3 twice": {"kernels": (3, 3)},
    "8 channels": {"width": 8},
    "64 channels": {"width": 64},
    "σ = 0.05": {"level": 0.05},
    "σ = 0.2": {"level": 0.2},
    "noise with the data's spectrum, σ = 0.15": {"noise": "data", "level": 0.15},
    "naive loss": {"antithetic": False},
    "naive loss, σ = 0.2": {"antithetic": False, "level": 0.2},
    "white start, ten times too large": {"start": "wrong"},
}


def architectures() -> list[Row]:
    """The table of lesson 04, which is written to the assets; about ten minutes."""
    calm, system = AllenCahn(advection=0.0), AllenCahn()
    fit_calm, fit = (simulate(s, members=64, duration=300.0, every=2.0, seed=1000) for s in (calm, system))
    test, use = (
        simulate(calm, members=16, duration=100.0, every=20.0, seed=0).u.flatten(0, 1),
        simulate(system, members=128, duration=400.0, seed=0),
    )
    truth, table = load_shipped("allen-cahn-truth"), []
    for what, change in ARCHITECTURES.items():
        start = change.get("start", "gaussian")
        spent = replace(budget("quick", kind="white"), **{name: value for name, value in change.items() if name != "start"})
        began = time.perf_counter()
        scores = [fit_score(data, budget=spent, start=start) for data in (fit_calm, fit)]
        seconds = (time.perf_counter() - began) / 2
        answer = respond(use, scores[1], lags=90.0, form="controlled", symmetries=("reflect y",), resamples=2)
        row = {"what": what, "relative_error": diagnostics.relative_error(scores[0](test), calm.score(test))}
        row |= {"l2": compare(answer, truth).quoted["l2"], "seconds": seconds}
        table.append({name: value if isinstance(value, str) else float(f"{value:.3g}") for name, value in row.items()})
    ship_table("allen-cahn-architectures", table, command="python -m gfdt_tutorial bench --only architectures")
    return [Row(f"{row['what']}: {key}", row[key]) for row in table for key in ("relative_error", "l2", "seconds")]
