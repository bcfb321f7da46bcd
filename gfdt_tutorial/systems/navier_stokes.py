"""Two-dimensional turbulence stirred by waves that the field does not show: no analytic score, seven decades of spectrum, hidden state."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid, cast
from gfdt_tutorial.core.random_streams import Stream
from gfdt_tutorial.systems.flow_forcing import WaveForcing
from gfdt_tutorial.systems.noise import Stepper, WhiteNoise
from gfdt_tutorial.systems.simulate import DivergedError

LARGEST_COURANT = 2.0  # the Runge-Kutta scheme is stable up to 2.8
# |k| and C_k of the stationary field at the letter's parameters: `bench --only navier-stokes-statistics` prints it anew
SPECTRUM = (
    (0, 9e-4), (1, 14.7), (2**0.5, 3.65), (2, 2.63), (5**0.5, 1.98), (8**0.5, 1.29), (3, 1.31), (4, 0.735), (5, 0.424), (6, 0.267),
    (7, 0.185), (8, 0.129), (9, 0.086), (10, 0.058), (11, 0.032), (12, 0.0185), (13, 0.0116), (14, 6.7e-3), (15, 4.2e-3), (16, 2.7e-3),
    (17, 1.73e-3), (18, 1.04e-3), (19, 6.3e-4), (20, 3.7e-4), (21, 2.1e-4), (22, 8e-5), (23, 3e-5),
)  # fmt: skip


class NoAnalyticScoreError(AttributeError, ValueError):
    """An attribute that is not there, so that hasattr says so, and bad input to a command that asks for it."""


@dataclass(frozen=True)
class NavierStokes:
    """∂ₜu = ∂ₓψ ∂ᵧu − ∂ₓu ∂ᵧψ − A ∂ₓu − (ν_h Δ⁻² + ν Δ²) u − ν₀∫u + ς,   Δψ = u           letter, eqs. (11)-(13)

    u is vorticity (with these signs minus the vorticity of the velocity that carries it, which is harmless), ν₀ = (2π)⁻² lets the
    spatial mean decay at rate 1, and ς is the forcing by waves with walking phases of `systems.forcing`. The phases are state that u
    does not show: with ς held as it is, the exact response to a kick uses ∇_u ln ρ(u, ς). `simulate(..., context=True)` keeps ς.

    Advection by the flow is skew-symmetric, the mean of ∂ₓψ ∂ᵧu − ∂ₓu ∂ᵧψ and ∂ᵧ(u ∂ₓψ) − ∂ₓ(u ∂ᵧψ), so that without forcing and
    damping it conserves ∫u² but for the error of the step. ρ is not known, so there is no `score`: learn one.

    The large eddies take some 200 time units to fill from nothing. `initial` starts from waves with the stationary spectrum and random
    phases, and `spinup` is what they need to become turbulence; with other parameters or grids give them 200.

    Args:
        nu: ν ≥ 0, of Δ², damps the small scales.
        nu_h: ν_h ≥ 0, of Δ⁻², damps the large ones.
        advection: A, speed of a mean flow along +x.
        forcing: a ≥ 0, amplitude of each forcing wave, in units of the field per unit time; the letter's code has 300 (N/128)²/N².
        cutoff: largest forced |k|; by default (N/2 − 1)/√2, N the shorter side.
        frozen: let the phases stand still from the end of the spin-up on, as they did in what the letter's figure ran.
        nyquist: keep the Nyquist wavenumber in damping and mean flow; the letter's code sets it to 0.
        grid: two axes.
        dt: largest time step; 1/32, or 1/N on a larger grid, by default. A sampling interval is cut in equal steps no larger.

    Raises:
        ValueError: a parameter out of its range, or a grid without two axes.

    >>> system = NavierStokes()
    >>> round(system.forcing_variance**0.5, 3)
    0.242
    """

    nu: float = 1e-5
    nu_h: float = 1e-2
    advection: float = math.pi
    forcing: float = 300 / 128**2
    cutoff: float | None = None
    frozen: bool = False
    nyquist: bool = True
    grid: PeriodicGrid = field(default_factory=PeriodicGrid)
    dt: float | None = None
    name: ClassVar[str] = "navier-stokes"
    spinup: ClassVar[float] = 80.0
    symmetries: ClassVar[tuple[str, ...]] = ("reflect y",)  # u(y, x) → −u(−y, x)
    hidden_forcing: ClassVar[bool] = True

    def __post_init__(self):
        for name in ("nu", "nu_h", "forcing"):
            checks.positive(name, getattr(self, name), zero=True)
        checks.positive("advection", abs(checks.number("advection", self.advection)), zero=True)
        if not isinstance(self.grid, PeriodicGrid) or len(self.grid.shape) != 2:
            raise ValueError("the flow needs a grid with two axes; PeriodicGrid((32, 32)) is the letter's")
        if self.cutoff is not None:
            checks.positive("cutoff", self.cutoff)
        if self.dt is not None:
            checks.positive("dt", self.dt)
        for name in ("frozen", "nyquist"):
            if getattr(self, name) not in (True, False):
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected True or False")
            object.__setattr__(self, name, bool(getattr(self, name)))

    @property
    def step(self) -> float:
        """The largest time step: `dt`, or what the flow of the letter allows on this grid."""
        return 1 / max(32, *self.grid.shape) if self.dt is None else self.dt

    @property
    def highest_forced(self) -> float:
        """The largest forced |k|."""
        sides = zip(self.grid.shape, self.grid.lengths, strict=True)
        return min((n / 2 - 1) * 2 * math.pi / length for n, length in sides) / math.sqrt(2) if self.cutoff is None else self.cutoff

    @property
    def forcing_variance(self) -> float:
        """⟨ς²⟩ at any pixel; ⟨ς(t) ς(0)⟩ = ⟨ς²⟩ e^(−|t|)."""
        weights = self.noise(range(1), 0, torch.device("cpu")).weights
        return 0.5 * self.forcing**2 * float((weights**2 * self.grid.multiplicity).sum())

    @property
    def score(self):
        """Not known.

        Raises:
            NoAnalyticScoreError: always.
        """
        raise NoAnalyticScoreError("the density of this flow has no closed form, nor has its score; use GaussianScore.fit or fit_score")

    @property
    def rates(self) -> torch.Tensor:
        """L_k = −ν_h k⁻⁴ − νk⁴ − iAkₓ, and −1 at k = 0; (*spectral_shape,), complex, per unit time.

        The mean flow carries the Nyquist wave too, or that would stand still among waves that pass. The grid shows this wave in full
        where it has moved by whole pixels, and otherwise a part of it, cos(kₓAt). At each sampling instant what the grid does not
        show is dropped (`grid.hermitian_part`), so that the state is a function of the field; sample at whole pixels to keep the wave.
        """
        k_squared = self._k_squared
        damping = self.nu_h * _inverse(k_squared).square() + self.nu * k_squared.square() + (k_squared == 0)
        along = 1j * self.grid.wavenumbers[-1] if self.nyquist else self.grid.derivative(-1)
        return -damping - self.advection * along

    def drift_derivative(self, parameter: str) -> tuple[Callable, Callable]:
        """(f, ∇·f): how the drift changes per unit of a parameter, and its divergence over pixels.

            ν: f = −Δ²u, ∇·f = −tr Δ²        ν_h: f = −Δ⁻²u, ∇·f = −tr Δ⁻²        A: f = −∂ₓu, ∇·f = 0        a: f = ς/a, ∇·f = 0

        The last acts through the forcing, which f takes as a second argument; `respond` hands it over where the data have it as their
        context. Then the score should be that of u given ς, as the phases do not feel the change.

        Args:
            parameter: "nu", "nu_h", "advection" or "forcing".
        """
        grid, k_squared = self.grid, self._k_squared
        if parameter == "forcing":
            return self._forced, (lambda u: torch.zeros(u.shape[: u.ndim - 2], device=u.device))
        symbols = {"nu": -k_squared.square(), "nu_h": -_inverse(k_squared).square(), "advection": -grid.derivative(-1)}
        symbol = symbols[checks.choice("drift parameter", parameter, [*symbols, "forcing"])]
        trace = grid.trace(symbol)
        return (lambda u: grid.apply(symbol, u)), (lambda u: torch.full(u.shape[: u.ndim - 2], trace, device=u.device))

    @property
    def _forced(self) -> Callable:
        if not self.forcing:
            raise ValueError("a flow that is not forced has no shape of forcing to change the strength of; set forcing > 0")

        def force(u: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
            return context[..., 0, :, :] / self.forcing

        force.needs_context = True
        return force

    def noise(self, members: range, seed: int, device: torch.device) -> WaveForcing:
        """The forcing of a run."""
        return WaveForcing(self.grid, members, seed, amplitude=self.forcing, cutoff=self.highest_forced, device=device)

    def continued(self, noise: WaveForcing) -> WaveForcing:
        """The same phases from here on, stirring as this flow says: its amplitude, and whether they stand still."""
        twin = noise.copy(self.forcing)
        twin.frozen = self.frozen
        return twin

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """Spectra of random waves with the spectrum of the letter's stationary field, (member, *spectral_shape)."""
        grid = self.grid
        noise = WhiteNoise(grid, members, seed, stream=Stream.INITIAL, device=device)()
        k, known = np.array(SPECTRUM).T
        covariance = torch.from_numpy(np.exp(np.interp(grid.k_squared.sqrt().numpy(), k, np.log(known))))
        return grid.hermitian_part(noise * cast(covariance.sqrt() * grid.white, noise))

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """Over `every` time units, in steps h ≤ dt: Runge-Kutta of order 4 for v = e^(−Lt) u, forced by ς straight between its values at
        both ends of a step. Damping and mean flow are exact: without that, waves which A carries past several pixels a step are damped.

        Eight real FFTs a stage: five back, for ∇ψ, ∇u and u; three forth, for the three products.
        """
        steps = math.ceil(every / self.step - 1e-9)
        h = every / steps
        grid, like = self.grid, torch.zeros((), dtype=torch.complex64, device=device)
        along, across = (grid.derivative(axis) for axis in (-1, -2))
        stream = -0.5 * h * _inverse(self._k_squared)  # half of it, for the mean of two forms, and h times
        factors = cast(torch.stack([stream * along, stream * across, along, across, torch.ones_like(along)]), like)
        outward, inward = cast(-along, like), cast(across, like)
        decay = cast(torch.exp(h / 2 * self.rates), like)
        fastest = 2 * max(float(along.imag.abs().max()), float(across.imag.abs().max()))

        def tendency(spectra: torch.Tensor, forcing: torch.Tensor, refuse: bool = False) -> torch.Tensor:
            """h times all but L."""
            wide = factors.reshape(5, *[1] * (spectra.ndim - 2), *grid.spectral_shape)
            psi_x, psi_y, u_x, u_y, u = grid.irfft(spectra * wide)
            if refuse:
                _check_courant(fastest * float(torch.maximum(psi_x.abs().amax(), psi_y.abs().amax())), h)
            products = torch.empty(3, *u.shape, device=u.device)
            torch.mul(psi_x, u_y, out=products[0]).addcmul_(psi_y, u_x, value=-1)
            torch.mul(psi_y, u, out=products[1])
            torch.mul(psi_x, u, out=products[2])
            advective, flux_x, flux_y = grid.rfft(products)
            return advective.addcmul_(outward, flux_x).addcmul_(inward, flux_y).add_(forcing, alpha=h)

        def step(spectra: torch.Tensor, noise: WaveForcing) -> torch.Tensor:
            now = noise.spectra
            for number in range(steps):
                then = noise.advance(h)
                middle = torch.lerp(now, then, 0.5)
                first = tendency(spectra, now, refuse=number == 0).mul_(decay)
                start = decay * spectra
                second = tendency(torch.add(start, first, alpha=0.5), middle)
                third = tendency(torch.add(start, second, alpha=0.5), middle)
                fourth = tendency((start + third).mul_(decay), then)
                start.add_(first, alpha=1 / 6).add_(second.add_(third), alpha=1 / 3)
                spectra = start.mul_(decay).add_(fourth, alpha=1 / 6)
                now = then
            return grid.hermitian_part(spectra)

        return step

    @property
    def _k_squared(self) -> torch.Tensor:
        return self.grid.k_squared if self.nyquist else sum(self.grid.derivative(axis).imag.square() for axis in self.grid.axes)


def _inverse(k_squared: torch.Tensor) -> torch.Tensor:
    """1/k², and 0 where k is."""
    return torch.where(k_squared > 0, 1 / k_squared.clamp_min(1e-30), torch.zeros_like(k_squared))


def _check_courant(number: float, h: float) -> None:
    if math.isfinite(number) and number > LARGEST_COURANT:
        raise DivergedError(
            f"the step {h:.3g} is too large for this flow: its Courant number, speed × step × largest wavenumber, is {number:.2g}, and "
            f"beyond {LARGEST_COURANT:g} the scheme would diverge; try dt = {h * LARGEST_COURANT / number / 2:.2g}, or weaker forcing"
        )
