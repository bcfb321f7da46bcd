"""The Lorenz 96 system with uneven forcing and noise: waves on a ring whose places are unlike.

ẋ_i = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + F (1 + a cos(2πi/n)) + η ξ_i,    i = 0 … n − 1, periodic

With a = 0 all places are alike, and the ring is a field. With a > 0 each has its own statistics, so that they are unlike variables.

Source: Lorenz, Proc. Seminar on Predictability, ECMWF, 1, 1 (1996).
"""

import math

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.systems.sde import SDE


def lorenz_96(*, places: int = 8, forcing: float = 8.0, unevenness: float = 0.5, eta: float = 1.0, dt: float = 0.01) -> SDE:
    """The system, with noise of strength `eta` on each variable.

    Args:
        places: n, 4 or more.
        forcing: F.
        unevenness: a.

    Raises:
        ValueError: fewer than four places.

    >>> import gfdt_tutorial as gfdt
    >>> gfdt.simulate(lorenz_96(places=5), members=4, duration=5.0).components
    ('x1', 'x2', 'x3', 'x4', 'x5')
    """
    names = tuple(f"x{number}" for number in range(1, checks.whole("places", places, minimum=4) + 1))
    start = tuple(forcing * (1 + 0.01 * (number == 0)) for number in range(places))
    return SDE(
        _drift, _noise, {"F": forcing, "a": unevenness, "eta": eta}, components=names, observed=names, start=start, dt=dt, name="lorenz-96",
        label="Lorenz 96", spinup=20.0, lags=2.0, every=0.05, reach=3.0,
    )  # fmt: skip


def _drift(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    place = torch.arange(len(x), device=x.device) * (2 * math.pi / len(x))
    return (x.roll(-1) - x.roll(2)) * x.roll(1) - x + p["F"] * (1 + p["a"] * place.cos())


def _noise(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    return p["eta"] * torch.ones(len(x), device=x.device)
