"""Parameters of the Allen-Cahn field recovered from its statistics: the cost of the theorem and of finite differences."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.experiments.calibration import Calibration, Target, Update
from gfdt_tutorial.experiments.shipped import ship_table
from gfdt_tutorial.responses import observables
from gfdt_tutorial.responses.theorem import Field
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import Sampling

COMMAND = "python -m gfdt_tutorial bench --only calibration"
COST_COMMAND = "python -m gfdt_tutorial bench --only calibration-cost"
STARTS = {  # over the true values
    "α −30 %, κ +30 %": {"alpha": 0.7, "kappa": 1.3},
    "α −30 %, κ −30 %": {"alpha": 0.7, "kappa": 0.7},
}
LAGS = 25.0  # after which the statistics have reached their new values
CLOSE = 0.05
SMALL_SCALES = 10  # |k| from which the spectrum is averaged to one number

Score = Callable[[torch.Tensor], torch.Tensor]
Learn = Callable[[System, TimeSeries], Score]


def quick_statistics(grid: PeriodicGrid) -> Field:
    """⟨u²⟩, ⟨u⁴⟩ and the mean of C_k over the small scales: three numbers that respond to a change of α or κ within about ten time units.

    The spectrum at large scales would take hundreds, longer than the theorem can follow it in such a short series.
    """
    spectrum = observables.spectrum(grid)

    def small_scales(u: torch.Tensor) -> torch.Tensor:
        return spectrum(u)[..., SMALL_SCALES:].mean(-1, keepdim=True)

    return observables.together(observables.moment(grid, 2), observables.moment(grid, 4), small_scales)


def recovery(preset: str = "quick", size: Sampling | None = None, system: AllenCahn | None = None, shipping: bool = True) -> list[Row]:
    """Calibration of α and κ from two starts that are 30 % wrong: by the theorem with each score, and by finite differences.

    Args:
        preset: of the learned score.
    """
    truth, size = system or AllenCahn(), size or replace(AllenCahn().sampling("quick"), lags=LAGS)
    table: list[dict] = []
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
    """The cost of slopes by the theorem and of the run that they are read off; standard errors of α and κ at the true values.

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
        ship_table("allen-cahn-calibration-cost", table, command=COST_COMMAND)
    return [*_cost_rows(table), Row("(α, κ) at the true values, smallest misfit", exact.best.misfit)]


def _cost_rows(table: list[dict]) -> list[Row]:
    rows = [Row("(α, κ): one unperturbed run, processor time", table[0]["run"], unit="s")]
    rows += [Row(f"(α, κ): slopes by the {line['way']}, processor time", line["slopes"], unit="s") for line in table if line["slopes"]]
    return rows + [Row(f"standard error of {name} over its value", error) for name, error in table[0]["standard_errors"].items()]


def _ways(preset: str) -> dict[str, Learn | None]:
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
    rows: list[Row] = []
    needed: dict[str, float] = {}
    for start, way in dict.fromkeys((line["start"], line["way"]) for line in table):
        path = [line for line in table if (line["start"], line["way"]) == (start, way)]
        close = next((line for line in path if line["error"] <= CLOSE), {"update": math.inf, "simulations": math.inf})  # inf: never
        needed[way] = needed.get(way, 0) + close["simulations"]
        label, promised = f"(α, κ) from {start}, {way}: ", "learned" in way
        best = min(path, key=lambda line: line["misfit"])
        rows += [
            Row(label + "updates until both are within 5 %", close["update"], 6 if promised else None),
            Row(label + "simulations until then", close["simulations"]),
            Row(label + "larger relative error where the misfit is smallest", best["error"], CLOSE if promised else None),
        ]
    ratio = needed["theorem, learned score"] / needed["finite differences"]
    return [*rows, Row("simulations until within 5 %, all starts, theorem over finite differences", ratio, 0.5)]
