"""The test for hidden memory: how often it finds memory that is there, and how often it accuses a Markov series."""

import math
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import scipy.signal
import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.hidden_memory import HiddenMemory, hidden_memory
from gfdt_tutorial.data.hidden_memory_of_fields import hidden_memory_of_fields
from gfdt_tutorial.data.suitability.check import SIGNIFICANT
from gfdt_tutorial.data.suitability.record import Record
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.double_well import DoubleWell
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import simulate

SHAPES = {"64 × 1000": (64, 1000), "1 × 64,000": (1, 64_000)}
SPIN_UP = 600  # samples
Make = Callable[[int, int, int], np.ndarray]  # members, samples, seed → (member, time)
COUPLED = np.array([[0.5, 0.3, 0.0], [0.0, 0.7, 0.3], [0.0, 0.0, 0.8]])  # the first is driven by the second, and that by the third


def power(seeds: int = 20) -> list[Row]:
    """Hidden memory, found in how many of 20 series: at least 19 where it exists, at most one where it does not."""
    rows = []
    for shape, (members, steps) in SHAPES.items():
        for name, make in (HIDDEN | MARKOV).items():
            found = sum(hidden_memory(_series(make(members, steps, seed)), seed=seed).verdict == "found" for seed in range(seeds))
            hidden = name in HIDDEN
            bound = math.ceil(0.95 * seeds) if hidden else math.floor(0.05 * seeds)
            rows.append(Row(f"{name}, {shape}: found in {seeds} series", found, bound, at_least=hidden))
    return rows


def false_alarms(seeds: int = 30, first: int = 0) -> list[Row]:
    """Hidden memory: the fraction of Markov series of many kinds and shapes that is accused; at most twice the stated rate."""
    kinds = {f"AR(1) {memory:g}": _autoregression([memory]) for memory in (0.3, 0.7, 0.9, 0.97)}
    kinds |= {"double well": double_well, "AR(1) 0.8 with t₃ noise": _autoregression([0.8], tail=3), "lognormal": _lognormal}
    chances = [
        hidden_memory(_series(make(*shape, 1000 + seed)), seed=seed).p_value
        for make in kinds.values()
        for shape in ((8, 400), (64, 200), (16, 600), (3, 2000), (1, 6000))
        for seed in range(first, first + seeds)
    ]
    known = np.array([chance for chance in chances if not math.isnan(chance)])
    rows = [Row("Markov series that were tested for hidden memory", len(known))]
    return rows + [
        Row(f"of these accused at a level of {level:g}", float((known < level).mean()), 2 * level) for level in (SIGNIFICANT, 0.01, 0.1)
    ]


def fields(seeds: int = 5, preset: str = "quick") -> list[Row]:
    """Hidden memory of fields: the Allen-Cahn field, 16 × 400, which is Markov, and a ring that is not; in how many series it is found.

    The test of a field takes two trainings more than its response, so there are five seeds instead of twenty.
    """
    found: dict[str, list[HiddenMemory]] = {"Allen-Cahn field, 16 × 400": [], "Markov ring seen through noise, 16 × 400": []}
    for seed in range(seeds):
        for values, data in zip(
            found.values(),
            (simulate(AllenCahn(), members=16, spinup=None, duration=399.0, every=1.0, seed=seed, device="cpu"), noisy_ring(seed)),
            strict=True,
        ):
            values.append(_of_fields(data, preset, seed))
    rows = []
    for (name, values), bound in zip(found.items(), (0, seeds), strict=True):
        flagged, largest = sum(one.verdict == "found" for one in values), max(float(one.difference.abs().max()) for one in values)
        rows.append(Row(f"{name}: found in {seeds} series", flagged, bound, at_least=bound > 0))
        rows.append(Row(f"{name}: largest relative change of the response", largest))
    return rows


def noisy_ring(seed: int, members: int = 16, steps: int = 400, places: int = 16) -> TimeSeries:
    """x ← ¾x + (its two neighbours)/10 + ξ on a ring, seen through noise of the same variance at each place."""
    rng = np.random.default_rng([seed, 5])
    x, rows = np.zeros((members, places)), []
    for _ in range(steps + 100):
        x = 0.75 * x + (np.roll(x, 1, -1) + np.roll(x, -1, -1)) / 10 + rng.normal(size=x.shape)
        rows.append(x)
    path = np.stack(rows[100:], 1)
    seen = path + path.std() * rng.normal(size=path.shape)
    return TimeSeries(torch.from_numpy(seen), torch.arange(float(steps), dtype=torch.float64), "mtx")


