"""The contract for systems: what a system must bring, what has a default, and every capability that it may have.

A system is a frozen dataclass that inherits from `System`; its fields are its parameters, and what all its instances share is a class
attribute without annotation. Whatever belongs to it stands in its own file.

    required     name, grid, initial, stepper
    defaults     label, spinup, lags, every, make_noise, continued, check_change, settle, field, state, symmetries, kick, parameter_table,
                 ensembles, samplings, reach, lab_changes
    capabilities score, response, drift_derivative, noise_derivative, potential: override those that are known in closed form;
                 hidden_forcing, reference: what else it has

Nothing outside a system's file asks for its class or its name. `has` tells whether a capability was overridden.
"""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.systems.sizes import Ensemble, Sampling, Truth, default_ensembles, default_samplings
from gfdt_tutorial.systems.white_noise import WhiteNoise

if TYPE_CHECKING:
    from gfdt_tutorial.core.series import TimeSeries

Stepper = Callable[[torch.Tensor, Any], torch.Tensor]  # (state, the system's own noise) → the state one sampling interval later
Function = Callable[[torch.Tensor], torch.Tensor]
CAPABILITIES = ("score", "response", "drift_derivative", "noise_derivative", "potential")


class Noise(Protocol):
    """What drives a run: a callable, or an object that only the system's stepper understands. It can be copied."""

    def copy(self) -> Self:
        """One that goes on from here with the same random numbers."""
        ...


class NotKnownError(ValueError):
    """A capability that a system does not have, such as a score in closed form."""


class DivergedError(RuntimeError):
    """A run left the finite numbers; `.partial` holds the TimeSeries computed before, or None."""

    partial: TimeSeries | None = None


@dataclasses.dataclass(frozen=True)
class Parameter:
    """How a parameter of a system is shown, and over which range a slider moves it.

    Args:
        symbol: such as "κ".
        label: in words, such as "diffusivity".
        unit: such as "per unit time"; empty for a pure number.
        low, high: the range of a slider; None for half and twice the value.
        slider: whether the parameter lab may move it, which needs a `drift_derivative` or a `noise_derivative` by it.
    """

    symbol: str
    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    slider: bool = True

    def range(self, value: float) -> tuple[float, float]:
        """The range of a slider that starts at a value."""
        return (0.5 * value if self.low is None else self.low, 2 * value if self.high is None else self.high)


