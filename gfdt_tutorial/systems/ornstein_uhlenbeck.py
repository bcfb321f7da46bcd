"""The Ornstein-Uhlenbeck field: everything about it is known in closed form, so it serves as the reference for every estimate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid, cast, real_pairs
from gfdt_tutorial.core.random_streams import Stream
from gfdt_tutorial.systems.base import Function, Lags, Parameter, Stepper, System
from gfdt_tutorial.systems.sizes import LAB, Ensemble, Sampling
from gfdt_tutorial.systems.white_noise import WhiteNoise

DECADES = 10**1.5  # a slider covers one and a half decades on either side of the letter's value


@dataclass(frozen=True)
class OrnsteinUhlenbeck(System):
    """∂ₜu = −λ Σu + κ Δu − A ∂ₓu + ε Σ^½ ξ,   Σ = (1 − Δ)⁻¹                 letter, eq. (6)

    ξ is space-time white with its delta function normalised on unit area, so that on the grid the noise over dt has the covariance
    N² ε² dt Σ between pixels. (The letter prints +A; its figure and its code advect along +x, as here.) Per wavevector,

        L_k = −λ/(1 + k²) − κk² − iA kₓ              rate, per unit time
        C_k = N² ε²/(1 + k²) / (−2 Re L_k)           stationary covariance, eigenvalues between pixels
        R_k(t) = exp(L_k t),  C_k(t) = R_k(t) C_k    response, lagged covariance
        ŝ_k = −û_k / C_k = (2/(N²ε²)) (−λ − κk² − κk⁴) û_k    score, per pixel value

    so a simulation starts from the stationary density, and its step is exact for any sampling interval.

    Args:
        lam: λ > 0, relaxation rate of the spatial mean.
        kappa: κ ≥ 0, diffusivity.
        advection: A, speed along +x, the last axis.
        epsilon: ε > 0, noise strength.
        grid: one or two axes.

    Raises:
        ValueError: a parameter out of its range, or a grid without axes.

    >>> system = OrnsteinUhlenbeck()
    >>> round(system.variance, 3)
    2.965
    """

    lam: float = 4e-2
    kappa: float = 2.5e-4
    advection: float = 2e-2
    epsilon: float = 4e-3**0.5  # the letter's ε² = 4·10⁻³
    grid: PeriodicGrid = field(default_factory=PeriodicGrid)
    name = "ornstein-uhlenbeck"
    label = "Ornstein-Uhlenbeck"
    spinup = 0.0
    lags = 90.0
    reach = 6.0
    parameter_table: ClassVar[Mapping[str, Parameter]] = {
        "lam": Parameter("λ", "relaxation rate", "per unit time", low=4e-2 / DECADES, high=4e-2 * DECADES),
        "kappa": Parameter("κ", "diffusivity", "per unit time", low=2.5e-4 / DECADES, high=2.5e-4 * DECADES),
        "advection": Parameter("A", "advection speed", "per unit time", low=-0.1, high=0.1),
        "epsilon": Parameter("ε", "noise strength", low=4e-3**0.5 / DECADES, high=4e-3**0.5 * DECADES, of_noise=True),
    }
    ensembles: ClassVar[Mapping[str, Ensemble]] = {
        "tiny": Ensemble(members=8, duration=63, every=1.0, lags=20, pairs=16),
        "quick": Ensemble(members=64, duration=767, every=1.0, lags=90, pairs=64),
        "standard": Ensemble(members=256, duration=1023, every=1.0, lags=90, pairs=64),
        "paper": Ensemble(members=128, duration=2000, every=1.0, lags=90, pairs=12_800),
        LAB: Ensemble(members=32, duration=383.0, every=1.0, lags=90, pairs=64),
    }
    samplings: ClassVar[Mapping[str, Sampling]] = {
        "tiny": Sampling(8, 40.0, 1.0, 10.0),
        "quick": Sampling(64, 767.0, 1.0, 90.0),
        "standard": Sampling(256, 1023.0, 1.0, 90.0),
    }

    def __post_init__(self) -> None:
        checks.positive("lam", self.lam)
        checks.positive("kappa", self.kappa, zero=True)
        checks.positive("advection", abs(checks.number("advection", self.advection)), zero=True)
        checks.positive("epsilon", self.epsilon)
        if not isinstance(self.grid, PeriodicGrid) or not self.grid.shape:
            raise ValueError("the field needs a grid with one or two axes; PeriodicGrid((32, 32)) is the letter's")

    @property
    def rates(self) -> torch.Tensor:
        """L_k, (*spectral_shape,), complex, per unit time."""
        grid = self.grid
        return -self.lam * grid.inverse_helmholtz + self.kappa * grid.laplacian - self.advection * grid.derivative(-1)

    @property
    def mode_covariance(self) -> torch.Tensor:
        """C_k, (*spectral_shape,), the eigenvalues of the stationary covariance between pixels."""
        return self.grid.size * self.epsilon**2 * self.grid.inverse_helmholtz / (-2 * self.rates.real)

    @property
    def variance(self) -> float:
        """⟨u²⟩ at any pixel."""
        return self.grid.trace(self.mode_covariance) / self.grid.size

    def response(self, lags: Lags) -> torch.Tensor:
        """R(d, t) of a unit kick at pixel 0, (lag, *shape) by displacement d, at any times ≥ 0."""
        return self._fields(self._propagators(lags))

    def covariance(self, lags: Lags) -> torch.Tensor:
        """C(d, t) = ⟨u(x + d, τ + t) u(x, τ)⟩, (lag, *shape)."""
        return self._fields(self._propagators(lags) * self.mode_covariance)

    def score(self, u: torch.Tensor, context: torch.Tensor | None = None, sigma: float | None = None) -> torch.Tensor:
        """∇ ln ρ(u) with respect to pixel values, (..., *shape) → the same; with `sigma`, for u plus white noise of that standard
        deviation."""
        blur = 0.0 if sigma is None else checks.positive("sigma", sigma, zero=True) ** 2
        return self.grid.apply(-1 / (self.mode_covariance + blur), u)

    def drift_derivative(self, parameter: str) -> tuple[Function, Function]:
        """(f, ∇·f): the derivative of the drift with respect to a parameter, and its divergence over pixels.

            λ: f = −Σu, ∇·f = −tr Σ        κ: f = Δu, ∇·f = tr Δ        A: f = −∂ₓu, ∇·f = 0

        Args:
            parameter: "lam", "kappa" or "advection"; for the noise strength see `noise_derivative`.
        """
        grid = self.grid
        symbols = {"lam": -grid.inverse_helmholtz, "kappa": grid.laplacian, "advection": -grid.derivative(-1)}
        symbol = symbols[checks.choice("drift parameter", parameter, symbols)]
        trace = grid.trace(symbol)
        return (lambda u: grid.apply(symbol, u)), (lambda u: torch.full(u.shape[: u.ndim - len(grid.shape)], trace, device=u.device))

    def noise_derivative(self, parameter: str = "epsilon") -> torch.Tensor:
        """∂D/∂ε = 2εN²Σ, (*spectral_shape,), where D = N²ε²Σ is the covariance of the noise per unit time; for `gfdt.noise_derivative`.

        Raises:
            ValueError: a parameter other than "epsilon".
        """
        checks.choice("noise parameter", parameter, ["epsilon"])
        return 2 * self.epsilon * self.grid.size * self.grid.inverse_helmholtz

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """Spectra drawn from the stationary density, (member, *spectral_shape)."""
        noise = WhiteNoise(self.grid, members, seed, stream=Stream.INITIAL, device=device)()
        return noise * cast(self.mode_covariance.sqrt() * self.grid.white, noise)

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """The exact step over `every` time units, û ← e^{L t} û + (C_k (1 − e^{2 Re L t}))^½ η̂; there is no error in time."""
        like = torch.zeros((), dtype=torch.complex64, device=device)
        decay = cast(torch.exp(self.rates * every), like)
        spread = real_pairs((self.mode_covariance * -torch.expm1(2 * self.rates.real * every)).sqrt() * self.grid.white, like)

        def step(spectra: torch.Tensor, noise: WhiteNoise) -> torch.Tensor:
            after = spectra * decay
            torch.view_as_real(after).addcmul_(torch.view_as_real(noise()), spread)
            return after

        return step

    def _propagators(self, lags: Lags) -> torch.Tensor:
        times = torch.as_tensor(lags, dtype=torch.float64)
        if times.ndim != 1 or not bool((times >= 0).all()):
            raise ValueError(f"lags must be a list of times ≥ 0, got {lags!r}")
        return torch.exp(times.reshape(-1, *[1] * len(self.grid.spectral_shape)) * self.rates)

    def _fields(self, symbols: torch.Tensor) -> torch.Tensor:
        return self.grid.irfft(symbols).to(torch.float32)

    def potential(self, parameter: str) -> Function:
        """φ = ∂ ln ρ/∂p up to a constant, (..., *shape) → (...), for `gfdt.kubo`: the change of the drift is ½ N²ε²Σ ∇φ.

            λ: φ = −Σ_x u²/(N²ε²)        κ: φ = Σ_x u(Δ − Δ²)u/(N²ε²)        ε: φ = −(2/ε) (λ φ_λ + κ φ_κ)

        Args:
            parameter: "lam", "kappa" or "epsilon"; advection does not change the stationary density, so it has no potential.

        """
        grid, unit = self.grid, self.grid.size * self.epsilon**2
        checks.choice("parameter with a potential", parameter, ["lam", "kappa", "epsilon"])
        roughness = grid.laplacian - grid.laplacian.square()
        symbols = {"lam": -torch.ones(grid.spectral_shape), "kappa": roughness}
        symbols["epsilon"] = -2 / self.epsilon * (self.kappa * roughness - self.lam)
        return lambda u: (u * grid.apply(symbols[parameter], u)).sum(grid.axes) / unit
