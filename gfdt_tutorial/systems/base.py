"""The contract for systems: what a system must define, what has a default, and which capabilities it may have.

A system is a frozen dataclass that inherits from `System`. Its fields are its parameters; what all its instances share is a class
attribute without annotation. Everything that belongs to a system is in its own file.

    required     name, grid, initial, stepper
    defaults     label, spinup, lags, every, make_noise, continued, check_change, settle, field, state, symmetries, kick, parameter_table,
                 ensembles, samplings, reach, lab_changes
    capabilities score, response, drift_derivative, noise_derivative, potential: override those that are known in closed form;
                 hidden_forcing, reference: two more that a system may declare

No code outside a system's file depends on its class or its name. `has` tells whether a capability was overridden.
"""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.systems.sizes import Ensemble, Sampling, Truth, default_ensembles, default_samplings
from gfdt_tutorial.systems.white_noise import WhiteNoise

if TYPE_CHECKING:
    from gfdt_tutorial.core.series import TimeSeries

Stepper = Callable[[torch.Tensor, Any], torch.Tensor]  # (state, the system's own kind of noise) → the state one sampling interval later
Function = Callable[[torch.Tensor], torch.Tensor]
Lags = torch.Tensor | Sequence[float]

CAPABILITIES = ("score", "response", "drift_derivative", "noise_derivative", "potential")


class Noise(Protocol):
    """What drives a run: a callable, or an object that only the system's stepper interprets. It can be copied."""

    def copy(self) -> Self:
        """A copy that continues from here with the same random numbers."""
        ...


class NotKnownError(ValueError):
    """A capability that a system does not have, such as a score in closed form."""


class DivergedError(RuntimeError):
    """A state is no longer finite; `.partial` holds the TimeSeries computed before that, or None."""

    partial: TimeSeries | None = None


@dataclasses.dataclass(frozen=True)
class Parameter:
    """How a parameter of a system is displayed, and the range of its slider.

    Args:
        symbol: such as "κ".
        label: the name in words, such as "diffusivity".
        unit: such as "per unit time"; empty for a dimensionless parameter.
        low, high: the range of a slider; None for half and twice the value.
        slider: whether the parameter lab offers it, which needs a `drift_derivative` for it, or a `noise_derivative` if it is `of_noise`.
        of_noise: whether it belongs to the noise instead of the drift.
    """

    symbol: str
    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    slider: bool = True
    of_noise: bool = False

    def range(self, value: float) -> tuple[float, float]:
        """The range of a slider that starts at `value`."""
        return (0.5 * value if self.low is None else self.low, 2 * value if self.high is None else self.high)


