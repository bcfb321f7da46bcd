"""What the parameter lab shows: how statistics of a field move with its parameters, predicted at once and measured while one watches."""

import warnings
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.experiments.parameter_responses import PARAMETERS, Measures, measures
from gfdt_tutorial.experiments.shipped import load_shipped
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.simulate import simulate

SYMBOLS = {"lam": "λ", "alpha": "α", "kappa": "κ", "advection": "A", "epsilon": "ε", "nu": "ν", "nu_h": "ν_h"}
METHODS = ("gaussian", "generative")
MEMBERS = 32  # of a round
SPINUP = {"ornstein-uhlenbeck": 0.0, "allen-cahn": 25.0, "navier-stokes": 20.0}
STEPS = {"allen-cahn": {"dt": 1 / 48}}  # a third stronger well needs a third smaller steps
TRAINED = 0.1  # relative change beyond which the warning comes: a second order as large as the first would then be a tenth of it
SURE = 3.0  # standard errors that tell measured from predicted


@dataclass(frozen=True)
class LabSystem:
    """A system at the letter's parameters, what is measured of it, and the answers of that to its parameters.

    Args:
        answers: by method, each (lag, parameter, number) per unit relative change.
        mean: (number,), undisturbed, from a short run: what changes are told relative to.
    """

    system: object
    measures: Measures
    answers: dict[str, Response]
    mean: torch.Tensor


@cache
def known(name: str) -> LabSystem:
    """What is shipped of a system.

    Raises:
        ValueError: no such system.
    """
    system = SYSTEMS[checks.choice("system", name, PARAMETERS)](**STEPS.get(name, {}))
    measured = measures(system)
    answers = {method: load_shipped(f"{name}-parameters-{method}") for method in METHODS}
    run = simulate(system, members=2 * MEMBERS, spinup=SPINUP[name], duration=4.0, seed=4, device="cpu")
    return LabSystem(system, measured, answers, measured.observable(run.u).mean((0, 1)))


@dataclass(frozen=True)
class Shift:
    """A system whose parameters are moved, for good, at t = 0.

    Args:
        name: of the system.
        relative: (parameter, change over the letter's value), such as (("alpha", 0.1),).

    Raises:
        ValueError: no such system, or no such parameter among those that its answers are shipped for.
    """

    name: str
    relative: tuple[tuple[str, float], ...] = ()

    def __post_init__(self):
        checks.choice("system", self.name, PARAMETERS)
        for parameter, _ in self.relative:
            checks.choice(f"parameter of {self.name}", parameter, PARAMETERS[self.name])

    @property
    def known(self) -> LabSystem:
        """The system and its answers."""
        return known(self.name)

    @property
    def times(self) -> torch.Tensor:
        """(lag,), since the change."""
        return next(iter(self.known.answers.values())).times

    @cached_property
    def _made(self) -> tuple[object, list[str]]:
        """The system as it becomes, and what it has to say against its parameters."""
        system = self.known.system
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            changed = replace(system, **{name: getattr(system, name) * (1 + relative) for name, relative in self.relative})
        return changed, [str(one.message) for one in said]

    @property
    def changed(self) -> object:
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
        options = {"every": every, "members": MEMBERS, "spinup": SPINUP[self.name]}
        return ChangedEnsemble(self.known.system, self.changed, self.known.measures.observable, lags=last, **options)

    def row(self, run: ChangedEnsemble | None) -> int:
        """The lag up to which a run has measured; −1 for none."""
        return -1 if run is None else (len(self.times) - 1 if run.rounds else run.row)

    def doubts(self, run: ChangedEnsemble | None = None) -> list[str]:
        """What should make one careful: parameters far from those the score was learned at, or what was measured departs."""
        far = [f"{SYMBOLS[name]} {100 * relative:+.0f} %" for name, relative in self.relative if abs(relative) > TRAINED]
        said = [f"{', '.join(far)}: outside what the score was learned at; the prediction extrapolates its first order"] if far else []
        return said + self._made[1] + self._departures(run)

    def _departures(self, run: ChangedEnsemble | None) -> list[str]:
        row = self.row(run)
        if row < 1:
            return []
        found, expected = run.response(), self.predicted["generative"]
        said = []
        for number, name in enumerate(self.known.measures.names[:2]):
            (measured, by), (first, about) = (
                (float(one.values[row, number]), float(one.standard_error[row, number])) for one in (found, expected)
            )
            if abs(measured - first) > max(SURE * (by**2 + about**2) ** 0.5, TRAINED * abs(measured)):
                moved = f"{name} moved by {measured:+.4f} ± {by:.4f}, predicted {first:+.4f} ± {about:.4f}"
                said.append(f"the prediction does not hold here: {moved}; beyond first order, or a fault of the score")
        return said
