"""Systems of stochastic differential equations in a few variables, defined by drift and noise as two functions.

dx = b(x, p) dt + σ(x, p) dW    in the sense of Itô,    D = σσᵀ
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any, Self

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.systems.base import Function, NotKnownError, Stepper, System
from gfdt_tutorial.systems.white_noise import Normals

Coefficient = Callable[[torch.Tensor, dict[str, torch.Tensor]], torch.Tensor]  # (components,), parameters → vector or matrix
PROBES = 16  # random states at which the derivative of the noise distinguishes additive from multiplicative noise


@dataclass(frozen=True, eq=False)
class SDE(System):
    """dx = b(x, p) dt + σ(x, p) dW in the sense of Itô, for a vector x of a few components.

    If σ does not depend on x the time step is the stochastic Heun scheme, otherwise Platen's explicit scheme (Kloeden and Platen,
    Numerical Solution of Stochastic Differential Equations, 1992, eq. 15.1.3). Both are of weak order two: the error of moments is O(dt²).

    The series of such a system contains what `observed` names: one component, as a plain number, or a tuple of them, as unlike variables
    with an axis of their own. The others are hidden state. A kick raises an observed component and leaves all others where they are.

    Args:
        drift: b(x, p), a torch function of *one* state, (components,) → the same, with p a dict of tensors; no in-place operations.
        noise: σ(x, p), likewise: a vector (components,) for independent noise on each component, or a matrix (components, sources).
        parameters: name → value.
        components: their names.
        observed: the component that the series contains, or a tuple of components; the first by default.
        start: the initial state of every member, one value per component; zeros by default.
        dt: largest time step; a sampling interval is divided into equal steps no larger than this.
        name, label: see `System`.
        spinup, lags, every: see `System`; in the time unit of the equation.
        reach: see `System`.

    Raises:
        ValueError: a function that returns another shape or NaN, an unknown component, a `start` of another length, or a step that is not
            positive.

    >>> import gfdt_tutorial as gfdt
    >>> walker = gfdt.SDE(lambda x, p: -p["k"] * x, lambda x, p: p["s"] * torch.ones(1), {"k": 1.0, "s": 1.0}, spinup=5.0)
    >>> gfdt.simulate(walker, members=4, duration=10.0, every=0.5).u.shape
    torch.Size([4, 21])
    """

    drift: Coefficient
    noise: Coefficient
    parameters: Mapping[str, float]
    components: tuple[str, ...] = ("x",)
    observed: str | tuple[str, ...] | None = None
    start: tuple[float, ...] | None = None
    dt: float = 0.01
    name: str = "sde"
    label: str = ""
    spinup: float = 0.0
    lags: float = 10.0
    every: float = 0.1
    reach: float = 3.0
    grid: PeriodicGrid = field(default=PeriodicGrid(()), init=False, repr=False)

    def __post_init__(self) -> None:
        checks.positive("dt", self.dt)
        if not self.components or (self.start is not None and len(self.start) != len(self.components)):
            raise ValueError(f"start has {len(self.start or ())} values for {len(self.components)} components; give one for each")
        for name in self._shown:
            checks.choice("component", name, self.components)
        if self.variables is not None and len(set(self.variables)) < max(1, len(self.variables)):
            raise ValueError(f"observed is {self.observed!r}; expected one component or more, each once")
        object.__setattr__(self, "parameters", {name: checks.number(name, value) for name, value in self.parameters.items()})
        x, p = self._origin(torch.device("cpu")), self._tensors(torch.device("cpu"))
        count = len(self.components)
        for name, found, shapes in (("drift", self.drift(x, p), "(components,)"), ("noise", self.noise(x, p), "(components,) or a matrix")):
            found = checks.finite(f"what {name} returned", torch.as_tensor(found))
            if found.shape[:1] != (count,) or found.ndim > (1 if name == "drift" else 2):
                raise ValueError(f"{name} returned shape {tuple(found.shape)} for {count} components; expected {shapes}")

    # the contract

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """(member, components), all at `start`."""
        return self._origin(device).expand(len(members), -1).clone()

    def make_noise(self, members: range, seed: int, device: torch.device) -> Normals:
        """Normals for each source and, for multiplicative noise, one for each pair of sources, whose sign Platen's scheme uses."""
        sources = self._matrix(self._origin(torch.device("cpu")), self._tensors(torch.device("cpu"))).shape[1]
        numbers = sources + (0 if self.additive else sources * (sources - 1) // 2)
        return Normals((numbers,), members, seed, device=device)

    def field(self, state: torch.Tensor) -> torch.Tensor:
        """The observed component, (..., member), or components, (..., member, component)."""
        return state[..., self._index]

    def state(self, field: torch.Tensor) -> torch.Tensor:
        """A change of the observed components only, (..., components)."""
        leading = field.shape if self.variables is None else field.shape[:-1]
        found = torch.zeros(*leading, len(self.components), device=field.device)
        found[..., self._index] = field
        return found

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """Over `every` time units, in equal steps of at most `dt`, by the stochastic Heun scheme or Platen's scheme."""
        steps = math.ceil(every / self.dt - 1e-9)
        h, p = every / steps, self._tensors(device)
        one = self._heun if self.additive else self._platen

        def step(state: torch.Tensor, noise: Normals) -> torch.Tensor:
            flat = state.reshape(-1, state.shape[-1])
            for _ in range(steps):
                normals = noise()
                flat = one(flat, normals.expand(*state.shape[:-1], -1).reshape(len(flat), -1), h, p)
            return flat.reshape(state.shape)

        return step

    def changed(self, **changes: float) -> Self:
        """The system with some of its `parameters` changed."""
        for name in changes:
            checks.choice(f"parameter of {self.name}", name, self.parameters)
        return replace(self, parameters={**self.parameters, **changes})

    def settable(self) -> set[str]:
        """The names in `parameters`."""
        return set(self.parameters)

    def settings(self) -> dict[str, Any]:
        """Parameters, components, step, and a digest of the code of drift and noise, by which caches distinguish two systems."""
        return {
            "parameters": dict(self.parameters),
            "components": list(self.components),
            "observed": self._shown[0] if self.variables is None else list(self._shown),
            "start": None if self.start is None else list(self.start),
            "dt": self.dt,
            "code": hashlib.sha256("".join(map(_code_of, (self.drift, self.noise))).encode()).hexdigest(),
        }

    def drift_derivative(self, parameter: str) -> tuple[Function, Function]:
        """(f, ∇·f) = (∂b/∂p, ∇·∂b/∂p) by automatic differentiation, for a system whose series shows all components, in their order.

        Raises:
            ValueError: an unknown parameter.
            NotKnownError: there are components that the series does not show.
        """
        self._check_shown(parameter, "drift")

        def change(x: torch.Tensor) -> torch.Tensor:
            return self._slope(lambda q: self.drift(x, q), parameter, x.device)

        def each(function: Function, u: torch.Tensor) -> torch.Tensor:
            with threads.differentiating:
                return torch.func.vmap(function)(u.reshape(-1, len(self.components)))

        def divergence(x: torch.Tensor) -> torch.Tensor:
            return torch.func.jacfwd(change)(x).diagonal().sum()

        leading = slice(None) if self.variables is None else slice(None, -1)
        return (lambda u: each(change, u).reshape(u.shape)), (lambda u: each(divergence, u).reshape(u.shape[leading]))

    def diffusion_derivative(self, parameter: str) -> Callable[[torch.Tensor], torch.Tensor]:
        """∂D/∂p of one state, (component,) → (component, component), D = σσᵀ, by automatic differentiation, for `diffusion_change`.

        Raises:
            ValueError: an unknown parameter.
            NotKnownError: there are components that the series does not show.
        """
        self._check_shown(parameter, "noise")

        def covariance(x: torch.Tensor, q: dict[str, torch.Tensor]) -> torch.Tensor:
            found = self.noise(x, q)
            if found.ndim == 1:
                return torch.diag(found.square())
            return (found[:, None] * found).sum(-1)  # as products: a batch of small matrix products is many times slower

        return lambda x: self._slope(lambda q: covariance(x, q), parameter, x.device)

    def _check_shown(self, parameter: str, part: str) -> None:
        checks.choice(f"parameter of {self.name}", parameter, self.parameters)
        if len(self.components) > 1 and self.variables != self.components:
            raise NotKnownError(f"{self.name} has components that the series does not show, on which the change of its {part} depends")

    def _slope(self, function: Callable[[dict[str, torch.Tensor]], torch.Tensor], parameter: str, device: torch.device) -> torch.Tensor:
        """The derivative of a function of the parameters by one of them."""
        p = self._tensors(device)
        moved = {name: torch.ones_like(value) if name == parameter else torch.zeros_like(value) for name, value in p.items()}
        return torch.func.jvp(function, (p,), (moved,))[1]

    @property
    def additive(self) -> bool:
        """Whether σ is independent of the state, judged by its derivative at PROBES random states."""
        states = torch.randn(PROBES, len(self.components), generator=generator(0, Stream.INITIAL)) + self._origin(torch.device("cpu"))
        with threads.differentiating:
            slopes = torch.func.vmap(torch.func.jacfwd(self.noise), (0, None))(states, self._tensors(torch.device("cpu")))
        return not bool(slopes.any())

    # the two schemes; states (n, components), normals (n, sources) and for Platen's scheme (n, pairs) more

    def _heun(self, x: torch.Tensor, normals: torch.Tensor, h: float, p: dict[str, torch.Tensor]) -> torch.Tensor:
        """x̃ = x + b h + σΔW,  x ← x + ½ (b(x) + b(x̃)) h + σΔW."""
        kick = torch.einsum("nij,nj->ni", self._matrices(x, p), math.sqrt(h) * normals)
        slope = self._drifts(x, p)
        return x + 0.5 * h * (slope + self._drifts(x + h * slope + kick, p)) + kick

    def _platen(self, x: torch.Tensor, normals: torch.Tensor, h: float, p: dict[str, torch.Tensor]) -> torch.Tensor:
        """Kloeden and Platen, eq. 15.1.3, with Gaussian increments ΔW^j and a two-point variable ±h for each pair of sources."""
        root, b, a = math.sqrt(h), self._matrices(x, p), self._drifts(x, p)
        count = b.shape[-1]
        increments, signs = root * normals[:, :count], h * torch.sign(normals[:, count:])
        ahead = x + h * a
        predictor = ahead + torch.einsum("nij,nj->ni", b, increments)
        found = x + 0.5 * h * (a + self._drifts(predictor, p))
        near = [(self._matrices(x + root * b[..., r], p), self._matrices(x - root * b[..., r], p)) for r in range(count)]
        for j in range(count):
            column, step = b[..., j], increments[:, j, None]
            up, down = (self._matrices(ahead + sign * root * column, p)[..., j] for sign in (1, -1))
            found = found + 0.25 * (up + down + 2 * column) * step + 0.25 * (up - down) * (step.square() - h) / root
            for r in range(count):
                if r != j:
                    above, below = (matrix[..., j] for matrix in near[r])
                    pair = signs[:, _pair(r, j, count), None] * (1 if r < j else -1)
                    found = found + 0.25 * (above + below - 2 * column) * step
                    found = found + 0.25 * (above - below) * (step * increments[:, r, None] + pair) / root
        return found

    def _drifts(self, x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.vmap(self.drift, (0, None))(x, p)

    def _matrices(self, x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.vmap(self._matrix, (0, None))(x, p)

    def _matrix(self, x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
        """σ as a matrix (components, sources)."""
        found = self.noise(x, p)
        return torch.diag(found) if found.ndim == 1 else found

    def _tensors(self, device: torch.device) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(value, device=device) for name, value in self.parameters.items()}

    def _origin(self, device: torch.device) -> torch.Tensor:
        return torch.tensor(self.start or (0.0,) * len(self.components), device=device)

    @property
    def variables(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The observed components where there is a tuple of them."""
        return None if self.observed is None or isinstance(self.observed, str) else tuple(self.observed)

    @property
    def _shown(self) -> tuple[str, ...]:
        """What the series contains, as a tuple."""
        observed = self.components[0] if self.observed is None else self.observed
        return (observed,) if isinstance(observed, str) else tuple(observed)

    @property
    def _index(self) -> int | list[int]:
        places = [self.components.index(name) for name in self._shown]
        return places[0] if self.variables is None else places


def _pair(r: int, j: int, count: int) -> int:
    """The index of a pair of sources among all pairs r < j."""
    low, high = min(r, j), max(r, j)
    return low * count - low * (low + 1) // 2 + high - low - 1


def _code_of(function: Coefficient) -> str:
    """The compiled code of a function, which identifies its system; of a callable object, its class and its attributes."""
    code = getattr(function, "__code__", None)
    return f"{type(function).__qualname__} {vars(function)!r}" if code is None else _compiled(code)


def _compiled(code: CodeType) -> str:
    constants = [_compiled(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"
