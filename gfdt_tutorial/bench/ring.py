"""The ring of lesson 07, from somebody else's generator: the errors of what `analyse` gives, against kicked twins."""

import importlib.util
import math
from collections.abc import Sequence

import numpy as np
import torch

from gfdt_tutorial.bench.rows import Row, mean_and_scatter
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.response import Response

SITES, FORCING, EVERY, LAGS = 36, 8.0, 0.1, 15
MEMBERS, SAMPLES, PARTS = 64, 400, 16
KICK = 0.1
BOUND = 0.06  # on the L2 of the combined response


def ring(seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> list[Row]:
    """Mean and scatter over seeds of the L2 of each response of `analyse`, with the preset `quick`; 40 seconds per seed.

    Raises:
        ValueError: reservoirpy, which makes the data, was not found.
    """
    if importlib.util.find_spec("reservoirpy") is None:
        raise ValueError("reservoirpy, which makes the data of lesson 07, was not found; pip install -e '.[data]'")
    found: dict[str, list[float]] = {}
    for seed in seeds:
        data = _data(seed)
        truth = _twins(data, seed)
        for name, response in analyse(data, preset="quick", lags=LAGS * EVERY, seed=seed).responses.items():
            found.setdefault(name, []).append(compare(response, truth).quoted["l2"])
    bounds = {"combined": BOUND}
    return [row for name, each in found.items() for row in mean_and_scatter(f"ring of lesson 07, {name}: L2", each, bounds.get(name))]


def _data(seed: int) -> TimeSeries:
    from reservoirpy.datasets import lorenz96  # imported here: it belongs to an extra

    rng = np.random.default_rng(seed)
    starts = FORCING + rng.normal(size=(MEMBERS, SITES))
    every = math.sqrt(EVERY)  # samples of release 0.4 are h² apart: lesson 07
    each = [lorenz96(SAMPLES + 100, h=every, x0=start, rtol=1e-4, atol=1e-4)[100:] for start in starts]
    return TimeSeries(np.stack(each).astype(np.float32), EVERY * np.arange(SAMPLES), "mtx")


def _twins(data: TimeSeries, seed: int) -> Response:
    """R(d, t) from a pair of twins at every sample, kicked by ± KICK with random signs at all sites."""
    start = data.u.double()
    signs = torch.from_numpy(np.random.default_rng(seed + 10**6).choice([-1.0, 1.0], size=start.shape))
    plus, minus, rows = start + KICK * signs, start - KICK * signs, []
    conjugate = torch.fft.fft(signs).conj()
    for _ in range(LAGS + 1):
        products = torch.fft.fft((plus - minus) / (2 * KICK)) * conjugate
        rows.append(torch.fft.ifft(products).real.reshape(PARTS, -1, SITES).mean(1) / SITES)
        plus, minus = _advanced(plus), _advanced(minus)
    parts = torch.stack(rows, 1).float()
    times = EVERY * torch.arange(LAGS + 1, dtype=torch.float64)
    return Response(times, parts.mean(0), "dynamical", parts.std(0) / PARTS**0.5, PARTS - 1.0, parts=parts, grid=data.grid)


def _advanced(u: torch.Tensor, steps: int = 2) -> torch.Tensor:
    """One sampling interval later, by the classical method of Runge and Kutta."""
    dt = EVERY / steps
    for _ in range(steps):
        a = _drift(u)
        b = _drift(u + dt / 2 * a)
        c = _drift(u + dt / 2 * b)
        u = u + dt / 6 * (a + 2 * b + 2 * c + _drift(u + dt * c))
    return u


def _drift(u: torch.Tensor) -> torch.Tensor:
    return (u.roll(-1, -1) - u.roll(2, -1)) * u.roll(1, -1) - u + FORCING
