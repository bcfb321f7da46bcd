"""The Allen-Cahn field: accuracy of its responses, statistics, generation, and the cost of a step."""

import math
import time
from collections.abc import Callable, Sequence
from typing import cast

import torch

from gfdt_tutorial.bench.rows import Row, batch, mean_and_scatter, ratio
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.memory import peak_memory_mb
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.experiments.comparison import compare_methods
from gfdt_tutorial.experiments.reference_truth import reference_truth
from gfdt_tutorial.generation.sampling import sample
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores import diagnostics
from gfdt_tutorial.scores.fit import fit_score, suited
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.steins_identity import stein
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.white_noise import WhiteNoise


def accuracy(
    seeds: Sequence[int] = (0, 1, 2),
    preset: str = "quick",
    reach: tuple[float, float] = (0.06, 0.015),
    cost: tuple[float | None, float | None, float | None] = (60, 180, 1200),
) -> list[Row]:
    """The whole Allen-Cahn experiment with the preset quick, against the shipped truth: mean and scatter over the seeds.

    Args:
        reach: bounds of L2 and L∞ in the controlled form.
        cost: bounds of the seconds of training, the seconds of everything, and the peak memory in MB.
    """
    found = [compare_methods(AllenCahn(), preset=preset, seed=seed) for seed in seeds]
    label, seconds = f"Allen-Cahn, {preset}, ", [one.seconds for one in found]
    rows: list[Row] = []
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
    """The whole Allen-Cahn experiment with the preset standard, against the shipped truth; about ten minutes per seed."""
    return accuracy((0, 1, 2), "standard", (0.03, 0.010), (None, 720, None))


def elsewhere(seeds: Sequence[int] = (0,), pairs: int = 1024) -> list[Row]:
    """The Allen-Cahn field at other parameters, against twins kicked for them: L2 of the generative response over that of the Gaussian."""
    rows = []
    for words, system in {"α = 4": AllenCahn(alpha=4.0), "A = 0.05": AllenCahn(advection=0.05)}.items():
        truth = reference_truth(system, pairs=pairs, seed=77)
        ratios = []
        for seed in seeds:
            found = compare_methods(system, preset="quick", seed=seed)
            errors = [compare(found.responses[name], truth).quoted["l2"] for name in ("generative_normalised", "gaussian")]
            ratios.append(errors[0] / errors[1])
        rows.append(Row(f"Allen-Cahn, quick, {words}: generative over Gaussian L2", max(ratios), 0.5))
    return rows


def statistics(seeds: Sequence[int] = (0, 1, 2), members: int = 64, duration: float = 1500.0) -> list[Row]:
    """The Allen-Cahn field at A = 0: moments against Hamiltonian Monte Carlo, and Stein's identity by shell; the worst of the seeds."""
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


def generation(seeds: Sequence[int] = (0, 1, 2), count: int = 2048) -> list[Row]:
    """Allen-Cahn fields sampled from the density learned with the preset quick, against the data; the worst of the seeds."""
    learned, gaussian, seconds = [], [], []
    for seed in seeds:
        # many members, because the spatial mean of each forgets its start only slowly
        data = simulate(AllenCahn(), members=256, duration=60.0, every=2.0, seed=seed)
        began = time.perf_counter()
        score = cast(LearnedScore, fit_score(data, seed=seed, noise_levels=True, validation=0.05))
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
        Row(label + "sampling them", max(one[1] for one in seconds), None, "s"),
    ]


LIKENESS = ("shell spectrum over that of the data, from 1", "kurtosis from that of the data", "pixel density, W1 over std")


def likeness(data: TimeSeries, drawn: torch.Tensor) -> tuple[float, float, float]:
    """The distances of a sample from the data that LIKENESS names."""
    grid = data.grid
    known, found = (shell_average(grid, mode_covariance(grid, u, float(u.mean())))[1] for u in (data.u, drawn))
    kurtosis = abs(diagnostics.kurtosis(drawn) - diagnostics.kurtosis(data.u))
    return float((found / known - 1).abs().max()), kurtosis, diagnostics.density_distance(drawn, data.u)


def step(sides: Sequence[int] = (32, 64, 128, 256), repeats: int = 15, intervals: int = 4) -> list[Row]:
    """A step of the Allen-Cahn field over its lower limit, four real FFTs and N² normal numbers, on one thread."""
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

    def floor() -> None:
        for _ in range(8 * intervals):
            for _ in range(2):
                torch.fft.irfft2(state)
                torch.fft.rfft2(fields)
            normals.normal_(generator=rng)

    return ratio(lambda: [step(state, noise) for _ in range(8)], floor, repeats)


def large(side: int = 128) -> list[Row]:
    """The Allen-Cahn field on a larger grid: 16 members, 60 time units."""
    system = AllenCahn(grid=PeriodicGrid((side, side)))
    label = f"Allen-Cahn, {side} × {side}, "
    start = time.perf_counter()
    data = simulate(system, members=16, duration=60.0, seed=0)
    rows = [Row(label + "simulation, 16 members × 110 time units", time.perf_counter() - start, None, "s")]
    start = time.perf_counter()
    learned = fit_score(data, preset="quick")
    rows.append(Row(label + "training, quick", time.perf_counter() - start, None, "s"))
    scores: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"Gaussian": GaussianScore.fit(data), "generative": learned}
    for name, score in scores.items():
        start = time.perf_counter()
        response = respond(data, score, lags=20.0, resamples=50, form="controlled")
        rows.append(Row(label + f"{name} response at 21 lags", time.perf_counter() - start, None, "s"))
        rows.append(Row(label + f"{name}: R_11 at lag 1", float(response.values[1, 0, 0])))
    return rows
