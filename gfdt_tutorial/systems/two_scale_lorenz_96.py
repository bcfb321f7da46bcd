"""The two-scale Lorenz 96 system: at each place of a ring one slow variable, which drives ten fast ones and feels their sum.

    Ẋ_k = −X_{k−1} (X_{k−2} − X_{k+1}) − X_k + F − (hc/b) Σ_j Y_{j,k} + η ξ_k
    Ẏ_{j,k} = −c b Y_{j+1,k} (Y_{j+2,k} − Y_{j−1,k}) − c Y_{j,k} + (hc/b) X_k + η ξ_{j,k}

The fast variables form one long ring: Y_{J+1,k} = Y_{1,k+1}. All places k are alike, and the eleven variables at one place are unlike, so
that the series has eleven components on a ring.

Source: Lorenz, Proc. Seminar on Predictability, ECMWF, 1, 1 (1996).
"""

import dataclasses
import math
from typing import ClassVar

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.systems.base import Parameter, Stepper
from gfdt_tutorial.systems.plain_state import PlainState
from gfdt_tutorial.systems.white_noise import Normals


@dataclasses.dataclass(frozen=True)
class TwoScaleLorenz96(PlainState):
    """The system of this module's page; a state is (member, 1 + fast, place).

    Args:
        places: K, on the ring.
        fast: J, the fast variables at each place.
        F: forcing of the slow variables.
        h: coupling.
        c: how many times faster the fast variables are.
        b: how many times smaller they are.
        eta: strength of the noise on every variable. At 0 the density is singular, and a learned score is that of a blurred one.
        dt: largest time step, of the classical Runge-Kutta scheme; the noise is added after each step.

    Raises:
        ValueError: fewer than four places or three fast variables, or a number that is out of range.

    >>> import gfdt_tutorial as gfdt
    >>> gfdt.simulate(TwoScaleLorenz96(places=8, fast=4), members=2, duration=1.0, every=0.1).u.shape
    torch.Size([2, 11, 5, 8])
    """

    places: int = 36
    fast: int = 10
    F: float = 10.0
    h: float = 1.0
    c: float = 5.0
    b: float = 10.0
    eta: float = 0.0
    dt: float = 0.005
    name: ClassVar[str] = "two-scale-lorenz-96"  # type: ignore[misc]
    label: ClassVar[str] = "Two-scale Lorenz 96"  # type: ignore[misc]
    spinup: ClassVar[float] = 20.0  # type: ignore[misc]
    lags: ClassVar[float] = 1.0  # type: ignore[misc]
    every: ClassVar[float] = 0.05  # type: ignore[misc]
    parameter_table: ClassVar = {
        "F": Parameter("F", "forcing", slider=False),
        "h": Parameter("h", "coupling", slider=False),
        "c": Parameter("c", "ratio of the time scales", slider=False),
        "b": Parameter("b", "ratio of the amplitudes", slider=False),
    }

    def __post_init__(self) -> None:
        checks.whole("places", self.places, minimum=4)
        checks.whole("fast", self.fast, minimum=3)
        checks.positive("dt", self.dt)
        checks.positive("eta", self.eta, zero=True)
        for name in ("c", "b"):
            checks.positive(name, getattr(self, name))
        for name in ("F", "h"):
            if not math.isfinite(checks.number(name, getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name)}; expected a finite number")

    @property
    def grid(self) -> PeriodicGrid:  # type: ignore[override]
        """The ring of places."""
        return PeriodicGrid((self.places,))

    @property
    def variables(self) -> tuple[str, ...]:  # type: ignore[override]
        """X, Y1, Y2, …"""
        return ("X", *(f"Y{number}" for number in range(1, self.fast + 1)))

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """Unit normals, ten times smaller in the fast variables; the spin-up leads to the attractor."""
        found = [torch.randn(1 + self.fast, self.places, generator=generator(seed, Stream.INITIAL, member)) for member in members]
        state = torch.stack(found).to(device)
        state[:, 1:] /= 10
        return state

    def make_noise(self, members: range, seed: int, device: torch.device) -> Normals:
        """Unit normals for every variable, or for none."""
        return Normals((1 + self.fast, self.places) if self.eta else (1, 1), members, seed, device=device)

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """Over `every` time units, in equal steps of at most `dt`."""
        steps = math.ceil(every / self.dt - 1e-9)
        h = every / steps

        def step(state: torch.Tensor, noise: Normals) -> torch.Tensor:
            for _ in range(steps):
                one = self.drift(state)
                two = self.drift(state + 0.5 * h * one)
                three = self.drift(state + 0.5 * h * two)
                state = state + h / 6 * (one + 2 * two + 2 * three + self.drift(state + h * three))
                if self.eta:
                    state = state + self.eta * math.sqrt(h) * noise()
            return state

        return step

    def drift(self, state: torch.Tensor) -> torch.Tensor:
        """Of a state (..., 1 + fast, place) → the same."""
        slow, fast = state[..., 0, :], state[..., 1:, :]
        long = fast.mT.flatten(-2)  # Y_{1,1} … Y_{J,1}, Y_{1,2} …
        exchange = self.h * self.c / self.b
        moved = -self.c * self.b * long.roll(-1, -1) * (long.roll(-2, -1) - long.roll(1, -1)) - self.c * long
        fast_slope = moved.unflatten(-1, (self.places, self.fast)).mT + exchange * slow.unsqueeze(-2)
        slow_slope = -slow.roll(1, -1) * (slow.roll(2, -1) - slow.roll(-1, -1)) - slow + self.F - exchange * fast.sum(-2)
        return torch.cat([slow_slope.unsqueeze(-2), fast_slope], -2)
