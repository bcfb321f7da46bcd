"""Parameters of the two-phase field recovered from its statistics: what the theorem costs, and what finite differences cost."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.experiments.calibration import Calibration, Target, Update
from gfdt_tutorial.experiments.shipped import ship_table
from gfdt_tutorial.responses import observables
from gfdt_tutorial.responses.theorem import Field
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import Sampling

COMMAND = "python -m gfdt_tutorial bench --only calibration"
COST = "python -m gfdt_tutorial bench --only calibration-cost"
STARTS = {  # over the true values
    "α −30 %, κ +30 %": {"alpha": 0.7, "kappa": 1.3},
    "α −30 %, κ −30 %": {"alpha": 0.7, "kappa": 0.7},
}
LAGS = 25.0  # over which the statistics come to rest
CLOSE = 0.05
SMALL_SCALES = 10  # |k| from which the spectrum is averaged to one number


def quick_statistics(grid: PeriodicGrid) -> Field:
    """⟨u²⟩, ⟨u⁴⟩ and the mean of C_k over the small scales: three numbers that follow a change of α or κ within some ten time units.

    The spectrum at large scales would take hundreds, longer than the theorem can follow it in so short a series.
    """
    spectrum = observables.spectrum(grid)

    def small_scales(u: torch.Tensor) -> torch.Tensor:
        return spectrum(u)[..., SMALL_SCALES:].mean(-1, keepdim=True)

    return observables.together(observables.moment(grid, 2), observables.moment(grid, 4), small_scales)


def recovery(preset: str = "quick", size: Sampling | None = None, system: AllenCahn | None = None, shipping: bool = True) -> list[Row]:
    """(α, κ) from 30 % wrong, two starts: by the theorem with each score, and by finite differences.

    Args:
        preset: of the learned score.
    """
    truth, size = system or AllenCahn(), size or replace(AllenCahn().sampling("quick"), lags=LAGS)
    table = []
    for seed, (start, factors) in enumerate(STARTS.items()):
        data = simulate(
            truth, members=size.members, spinup=size.spinup, duration=size.duration, every=size.every, seed=99 + seed, device="cpu"
        )
        observable = quick_statistics(truth.grid)
        target = Target.of(data, observable)
        wrong = replace(truth, **{name: factor * getattr(truth, name) for name, factor in factors.items()})
        for way, learn in _ways(preset).items():
            path = Calibration(wrong, tuple(factors), target, observable, learn, size, seed=seed).run().path
            table += [{"start": start, "way": way, **_line(number, update, truth)} for number, update in enumerate(path)]
    if shipping:
        ship_table("allen-cahn-calibration", table, command=COMMAND)
    return _rows(table)


def cost(preset: str = "quick", size: Sampling | None = None, system: AllenCahn | None = None, shipping: bool = True) -> list[Row]:
    """Processor time of a run and, by each way, of the slopes that the theorem reads off it; and standard errors at the true values.

    Args:
        preset: of the learned score.
    """
    truth, size = system or AllenCahn(), size or replace(AllenCahn().sampling("quick"), lags=LAGS)
    observable, names = quick_statistics(truth.grid), ("alpha", "kappa")
    start = time.process_time()
    data = simulate(truth, members=size.members, spinup=size.spinup, duration=size.duration, every=size.every, seed=99, device="cpu")
    run, target = time.process_time() - start, Target.of(data, observable)
    exact = Calibration(truth, names, target, observable, None, size, updates=1, seed=1).run()
    errors = {name: error / getattr(truth, name) for name, error in exact.estimate().standard_errors.items()}
    table = []
    for way, learn in _ways(preset).items():
        start = time.process_time()
        if learn is not None:
            Calibration(truth, names, target, observable, learn, size).slopes(truth, data)
        table.append({"way": way, "run": run, "slopes": time.process_time() - start if learn else 0.0, "standard_errors": errors})
    if shipping:
        ship_table("allen-cahn-calibration-cost", table, command=COST)
    return [*_cost_rows(table), Row("(α, κ) at the true values, least misfit", exact.best.misfit)]


def _cost_rows(table: list[dict]) -> list[Row]:
    rows = [Row("(α, κ): one undisturbed run, processor time", table[0]["run"], unit="s")]
    rows += [Row(f"(α, κ): slopes by the {line['way']}, processor time", line["slopes"], unit="s") for line in table if line["slopes"]]
    return rows + [Row(f"standard error of {name} over its value", error) for name, error in table[0]["standard_errors"].items()]


def _ways(preset: str) -> dict[str, Callable | None]:
    return {
        "theorem, learned score": lambda system, data: fit_score(data, preset=preset, device="cpu"),
        "theorem, analytic score": lambda system, data: system.score,
        "theorem, Gaussian score": lambda system, data: GaussianScore.fit(data),
        "finite differences": None,
    }


def _line(number: int, update: Update, truth: AllenCahn) -> dict:
    error = max(abs(value / getattr(truth, name) - 1) for name, value in update.parameters.items())
    return {"update": number, "error": error, "misfit": update.misfit, "simulations": update.simulations, **update.parameters}


def _rows(table: list[dict]) -> list[Row]:
    rows, needed = [], {}
    for start, way in dict.fromkeys((line["start"], line["way"]) for line in table):
        path = [line for line in table if (line["start"], line["way"]) == (start, way)]
        close = next((line for line in path if line["error"] <= CLOSE), {"update": math.inf, "simulations": math.inf})
        needed[way] = needed.get(way, 0) + close["simulations"]
        label, bounds = f"(α, κ) from {start}, {way}: ", (6, CLOSE) if "learned" in way else (None, None)
        rows += [
            Row(label + "updates until both are within 5 %", close["update"], bounds[0]),
            Row(label + "simulations until then", close["simulations"]),
            Row(label + "larger relative error where the misfit is least", min(path, key=lambda line: line["misfit"])["error"], bounds[1]),
        ]
    ratio = needed["theorem, learned score"] / needed["finite differences"]
    return [*rows, Row("simulations until within 5 %, all starts, theorem over finite differences", ratio, 0.5)]
