"""The parameter lab: how the statistics of a field change with its parameters, predicted at once and measured by a running ensemble."""

import warnings
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.experiments.parameter_responses import Statistics, predict, sliders, statistics, unperturbed
from gfdt_tutorial.experiments.shipped import load_shipped, shipped_names
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import find_system
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import LAB

METHODS = ("gaussian", "generative")
MEMBERS = 32  # per round
TRAINED = 0.1  # relative change beyond which a caveat appears: a second-order coefficient of order one then contributes a tenth
SURE = 3.0  # standard errors by which measured and predicted must differ for a caveat


@dataclass(frozen=True)
class ParameterLabSystem:
    """A system at its reference parameters, its statistics, and their responses to its parameters.

    Args:
        system: from which the lab starts.
        statistics: the observables.
        responses: by method, each (lag, parameter, number) per unit relative change.
        mean: (number,), averages of the unperturbed system from a short run, to which changes are compared.
    """

    system: System
    statistics: Statistics
    responses: dict[str, Response]
    mean: torch.Tensor


def lab_system(system: str | System) -> ParameterLabSystem:
    """A system with its shipped responses to parameters, otherwise with those that a short run gives.

    Args:
        system: a System, or an argument of `find_system`.

    Raises:
        ValueError: no such system, or one without parameters for sliders.
    """
    return _lab_system(find_system(system))


@cache
def _lab_system(system: System) -> ParameterLabSystem:
    if not sliders(system):
        raise ValueError(f"{system.name} names no parameter that a slider may move; fill `parameter_table` in its class")
    shipped = shipped_names()
    size, observed = system.sampling(LAB), statistics(system)
    stored = {name: f"{system.name}-parameters-{name}" for name in METHODS if f"{system.name}-parameters-{name}" in shipped}
    spinup = system.spinup if size.spinup is None else size.spinup
    run = simulate(system, members=2 * MEMBERS, spinup=spinup, duration=4.0, seed=4, device="cpu")
    if system.is_default() and stored:
        responses = {method: load_shipped(name) for method, name in stored.items()}
    else:
        data = unperturbed(system, preset=LAB, device="cpu")
        responses = {"gaussian": predict(system, data, GaussianScore.fit(data), preset=LAB)}
        if system.has("score"):
            responses["analytic"] = predict(system, data, system.score, preset=LAB)
    started = system.changed(**system.lab_changes) if system.lab_changes else system
    return ParameterLabSystem(started, observed, responses, observed.observable(run.u).mean((0, 1)))


@dataclass(frozen=True)
class ParameterChange:
    """A system whose parameters change permanently at t = 0.

    Args:
        name: a System, or an argument of `find_system`.
        relative: (parameter, change over its reference value), such as (("alpha", 0.1),).

    Raises:
        ValueError: no such system, or no such parameter among those of its sliders.
    """

    name: str | System
    relative: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        system = find_system(self.name)
        for parameter, _ in self.relative:
            checks.choice(f"parameter of {system.name}", parameter, sliders(system))

    @property
    def lab_system(self) -> ParameterLabSystem:
        """The system and its responses."""
        return lab_system(self.name)

    @property
    def times(self) -> torch.Tensor:
        """(lag,), since the change."""
        return next(iter(self.lab_system.responses.values())).times

    @cached_property
    def _made(self) -> tuple[System, list[str]]:
        """The changed system, and the warnings that it gives about its parameters."""
        system = self.lab_system.system
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            changed = system.changed(**{name: getattr(system, name) * (1 + relative) for name, relative in self.relative})
        return changed, [str(one.message) for one in said]

    @property
    def changed(self) -> System:
        """The changed system."""
        return self._made[0]

    @cached_property
    def predicted(self) -> dict[str, Response]:
        """Σ_p δp ∂⟨A⟩/∂p by each method, (lag, number).

        The errors of several parameters come from the same series; the standard error of the sum is the bound Σ_p |δp| times their own.
        """
        return {method: self._first_order(response) for method, response in self.lab_system.responses.items()}

    def _first_order(self, response: Response) -> Response:
        moved = dict(self.relative)
        by = torch.tensor([moved.get(name, 0.0) for name in response.info["parameters"]])
        values = torch.einsum("lpn,p->ln", response.values, by)
        return replace(response, values=values, standard_error=torch.einsum("lpn,p->ln", response.standard_error, by.abs()))

    def ensemble(self) -> ChangedEnsemble:
        """Members with the old and the new parameters and the same noise; each iteration over it adds a round."""
        every, last = float(self.times[1]), float(self.times[-1])
        system, observable = self.lab_system.system, self.lab_system.statistics.observable
        size = system.sampling(LAB)
        spinup = system.spinup if size.spinup is None else size.spinup
        return ChangedEnsemble(system, self.changed, observable, lags=last, every=every, members=MEMBERS, spinup=spinup)

    def row(self, run: ChangedEnsemble | None) -> int:
        """The index of the largest lag that a run has measured; −1 for none."""
        return -1 if run is None else (len(self.times) - 1 if run.rounds else run.row)

    def caveats(self, run: ChangedEnsemble | None = None) -> list[str]:
        """Reasons for caution: parameters far from those of the training data, or a measurement that differs from the prediction."""
        shown = self.lab_system.system.parameter_table
        far = [f"{shown[name].symbol} {100 * relative:+.0f} %" for name, relative in self.relative if abs(relative) > TRAINED]
        said = [f"{', '.join(far)}: outside what the score was learned at; the prediction extrapolates its first order"] if far else []
        return said + self._made[1] + self._departures(run)

    def _departures(self, run: ChangedEnsemble | None) -> list[str]:
        row = self.row(run)
        if run is None or row < 1:
            return []
        found, expected = run.response(), list(self.predicted.values())[-1]
        said = []
        for number, name in enumerate(self.lab_system.statistics.names[:2]):
            (measured, its_error), (first, first_error) = (_value_and_error(one, row, number) for one in (found, expected))
            if abs(measured - first) > max(SURE * (its_error**2 + first_error**2) ** 0.5, TRAINED * abs(measured)):
                moved = f"{name} moved by {measured:+.4f} ± {its_error:.4f}, predicted {first:+.4f} ± {first_error:.4f}"
                said.append(f"the prediction does not hold here: {moved}; the change is beyond first order, or the score is inaccurate")
        return said


def _value_and_error(response: Response, row: int, number: int) -> tuple[float, float]:
    error = 0.0 if response.standard_error is None else float(response.standard_error[row, number])
    return float(response.values[row, number]), error
