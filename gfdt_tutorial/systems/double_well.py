"""One variable in a double well: the smallest system whose response the Gaussian approximation gets wrong, and all of it computable."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch
from scipy.linalg import lapack

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.systems.base import Function, Stepper, System

Observable = Function

STEP = 1 / 80  # largest time step, of the simulation and of the backward equation
REACH, CELLS = 3.2, 641  # the line −REACH … REACH, beyond which no walker goes, and its points


@dataclass(frozen=True)
class Moments:
    """The observable (x, (x − c)²), (...) → (..., 2): mean and, centred on the mean, variance.

    To first order the variance answers a small change as ⟨(x − ⟨x⟩)²⟩ does with ⟨x⟩ held fixed.
    """

    centre: float = 0.0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(x, (x − c)²)."""
        return torch.stack([x, (x - self.centre).square()], dim=-1)


@dataclass(frozen=True)
class DoubleWell(System):
    """dx = −V′(x) dt + ε dW,   V(x) = h (x² − 1)² − a x

    Two valleys near x = ±1, a hill of height h between them (exactly h for a = 0), tilted to the right by a > 0. Its stationary density
    and score are those of any gradient system,

        ρ(x) ∝ exp(−2V(x)/ε²),     s(x) = ∂ₓ ln ρ = −2V′(x)/ε²

    Everything else follows from the mean of an observable A at time t for walkers that start at x,

        m_t(x) = ⟨A(x(t)) | x(0) = x⟩,   ∂ₜm = −V′ ∂ₓm + (ε²/2) ∂ₓ²m,   m_0 = A      the backward Kolmogorov equation
        R_A(t) = ∫ ρ ∂ₓm_t dx            response of ⟨A⟩ to a unit impulse of x

    which is solved on a fine grid; no twins are needed. With a = 0 left and right are alike, and the response of anything even, such as
    the variance, vanishes; hence the tilt.

    Args:
        barrier: h > 0, an energy, in units of x² per time.
        tilt: a, a constant force, in units of x per time; from −1 to 1.
        epsilon: ε > 0, noise strength.

    Raises:
        ValueError: a parameter out of its range, or so little noise or so low a hill that the grid does not hold the density.

    >>> well = DoubleWell()
    >>> round(float(well.average(lambda x: x * well.score(x))), 3)
    -1.0
    """

    barrier: float = 0.5
    tilt: float = 0.3
    epsilon: float = 1.0
    name = "double-well"
    label = "double well"
    lags = 2.0
    every = 0.05
    grid: PeriodicGrid = field(default=PeriodicGrid(()), init=False, repr=False)

    def __post_init__(self) -> None:
        checks.positive("barrier", self.barrier)
        checks.positive("epsilon", self.epsilon)
        if abs(checks.number("tilt", self.tilt)) > 1 or math.isnan(self.tilt):
            raise ValueError(f"tilt is {self.tilt!r}; expected a number from −1 to 1: beyond, the second well is gone or hardly visited")
        if float(self.density[[0, -1]].max()) > 1e-6 * float(self.density.max()):
            raise ValueError(
                f"with barrier {self.barrier:g} and epsilon {self.epsilon:g} walkers go beyond |x| = {REACH:g}; "
                "take a higher barrier or a smaller epsilon"
            )
        if self.epsilon**2 < 0.02 * self.barrier:
            raise ValueError(f"epsilon {self.epsilon:g} is too small for a barrier of {self.barrier:g}: walkers would never cross it")

    def energy(self, x: torch.Tensor) -> torch.Tensor:
        """The potential V(x)."""
        return self.barrier * (x.square() - 1).square() - self.tilt * x

    def drift(self, x: torch.Tensor) -> torch.Tensor:
        """−V′(x), per unit time."""
        return self.tilt - 4 * self.barrier * x * (x.square() - 1)

    def score(self, x: torch.Tensor, context: torch.Tensor | None = None, sigma: float | None = None) -> torch.Tensor:
        """∂ₓ ln ρ(x) = −2V′(x)/ε², for x of any shape.

        Raises:
            ValueError: a sigma; the blurred density has no closed form here.
        """
        if sigma:
            raise ValueError("the score of the blurred density has no closed form here; leave sigma out")
        return 2 / self.epsilon**2 * self.drift(x)

    def drift_derivative(self, parameter: str) -> tuple[Function, Function]:
        """(f, ∂ₓf): how the drift changes per unit of a parameter, and its derivative.

            a: f = 1, ∂ₓf = 0        h: f = −4x(x² − 1), ∂ₓf = 4 − 12x²

        Args:
            parameter: "tilt" or "barrier". The noise strength is no part of the drift, and has no such pair.
        """
        pairs = {
            "tilt": (torch.ones_like, torch.zeros_like),
            "barrier": (lambda x: -4 * x * (x.square() - 1), lambda x: 4 - 12 * x.square()),
        }
        return pairs[checks.choice("drift parameter", parameter, pairs)]

    @property
    def points(self) -> torch.Tensor:
        """(point,): the grid in x on which averages and responses are computed, double precision."""
        return torch.linspace(-REACH, REACH, CELLS, dtype=torch.float64)

    @cached_property
    def density(self) -> torch.Tensor:
        """ρ at the points, (point,), integral 1."""
        exponent = -2 * self.energy(self.points) / self.epsilon**2
        weight = torch.exp(exponent - exponent.max())
        return weight / (weight.sum() * self._spacing)

    def average(self, observable: Observable) -> torch.Tensor:
        """⟨A⟩ = ∫ A ρ dx, () or (n,) for an observable of n numbers.

        Raises:
            ValueError: an observable that returns another shape than (point,) or (point, n), or NaN.
        """
        return self._integral(_at_points(self, observable))

    @cached_property
    def variance(self) -> float:
        """⟨x²⟩ − ⟨x⟩²."""
        return float(self.average(torch.square) - self.average(torch.clone).square())

    def conditional_means(self, lags, observable: Observable = torch.clone) -> torch.Tensor:
        """m_t at the points, (lag, point) or (lag, point, n), by Crank and Nicolson's scheme in steps of at most STEP.

        Args:
            lags: times ≥ 0, in rising order.
            observable: A, of x of shape (point,) → (point,) or (point, n); x itself by default.

        Raises:
            ValueError: lags that are no such list; an observable that returns another shape or NaN.
        """
        times = torch.as_tensor(lags, dtype=torch.float64)
        if times.ndim != 1 or not bool((times.diff(prepend=torch.zeros(1)) >= 0).all()):
            raise ValueError(f"lags must be a list of times ≥ 0 in rising order, got {lags!r}")
        return _conditional_means(self, tuple(times.tolist()), observable)

    def response(self, lags, observable: Observable = torch.clone, score: Callable | None = None) -> torch.Tensor:
        """R_A(t) = −∫ ρ s m_t dx, the response of ⟨A⟩ to a unit impulse of x, (lag,) or (lag, n).

        Args:
            score: another score in place of the exact one: what it would give with endless data.
        """
        s = torch.as_tensor((score or self.score)(self.points)).double()
        means = self.conditional_means(lags, observable)
        centred = means - self._integral(means[0])  # takes out what a score with ⟨s⟩ ≠ 0 would add
        return -self._integral(s.reshape(-1, *[1] * (centred.ndim - 2)) * centred, axis=1).float()

    def kicked(self, lags, kick: float, observable: Observable = torch.clone) -> torch.Tensor:
        """⟨A⟩ a time t after every walker was moved by `kick`, of any size: ∫ ρ(x − δ) m_t(x) dx, (lag,) or (lag, n).

        Raises:
            ValueError: a kick beyond ±1, which may throw walkers off the grid.
        """
        if abs(checks.number("kick", kick)) > 1 or math.isnan(kick):
            raise ValueError(f"kick is {kick!r}; expected a number from −1 to 1")
        moved = np.interp(self.points.numpy() - kick, self.points.numpy(), self.density.numpy(), left=0, right=0)
        means = self.conditional_means(lags, observable)
        return self._integral(means, torch.from_numpy(moved / (moved.sum() * self._spacing)), axis=1)

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """Walkers drawn from ρ, (member,): quantiles of uniform numbers."""
        uniform = torch.stack(
            [torch.rand((), generator=generator(seed, Stream.INITIAL, member), dtype=torch.float64) for member in members]
        )
        below = self.density.cumsum(0) * self._spacing - 0.5 * self.density * self._spacing
        return torch.from_numpy(np.interp(uniform.numpy(), below.numpy(), self.points.numpy())).float().to(device)

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """Heun's scheme, of weak order 2 for such noise: x̃ = x + b(x) h + ε ΔW,  x ← x + ½ [b(x) + b(x̃)] h + ε ΔW.

        A call of the noise brings two normals, the real and the imaginary part, and is worth two steps.
        """
        pairs = math.ceil(every / (2 * STEP))
        h = every / (2 * pairs)
        strength = self.epsilon * math.sqrt(h)

        def step(state, noise):
            x = state.real
            for _ in range(pairs):
                two = noise()
                for kick in (strength * two.real, strength * two.imag):
                    slope = self.drift(x)
                    x = x + 0.5 * h * (slope + self.drift(x + h * slope + kick)) + kick
            return x

        return step

    @property
    def _spacing(self) -> float:
        return 2 * REACH / (CELLS - 1)

    def _integral(self, values: torch.Tensor, density: torch.Tensor | None = None, *, axis: int = 0) -> torch.Tensor:
        """∫ ρ A dx over the point axis: 0 of (point[, n]), 1 of (lag, point[, n]); there may be as many lags as points."""
        weight = (self.density if density is None else density) * self._spacing
        return torch.tensordot(values.double(), weight, dims=([axis], [0]))

    @cached_property
    def _generator(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The backward operator as rates of hops between neighbours (Scharfetter and Gummel 1969): down, stay, up.

        They keep ρ exactly: ρ_i k(i → i + 1) = ρ_{i+1} k(i + 1 → i).
        """
        climb = np.diff(2 * self.energy(self.points).numpy() / self.epsilon**2)
        rate = self.epsilon**2 / 2 / self._spacing**2
        up, down = rate * _bernoulli(climb), rate * _bernoulli(-climb)
        return down, -np.append(up, 0) - np.insert(down, 0, 0), up

    def _advanced(self, mean: np.ndarray, gap: float) -> np.ndarray:
        """m after `gap` more: (1 − ½hL)⁻¹ (1 + ½hL) m = 2 (1 − ½hL)⁻¹ m − m at each step h."""
        steps = math.ceil(gap / STEP - 1e-6)  # a hair above a whole number is that number
        down, stay, up = (-0.5 * gap / max(steps, 1) * rates for rates in self._generator)
        factors = lapack.dgttrf(down, 1 + stay, up)[:5]
        for _ in range(steps):
            mean = 2 * lapack.dgttrs(*factors, mean)[0] - mean
        return mean


@lru_cache(maxsize=8)  # a response, a kick and a prediction ask for the same
def _conditional_means(well: DoubleWell, times: tuple[float, ...], observable: Observable) -> torch.Tensor:
    values = _at_points(well, observable)
    mean, found = values.numpy().reshape(CELLS, -1), []
    for gap in np.diff(times, prepend=0):
        mean = well._advanced(mean, gap)
        found.append(mean)
    return torch.from_numpy(np.stack(found)).reshape(len(times), *values.shape)


def _at_points(well: DoubleWell, observable: Observable) -> torch.Tensor:
    """A at the points, (point[, n]), double precision."""
    values = checks.finite("what observable returned", torch.as_tensor(observable(well.points)).double())
    if values.shape[:1] != well.points.shape or values.ndim > 2:
        raise ValueError(f"observable returned {tuple(values.shape)} for {CELLS} points; expected ({CELLS},) or ({CELLS}, n)")
    return values


def _bernoulli(z: np.ndarray) -> np.ndarray:
    """z / (eᶻ − 1), 1 at z = 0."""
    safe = np.where(np.abs(z) < 1e-8, 1e-8, z)
    return safe / np.expm1(np.minimum(safe, 700))
