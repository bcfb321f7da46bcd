"""The checks of a series: how often they find what is wrong with it, and how often they accuse a series that is sound."""

import math
from collections.abc import Callable

import numpy as np
import scipy.signal
import torch

from gfdt_tutorial.bench.rows import Row, elapsed, present
from gfdt_tutorial.core.memory import peak_memory_mb
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.preparation import deseasonalise
from gfdt_tutorial.data.suitability import Suitability, examine
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores.gaussian import GaussianScore

Draw = Callable[..., np.ndarray]


def suitability(seeds: int = 20, series: int = 200) -> list[Row]:
    """Checks of a series: how often they find seasons and unlike members, how often they raise a false alarm, and what they cost."""
    return [*large(), *seasons(5 * seeds), *members(seeds), *false_alarms(series)]


# --- sound series


def draws(seed: int, kind: int = 0) -> Draw:
    """A function that draws arrays of normal numbers, one after the other; independent for each kind of series."""
    random = generator(seed, Stream.BENCH, kind)
    return lambda *shape: torch.randn(shape, generator=random, dtype=torch.float64).numpy()


def red(z: np.ndarray, memory: float) -> np.ndarray:
    """An autoregressive series of first order and unit variance from white noise, time along axis 1; its start is stationary."""
    z = z.copy()
    z[:, 0] /= math.sqrt(1 - memory**2)
    return math.sqrt(1 - memory**2) * scipy.signal.lfilter([1.0], [1.0, -memory], z, axis=1)


def oscillating(draw: Draw, members: int, steps: int, period: float, damping: float) -> np.ndarray:
    """An autoregressive series of second order: it oscillates, and its memory of the phase decays as e^(−t/damping)."""
    radius, early = math.exp(-1 / damping), int(10 * damping)
    a = [1.0, -2 * radius * math.cos(2 * math.pi / period), radius**2]
    return scipy.signal.lfilter([1.0], a, draw(members, steps + early), axis=1)[:, early:]


def heavy(draw: Draw, *shape: int) -> np.ndarray:
    """Student's t with three degrees of freedom."""
    return draw(*shape) / np.sqrt(np.square(draw(3, *shape)).mean(0))


