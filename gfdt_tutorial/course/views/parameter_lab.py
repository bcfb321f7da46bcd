"""What the parameter lab shows: how statistics of a field move with its parameters, predicted at once and measured while one watches."""

import warnings
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.experiments.parameter_responses import Measures, measures, predicted, sliders, undisturbed
from gfdt_tutorial.experiments.shipped import load_shipped, shipped_names
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import find_system
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import LAB

METHODS = ("gaussian", "generative")
MEMBERS = 32  # of a round
TRAINED = 0.1  # relative change beyond which the warning comes: a second order as large as the first would then be a tenth of it
SURE = 3.0  # standard errors that tell measured from predicted


@dataclass(frozen=True)
class LabSystem:
    """A system at the letter's parameters, what is measured of it, and the answers of that to its parameters.

    Args:
        answers: by method, each (lag, parameter, number) per unit relative change.
        mean: (number,), undisturbed, from a short run: what changes are told relative to.
    """

    system: System
    measures: Measures
    answers: dict[str, Response]
    mean: torch.Tensor


def known(system: str | System) -> LabSystem:
    """What is known of a system: the shipped responses to its parameters, else those that a short run gives.

    Raises:
        ValueError: no such system, or one that names no parameter for a slider.
    """
    return _known(find_system(system))


@cache
def _known(system: System) -> LabSystem:
    if not sliders(system):
        raise ValueError(f"{system.name} names no parameter that a slider may move; fill `parameters` in its class")
    shipped = shipped_names()
    size, measured = system.sampling(LAB), measures(system)
    at_rest = {name: f"{system.name}-parameters-{name}" for name in METHODS if f"{system.name}-parameters-{name}" in shipped}
    spinup = system.spinup if size.spinup is None else size.spinup
    run = simulate(system, members=2 * MEMBERS, spinup=spinup, duration=4.0, seed=4, device="cpu")
    if system == type(system)() and at_rest:
        responses = {method: load_shipped(name) for method, name in at_rest.items()}
    else:
        data = undisturbed(system, preset=LAB, device="cpu")
        responses = {"gaussian": predicted(system, data, GaussianScore.fit(data), preset=LAB)}
        if system.has("score"):
            responses["analytic"] = predicted(system, data, system.score, preset=LAB)
    started = system.changed(**system.lab_changes) if system.lab_changes else system
    return LabSystem(started, measured, responses, measured.observable(run.u).mean((0, 1)))


@dataclass(frozen=True)
class Shift:
    """A system whose parameters are moved, for good, at t = 0.

    Args:
        name: the system, or what `find_system` finds.
        relative: (parameter, change over the letter's value), such as (("alpha", 0.1),).

    Raises:
        ValueError: no such system, or no such parameter among those that its answers are shipped for.
    """

    name: str | System
    relative: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        system = find_system(self.name)
        for parameter, _ in self.relative:
            checks.choice(f"parameter of {system.name}", parameter, sliders(system))

    @property
    def known(self) -> LabSystem:
        """The system and its answers."""
        return known(self.name)

    @property
    def times(self) -> torch.Tensor:
        """(lag,), since the change."""
        return next(iter(self.known.answers.values())).times

    @cached_property
    def _made(self) -> tuple[System, list[str]]:
        """The system as it becomes, and what it has to say against its parameters."""
        system = self.known.system
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            changed = system.changed(**{name: getattr(system, name) * (1 + relative) for name, relative in self.relative})
        return changed, [str(one.message) for one in said]

    @property
    def changed(self) -> System:
        """The system as it becomes."""
        return self._made[0]

    @cached_property
    def predicted(self) -> dict[str, Response]:
        """Σ_p δp ∂⟨A⟩/∂p by each method, (lag, number).

        The errors of several parameters come from the same series and add up, at the most, as |δp| times their own.
        """
        return {method: self._first_order(answer) for method, answer in self.known.answers.items()}

    def _first_order(self, answer: Response) -> Response:
        moved = dict(self.relative)
        by = torch.tensor([moved.get(name, 0.0) for name in answer.info["parameters"]])
        values = torch.einsum("lpn,p->ln", answer.values, by)
        return replace(answer, values=values, standard_error=torch.einsum("lpn,p->ln", answer.standard_error, by.abs()))

    def ensemble(self) -> ChangedEnsemble:
        """Members under the old parameters and the new, with the same noise; a round more each time it is iterated."""
        every, last = float(self.times[1]), float(self.times[-1])
        system, observable = self.known.system, self.known.measures.observable
        size = system.sampling(LAB)
        spinup = system.spinup if size.spinup is None else size.spinup
        return ChangedEnsemble(system, self.changed, observable, lags=last, every=every, members=MEMBERS, spinup=spinup)

    def row(self, run: ChangedEnsemble | None) -> int:
        """The lag up to which a run has measured; −1 for none."""
        return -1 if run is None else (len(self.times) - 1 if run.rounds else run.row)

    def doubts(self, run: ChangedEnsemble | None = None) -> list[str]:
        """What should make one careful: parameters far from those the score was learned at, or what was measured departs."""
        shown = self.known.system.parameter_table
        far = [f"{shown[name].symbol} {100 * relative:+.0f} %" for name, relative in self.relative if abs(relative) > TRAINED]
        said = [f"{', '.join(far)}: outside what the score was learned at; the prediction extrapolates its first order"] if far else []
        return said + self._made[1] + self._departures(run)

    def _departures(self, run: ChangedEnsemble | None) -> list[str]:
        row = self.row(run)
        if row < 1:
            return []
        found, expected = run.response(), list(self.predicted.values())[-1]
        said = []
        for number, name in enumerate(self.known.measures.names[:2]):
            (measured, by), (first, about) = (
                (float(one.values[row, number]), float(one.standard_error[row, number])) for one in (found, expected)
            )
            if abs(measured - first) > max(SURE * (by**2 + about**2) ** 0.5, TRAINED * abs(measured)):
                moved = f"{name} moved by {measured:+.4f} ± {by:.4f}, predicted {first:+.4f} ± {about:.4f}"
                said.append(f"the prediction does not hold here: {moved}; beyond first order, or a fault of the score")
        return said
