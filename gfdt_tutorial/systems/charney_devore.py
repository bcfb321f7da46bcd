"""The Charney-DeVore model with noise: flow along a channel over mountains, and waves that the mountains excite.

Barotropic flow over wavy topography, truncated to two zonal flows, x₁ and x₄, and two waves with two phases each, (x₂, x₃) and (x₅, x₆),

    ẋ₁ =  γ̃₁ x₃ − C (x₁ − x₁*)
    ẋ₂ = −(α₁ x₁ − β₁) x₃ − C x₂ − δ₁ x₄ x₆
    ẋ₃ =  (α₁ x₁ − β₁) x₂ − γ₁ x₁ − C x₃ + δ₁ x₄ x₅
    ẋ₄ =  γ̃₂ x₆ − C (x₄ − x₄*) + ε (x₂ x₆ − x₃ x₅)
    ẋ₅ = −(α₂ x₁ − β₂) x₆ − C x₅ − δ₂ x₄ x₃
    ẋ₆ =  (α₂ x₁ − β₂) x₅ − γ₂ x₄ − C x₆ + δ₂ x₄ x₂

with noise on each, and for m = 1, 2

    α_m = (8√2/π) m²/(4m² − 1) · (b² + m² − 1)/(b² + m²)        β_m = β b²/(b² + m²)
    δ_m = (64√2/15π) (b² − m² + 1)/(b² + m²)                    ε = 16√2/(5π)
    γ̃_m = γ (4m/(4m² − 1)) √2 b/π                               γ_m = γ (4m³/(4m² − 1)) √2 b/(π (b² + m²))

b is twice the width of the channel over its length. Without noise, and in the long channel of the source (b = 0.5), the flow moves between
a strong one and a blocked one. Source: Crommelin, Opsteegh and Verhulst, J. Atmos. Sci. 61, 1406 (2004).
"""

import math

import torch

from gfdt_tutorial.systems.sde import SDE

VARIABLES = ("x1", "x2", "x3", "x4", "x5", "x6")
ROOT = 2**0.5


def charney_devore(
    *, b: float = 1.6, beta: float = 1.25, gamma: float = 0.2, damping: float = 0.1, zonal_1: float = 0.95, zonal_4: float = -0.76095,
    noise: float = 0.05, dt: float = 0.1,
) -> SDE:  # fmt: skip
    """The model, with noise of strength `noise` on each variable.

    Args:
        b: twice the width of the channel over its length; 1.6, or 0.5 for a long channel.
        beta: of the rotation of the Earth.
        gamma: of the topography.
        damping: C.
        zonal_1, zonal_4: x₁*, x₄*, towards which x₁ and x₄ are driven.

    >>> import gfdt_tutorial as gfdt
    >>> gfdt.simulate(charney_devore(), members=4, duration=20.0, spinup=0.0).components
    ('x1', 'x2', 'x3', 'x4', 'x5', 'x6')
    """
    parameters = {"b": b, "beta": beta, "gamma": gamma, "C": damping, "x1*": zonal_1, "x4*": zonal_4, "noise": noise}
    return SDE(
        _drift, _noise, parameters, components=VARIABLES, observed=VARIABLES, start=(zonal_1, 0.0, 0.0, zonal_4, 0.0, 0.0), dt=dt,
        name="charney-devore", label="Charney-DeVore", spinup=500.0, lags=30.0, every=0.5, reach=3.0,
    )  # fmt: skip


def _drift(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    b2 = p["b"].square()
    alpha = [8 * ROOT / math.pi * m**2 / (4 * m**2 - 1) * (b2 + m**2 - 1) / (b2 + m**2) for m in (1, 2)]
    beta = [p["beta"] * b2 / (b2 + m**2) for m in (1, 2)]
    delta = [64 * ROOT / (15 * math.pi) * (b2 - m**2 + 1) / (b2 + m**2) for m in (1, 2)]
    zonal = [p["gamma"] * 4 * m / (4 * m**2 - 1) * ROOT * p["b"] / math.pi for m in (1, 2)]
    gamma = [p["gamma"] * 4 * m**3 / (4 * m**2 - 1) * ROOT * p["b"] / (math.pi * (b2 + m**2)) for m in (1, 2)]
    epsilon = 16 * ROOT / (5 * math.pi)
    x1, x2, x3, x4, x5, x6 = x.unbind(0)
    first, second = (a * x1 - beta_m for a, beta_m in zip(alpha, beta, strict=True))
    return torch.stack([
        zonal[0] * x3 - p["C"] * (x1 - p["x1*"]),
        -first * x3 - p["C"] * x2 - delta[0] * x4 * x6,
        first * x2 - gamma[0] * x1 - p["C"] * x3 + delta[0] * x4 * x5,
        zonal[1] * x6 - p["C"] * (x4 - p["x4*"]) + epsilon * (x2 * x6 - x3 * x5),
        -second * x6 - p["C"] * x5 - delta[1] * x4 * x3,
        second * x5 - gamma[1] * x4 - p["C"] * x6 + delta[1] * x4 * x2,
    ])  # fmt: skip


def _noise(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    return p["noise"] * torch.ones(6, device=x.device)
