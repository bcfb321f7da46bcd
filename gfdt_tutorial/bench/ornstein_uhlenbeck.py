"""The Ornstein-Uhlenbeck field: accuracy, learning, the latency of its explorer, and the cost of a sample."""

import math
import statistics as stdlib_statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import torch

from gfdt_tutorial.bench.lessons import printed
from gfdt_tutorial.bench.rows import MEMBERS, Row, batch, elapsed, one_thread, ratio
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.experiments.comparison import compare_methods
from gfdt_tutorial.experiments.pipeline import Comparison
from gfdt_tutorial.generation.sampling import sample
from gfdt_tutorial.scores import diagnostics
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import simulate


def accuracy(seeds: Sequence[int] = (0, 1, 2)) -> list[Row]:
    """The whole Ornstein-Uhlenbeck experiment with the preset quick: errors against the closed form, the worst of the seeds."""
    found = [compare_methods(OrnsteinUhlenbeck(), preset="quick", seed=seed) for seed in seeds]

    def worst(value: Callable[[Comparison], float]) -> float:
        return max(value(one) for one in found)

    rows = [
        Row(f"{method} response: quoted {name}", max(one.errors[method].quoted[key] for one in found), bound)
        for method, bounds in (("gaussian", (0.022, 0.008)), ("generative", (0.045, 0.015)))
        for name, key, bound in zip(("L2", "L∞"), ("l2", "linf"), bounds, strict=True)
    ]
    return [
        *rows,
        Row("generative from analytic response on the same data: quoted L2", worst(lambda one: one.checks["l2_from_analytic"]), 0.010),
        Row("learned from exact score, clean data: relative L2", worst(lambda one: one.checks["relative_error"]), 0.05),
        Row("training, its data included", worst(lambda one: one.seconds["fit"]), 60, "s"),
        Row("whole pipeline: simulate, fit, respond, perturb", worst(lambda one: sum(one.seconds.values())), 120, "s"),
    ]


def learning(seeds: Sequence[int] = (0, 1, 2)) -> list[Row]:
    """Score learning from a deliberately wrong start, gradient noise of two losses, and generated fields; the worst of the seeds."""
    system = OrnsteinUhlenbeck()
    wrong, variances, spectra, kurtoses, distances = [], [], [], [], []
    for seed in seeds:
        data = simulate(system, members=MEMBERS, duration=767.0, seed=seed)
        some = data.u[:, ::96].flatten(0, 1)
        white = replace(budget("quick"), noise="white", level=0.05)
        recovered = fit_score(data, seed=seed, start="wrong", calibrate=False, budget=white)
        wrong.append(diagnostics.relative_error(recovered(some), system.score(some)))
        training = Training(data, budget("quick"), seed=seed)
        naive, antithetic = diagnostics.gradient_variances(training.network, data, 0.02, mean=training.mean, seed=seed)
        variances.append(naive / antithetic)
        drawn = sample(cast(LearnedScore, fit_score(data, seed=seed, noise_levels=True)), 2048, seed=seed)
        ratio = mode_shells(system, drawn) / shell_average(system.grid, system.mode_covariance)[1]
        spectra.append(float((ratio - 1).abs().max()))
        kurtoses.append(abs(diagnostics.kurtosis(drawn) - 3))
        distances.append(diagnostics.density_distance(drawn, some))
    return [
        Row("learned from exact score, from a white start ten times too large: relative L2", max(wrong), 0.10),
        Row("gradient variance, naive over antithetic loss, σ = 0.02 (smallest)", min(variances), 100, at_least=True),
        Row("generation, 2048 fields: shell spectrum against closed form", max(spectra), 0.10),
        Row("generation, 2048 fields: kurtosis − 3", max(kurtoses), 0.10),
        Row("generation, 2048 fields: pixel density, W1 over std", max(distances), 0.03),
    ]


def mode_shells(system: OrnsteinUhlenbeck, fields: torch.Tensor) -> torch.Tensor:
    """C_k of a sample by shell, up to Nyquist."""
    return shell_average(system.grid, mode_covariance(system.grid, fields))[1]


LATENCY_CODE = """
import json, time, numpy as np
from gfdt_tutorial.course.widgets import OrnsteinUhlenbeckExplorer
explorer = OrnsteinUhlenbeckExplorer()
display(explorer)
milliseconds = []
for move in range(100):
    name, values = [("kappa", np.geomspace(1e-4, 1e-3, 100)), ("advection", np.linspace(-0.09, 0.09, 100)), ("lag", range(90))][move % 3]
    start = time.perf_counter()
    explorer.controls[name].value = values[move % 90]
    milliseconds.append(1e3 * (time.perf_counter() - start))
print(json.dumps(milliseconds))
"""


def slider_latency() -> list[Row]:
    """The explorer of lesson 02: kernel time per move of a slider, messages to the browser included, in a real Jupyter kernel."""
    return [Row("explorer of lesson 02: kernel time per slider move, p95 of 100", slow_moves(LATENCY_CODE), 50, "ms")]


def slow_moves(code: str) -> float:
    """Run code in a real Jupyter kernel; the 95 % quantile of the milliseconds that it prints as JSON."""
    import json

    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return float(np.percentile(json.loads(printed(notebook.cells[0])), 95))


def simulation_over_floor(sides: Sequence[int] = (32, 64, 128, 256), *, steps: int = 255, repeats: int = 9) -> list[Row]:
    """A simulated sample over its lower limit, one irfft2 and N² normal numbers, on one thread; medians of interleaved repeats."""
    label = "simulation over its floor"
    return [Row(f"{label}, {n} × {n}, batch {batch(n)}, one thread", _floor_ratio(n, steps, repeats), 1.5) for n in sides]


def _floor_ratio(side: int, steps: int, repeats: int) -> float:
    system, members = OrnsteinUhlenbeck(grid=PeriodicGrid((side, side))), batch(side)
    spectra = torch.randn(members, *system.grid.spectral_shape, dtype=torch.complex64)
    normals, rng = torch.empty(members, side, side), generator(0, Stream.BENCH)

    def floor() -> None:
        for _ in range(steps + 1):
            torch.fft.irfft2(spectra)
            normals.normal_(generator=rng)

    return ratio(lambda: simulate(system, members=members, duration=steps, device="cpu"), floor, repeats)


def growth_with_grid(sides: Sequence[int] = (32, 64, 128, 256)) -> list[Row]:
    """Cost of a simulated sample against N² log N, relative to the smallest grid."""
    seconds = {n: one_thread(partial(_seconds_per_sample, n)) for n in sides}
    unit = seconds[sides[0]] / _cost(sides[0])
    rows = [Row(f"simulation, {n} × {n}: time per sample", 1e6 * seconds[n], None, "µs") for n in sides]
    return rows + [
        Row(f"simulation, {n} × {n}: time over N² log N, against {sides[0]} × {sides[0]}", seconds[n] / _cost(n) / unit) for n in sides[1:]
    ]


def _cost(side: int) -> float:
    return side**2 * math.log(side)


def _seconds_per_sample(side: int) -> float:
    system = replace(OrnsteinUhlenbeck(), grid=PeriodicGrid((side, side)))
    steps = max(15, 255 * 32**2 // side**2)
    runs = [elapsed(lambda: simulate(system, members=MEMBERS, duration=steps, device="cpu")) for _ in range(5)]
    return stdlib_statistics.median(runs) / (MEMBERS * (steps + 1))
