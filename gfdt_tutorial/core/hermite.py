"""Products of Hermite polynomials of whitened variables.

Let y = Wᵀ(u − ⟨u⟩) have unit covariance (`whitening`). The products He_a(y₁) He_b(y₂) … with a + b + … ≤ degree span all
polynomials up to that degree. They are orthogonal for a Gaussian density, while the Gram matrix of powers of u reaches a condition of 10⁷
at degree 6.
"""

from itertools import combinations_with_replacement

import torch


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
