"""The Lorenz system with noise: a strange attractor that noise makes thick enough to have a density, and so a score.

ẋ = s (y − x) + η ξ₁,    ẏ = x (ρ − z) − y + η ξ₂,    ż = x y − β z + η ξ₃

Across its sheets the attractor is about η/√28 thick. The less noise there is, the finer a score must resolve it; without noise it has none.

Source: Lorenz, J. Atmos. Sci. 20, 130 (1963).
"""

import torch

from gfdt_tutorial.systems.sde import SDE

VARIABLES = ("x", "y", "z")


def lorenz_63(*, rho: float = 28.0, s: float = 10.0, beta: float = 8 / 3, eta: float = 2.0, dt: float = 0.005) -> SDE:
    """The Lorenz system, with noise of strength `eta` on each variable.

    >>> import gfdt_tutorial as gfdt
    >>> gfdt.simulate(lorenz_63(), members=4, duration=5.0).components
    ('x', 'y', 'z')
    """
    parameters = {"rho": rho, "s": s, "beta": beta, "eta": eta}
    return SDE(
        _drift, _noise, parameters, components=VARIABLES, observed=VARIABLES, start=(1.0, 1.0, 25.0), dt=dt, name="lorenz-63",
        label="Lorenz 63", spinup=20.0, lags=2.0, every=0.05, reach=3.0,
    )  # fmt: skip


def _drift(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([p["s"] * (x[1] - x[0]), x[0] * (p["rho"] - x[2]) - x[1], x[0] * x[1] - p["beta"] * x[2]])


def _noise(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    return p["eta"] * torch.ones(3, device=x.device)
