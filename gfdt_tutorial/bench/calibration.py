"""Parameters of the two-phase field recovered from its statistics: runs that the theorem takes, and runs that finite differences take."""

from collections.abc import Callable
from dataclasses import replace

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.calibration import Calibration, Target
from gfdt_tutorial.parameters import Sampling, sampling
from gfdt_tutorial.responses import observables
from gfdt_tutorial.responses.weights import Field
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.shipped import ship_table
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.simulate import simulate

COMMAND = "python -m gfdt_tutorial bench --only calibration"
START = {"alpha": 0.7, "kappa": 1.3}  # over the true values
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
    """(α, κ) from 30 % wrong: by the theorem with a learned score and with the Gaussian one, and by finite differences."""
    truth, size = system or AllenCahn(), size or sampling("allen-cahn", "quick")
    observable = quick_statistics(truth.grid)
    target = Target.of(simulate(truth, size.members, size.spinup, size.duration, size.every, seed=99, device="cpu"), observable)
    wrong = replace(truth, **{name: factor * getattr(truth, name) for name, factor in START.items()})
    ways: dict[str, Callable | None] = {
        "theorem, learned score": lambda system, data: fit_score(data, preset, device="cpu"),
        "theorem, Gaussian score": lambda system, data: GaussianScore.fit(data),
        "finite differences": None,
    }
    rows, table, needed = [], [], {}
    for way, learn in ways.items():
        path = Calibration(wrong, tuple(START), target, observable, learn, size).run().path
        errors = [max(abs(update.parameters[name] / getattr(truth, name) - 1) for name in START) for update in path]
        close = next((number for number, error in enumerate(errors) if error <= CLOSE), None)
        needed[way] = float("inf") if close is None else path[close].simulations
        table += [
            {"way": way, "update": number, "error": error, "misfit": update.misfit, "simulations": update.simulations, **update.parameters}
            for number, (update, error) in enumerate(zip(path, errors, strict=True))
        ]
        best = min(range(len(path)), key=lambda number: path[number].misfit)
        label = f"(α, κ) from 30 % wrong, {way}: "
        bounds = (6, CLOSE) if "learned" in way else (None, None)
        rows += [
            Row(label + "updates until both are within 5 %", float("inf") if close is None else close, bounds[0]),
            Row(label + "simulations until then", needed[way]),
            Row(label + "larger relative error where the misfit is least", errors[best], bounds[1]),
        ]
    ratio = needed["theorem, learned score"] / needed["finite differences"]
    if shipping:
        ship_table("allen-cahn-calibration", table, command=COMMAND)
    return [*rows, Row("simulations until within 5 %, theorem over finite differences", ratio, 0.5)]
