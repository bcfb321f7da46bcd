"""A polynomial score in closed form: the projection of the true score on Hermite products of whitened coordinates.

For any smooth φ an integration by parts gives ⟨φ sᵀ⟩ = −⟨∇φᵀ⟩, from the data alone. So with a vector φ of basis functions the projection of
s on them is known without training,

    s(u) ≈ −⟨∇φᵀ⟩ᵀ ⟨φφᵀ⟩⁻¹ φ(u)

With φ = (1, u) this is the Gaussian score. Higher degrees add what products of the variables know of the density: the score is the best of
its degree in the mean square over the density, and every average ⟨φ s⟩ of its basis is exact on the data. It is the rung between a Gaussian
score and a network.

The basis is Hermite products of whitened coordinates, He_a(y₁) He_b(y₂) … with a + b + … ≤ degree and y = Wᵀ(u − ⟨u⟩), WᵀCW = 1. They are
orthogonal for a Gaussian density, while the Gram matrix of powers reaches a condition of 10⁷ at degree 6.

On data that lie on a thin attractor no polynomial of low degree is a good score, and ⟨u sᵀ⟩ = −1 holds all the same.

Source: score matching (Hyvärinen, J. Mach. Learn. Res. 6, 695, 2005), which for a score that is linear in its parameters is a regression.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import ClassVar

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.numerics import blocks
from gfdt_tutorial.core.series import TimeSeries, check_series

LARGEST = 1000  # basis functions
PER_FUNCTION = 20  # snapshots for each of them, below which the projection is refused
REDUNDANT = 1e-8  # of the largest eigenvalue of the Gram matrix: smaller ones belong to combinations that vanish on the data


@dataclass(frozen=True)
class PolynomialScore:
    """s(u) = −⟨∇φᵀ⟩ᵀ ⟨φφᵀ⟩⁻¹ φ(u), with Hermite products φ of whitened coordinates up to a degree.

    Args:
        mean: (component,).
        whitening: W with WᵀCW = 1, (component, component), so that y = Wᵀ(u − ⟨u⟩).
        powers: (function, component), the degree of each factor.
        coefficients: (component, function), of the score per unit of y.
        components: names, or None for a plain number.
        fitted_to: fingerprint of the series to which it was fitted.
        condition: of the Gram matrix ⟨φφᵀ⟩.

    >>> import gfdt_tutorial as gfdt
    >>> well = gfdt.DoubleWell()
    >>> data = gfdt.simulate(well, members=64, duration=200.0, every=0.25)
    >>> score = PolynomialScore.fit(data, degree=3)  # the true score of this well is a cubic
    >>> bool((score(data.u) - well.score(data.u)).std() < 0.15 * well.score(data.u).std())
    True
    """

    mean: torch.Tensor
    whitening: torch.Tensor
    powers: torch.Tensor
    coefficients: torch.Tensor
    components: tuple[str, ...] | None
    fitted_to: str
    condition: float
    method: ClassVar[str] = "polynomial"
    needs_context: ClassVar[bool] = False

    @classmethod
    def fit(cls, data: TimeSeries, *, degree: int = 3) -> "PolynomialScore":
        """The projection on all products up to a degree, from the averages of a series.

        Raises:
            ValueError: data with space axes; a degree below 1; more than 1000 products, or too few snapshots for them; or variables of
                which a combination carries no variance.
        """
        check_series(data, components=True)
        if data.grid.shape:
            raise ValueError(
                f"these data are fields of shape {data.grid.shape}; this score is for a few variables without space: use fit_score"
            )
        u = data.u.double().reshape(data.snapshots, -1)
        powers = _powers(u.shape[1], checks.whole("degree", degree, minimum=1))
        if len(powers) > LARGEST or PER_FUNCTION * len(powers) > len(u):
            raise ValueError(
                f"degree {degree} in {u.shape[1]} variables has {len(powers)} products, for {len(u)} snapshots; at most {LARGEST} are "
                f"fitted, from {PER_FUNCTION} snapshots each: take a lower degree or a longer series"
            )
        with threads.steady():
            mean, whitening = u.mean(0), _whitening(u)
            gram, slopes = _averages((u - mean) @ whitening, powers)
            values, vectors = torch.linalg.eigh(gram)
            kept = values > REDUNDANT * values[-1]
            inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        condition = float(values[-1] / values[kept][0])
        return cls(mean, whitening, powers, -slopes.T @ inverse, data.components, data.fingerprint, condition)

    @property
    def identity_on(self) -> str | None:
        """Fingerprint of the series for which −⟨u sᵀ⟩ is exactly the identity: the series to which it was fitted."""
        return self.fitted_to

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """The score at u, (..., component), or (...) for a plain number, → the same.

        Raises:
            ValueError: states of another number of components.
        """
        shape = () if self.components is None else (len(self.components),)
        checks.ends_with("u", u, shape)
        flat = u.double().reshape(-1, len(self.mean)) - self.mean.to(u.device)
        whitening, coefficients = self.whitening.to(u.device), self.coefficients.to(u.device)
        functions = _products(_hermite(flat @ whitening, int(self.powers.max())), self.powers)
        return (functions @ coefficients.T @ whitening.T).reshape(u.shape).to(u.dtype)


def _powers(count: int, degree: int) -> torch.Tensor:
    """(function, component): all products of total degree ≤ `degree`, the constant first."""
    chosen = [product for order in range(degree + 1) for product in combinations_with_replacement(range(count), order)]
    return torch.tensor([[product.count(i) for i in range(count)] for product in chosen])


def _whitening(u: torch.Tensor) -> torch.Tensor:
    """W with WᵀCW = 1, (component, coordinate), from the correlations, so that units do not matter."""
    scale = u.std(0, correction=0)
    if bool((scale == 0).any()):
        raise ValueError("a variable does not vary: leave it out")
    values, vectors = torch.linalg.eigh(torch.corrcoef(u.T).reshape(u.shape[1], u.shape[1]))
    if float(values[0]) < 1e-10 * float(values[-1]):
        raise ValueError("a combination of the variables carries no variance: one is a linear function of the others; leave it out")
    return (vectors / values.sqrt()) / scale[:, None]


def _averages(y: torch.Tensor, powers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """⟨φφᵀ⟩, (function, function), and ⟨∂φ/∂y_i⟩, (function, component), in blocks that bound the memory."""
    count = y.shape[1]
    gram = torch.zeros(len(powers), len(powers), dtype=torch.float64)
    slopes = torch.zeros(len(powers), count, dtype=torch.float64)

    def of(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        hermite = _hermite(y[part], int(powers.max()))
        functions = _products(hermite, powers)
        lowered = [
            _products(hermite, (powers - torch.eye(count, dtype=torch.long)[i]).clamp_min(0)).sum(0) * powers[:, i].sqrt()
            for i in range(count)
        ]
        return functions.T @ functions, torch.stack(lowered, 1)

    for some, slope in threads.mapped(of, blocks(len(y), 16 * len(powers) * (count + 1)), device=y.device):
        gram += some.cpu()
        slopes += slope.cpu()
    return gram / len(y), slopes / len(y)


def _hermite(y: torch.Tensor, degree: int) -> torch.Tensor:
    """Normalised Hermite polynomials He_n(y)/(n!)^½, (sample, component, degree + 1)."""
    found = [torch.ones_like(y), y]
    for n in range(2, degree + 1):
        found.append((y * found[-1] - (n - 1) ** 0.5 * found[-2]) / n**0.5)
    return torch.stack(found[: degree + 1], -1)


def _products(hermite: torch.Tensor, powers: torch.Tensor) -> torch.Tensor:
    """(sample, function)."""
    found = hermite[:, 0, powers[:, 0]]
    for i in range(1, hermite.shape[1]):
        found = found * hermite[:, i, powers[:, i]]
    return found
