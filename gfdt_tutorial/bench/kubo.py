"""Kubo's formula for the Allen-Cahn field, against simulations with changed parameters: with the letter's advection, and without."""

import time

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.experiments.parameter_responses import resimulate
from gfdt_tutorial.responses import observables
from gfdt_tutorial.responses.kubo import kubo
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.simulate import simulate

CHANGE = 0.02
EVERY, LAG = 1.5, 3.0
Bound = tuple[float | None, float | None]
BOUNDS: dict[str, Bound] = {"kappa": (2.0, 0.05), "alpha": (None, None)}  # distance from 1 in standard errors, and that error
NUMBERS = ("δ⟨u²⟩", "δ⟨u⁴⟩")
REST = 300.0  # spin-up without advection, as the initial fields are those of the letter: after 50, κ moves ⟨u²⟩ by a fifth less


def letter() -> list[Row]:
    """Kubo's formula at the letter's parameters; aliasing of the advection on the grid breaks reversibility, so some bounds are missed."""
    return reversible(AllenCahn())


def at_rest() -> list[Row]:
    """Kubo's formula without advection, where the field is reversible on its grid too."""
    return reversible(AllenCahn(advection=0.0), duration=800.0, changed=256, spinup=REST)


def reversible(
    system: AllenCahn,
    members: int = 128,
    duration: float = 1200.0,
    changed: int = 512,
    spinup: float | None = None,
    bounds: dict[str, Bound] = BOUNDS,
) -> list[Row]:
    """κ and α by 2 %: the change of ⟨u²⟩ and ⟨u⁴⟩ after three time units by Kubo's formula, over the measured change.

    Args:
        members, duration: of the unperturbed run.
        changed: members that are simulated with each changed parameter.
        spinup: of both; the system's own by default.
        bounds: parameter → largest distance of the ratio from 1 in standard errors, and largest standard error.
    """
    start = time.process_time()
    data = simulate(system, members=members, spinup=spinup, duration=duration, every=EVERY, seed=0, device="cpu")
    both = observables.together(*(observables.moment(system.grid, order) for order in (2, 4)))
    found = kubo(data, both, {name: system.potential(name) for name in bounds}, lags=LAG)
    label = f"A = {system.advection:g}, "
    rows = [Row(label + f"{members} unperturbed members of {duration:g}, processor time", time.process_time() - start, unit="s")]
    for name, bound in bounds.items():
        start = time.process_time()
        truth = resimulate(system, name, CHANGE, members=changed, every=EVERY, lags=LAG, spinup=spinup)
        rows += [Row(label + f"{changed} members with {name} ± {CHANGE:.0%}, processor time", time.process_time() - start, unit="s")]
        unit = CHANGE * getattr(system, name)
        rows += _compared(label + f"{name} + {CHANGE:.0%}, t = {LAG:g}, ", unit, found[name], truth, bound)
    return rows


def _compared(label: str, unit: float, found: Response, truth: Response, bound: Bound) -> list[Row]:
    rows = [Row(label + "⟨A(t)φ(0)⟩ − ⟨A(0)φ(t)⟩ in standard errors, largest", found.info["irreversibility"])]
    for number, name in enumerate(NUMBERS):
        predicted, error = (unit * float(part[-1, number]) for part in (found.values, present(found.standard_error)))
        measured, scatter = (float(part[-1, number]) for part in (truth.values, present(truth.standard_error)))
        ratio = predicted / measured
        combined = abs(ratio) * ((error / predicted) ** 2 + (scatter / measured) ** 2) ** 0.5
        rows += [
            Row(label + name + " by Kubo's formula", predicted),
            Row(label + name + " by Kubo's formula, standard error", error),
            Row(label + name + " measured", measured),
            Row(label + name + " measured, standard error", scatter),
            Row(label + name + " over the measured", ratio),
            Row(label + name + " over the measured, combined standard error", combined, bound[1]),
            Row(label + name + " over the measured, distance from 1 in these standard errors", abs(ratio - 1) / combined, bound[0]),
        ]
    return rows
