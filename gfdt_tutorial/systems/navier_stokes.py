"""Two-dimensional turbulence with a hidden wave forcing: no analytic score, a spectrum over seven decades, hidden state."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid, cast
from gfdt_tutorial.core.random_streams import Stream
from gfdt_tutorial.systems.base import DivergedError, Function, Parameter, Stepper, System
from gfdt_tutorial.systems.flow_forcing import ForcingPerUnit, WaveForcing
from gfdt_tutorial.systems.sizes import LAB, Ensemble, Sampling, Truth
from gfdt_tutorial.systems.white_noise import WhiteNoise

LARGEST_COURANT = 2.0  # the Runge-Kutta scheme is stable up to 2.8
# |k| and C_k of the stationary field at the letter's parameters, as `bench --only navier-stokes-statistics` prints them
SPECTRUM = (
    (0, 9e-4), (1, 14.7), (2**0.5, 3.65), (2, 2.63), (5**0.5, 1.98), (8**0.5, 1.29), (3, 1.31), (4, 0.735), (5, 0.424), (6, 0.267),
    (7, 0.185), (8, 0.129), (9, 0.086), (10, 0.058), (11, 0.032), (12, 0.0185), (13, 0.0116), (14, 6.7e-3), (15, 4.2e-3), (16, 2.7e-3),
    (17, 1.73e-3), (18, 1.04e-3), (19, 6.3e-4), (20, 3.7e-4), (21, 2.1e-4), (22, 8e-5), (23, 3e-5),
)  # fmt: skip


@dataclass(frozen=True)
class NavierStokes(System):
    """∂ₜu = ∂ₓψ ∂ᵧu − ∂ₓu ∂ᵧψ − A ∂ₓu − (ν_h Δ⁻² + ν Δ²) u − ν₀∫u + ς,   Δψ = u           letter, eqs. (11)-(13)

    u is the vorticity (with these signs, minus the vorticity of the advecting velocity, which makes no difference), ν₀ = (2π)⁻² makes the
    spatial mean decay at rate 1, and ς is the wave forcing of `systems.flow_forcing`, whose phases are random walks. The phases are
    hidden state: at given ς, the exact response to a kick uses ∇_u ln ρ(u, ς). `simulate(..., context=True)` keeps ς.

    Advection by the flow is in skew-symmetric form, the mean of ∂ₓψ ∂ᵧu − ∂ₓu ∂ᵧψ and ∂ᵧ(u ∂ₓψ) − ∂ₓ(u ∂ᵧψ), so that without forcing
    and damping it conserves ∫u² up to the error of the time step. ρ is not known, so there is no score in closed form: learn one.

    The time step is integrating-factor RK4 (Lawson's scheme, see `stepper`).

    From rest the large eddies take some 200 time units to develop. `initial` starts from waves with the stationary spectrum and random
    phases, and `spinup` is the time in which these become turbulence; with other parameters or grids use a spin-up of 200.

    Args:
        nu: ν ≥ 0, coefficient of Δ², which damps the small scales.
        nu_h: ν_h ≥ 0, coefficient of Δ⁻², which damps the large scales.
        advection: A, speed of a mean flow along +x.
        forcing: a ≥ 0, amplitude of each forcing wave, in units of the field per unit time; the letter's code has 300 (N/128)²/N².
        cutoff: largest forced |k|; by default (N/2 − 1)/√2, where N is the number of points of the shorter side.
        frozen: hold the phases fixed from the end of the spin-up on, as in the run of the letter's figure.
        nyquist: keep the Nyquist wavenumber in damping and mean flow; the letter's code sets it to 0.
        grid: two axes.
        dt: largest time step; by default 1/32, or 1/N on a larger grid. A sampling interval is divided into equal steps of at most dt.

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
    name = "navier-stokes"
    label = "Navier-Stokes"
    spinup = 80.0
    lags = 4.0
    every = 1 / 16
    reach = 2.0
    # `forcing` has no slider: data without the forcing do not determine the change of the drift
    parameter_table: ClassVar[Mapping[str, Parameter]] = {
        "nu": Parameter("ν", "damping of the small scales, by Δ²", "per unit time"),
        "nu_h": Parameter("ν_h", "damping of the large scales, by Δ⁻²", "per unit time"),
        "advection": Parameter("A", "speed of the mean flow", "per unit time"),
        "forcing": Parameter("a", "amplitude of each forcing wave", "per unit time", slider=False),
    }
    # twins start from the stationary spectrum, whose response differs little from that of turbulence, so a shorter spin-up suffices
    ensembles: ClassVar[Mapping[str, Ensemble]] = {
        "tiny": Ensemble(8, 8, 1 / 8, 2, 16, 8, 16, 2.0, thin=4, amplitude=1 / 64, spinup=10.0, twin_spinup=2.0),
        "quick": Ensemble(64, 40, 1 / 16, 4, 128, 64, 60, 2.0, thin=8, amplitude=1 / 64, twin_spinup=20.0),
        "standard": Ensemble(192, 64, 1 / 16, 4, 512, 128, 96, 2.0, thin=8, amplitude=1 / 64, twin_spinup=20.0),
        "paper": Ensemble(128, 64, 1 / 16, 4, 128, 2048, 64, 2.0, thin=8, amplitude=1 / 64, twin_spinup=20.0),
        LAB: Ensemble(16, 16.0, 1 / 16, 4, 64, amplitude=1 / 64, spinup=20.0),
    }
    # eddies of a few pixels have a turnover time of a fifth of a time unit, which the trapezoid rule must resolve
    samplings: ClassVar[Mapping[str, Sampling]] = {
        "tiny": Sampling(8, 4.0, 0.125, 1.0, spinup=5.0),
        "quick": Sampling(64, 24.0, 1 / 16, 4.0, thin=2),
        "standard": Sampling(128, 48.0, 1 / 16, 4.0, thin=2),
        LAB: Sampling(32, 4.0, 1.0, 4.0, spinup=20.0),
    }
    smooth_reference = Truth(pairs=8200, lags=4, every=1 / 16, restarts=40, seed=2_000_000, kick="smooth", amplitude=1 / 64, spinup=200.0)
    reference = Truth(pairs=20_480, lags=4, every=1 / 16, restarts=40, seed=1_000_000, kick="pixel", amplitude=1 / 64, spinup=200.0)
    hidden_forcing = True

    def __post_init__(self) -> None:
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
        """The largest time step: `dt`, or the one that suits the letter's flow on this grid."""
        return 1 / max(32, *self.grid.shape) if self.dt is None else self.dt

    @property
    def highest_forced(self) -> float:
        """The largest forced |k|."""
        if self.cutoff is not None:
            return self.cutoff
        sides = zip(self.grid.shape, self.grid.lengths or (), strict=True)
        return min((n / 2 - 1) * 2 * math.pi / length for n, length in sides) / math.sqrt(2)

    @property
    def forcing_variance(self) -> float:
        """⟨ς²⟩ at any pixel; ⟨ς(t) ς(0)⟩ = ⟨ς²⟩ e^(−|t|)."""
        weights = self.make_noise(range(1), 0, torch.device("cpu")).weights
        return 0.5 * self.forcing**2 * float((weights**2 * self.grid.multiplicity).sum())

    @property
    def symmetries(self) -> tuple[str, ...]:
        """u(y, x) → −u(−y, x)."""
        return ("reflect y",)

    @property
    def rates(self) -> torch.Tensor:
        """L_k = −ν_h k⁻⁴ − νk⁴ − iAkₓ, and −1 at k = 0; (*spectral_shape,), complex, per unit time.

        The mean flow advects the Nyquist wave too; otherwise this wave alone would stand still. The grid represents it in full when it has
        moved by whole pixels, and otherwise only the part cos(kₓAt). At each sampling instant the other part is discarded
        (`PeriodicGrid.hermitian_part`), so that the state is a function of the field; to keep the wave, choose a sampling interval in which
        the mean flow moves by whole pixels.
        """
        k_squared = self._k_squared
        damping = self.nu_h * _inverse(k_squared).square() + self.nu * k_squared.square() + (k_squared == 0)
        along = 1j * self.grid.wavenumbers[-1] if self.nyquist else self.grid.derivative(-1)
        return -damping - self.advection * along

    def drift_derivative(self, parameter: str) -> tuple[Function, Function]:
        """(f, ∇·f): the derivative of the drift with respect to a parameter, and its divergence over pixels.

            ν: f = −Δ²u, ∇·f = −tr Δ²        ν_h: f = −Δ⁻²u, ∇·f = −tr Δ⁻²        A: f = −∂ₓu, ∇·f = 0        a: f = ς/a, ∇·f = 0

        The last acts through the forcing, which f takes as a second argument; `sensitivities` passes the context of the data. The score
        should then be that of u given ς, because the change does not affect the phases.

        Args:
            parameter: "nu", "nu_h", "advection" or "forcing".

        Raises:
            ValueError: an unknown parameter, or "forcing" for a flow without forcing.
        """
        grid, k_squared = self.grid, self._k_squared
        if parameter == "forcing":
            if not self.forcing:
                raise ValueError("a flow that is not forced has no shape of forcing to change the strength of; set forcing > 0")
            return ForcingPerUnit(self.forcing), (lambda u: torch.zeros(u.shape[: u.ndim - 2], device=u.device))
        symbols = {"nu": -k_squared.square(), "nu_h": -_inverse(k_squared).square(), "advection": -grid.derivative(-1)}
        symbol = symbols[checks.choice("drift parameter", parameter, [*symbols, "forcing"])]
        trace = grid.trace(symbol)
        return (lambda u: grid.apply(symbol, u)), (lambda u: torch.full(u.shape[: u.ndim - 2], trace, device=u.device))

    def make_noise(self, members: range, seed: int, device: torch.device) -> WaveForcing:
        """The wave forcing of a run."""
        return WaveForcing(self.grid, members, seed, amplitude=self.forcing, cutoff=self.highest_forced, device=device)

    def continued(self, noise: WaveForcing) -> WaveForcing:
        """A copy with the same phases, with this flow's amplitude, and held fixed if this flow is `frozen`."""
        twin = noise.copy(self.forcing)
        twin.frozen = self.frozen
        return twin

    def check_change(self, changed: "NavierStokes") -> None:
        """Another cutoff forces other waves, whose phases a run does not contain.

        Raises:
            ValueError: the cutoff was changed.
        """
        if changed.highest_forced != self.highest_forced:
            raise ValueError(
                "another cutoff forces other waves, whose phases the unperturbed run does not contain; simulate both, and compare averages"
            )

    def settle(self, noise: WaveForcing) -> None:
        """Hold the phases fixed from here on, if this flow is `frozen`."""
        if self.frozen:
            noise.frozen = True

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """Spectra of random waves with the spectrum of the letter's stationary field, (member, *spectral_shape)."""
        grid = self.grid
        noise = WhiteNoise(grid, members, seed, stream=Stream.INITIAL, device=device)()
        k, known = np.array(SPECTRUM).T
        covariance = torch.from_numpy(np.exp(np.interp(grid.k_squared.sqrt().numpy(), k, np.log(known))))
        return grid.hermitian_part(noise * cast(covariance.sqrt() * grid.white, noise))

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """Integrating-factor RK4 (Lawson 1967) over `every` time units, in steps h ≤ dt.

        The fourth-order Runge-Kutta scheme is applied to v = e^(−Lt) u, with ς interpolated linearly between its values at both ends of a
        step. Damping and mean flow are exact; otherwise waves that A carries past several pixels in a step would be damped.

        Each stage takes eight real FFTs: five inverse ones, for ∇ψ, ∇u and u, and three forward ones, for the three products.
        """
        steps = math.ceil(every / self.step - 1e-9)
        h = every / steps
        grid, like = self.grid, torch.zeros((), dtype=torch.complex64, device=device)
        along, across = (grid.derivative(axis) for axis in (-1, -2))
        stream = -0.5 * h * _inverse(self._k_squared)  # with the factor ½ of the mean of two forms, and the step h
        factors = cast(torch.stack([stream * along, stream * across, across, along]), like)
        outward, inward = cast(-along, like), cast(across, like)
        decay = cast(torch.exp(h / 2 * self.rates), like)
        fastest = 2 * max(float(along.imag.abs().max()), float(across.imag.abs().max()))

        def tendency(spectra: torch.Tensor, forcing: torch.Tensor, refuse: bool = False) -> torch.Tensor:
            """h times the tendency without L."""
            wide = factors.reshape(4, *[1] * (spectra.ndim - 2), *grid.spectral_shape)
            fields, u = grid.irfft(spectra * wide), grid.irfft(spectra)  # ∂ₓψ, ∂ᵧψ, ∂ᵧu, ∂ₓu
            if refuse:
                _check_courant(fastest * float(fields[:2].abs().amax()), h)
            products = torch.empty(3, *u.shape, device=u.device)
            psi_x, psi_y, u_y, u_x = fields
            torch.mul(psi_x, u_y, out=products[0]).addcmul_(psi_y, u_x, value=-1)
            torch.mul(fields[:2], u, out=products[1:])
            advective, flux_y, flux_x = grid.rfft(products)
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
        if self.nyquist:
            return self.grid.k_squared
        k_y, k_x = (self.grid.derivative(axis).imag for axis in self.grid.axes)
        return k_y.square() + k_x.square()


def _inverse(k_squared: torch.Tensor) -> torch.Tensor:
    """1/k², and 0 at k = 0."""
    return torch.where(k_squared > 0, 1 / k_squared.clamp_min(1e-30), torch.zeros_like(k_squared))


def _check_courant(number: float, h: float) -> None:
    if math.isfinite(number) and number > LARGEST_COURANT:
        raise DivergedError(
            f"the step {h:.3g} is too large for this flow: its Courant number, speed × step × largest wavenumber, is {number:.2g}, and "
            f"beyond {LARGEST_COURANT:g} the scheme may diverge; try dt = {h * LARGEST_COURANT / number / 2:.2g}, or weaker forcing"
        )
