"""One number with a cubic drift, a reduced model of atmospheric variability whose density is known in closed form.

ẋ = F + a x + b x² − c x³ + σ ξ,    c > 0

    ρ(x) ∝ exp[2 (F x + a x²/2 + b x³/3 − c x⁴/4)/σ²]

so that every stationary average, and its derivative by every parameter, is a quadrature.

Source: Giorgini, Bischoff and Souza, arXiv:2509.19660, whose Table II has the values that are the defaults here.
"""

from collections.abc import Callable, Mapping

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.systems.sde import SDE

POINTS = 20_001  # of the quadrature
DEPTH = 60.0  # of ln ρ, below its maximum, at which the quadrature ends

Parameters = Mapping[str, torch.Tensor]


def cubic_number(
    *, F: float = 0.72, a: float = -0.02664, b: float = -0.2, c: float = 0.0494, sigma: float = 0.84852, dt: float = 0.02
) -> SDE:
    """ẋ = F + a x + b x² − c x³ + σ ξ, with the parameters F, a, b, c and sigma.

    Raises:
        ValueError: c or sigma is not positive, for which no stationary density exists.

    >>> system = cubic_number()
    >>> average = stationary_average(system.parameters, lambda x: x)
    >>> changed = stationary_average({**system.parameters, "F": 0.73}, lambda x: x)
    >>> bool(changed > average)  # a larger forcing raises the mean
    True
    """
    checks.positive("c", c)
    checks.positive("sigma", sigma)
    parameters = {"F": F, "a": a, "b": b, "c": c, "sigma": sigma}
    return SDE(_drift, _noise, parameters, dt=dt, name="cubic-number", label="Cubic number", spinup=60.0, lags=16.0, every=0.25)


def stationary_average(parameters: Mapping[str, float] | Parameters, observable: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """∫ A ρ dx by the trapezoid rule in double precision, differentiable by the parameters.

    Args:
        parameters: F, a, b, c and sigma, as numbers or tensors.
        observable: A, from points (point,) to (point,) or (n, point).
    """
    p = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in parameters.items()}
    x = torch.linspace(-1, 1, POINTS, dtype=torch.float64) * _reach(p)
    log = _log_density(x, p)
    density = torch.exp(log - log.max().detach())
    return (torch.as_tensor(observable(x)) * density).sum(-1) / density.sum()


def _log_density(x: torch.Tensor, p: Parameters) -> torch.Tensor:
    return 2 * (p["F"] * x + p["a"] * x**2 / 2 + p["b"] * x**3 / 3 - p["c"] * x**4 / 4) / p["sigma"] ** 2


def _reach(p: Parameters) -> float:
    """|x| beyond which the density is below e^−DEPTH of its maximum."""
    with torch.no_grad():
        for doubling in range(20):
            x = torch.linspace(-1, 1, 2001, dtype=torch.float64) * 2.0**doubling
            log = _log_density(x, p)
            if float(log.max() - torch.maximum(log[0], log[-1])) > DEPTH:
                return float(x[-1])
    raise ValueError("the density does not fall off within |x| < 10⁶; expected c > 0 and sigma > 0")


def _drift(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    return p["F"] + p["a"] * x + p["b"] * x**2 - p["c"] * x**3


def _noise(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    return p["sigma"] * torch.ones(1, device=x.device)