def _of_fields(data: TimeSeries, preset: str, seed: int) -> HiddenMemory:
    one, other = data.split(0.5)
    first, second = (cast(LearnedScore, fit_score(half, preset=preset, seed=seed + i)) for i, half in enumerate((one, other)))
    return hidden_memory_of_fields((one, other), (first, second), Record(data).autocorrelation, preset, seed=seed)


def flow_mean(members: int, steps: int, seed: int, every: float = 1 / 8, pieces: int = 8) -> np.ndarray:
    """The spatial mean of the Navier-Stokes flow, (member, time), over the amplitude of its forcing: dū/dt = −ū + cos φ, dφ = √2 dW.

    The mean of an advected field feels neither advection nor diffusion, and the mean of the wave forcing is the one wave with k = 0. The
    equation is integrated with the forcing held constant over each of the `pieces` steps per sample.
    """
    rng, h = np.random.default_rng([seed, 1]), every / pieces
    walk = math.sqrt(2 * h) * rng.normal(size=(members, (steps + SPIN_UP) * pieces))
    forcing = np.cos(rng.uniform(0, 2 * math.pi, (members, 1)) + walk.cumsum(1))
    mean = scipy.signal.lfilter([-math.expm1(-h)], [1, -math.exp(-h)], forcing)
    return mean[:, SPIN_UP * pieces :: pieces]


def coupled(members: int, steps: int, seed: int) -> np.ndarray:
    """The first of three coupled variables, x ← COUPLED x + ξ, (member, time)."""
    noise = np.random.default_rng([seed, 2]).normal(size=(3, members, steps + SPIN_UP))
    x = np.zeros_like(noise)
    for i in (2, 1, 0):
        forcing = noise[i] + sum(COUPLED[i, j] * np.roll(x[j], 1, -1) for j in range(i + 1, 3))
        x[i] = scipy.signal.lfilter([1], [1, -COUPLED[i, i]], forcing)
    return x[0, :, SPIN_UP:]


def double_well(members: int, steps: int, seed: int, every: float = 0.25, pieces: int = 20) -> np.ndarray:
    """(member, time), by Euler-Maruyama in `pieces` steps per sample: a Markov chain like `DoubleWell`, as fast for 1 member as for 64."""
    well, h = DoubleWell(), every / pieces
    rng = np.random.default_rng([seed, 4])
    noise = well.epsilon * math.sqrt(h) * rng.normal(size=(members, (steps + SPIN_UP) * pieces))
    a, b, paths = h * well.tilt, h * 4 * well.barrier, []
    for row in noise.tolist():
        x, path = 0.0, []
        for kick in row:
            x += a - b * x * (x * x - 1) + kick
            path.append(x)
        paths.append(path[SPIN_UP * pieces :: pieces])
    return np.array(paths)


def field_mean(members: int, steps: int, seed: int) -> np.ndarray:
    """The spatial mean of the Ornstein-Uhlenbeck field, on a ring, (member, time)."""
    system = OrnsteinUhlenbeck(grid=PeriodicGrid((8,)), lam=0.1)
    return simulate(system, members=members, spinup=None, duration=float(steps - 1), every=1.0, seed=seed, device="cpu").u.mean(-1).numpy()


def _autoregression(coefficients: Sequence[float], tail: float = math.inf) -> Make:
    """x(t) = Σ a_i x(t − i) + ξ(t), ξ normal or with Student's t distribution of `tail` degrees of freedom."""

    def make(members: int, steps: int, seed: int) -> np.ndarray:
        noise = np.random.default_rng([seed, 3]).standard_t(1e9 if math.isinf(tail) else tail, size=(members, steps + SPIN_UP))
        return scipy.signal.lfilter([1], [1, *(-a for a in coefficients)], noise)[:, SPIN_UP:]

    return make


def _lognormal(members: int, steps: int, seed: int) -> np.ndarray:
    return np.exp(0.9 * _autoregression([0.8])(members, steps, seed))


def _series(u: np.ndarray) -> TimeSeries:
    return TimeSeries(torch.from_numpy(u - np.median(u)), torch.arange(float(u.shape[1]), dtype=torch.float64), "mt")


OSCILLATION = [2 * 0.98 * math.cos(2 * math.pi / 20), -(0.98**2)]
HIDDEN = {
    "spatial mean of the flow": flow_mean,
    "AR(2) of modulus 0.98": _autoregression(OSCILLATION),
    "one of three coupled variables": coupled,
}
MARKOV = {
    "AR(1) 0.9": _autoregression([0.9]),
    "double well": double_well,
    "spatial mean of the Ornstein-Uhlenbeck field": field_mean,
}
