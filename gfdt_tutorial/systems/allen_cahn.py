"""The modified stochastic Allen-Cahn field: two phases, a known score that is not linear, and slow large scales."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid, cast, real_pairs
from gfdt_tutorial.core.random_streams import Stream
from gfdt_tutorial.systems.base import Function, Parameter, Stepper, System
from gfdt_tutorial.systems.sizes import LAB, Ensemble, Sampling, Truth
from gfdt_tutorial.systems.white_noise import WhiteNoise

STAGE = complex(1, math.sqrt(5)) / 6  # μ + i(μ(1 − μ))^½ with μ = 1/6: see two_stages
PHASE = 0.9  # |u| in the middle of a phase
SMOOTH = 3.5  # wavenumber of the initial pattern, exp(−k/3.5) in amplitude: its shell spectrum is then that of the stationary field
START_MEAN = 0.145  # initial standard deviation of the spatial mean; it becomes 0.13, the stationary value, once |u| has settled

# `python -m gfdt_tutorial bench --only allen-cahn-limits` prints the measurements behind these two choices
LARGEST_STEP = 0.5  # α dt: here −⟨u_k s_k*⟩ at k = 0 is 0.91 ± 0.07, at 1 it is 1.24 ± 0.08; ⟨ū²⟩ is within its scatter, 5 %, at both
# α/ε²: at 4000, the letter's value, a field in one phase leaves it after some 600 time units; at 7000 not within any feasible run
LARGEST_RATIO = 5000.0


@dataclass(frozen=True)
class AllenCahn(System):
    """∂ₜu = κ Δu − A ∂ₓu + α Σ[u(1 − u²)] + ε Σ^½ ξ,   Σ = (1 − Δ)⁻¹           letter, eq. (9)

    ξ is space-time white with its delta function normalised on unit area, so that on the grid the noise over dt has the covariance
    N² ε² dt Σ between pixels. Pixels favour u = ±1. With A = 0 the equation is a gradient flow in the metric of its own noise, and

        s(u) = (2/(N²ε²)) [α u(1 − u²) + κ(Δu − Δ²u)]              letter, eq. (10), per pixel value

    is the exact score. The letter uses the same score for A ≠ 0: advection would leave ρ unchanged if ∂ₓ(u³) were equal to 3u² ∂ₓu. On a
    grid it is not, because u³ is aliased. Advection therefore changes ρ, and `score` is inexact: −⟨u_i s_j⟩ is −0.086 and +0.082 between
    neighbours along x, where it should be 0.

    The spatial mean has a decorrelation time of 700-1000 time units. `initial` therefore starts from two phases already in balance, and
    `spinup` is long enough for the small scales; for other parameters the large scales need a longer one.

    Args:
        alpha: α > 0, strength of the double well.
        kappa: κ ≥ 0, diffusivity.
        advection: A, speed along +x, the last axis.
        epsilon: ε > 0, noise strength.
        grid: one or two axes.
        dt: largest time step; a sampling interval is divided into equal steps no larger than this.

    Raises:
        ValueError: a parameter out of its range, or a grid without axes.

    Warns:
        UserWarning: a step too large for accurate statistics, or a double well so strong that a field hardly ever leaves a phase.

    >>> AllenCahn().score(torch.ones(32, 32)).abs().max() < 1e-4
    tensor(True)
    """

    alpha: float = 16.0
    kappa: float = 2.5e-4
    advection: float = 2e-2
    epsilon: float = 4e-3**0.5  # the letter's ε² = 4·10⁻³
    grid: PeriodicGrid = field(default_factory=PeriodicGrid)
    dt: float = 1 / 32
    name = "allen-cahn"
    label = "Allen-Cahn"
    spinup = 50.0
    lags = 90.0
    kick = "random signs"
    reach = 1.8
    parameter_table: ClassVar[Mapping[str, Parameter]] = {
        "alpha": Parameter("α", "strength of the double well", "per unit time", low=2.0, high=16.0),
        "kappa": Parameter("κ", "diffusivity", "per unit time", low=2.5e-4 / 10**0.6, high=2.5e-4 * 10**0.6),
        "advection": Parameter("A", "advection speed", "per unit time", low=-0.05, high=0.05),
        "epsilon": Parameter("ε", "noise strength", low=4e-3**0.5 - 0.015, high=4e-3**0.5 + 0.055, of_noise=True),
    }
    ensembles: ClassVar[Mapping[str, Ensemble]] = {
        "tiny": Ensemble(members=8, duration=63, every=1.0, lags=20, pairs=16),
        "quick": Ensemble(members=128, duration=400, every=1.0, lags=90, pairs=256, fit_members=64),
        "standard": Ensemble(members=256, duration=800, every=1.0, lags=90, pairs=1024, fit_members=128),
        "paper": Ensemble(members=128, duration=2000, every=1.0, lags=90, pairs=12_800),
        LAB: Ensemble(members=16, duration=200.0, every=1.0, lags=90, pairs=64),
    }
    # two phases adjust to a change of α within a tenth of a time unit, which the trapezoid rule must resolve
    samplings: ClassVar[Mapping[str, Sampling]] = {
        "tiny": Sampling(8, 4.0, 0.125, 1.0, spinup=5.0),
        "quick": Sampling(128, 60.0, 0.125, 10.0, resolved=2.0),
        "standard": Sampling(256, 80.0, 0.125, 10.0, resolved=2.0),
        LAB: Sampling(32, 4.0, 1.0, 10.0, spinup=25.0),
    }
    lab_changes: ClassVar[Mapping[str, float]] = {"dt": 1 / 48}  # so that α may grow by half before α dt exceeds LARGEST_STEP
    smooth_reference = Truth(pairs=16_416, lags=30, every=1.0, restarts=12, seed=2_000_000, kick="smooth")
    reference = Truth(pairs=55_296, lags=90, every=1.0, restarts=12, seed=1_000_000)

    def __post_init__(self) -> None:
        checks.positive("alpha", self.alpha)
        checks.positive("kappa", self.kappa, zero=True)
        checks.positive("advection", abs(checks.number("advection", self.advection)), zero=True)
        checks.positive("epsilon", self.epsilon)
        checks.positive("dt", self.dt)
        if not isinstance(self.grid, PeriodicGrid) or not self.grid.shape:
            raise ValueError("the field needs a grid with one or two axes; PeriodicGrid((32, 32)) is the letter's")
        if self.alpha * self.dt > LARGEST_STEP * (1 + 1e-9):
            warnings.warn(
                f"dt = {self.dt:g} is too large a step for alpha = {self.alpha:g}: the statistics of the large scales are right up to "
                f"dt = {LARGEST_STEP / self.alpha:g}; choose a smaller step",
                stacklevel=3,
            )
        if self.alpha / self.epsilon**2 > LARGEST_RATIO * (1 + 1e-9):
            warnings.warn(
                f"alpha = {self.alpha:g} is so strong against the noise, epsilon = {self.epsilon:.3g}, that a field hardly ever leaves a "
                f"phase; up to alpha = {LARGEST_RATIO * self.epsilon**2:.3g} averages do not depend on the initial phases, beyond they do",
                stacklevel=3,
            )

    @property
    def symmetries(self) -> tuple[str, ...]:
        """The symmetries of the field on its grid; with one axis there is no y to reflect."""
        return ("reflect y", "sign") if len(self.grid.shape) == 2 else ("sign",)

    def score(self, u: torch.Tensor, context: torch.Tensor | None = None, sigma: float | None = None) -> torch.Tensor:
        """(2/(N²ε²)) [αu(1 − u²) + κ(Δu − Δ²u)], (..., *shape) → the same: ∇ ln ρ(u) with respect to pixel values if A = 0.

        Raises:
            ValueError: `sigma` is given; the score of the field plus noise has no closed form, but fit_score(..., noise_levels=True)
                learns it.
        """
        if sigma:
            raise ValueError("the score of this field under noise has no closed form; learn it with fit_score(..., noise_levels=True)")
        grid = self.grid
        roughness = self.kappa * (grid.laplacian - grid.laplacian.square())
        return 2 / (grid.size * self.epsilon**2) * (self.alpha * (u - u**3) + grid.apply(roughness, u))

    def drift_derivative(self, parameter: str) -> tuple[Function, Function]:
        """(f, ∇·f): the derivative of the drift with respect to a parameter, and its divergence over pixels.

            α: f = Σ[u(1 − u²)], ∇·f = Σ(0) Σ_x (1 − 3u²)        κ: f = Δu, ∇·f = tr Δ        A: f = −∂ₓu, ∇·f = 0

        Σ(0) is the diagonal of Σ between pixels.

        Args:
            parameter: "alpha", "kappa" or "advection"; for the noise strength see `noise_derivative`.
        """
        grid = self.grid
        symbols = {"alpha": grid.inverse_helmholtz, "kappa": grid.laplacian, "advection": -grid.derivative(-1)}
        symbol = symbols[checks.choice("drift parameter", parameter, symbols)]
        trace = grid.trace(symbol)
        if parameter == "alpha":
            return (lambda u: grid.apply(symbol, u - u**3)), (lambda u: trace * (1 - 3 * u.square()).mean(grid.axes))
        return (lambda u: grid.apply(symbol, u)), (lambda u: torch.full(u.shape[: u.ndim - len(grid.shape)], trace, device=u.device))

    def noise_derivative(self, parameter: str = "epsilon") -> torch.Tensor:
        """∂D/∂ε = 2εN²Σ, (*spectral_shape,), where D = N²ε²Σ is the covariance of the noise per unit time; for `gfdt.noise_derivative`.

        Raises:
            ValueError: a parameter other than "epsilon".
        """
        checks.choice("noise parameter", parameter, ["epsilon"])
        return 2 * self.epsilon * self.grid.size * self.grid.inverse_helmholtz

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """Spectra of two phases in balance, (member, *spectral_shape): 0.9 where a smooth random field exceeds a threshold, else −0.9.

        The threshold of each member sets its spatial mean, which is normally distributed. The smoothness and the distribution of the mean
        are those of the stationary field at the letter's parameters; for other parameters the large scales need a spin-up of several
        hundred time units.
        """
        grid = self.grid
        noise = WhiteNoise(grid, members, seed, stream=Stream.INITIAL, device=device)()
        smooth = torch.exp(-grid.k_squared.sqrt() / SMOOTH) * (grid.k_squared > 0)
        pattern = grid.irfft(noise * cast(smooth * grid.white, noise)).flatten(1)
        mean = START_MEAN * noise.flatten(1)[:, :1].real
        above = (0.5 * (1 + mean / PHASE)).clamp(0.01, 0.99)  # the fraction of pixels in the upper phase
        ranks = ((1 - above) * (grid.size - 1)).long()
        level = pattern.sort(1).values.gather(1, ranks)
        return grid.rfft(torch.where(pattern > level, PHASE, -PHASE).reshape(-1, *grid.shape))

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """Over `every` time units, by the integrating-factor two-stage scheme `two_stages`, of weak order two."""
        grid = self.grid
        rates = self.kappa * grid.laplacian - self.advection * grid.derivative(-1)
        return two_stages(grid, rates, every, self.dt, device, alpha=self.alpha, epsilon=self.epsilon, smoothing=grid.inverse_helmholtz)

    def potential(self, parameter: str) -> Function:
        """φ = ∂ ln ρ/∂p up to a constant, (..., *shape) → (...), for `gfdt.kubo`: the change of the drift is ½ N²ε²Σ ∇φ.

            α: φ = Σ_x (u² − ½u⁴)/(N²ε²)        κ: φ = Σ_x u(Δ − Δ²)u/(N²ε²)        ε: φ = −(2/ε) (α φ_α + κ φ_κ)

        ρ is that of the field with A = 0, for which `gfdt.kubo` agrees with direct simulation of the changed system. With the letter's A,
        because of aliasing, it overestimates: the predicted change of ⟨u²⟩ after three time units is 1.24 ± 0.05 times the measured one
        for κ + 2 %, and 1.17 ± 0.02 times for α (`bench --only kubo`; 1.03 ± 0.02 and 0.97 ± 0.02 with A = 0,
        `bench --only kubo-at-rest`).

        Args:
            parameter: "alpha", "kappa" or "epsilon"; advection would not change the density without aliasing: it has no potential.
        """
        grid, unit = self.grid, self.grid.size * self.epsilon**2
        checks.choice("parameter with a potential", parameter, ["alpha", "kappa", "epsilon"])
        if parameter == "alpha":
            return lambda u: (u.square() - 0.5 * u**4).sum(grid.axes) / unit
        if parameter == "kappa":
            return lambda u: (u * grid.apply(grid.laplacian - grid.laplacian.square(), u)).sum(grid.axes) / unit
        alpha, kappa = self.potential("alpha"), self.potential("kappa")
        return lambda u: -2 / self.epsilon * (self.alpha * alpha(u) + self.kappa * kappa(u))


def two_stages(
    grid: PeriodicGrid,
    rates: torch.Tensor,
    every: float,
    dt: float,
    device: torch.device,
    *,
    alpha: float,
    epsilon: float,
    smoothing: torch.Tensor,
) -> Stepper:
    """∂ₜu = L u + α Σ[u(1 − u²)] + ε Σ^½ ξ over `every` time units, in steps h ≤ dt, for any symbols L and Σ.

    The scheme is exponential (integrating-factor), has two stages and is of weak order two; complex coefficients split the noise between
    the stages. With n the noise of a step, N(u) = αΣ[u(1 − u²)] and E = exp(Lh), a step is

        v  = E^½ u
        K₁ = h N(v + Z n)                    Z = μ + i(μ(1 − μ))^½
        K₂ = h N(v + K₁ + (1 − Z) n)
        u ← E^½ [v + (K₁ + K₂)/2 + n]

    i multiplies the stored half spectrum, so that i n is the noise shifted by a quarter period: at any pixel it has the variance of n and
    is independent of it. The step is of weak order two for any μ: the mean noise of the stages is n/2 and their variances add up to that
    of n, which is all that this order requires; μ = 0 is the stochastic Heun scheme. The remaining error of order h² appears at the large
    scales, where 2αh is no longer small, and μ is chosen empirically so that it vanishes there: −⟨u_k s_k*⟩ at k = 0, which should be 1,
    is 0.85, 0.95, 0.98 and 1.12 (± 0.025) for μ = 0, 1/8, 1/6 and 1/4 at A = 0, h = 1/32. A step takes two real FFTs in each direction and
    N² normals.

    Args:
        rates: L, (*spectral_shape,); κΔ − A∂ₓ in the letter.
        epsilon: ε ≥ 0; if it is 0 no noise is drawn, and the second argument of the step may be None.
        smoothing: Σ, (*spectral_shape,), real; (1 − Δ)⁻¹ in the letter; 1 makes the equation local.
    """
    steps = math.ceil(every / dt - 1e-9)
    h = every / steps
    like = torch.zeros((), dtype=torch.complex64, device=device)
    half, free = (cast(torch.exp(part * h * rates), like) for part in (0.5, 1.0))
    spread = real_pairs(grid.white * grid.size**0.5 * epsilon * (h * smoothing).sqrt(), like)
    drift = real_pairs(h * alpha * smoothing, like)
    pairs = torch.view_as_real

    def well(spectra: torch.Tensor) -> torch.Tensor:
        u = grid.irfft(spectra)
        square = u * u
        return grid.rfft(torch.addcmul(u, square, u, value=-1, out=square))

    def increment(noise: Callable[[], torch.Tensor] | None) -> torch.Tensor:
        return like if noise is None or not epsilon else torch.view_as_complex(pairs(noise()) * spread)

    def step(spectra: torch.Tensor, noise: Callable[[], torch.Tensor] | None) -> torch.Tensor:
        spectra = spectra * half
        for number in range(1, steps + 1):
            kick = increment(noise)
            first = well(torch.add(spectra, kick, alpha=STAGE))
            pairs(first).mul_(drift)
            second = well(torch.add(spectra, kick, alpha=1 - STAGE).add_(first))
            spectra.add_(kick).add_(first, alpha=0.5)
            pairs(spectra).addcmul_(pairs(second), drift, value=0.5)
            spectra.mul_(free if number < steps else half)  # between steps two half factors in one
        return spectra

    return step