class System(ABC):
    """A stationary stochastic system on a periodic grid, or without space.

    Attributes:
        name: in small letters with hyphens, such as "allen-cahn"; it appears in file names and in `info`.
        grid: of the field; PeriodicGrid(()) for a scalar variable.
        variables: names of the components of its series, which are unlike variables; None for one field or one number.
        label: the name in figures; derived from `name` by default.
        spinup: time before the first sample; 0 where `initial` draws from the stationary density.
        lags, every: the largest lag of its response, and the sampling interval that resolves it. The default sizes follow from these two.
        kick: how twins are kicked, "pixel" or "random signs", where the response has no closed form.
        symmetries: those symmetries known to `gfdt_tutorial.respond` that the field has.
        hidden_forcing: whether the noise has an attribute `spectra`, a forcing that the field does not show, which
            `simulate(..., context=True)` keeps.
        parameter_table: parameter → how it is displayed.
        ensembles, samplings: sizes by preset, where the defaults do not suit.
        reference: size of the long reference truth that `truth --system` computes; None where there is none.
        smooth_reference: the same for smooth kicks, `truth --system … --smooth`.
        reach: |u| up to which the density of pixel values is displayed.
        lab_changes: parameter values from which the parameter lab starts, where they differ from the defaults (such as a smaller step).

    A state is a tensor (member, ...) that only the system interprets; for fields it is by convention the spectrum (member,
    *grid.spectral_shape).
    """

    name: str
    grid: PeriodicGrid
    variables: tuple[str, ...] | None = None
    label: str = ""
    spinup: float = 0.0
    lags: float = 20.0
    every: float = 1.0
    kick: str = "pixel"
    hidden_forcing: bool = False
    parameter_table: ClassVar[Mapping[str, Parameter]] = {}
    ensembles: ClassVar[Mapping[str, Ensemble]] = {}
    samplings: ClassVar[Mapping[str, Sampling]] = {}
    reference: Truth | None = None
    smooth_reference: Truth | None = None
    reach: float = 3.0
    lab_changes: ClassVar[Mapping[str, float]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """Labels a score in closed form with the method "analytic", whichever system it belongs to."""
        super().__init_subclass__(**options)
        score = vars(cls).get("score")
        if score is not None and not hasattr(score, "method"):
            score.method = "analytic"

    # required

    @abstractmethod
    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """The initial states of a range of members, (member, ...); each depends on (seed, member) only."""

    @abstractmethod
    def stepper(self, every: float, device: torch.device) -> Stepper:
        """A function (state, noise) → state one sampling interval later. Axes of the state before the member axis share the noise."""

    # defaults

    def make_noise(self, members: range, seed: int, device: torch.device) -> Any:
        """The noise that drives a run: by default `WhiteNoise`, complex normals for each wavevector."""
        return WhiteNoise(self.grid, members, seed, device=device)

    def continued(self, noise: Any) -> Any:
        """A copy of a noise that continues under this system's parameters, where these determine the noise."""
        return noise.copy()

    def check_change(self, changed: Self) -> None:  # noqa: B027
        """Raises ValueError if a run of this system cannot continue as `changed`, of the same class and grid; by default it always can."""

    def settle(self, noise: Any) -> None:  # noqa: B027
        """Called at the end of the spin-up, for a system whose noise behaves differently afterwards; does nothing by default."""

    def field(self, state: torch.Tensor) -> torch.Tensor:
        """The observed field of a state, (..., *shape); linear in the state.

        A system that overrides this must override `state` too; its twins are kicked at one pixel.
        """
        return self.grid.irfft(state)

    def state(self, field: torch.Tensor) -> torch.Tensor:
        """The change of the state that corresponds to a change p of the field, such as a kick: `field(state(p))` is p."""
        return self.grid.rfft(field)

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Names of symmetries; by default there are none."""
        return ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample of its series: (*space), or (component, *space)."""
        return self.grid.shape if self.variables is None else (len(self.variables), *self.grid.shape)

    @property
    def title(self) -> str:
        """`label`, or the name with capital initials."""
        return self.label or self.name.replace("-", " ").title()

    def values(self) -> dict[str, float]:
        """The value of each parameter in `parameter_table`."""
        return {name: float(getattr(self, name)) for name in self.parameter_table}

    def settings(self) -> dict[str, Any]:
        """Everything that defines this system within its class, as plain JSON values; NumPy and torch values are converted."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=lambda value: value.tolist()))  # type: ignore[call-overload]

    def settable(self) -> set[str]:
        """The names that `changed` accepts."""
        return {field.name for field in dataclasses.fields(self)} - {"grid"}  # type: ignore[arg-type]  # every system is a dataclass

    def is_default(self) -> bool:
        """Whether all parameters are those that the class gives by default, for which results may be shipped."""
        try:
            return bool(self == type(self)())
        except TypeError:  # the class has parameters without default
            return False

    def changed(self, **changes: float) -> Self:
        """The system with some of its parameters changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]  # every system is a dataclass

    def ensemble(self, preset: str = "quick") -> Ensemble:
        """The sizes of a preset.

        Raises:
            ValueError: an unknown preset.
        """
        known = {**default_ensembles(self.lags, self.every), **self.ensembles}
        return known[checks.choice("preset", preset, known)]

    def sampling(self, preset: str = "quick") -> Sampling:
        """The sizes of a preset for responses to parameters.

        Raises:
            ValueError: an unknown preset.
        """
        known = {**default_samplings(self.lags, self.every), **self.samplings}
        return known[checks.choice("preset", preset, known)]

    # capabilities

    def has(self, capability: str) -> bool:
        """Whether the system has one of `CAPABILITIES`."""
        checks.choice("capability", capability, CAPABILITIES)
        return getattr(type(self), capability) is not getattr(System, capability)

    def score(self, u: torch.Tensor, context: torch.Tensor | None = None, sigma: float | None = None) -> torch.Tensor:
        """∇ ln ρ(u) with respect to pixel values, (..., *shape) → the same.

        Raises:
            NotKnownError: the system has no closed form of it.
        """
        raise NotKnownError(
            f"{self.name} has no closed form of its stationary density or its score; use GaussianScore.fit(data) or fit_score(data)"
        )

    def response(self, lags: Lags) -> torch.Tensor:
        """R(d, t) of a unit kick at pixel 0, (lag, *shape) by displacement d, at any times ≥ 0.

        Raises:
            NotKnownError: the system has no closed form of it.
        """
        raise NotKnownError(f"{type(self).__name__} has no closed-form response; use perturb(system, ...)")

    def drift_derivative(self, parameter: str) -> tuple[Function, Function]:
        """(f, ∇·f): the derivative of the drift with respect to a parameter, and its divergence over pixels.

        Raises:
            NotKnownError: the system does not implement it.
        """
        raise NotKnownError(f"{self.name} does not define the derivative of its drift with respect to {parameter}; write drift_derivative")

    def noise_derivative(self, parameter: str = "epsilon") -> torch.Tensor:
        """∂D/∂p, (*spectral_shape,), where D is the covariance of the noise between pixels per unit time.

        Raises:
            NotKnownError: the system does not implement it.
        """
        raise NotKnownError(f"{self.name} does not define the derivative of its noise with respect to {parameter}; write noise_derivative")

    def potential(self, parameter: str) -> Function:
        """φ = ∂ ln ρ/∂p up to a constant, (..., *shape) → (...), for `gfdt_tutorial.kubo`.

        Raises:
            NotKnownError: the system does not implement it.
        """
        raise NotKnownError(f"{self.name} does not define the derivative of its density with respect to {parameter}; write potential")
