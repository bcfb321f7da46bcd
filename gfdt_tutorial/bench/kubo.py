"""Kubo's formula on the two-phase field, against members that are really changed."""

from gfdt_tutorial.bench.rows import Row, elapsed
from gfdt_tutorial.parameters import resimulated
from gfdt_tutorial.responses import observables
from gfdt_tutorial.responses.curves import Response
from gfdt_tutorial.responses.reversible import kubo
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.simulate import simulate

CHANGE = 0.02
LAG = 3.0
BOUNDS = {"kappa": (2.0, 0.05), "alpha": (None, None)}  # distance from 1 in standard errors, and that error
NUMBERS = ("δ⟨u²⟩", "δ⟨u⁴⟩")


def reversible(system: AllenCahn | None = None, members: int = 128, duration: float = 1600.0, changed: int = 8192) -> list[Row]:
    """κ and α by 2 %: the change of ⟨u²⟩ and ⟨u⁴⟩ after three time units by Kubo's formula, over what is measured.

    Args:
        members, duration: of the undisturbed run.
        changed: members that are really changed, for each parameter.
    """
    system = system or AllenCahn()
    made = {}
    spent = elapsed(lambda: made.update(_predicted(system, members, duration)))
    label = f"{system.name}, undisturbed, {members} members of {duration:g} time units, with Kubo's formula"
    rows = [Row(label, spent, unit="s")]
    for parameter, found in made.items():
        truth = {}
        spent = elapsed(lambda parameter=parameter, truth=truth: truth.update(it=_measured(system, parameter, changed)))
        rows += [Row(f"{system.name}, {changed} members with {parameter} ± {CHANGE:.0%}", spent, unit="s")]
        rows += _compared(system, parameter, found, truth["it"])
    return rows


def _predicted(system: AllenCahn, members: int, duration: float) -> dict[str, Response]:
    data = simulate(system, members=members, duration=duration, every=1.0, seed=0, device="cpu")
    both = observables.together(*(observables.moment(system.grid, order) for order in (2, 4)))
    return kubo(data, both, {name: system.potential(name) for name in BOUNDS}, LAG)


def _measured(system: AllenCahn, parameter: str, members: int) -> Response:
    return resimulated(system, parameter, CHANGE, members=members, every=1.0, lags=LAG)


def _compared(system: AllenCahn, parameter: str, found: Response, truth: Response) -> list[Row]:
    rows, (far, wide) = [], BOUNDS[parameter]
    for number, name in enumerate(NUMBERS):
        predicted, error = (CHANGE * getattr(system, parameter) * float(part[-1, number]) for part in (found.values, found.standard_error))
        measured, scatter = (float(part[-1, number]) for part in (truth.values, truth.standard_error))
        ratio = predicted / measured
        combined = abs(ratio) * ((error / predicted) ** 2 + (scatter / measured) ** 2) ** 0.5
        label = f"{parameter} + {CHANGE:.0%}, t = {LAG:g}, {name}: "
        rows += [
            Row(label + "by Kubo's formula", predicted),
            Row(label + "its standard error", error),
            Row(label + "measured", measured),
            Row(label + "its standard error, measured", scatter),
            Row(label + "over the measured", ratio),
            Row(label + "over the measured, combined standard error", combined, wide),
            Row(label + "distance from 1 in these", abs(ratio - 1) / combined, far),
        ]
    return rows
