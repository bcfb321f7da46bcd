"""A sheared channel: a tracer that a jet carries along, with walls to either side, so that each latitude is a variable of its own.

    ∂t u = −U(y) ∂ₓu + ν (∂ₓ² + π⁻² ∂_y²) u − μ u + noise,    u = 0 at both walls, y = 0 and 1,    U(y) = U₀ sin²(πy)

on n latitudes y = 1/(n + 1) … n/(n + 1) times a ring in x. All is linear, so that the covariances of the latitudes at each k_x, the score
and the responses are known in closed form, R_k(t) = exp(A_k t), and one step takes the state from one sample to the next exactly.

The noise is weaker on small scales across the channel by exp(−(m/m₀)²) for sin(mπy), which makes the covariance of the latitudes nearly
singular, as that of any smooth field is.
"""

import dataclasses
import math
from functools import cached_property
from typing import Any, ClassVar

import scipy.linalg
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream
from gfdt_tutorial.core.whitening import apply_matrices
from gfdt_tutorial.systems.base import Lags, Stepper
from gfdt_tutorial.systems.plain_state import PlainState
from gfdt_tutorial.systems.white_noise import Normals


@dataclasses.dataclass(frozen=True)
class ShearedChannel(PlainState):
    """The channel of this module's page; a state is the field itself, (member, latitude, x).

    Args:
        latitudes: n.
        places: points along x, on a ring of length 2π.
        jet: U₀, in length along the ring per time unit; once round is 2π.
        viscosity: ν.
        drag: μ.
        smooth: m₀; at 12 the covariance of 32 latitudes has a condition of about 10⁸.

    Raises:
        ValueError: fewer than three latitudes or four places, or a number that is not positive.

    >>> import gfdt_tutorial as gfdt
    >>> gfdt.simulate(ShearedChannel(latitudes=4, places=8), members=2, duration=4.0).u.shape
    torch.Size([2, 5, 4, 8])
    """

    latitudes: int = 32
    places: int = 32
    jet: float = 1.0
    viscosity: float = 0.02
    drag: float = 0.1
    smooth: float = 12.0
    name: ClassVar[str] = "sheared-channel"  # type: ignore[misc]
    label: ClassVar[str] = "Sheared channel"  # type: ignore[misc]
    lags: ClassVar[float] = 10.0  # type: ignore[misc]

    def __post_init__(self) -> None:
        checks.whole("latitudes", self.latitudes, minimum=3)
        checks.whole("places", self.places, minimum=4)
        for name in ("jet", "viscosity", "drag", "smooth"):
            checks.positive(name, getattr(self, name))

    @property
    def grid(self) -> PeriodicGrid:  # type: ignore[override]
        """The ring in x."""
        return PeriodicGrid((self.places,))

    @property
    def variables(self) -> tuple[str, ...]:  # type: ignore[override]
        """The latitudes, from one wall to the other."""
        return tuple(f"y{number}" for number in range(1, self.latitudes + 1))

    @cached_property
    def drift(self) -> torch.Tensor:
        """A_k, (k, latitude, latitude), complex."""
        n, k = self.latitudes, self.grid.wavenumbers[0]
        y = torch.arange(1, n + 1, dtype=torch.float64) / (n + 1)
        second = ((n + 1) / math.pi) ** 2 * (
            torch.diag(torch.ones(n - 1), 1) + torch.diag(torch.ones(n - 1), -1) - 2 * torch.eye(n)
        ).double()
        shear = torch.diag(self.jet * torch.sin(math.pi * y).square()).to(torch.complex128)
        one = torch.eye(n, dtype=torch.complex128)
        advection = self.grid.derivative()[:, None, None] * shear
        return -advection + self.viscosity * (second - k.square()[:, None, None] * one) - self.drag * one

    @cached_property
    def noise_covariance(self) -> torch.Tensor:
        """D, (latitude, latitude), per unit of time and for each place."""
        n = self.latitudes
        number = torch.arange(1, n + 1, dtype=torch.float64)
        modes = (2 / (n + 1)) ** 0.5 * torch.sin(math.pi * number * number[:, None] / (n + 1))
        return modes * torch.exp(-2 * (number / self.smooth).square()) @ modes.T

    @cached_property
    def covariance(self) -> torch.Tensor:
        """C_k, (k, latitude, latitude), from A C + C A† = −D."""
        noise = -self.noise_covariance.numpy().astype(complex)
        return torch.stack([torch.from_numpy(scipy.linalg.solve_continuous_lyapunov(one.numpy(), noise)) for one in self.drift])

    @cached_property
    def _precision(self) -> torch.Tensor:
        """C_k⁻¹."""
        return torch.linalg.inv(self.covariance)

    def score(self, u: torch.Tensor, context: torch.Tensor | None = None, sigma: float | None = None) -> torch.Tensor:
        """−C_k⁻¹ u_k, (..., latitude, x) → the same."""
        if sigma is not None:
            raise ValueError("sigma is not taken here: the score of the noisy density is not given in closed form")
        return apply_matrices(self.grid, -self._precision, u.double()).to(u)

    def response(self, lags: Lags) -> torch.Tensor:
        """exp(A_k t), (lag, to, from, x)."""
        times = torch.as_tensor(lags, dtype=torch.float64)
        powers = torch.linalg.matrix_exp(times[:, None, None, None] * self.drift)
        return self.grid.irfft(powers.movedim(1, -1))

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """Drawn from the stationary density."""
        normals = Normals((self.latitudes, self.places), members, seed, stream=Stream.INITIAL)()
        return apply_matrices(self.grid, _root(self.covariance), normals.double()).float().to(device)

    def make_noise(self, members: range, seed: int, device: torch.device) -> Normals:
        """Unit normals for every latitude and place."""
        return Normals((self.latitudes, self.places), members, seed, device=device)

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """Exact: u ← exp(A h) u + noise of the covariance C − exp(A h) C exp(A† h)."""
        forward = torch.linalg.matrix_exp(every * self.drift)
        root = _root(self.covariance - forward @ self.covariance @ forward.mH)

        def step(state: torch.Tensor, noise: Any) -> torch.Tensor:
            return apply_matrices(self.grid, forward, state) + apply_matrices(self.grid, root, noise())

        return step


def _root(covariance: torch.Tensor) -> torch.Tensor:
    """The Hermitian root of a covariance at each wavevector."""
    values, vectors = torch.linalg.eigh(0.5 * (covariance + covariance.mH))
    return (vectors * values.clamp_min(0).sqrt()[..., None, :]) @ vectors.mH
