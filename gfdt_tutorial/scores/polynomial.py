"""A polynomial score in closed form: the projection of the true score on Hermite products of whitened coordinates.

For any smooth φ an integration by parts gives ⟨φ sᵀ⟩ = −⟨∇φᵀ⟩, from the data alone. So with a vector φ of basis functions the projection of
s on them is known without training,

    s(u) ≈ −⟨∇φᵀ⟩ᵀ ⟨φφᵀ⟩⁻¹ φ(u)

With φ = (1, u) this is the Gaussian score. Higher degrees add what products of the variables know of the density: the score is the best of
its degree in the mean square over the density, and every average ⟨φ s⟩ of its basis is exact on the data. It is the rung between a Gaussian
score and a network.

The basis is Hermite products of whitened coordinates (`core.hermite`).

On data that lie on a thin attractor no polynomial of low degree is a good score, and ⟨u sᵀ⟩ = −1 holds all the same.

Source: score matching (Hyvärinen, J. Mach. Learn. Res. 6, 695, 2005), which for a score that is linear in its parameters is a regression.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.hermite import hermite, powers, products
from gfdt_tutorial.core.numerics import blocks
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.whitening import Whitening

LARGEST = 1000  # basis functions
PER_FUNCTION = 20  # snapshots for each of them, below which the projection is refused
REDUNDANT = 1e-8  # of the largest eigenvalue of the Gram matrix: smaller ones belong to combinations that vanish on the data


@dataclass(frozen=True)
class PolynomialScore:
    """s(u) = −⟨∇φᵀ⟩ᵀ ⟨φφᵀ⟩⁻¹ φ(u), with Hermite products φ of whitened coordinates up to a degree.

    Args:
        whitening: y = Wᵀ(u − ⟨u⟩).
        factors: (function, component), the degree of each factor.
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

    whitening: Whitening
    factors: torch.Tensor
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
        factors = powers(u.shape[1], checks.whole("degree", degree, minimum=1))
        if len(factors) > LARGEST or PER_FUNCTION * len(factors) > len(u):
            raise ValueError(
                f"degree {degree} in {u.shape[1]} variables has {len(factors)} products, for {len(u)} snapshots; at most {LARGEST} are "
                f"fitted, from {PER_FUNCTION} snapshots each: take a lower degree or a longer series"
            )
        with threads.steady():
            whitening = Whitening.of(u)
            gram, slopes = _averages(whitening(u), factors)
            values, vectors = torch.linalg.eigh(gram)
            kept = values > REDUNDANT * values[-1]
            inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        condition = float(values[-1] / values[kept][0])
        return cls(whitening, factors, -slopes.T @ inverse, data.components, data.fingerprint, condition)

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
        y = self.whitening(u.reshape(-1, len(self.whitening.mean)))
        functions = products(hermite(y, int(self.factors.max())), self.factors)
        weights = self.coefficients.T @ self.whitening.matrix.T
        return (functions @ weights.to(u.device)).reshape(u.shape).to(u.dtype)


def _averages(y: torch.Tensor, factors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """⟨φφᵀ⟩, (function, function), and ⟨∂φ/∂y_i⟩, (function, component), in blocks that bound the memory."""
    count = y.shape[1]
    gram = torch.zeros(len(factors), len(factors), dtype=torch.float64)
    slopes = torch.zeros(len(factors), count, dtype=torch.float64)

    def of(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        polynomials = hermite(y[part], int(factors.max()))
        functions = products(polynomials, factors)
        lowered = [
            products(polynomials, (factors - torch.eye(count, dtype=torch.long)[i]).clamp_min(0)).sum(0) * factors[:, i].sqrt()
            for i in range(count)
        ]
        return functions.T @ functions, torch.stack(lowered, 1)

    for some, slope in threads.mapped(of, blocks(len(y), 16 * len(factors) * (count + 1)), device=y.device):
        gram += some.cpu()
        slopes += slope.cpu()
    return gram / len(y), slopes / len(y)