class System(ABC):
    """A stationary stochastic system on a periodic grid, or without space.

    Attributes:
        name: in small letters with hyphens, such as "allen-cahn"; it stands in file names and `info`.
        grid: of the field; PeriodicGrid(()) for a lone number.
        label: how a figure names it; made from `name` by default.
        spinup: time before the first sample; 0 where `initial` draws from the stationary density.
        lags, every: how far its response is followed, and the sampling interval that resolves it. Sizes follow from these two.
        kick: how twins are kicked, "pixel" or "random signs", where there is no closed form of the response.
        symmetries: those of `gfdt_tutorial.respond` that the field really has.
        hidden_forcing: whether `noise` keeps `spectra`, a forcing that the field does not show, for `simulate(..., context=True)`.
        parameter_table: parameter → how it is shown.
        ensembles, samplings: sizes by preset, where the defaults do not suit.
        reference: size of the long reference truth that `truth --system` computes; None where there is none.
        reach: |u| up to which a density of pixel values is shown.
        lab_changes: parameters that the parameter lab starts from, where they are not the defaults (such as a smaller step).

    A state is a tensor (member, ...) that only the system understands; for fields it is by convention the spectrum (member,
    *grid.spectral_shape).
    """

    name: str
    grid: PeriodicGrid
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
    reach: float = 3.0
    lab_changes: ClassVar[Mapping[str, float]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """A score in closed form is the method "analytic", whichever system it belongs to."""
        super().__init_subclass__(**options)
        score = vars(cls).get("score")
        if score is not None and not hasattr(score, "method"):
            score.method = "analytic"

    # required

    @abstractmethod
    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """The states from which a range of members starts, (member, ...); each depends on (seed, member) alone."""

    @abstractmethod
    def stepper(self, every: float, device: torch.device) -> Stepper:
        """A function (state, noise) → state one sampling interval later. Axes of the state before the member's share the noise."""

    # defaults

    def make_noise(self, members: range, seed: int, device: torch.device) -> Any:
        """What drives a run: complex normals by wavevector, `WhiteNoise`, unless the system needs another."""
        return WhiteNoise(self.grid, members, seed, device=device)

    def continued(self, noise: Any) -> Any:
        """A copy of a noise that goes on as this system's parameters say; they matter where they shape the noise."""
        return noise.copy()

    def check_change(self, changed: Self) -> None:  # noqa: B027
        """Raises ValueError where a run of this system cannot go on as `changed`, of the same class and grid; it always can by default."""

    def settle(self, noise: Any) -> None:  # noqa: B027
        """Called once the spin-up is over, for a system whose noise then behaves otherwise; nothing by default."""

    def field(self, state: torch.Tensor) -> torch.Tensor:
        """What is observed of a state, (..., *grid.shape); linear in the state.

        Where this is overridden, `state` must be too, and twins are kicked at one pixel.
        """
        return self.grid.irfft(state)

    def state(self, field: torch.Tensor) -> torch.Tensor:
        """The change of the state that a change of the field, such as a kick, means: `field(state(p))` is p."""
        return self.grid.rfft(field)

    @property
    def symmetries(self) -> tuple[str, ...]:
        """None by default."""
        return ()

    @property
    def title(self) -> str:
        """`label`, or the name in capitals."""
        return self.label or self.name.replace("-", " ").title()

    def values(self) -> dict[str, float]:
        """The value of each parameter in `parameter_table`."""
        return {name: float(getattr(self, name)) for name in self.parameter_table}

    def settings(self) -> dict[str, Any]:
        """All that makes this system what it is, as plain JSON values, those from NumPy or torch too."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=lambda value: value.tolist()))  # type: ignore[call-overload]

    def settable(self) -> set[str]:
        """The names that `changed` takes."""
        return {field.name for field in dataclasses.fields(self)} - {"grid"}  # type: ignore[arg-type]  # every system is a dataclass

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
            NotKnownError: it has no closed form.
        """
        raise NotKnownError(
            f"the density of {self.name} has no closed form, nor has its score; use GaussianScore.fit(data) or fit_score(data)"
        )

    def response(self, lags: Any) -> torch.Tensor:
        """R(d, t) of a unit kick at pixel 0, (lag, *shape) by displacement d, at any times ≥ 0.

        Raises:
            NotKnownError: it has no closed form.
        """
        raise NotKnownError(f"{type(self).__name__} has no closed-form response; use perturb(system, ...)")

    def drift_derivative(self, parameter: str) -> tuple[Function, Function]:
        """(f, ∇·f): how the drift changes per unit of a parameter, and its divergence over pixels.

        Raises:
            NotKnownError: it is not written down.
        """
        raise NotKnownError(f"{self.name} does not say how its drift changes with {parameter}; write drift_derivative")

    def noise_derivative(self, parameter: str = "epsilon") -> torch.Tensor:
        """∂D/∂p, (*spectral_shape), where D is the noise's covariance per unit time between pixels.

        Raises:
            NotKnownError: it is not written down.
        """
        raise NotKnownError(f"{self.name} does not say how its noise changes with {parameter}; write noise_derivative")

    def potential(self, parameter: str) -> Function:
        """φ = ∂ ln ρ/∂p up to a constant, (..., *shape) → (...), for `gfdt_tutorial.kubo`.

        Raises:
            NotKnownError: it is not known.
        """
        raise NotKnownError(f"{self.name} does not know how its density changes with {parameter}")
