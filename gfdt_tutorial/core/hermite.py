"""Products of whitened variables: coordinates in which unlike variables are alike, and Hermite polynomials of them.

y = Wᵀ(u − ⟨u⟩) with WᵀCW = 1 has unit covariance whatever the units of u. The products He_a(y₁) He_b(y₂) … with a + b + … ≤ degree span all
polynomials up to that degree. They are orthogonal for a Gaussian density, while the Gram matrix of powers of u reaches a condition of 10⁷
at degree 6.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import torch

COLLINEAR = 1e-10  # of the largest eigenvalue of the correlations


@dataclass(frozen=True)
class Whitening:
    """y = Wᵀ(u − ⟨u⟩).

    Args:
        mean: ⟨u⟩, (variable,), in double precision.
        matrix: W, (variable, coordinate), with WᵀCW = 1.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    @classmethod
    def of(cls, u: torch.Tensor) -> "Whitening":
        """From samples (sample, variable), through their correlations, so that units do not matter.

        Raises:
            ValueError: a variable, or a combination of them, does not vary.
        """
        u = u.double()
        mean, scale = u.mean(0), u.std(0, correction=0)
        if bool((scale == 0).any()):
            raise ValueError("a variable does not vary: leave it out")
        values, vectors = torch.linalg.eigh(torch.corrcoef(u.T).reshape(u.shape[1], u.shape[1]))
        if float(values[0]) < COLLINEAR * float(values[-1]):
            raise ValueError("a combination of the variables carries no variance: one is a linear function of the others; leave it out")
        return cls(mean, (vectors / values.sqrt()) / scale[:, None])

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """(..., variable) → (..., coordinate), in double precision."""
        return (u.double() - self.mean.to(u.device)) @ self.matrix.to(u.device)


def powers(count: int, degree: int) -> torch.Tensor:
    """(function, coordinate), the degree of each factor: all products of total degree ≤ `degree`, the constant first."""
    chosen = [product for order in range(degree + 1) for product in combinations_with_replacement(range(count), order)]
    return torch.tensor([[product.count(i) for i in range(count)] for product in chosen])


def hermite(y: torch.Tensor, degree: int) -> torch.Tensor:
    """Normalised Hermite polynomials He_n(y)/(n!)^½, (..., coordinate) → (..., coordinate, degree + 1)."""
    found = [torch.ones_like(y), y]
    for n in range(2, degree + 1):
        found.append((y * found[-1] - (n - 1) ** 0.5 * found[-2]) / n**0.5)
    return torch.stack(found[: degree + 1], -1)


def products(polynomials: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """From what `hermite` returns, (..., coordinate, degree + 1), and `powers`: (..., function)."""
    found = polynomials[..., 0, factors[:, 0]]
    for i in range(1, factors.shape[1]):
        found = found * polynomials[..., i, factors[:, i]]
    return found