def smooth(field: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Each place plus half of its two neighbours, along each axis."""
    for axis in axes:
        field = field + 0.5 * (np.roll(field, 1, axis) + np.roll(field, -1, axis))
    return field


FIT: dict[str, tuple[str, Callable[[Draw], np.ndarray]]] = {
    "white noise, 1 × 360": ("mt", lambda draw: draw(1, 360)),
    "AR(1) 0.5, 1 × 240": ("mt", lambda draw: red(draw(1, 240), 0.5)),
    "AR(1) 0.9, 1 × 500": ("mt", lambda draw: red(draw(1, 500), 0.9)),
    "AR(1) 0.5, 3 × 200": ("mt", lambda draw: red(draw(3, 200), 0.5)),
    "AR(1) 0.9, 2 × 600": ("mt", lambda draw: red(draw(2, 600), 0.9)),
    "AR(1) 0.9, 16 × 200": ("mt", lambda draw: red(draw(16, 200), 0.9)),
    "AR(1) 0.98, 16 × 200": ("mt", lambda draw: red(draw(16, 200), 0.98)),
    "oscillator, period 12, damping 12, 1 × 600": ("mt", lambda draw: oscillating(draw, 1, 600, 12, 12)),
    "oscillator, period 12, damping 50, 1 × 1500": ("mt", lambda draw: oscillating(draw, 1, 1500, 12, 50)),
    "oscillator, period 20, damping 20, 10 × 300": ("mt", lambda draw: oscillating(draw, 10, 300, 20, 20)),
    "Student t, 3 degrees of freedom, 1 × 360": ("mt", lambda draw: heavy(draw, 1, 360)),
    "AR(1) 0.7 driven by it, 16 × 200": ("mt", lambda draw: red(heavy(draw, 16, 200), 0.7)),
    "exponential of AR(1) 0.7, 4 × 250": ("mt", lambda draw: np.exp(red(draw(4, 250), 0.7))),
    "ring of 12, AR(1) 0.7, 1 × 300": ("mtx", lambda draw: smooth(red(draw(1, 300, 12), 0.7), (2,))),
    "ring of 12, AR(1) 0.7, 10 × 60": ("mtx", lambda draw: smooth(red(draw(10, 60, 12), 0.7), (2,))),
    "field of 6 × 6, AR(1) 0.7, 4 × 80": ("mtyx", lambda draw: smooth(red(draw(4, 80, 6, 6), 0.7), (2, 3))),
}
GAUSSIAN = tuple(name for name in FIT if "Student" not in name and "driven" not in name and "exponential" not in name)
ROUGH = tuple(name for name in FIT if "oscillator" not in name)  # the paths of oscillators are smooth, so that is no false alarm


def made(u: np.ndarray, axes: str = "mt", **info: str) -> TimeSeries:
    """A series sampled at every unit of time."""
    times = torch.arange(float(u.shape[1]), dtype=torch.float64)
    return TimeSeries(torch.from_numpy(u.astype(np.float32)), times, axes, info=info)


def alarms(found: Suitability, name: str) -> dict[str, bool]:
    """check → whether it accuses this sound series."""
    raised = {check.name: check.verdict in ("refused", "warning") for check in found.checks if check.name != "memory"}
    raised["Gaussianity"] = "cannot be exact" in found["Gaussianity"].finding
    return {check: raised[check] for check in raised if name in {"Gaussianity": GAUSSIAN, "smoothness": ROUGH}.get(check, FIT)}


def false_alarms(series: int) -> list[Row]:
    """False alarms per thousand series, over all kinds and for the worst kind; the stated rate is one in a thousand."""
    counted: dict[str, dict[str, list[bool]]] = {}
    for number, (kind, (axes, make)) in enumerate(FIT.items(), start=1):
        for seed in range(series):
            found = examine(made(make(draws(1000 + seed, number)), axes))
            for check, alarm in alarms(found, kind).items():
                counted.setdefault(check, {}).setdefault(kind, []).append(alarm)
    rows = []
    for check, kinds in counted.items():
        rates = {kind: 1000 * float(np.mean(raised)) for kind, raised in kinds.items()}
        count, worst = sum(map(len, kinds.values())), max(rates, key=lambda kind: rates[kind])
        overall = 1000 * float(np.mean(np.concatenate(list(kinds.values()))))
        rows.append(Row(f"false alarms of {check}, per thousand of {count} sound series", overall, 2.0))
        rows.append(Row(f"  of the worst kind: {worst if rates[worst] else 'none'}", rates[worst]))
    return rows


# --- seasons


def seasonal(seed: int, amplitude: float, years: int, **info: str) -> TimeSeries:
    """AR(1) 0.7 of unit variance with a yearly cycle, in months."""
    t = np.arange(12 * years)
    return made(red(draws(seed)(1, len(t)), 0.7) + amplitude * np.cos(2 * np.pi * t / 12), **info)


def named(found: Suitability, period: float = 12.0) -> bool:
    """Whether the series is refused for a cycle, and its period is given within 2 %."""
    check = found["stationarity"]
    if check.verdict != "refused" or "A cycle of period " not in check.finding:
        return False
    return abs(float(check.finding.split("A cycle of period ")[1].split()[0]) / period - 1) < 0.02


def seasons(seeds: int) -> list[Row]:
    """How often a season is found and its period given, and the state of the series after its removal.

    For a search of all frequencies the samples are declared yearly, so that the calendar suggests no period.
    """
    month, year = {"time_unit": "months"}, {"time_unit": "years"}
    cases: dict[str, tuple[float, int, dict[str, str], tuple[float, ...], float | None]] = {
        "amplitude 1, 20 years": (1.0, 20, month, (), 19),
        "amplitude 1/2, 30 years, period given": (0.5, 30, month, (12.0,), 15),
        "amplitude 1/2, 30 years, period of the calendar": (0.5, 30, month, (), None),
        "amplitude 1/2, 30 years, all frequencies searched": (0.5, 30, year, (), 6),
        "amplitude 1, 20 years, all frequencies searched": (1.0, 20, year, (), None),
    }
    rows: list[Row] = []
    for words, (amplitude, years, info, periods, bound) in cases.items():
        found = sum(named(examine(seasonal(seed, amplitude, years, **info), periods)) for seed in range(seeds))
        rows.append(Row(f"season found and named, {words}: of {seeds}", found, bound and bound * seeds / 20, at_least=True))
    return rows + deseasonalised(seeds)


def deseasonalised(seeds: int) -> list[Row]:
    """A season of amplitude 1 in 30 years, removed: does the series pass, and does the 90 % band of R(6) cover 0.7⁶?"""
    series = [deseasonalise(seasonal(seed, 1.0, 30), 12.0) for seed in range(seeds)]
    fine = sum(examine(one)["stationarity"].verdict == "fine" for one in series)
    bands = [present(respond(one, GaussianScore.fit(one), lags=6.0).band_along(0)) for one in series]
    covering = sum(bool(low[-1] <= 0.7**6 <= high[-1]) for low, high in bands)
    return [
        Row(f"season removed, stationarity fine: of {seeds}", fine, 0.95 * seeds, at_least=True),
        Row(f"season removed, 90 % band of R(6) covers 0.7⁶: of {seeds}", covering),
    ]


# --- members


def unlike(seed: int, kind: str) -> TimeSeries:
    """16 members of 600 samples of AR(1) 0.8 that differ in one property."""
    draw = draws(seed)
    z = draw(16, 600)
    if kind == "memory":
        return made(np.concatenate([red(one[None], memory) for one, memory in zip(z, np.linspace(0.3, 0.98, 16), strict=True)]))
    each = draw(16, 1)
    return made(red(z, 0.8) + 0.3 * each if kind == "mean" else red(z, 0.8) * np.exp(0.7 * each))


def members(seeds: int) -> list[Row]:
    """How often unlike members are refused and their difference named.

    They differ in mean by 0.3 standard deviations, in the logarithm of the standard deviation by 0.7, or in memory, from 0.3 to 0.98.
    """
    rows = []
    for kind in ("mean", "variance", "memory"):
        found = [examine(unlike(seed, kind))["members"] for seed in range(seeds)]
        right = sum(check.verdict == "refused" and check.finding.startswith(f"The {kind} differs") for check in found)
        rows.append(Row(f"members that differ in {kind}, refused and named: of {seeds}", right, 0.95 * seeds, at_least=True))
    return rows


def large(steps: int = 10**6, memory: float = 1 - 2e-4) -> list[Row]:
    """The cost of examining one long series with a memory of 10⁴ samples."""
    data = made(red(draws(0)(1, steps), memory))
    before = peak_memory_mb() or math.nan
    seconds = elapsed(lambda: examine(data))
    used = (peak_memory_mb() or math.nan) - before
    return [Row(f"examine {steps:.0e} samples with a memory of 1e4", seconds, unit="s"), Row("  memory beyond the data", used, unit="MB")]
