"""A few unlike variables, kicked or under changed parameters: their means and second moments, predicted by the theorem and measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.diffusion_change import diffusion_change
from gfdt_tutorial.responses.observable_twins import Change, observable_twins
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.responses.theorem import Perturbation, component_kicks
from gfdt_tutorial.systems.sde import SDE

MEMBERS = 256  # of a round of the measurement
ROUNDS = 8
FORM = "projected"
TRAINED = 10  # per cent, beyond which a caveat appears


def pairs_of(count: int) -> list[tuple[int, int]]:
    """The pairs i ≤ j of components, in the order of the second moments."""
    return [(i, j) for i in range(count) for j in range(i, count)]


def moments(u: torch.Tensor) -> torch.Tensor:
    """The components and the products of two of them, (..., component) → (..., n)."""
    return torch.cat([u, torch.stack([u[..., i] * u[..., j] for i, j in pairs_of(u.shape[-1])], -1)], -1)


@dataclass(frozen=True)
class ComponentLab:
    """A system with the responses of its first and second moments to all kicks and parameters, learned from one series.

    Args:
        system: whose series shows all components.
        responses: method → change → Response (lag, moment), per unit of the change.
        sizes: change → its unit, a standard deviation of a component or the value of a parameter.
    """

    system: SDE
    responses: Mapping[str, Mapping[str, Response]]
    sizes: Mapping[str, float]

    @classmethod
    def of(cls, system: SDE, data: TimeSeries, scores: Mapping[str, Score], *, lags: float, thin: int = 1) -> "ComponentLab":
        """The responses by several scores: to an impulse on each component, and to a lasting change of each parameter.

        Args:
            system: whose series shows all components.
            data: such a series.
            scores: method → score of these data.
            lags: the largest lag.
            thin: evaluate the scores at every `thin`-th origin only.

        Raises:
            ValueError: components that the series does not show.
        """
        found: dict[str, dict[str, Response]] = {}
        for method, score in scores.items():
            kicks, changes = component_kicks(system.components), _changes(system, score, data)
            impulses = sensitivities(data, score, moments, kicks, lags=lags, integrate=False, form=FORM, thin=thin)
            found[method] = impulses | sensitivities(data, score, moments, changes, lags=lags, form=FORM, thin=thin)
        sizes = dict(zip(system.components, data.spread, strict=True)) | {name: abs(value) for name, value in system.parameters.items()}
        return cls(system, found, sizes)


@dataclass(frozen=True)
class ComponentChange:
    """One change of one size.

    Args:
        lab: the responses.
        of: the component that is kicked, or the parameter that changes.
        per_cent: of its standard deviation, or of its value.

    Raises:
        ValueError: there is no such component or parameter.
    """

    lab: ComponentLab
    of: str
    per_cent: float = 20.0

    def __post_init__(self) -> None:
        checks.choice("what changes", self.of, self.lab.sizes)

    @property
    def size(self) -> float:
        """In units of the component or parameter."""
        return self.per_cent / 100 * self.lab.sizes[self.of]

    @property
    def times(self) -> torch.Tensor:
        """(lag,)."""
        return next(iter(self.lab.responses.values()))[self.of].times

    @property
    def predicted(self) -> dict[str, Response]:
        """Method → change of the moments, (lag, moment), to first order."""
        return {method: _times(responses[self.of], self.size) for method, responses in self.lab.responses.items()}

    def measured(self, seed: int) -> Response:
        """The same by a round of twins: half the difference between a change up and one down."""
        every, last = float(self.times[1]), float(self.times[-1])
        change = {"": Change(self.of, self.size)}
        found = observable_twins(self.lab.system, change, moments, lags=last, every=every, members=MEMBERS, seed=seed)[""]
        return _times(found, self.size)

    def caveats(self) -> list[str]:
        """Reasons for caution."""
        if self.of in self.lab.system.components or abs(self.per_cent) <= TRAINED:
            return []
        return [f"{self.of} {self.per_cent:+.0f} %: the prediction extrapolates its first order"]


def together(rounds: list[Response]) -> Response:
    """The mean over rounds of a measurement, with the scatter of all their parts."""
    parts = torch.cat([one.parts for one in rounds if one.parts is not None])
    return replace(rounds[0], values=parts.mean(0), standard_error=parts.std(0) / len(parts) ** 0.5, dof=len(parts) - 1.0, parts=parts)


def _times(response: Response, size: float) -> Response:
    error, parts = response.standard_error, response.parts
    return replace(
        response,
        values=size * response.values,
        standard_error=None if error is None else abs(size) * error,
        parts=None if parts is None else size * parts,
    )


def _changes(system: SDE, score: Score, data: TimeSeries) -> dict[str, Perturbation]:
    """Parameter → the change of the drift that has its effect, through drift or noise."""
    found: dict[str, Perturbation] = {}
    some = data.u[0, :: max(1, data.u.shape[1] // 16)]
    for name in system.parameters:
        rate = system.diffusion_derivative(name)
        in_noise = any(bool(rate(state).any()) for state in some)
        found[name] = diffusion_change(score, rate) if in_noise else system.drift_derivative(name)
    return found
