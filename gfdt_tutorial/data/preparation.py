"""Preparing a series for analysis: removing a season or a trend, centring members. Each step is recorded in info["preparation"].

Of unlike variables each is prepared on its own.
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries, check_series

HARMONICS = 6  # of a period that is not a whole number of samples; a mean year of twelve months has as many


def prepare(data: TimeSeries, *, detrended: bool = False, season: float | None = None, centred: bool = False) -> TimeSeries:
    """The series after the selected steps, in this order: the trend is removed, then the season, then members are centred.

    Args:
        season: period of the cycle to remove, in time units; None for none.

    Raises:
        ValueError: from `deseasonalise` or `centre_members`.
    """
    data = detrend(data) if detrended else data
    data = data if season is None else deseasonalise(data, season)
    return centre_members(data) if centred else data


def deseasonalise(data: TimeSeries, period: float, *, variance: bool = False) -> TimeSeries:
    """The series without its mean seasonal cycle, averaged over members, at each place.

        u'(t) = u(t) − [ū(φ) − ⟨ū⟩],    φ = t mod period

    If the period is a whole number of samples, ū(φ) is the mean of each phase, such as that of a calendar month; otherwise it is the
    least-squares fit of the first six harmonics. With `variance`, the remainder is divided by the standard deviation of its phase and
    multiplied by that of all phases, so that the unit is kept.

    Args:
        period: in time units; the record must contain at least two periods, and a period two samples.
        variance: whether to remove the seasonal cycle of the variance as well.

    Raises:
        ValueError: the period is not positive, or too short or too long for the series.

    >>> t = np.arange(360.0)
    >>> bool(deseasonalise(TimeSeries(np.cos(2 * np.pi * t / 12)[:, None] + np.zeros(4), t, "tx"), 12).u.abs().max() < 1e-5)
    True
    """
    check_series(data, components=True)
    samples = _samples(data, period)
    fit = _cycle(len(data.times), samples)
    mean = fit(data.u.double().mean(0))
    left = data.u - (mean - mean.mean(0)).to(data.u)
    if variance:
        about = left - left.mean((0, 1))
        square = fit(about.double().square().mean(0))
        if not bool((square > 0).all()):
            raise ValueError(f"one phase of the period {period:g} does not vary, so it has no standard deviation; use variance=False")
        left = left.mean((0, 1)) + about * (square.mean(0) / square).sqrt().to(data.u)
    return _prepared(data, left, {"step": "deseasonalise", "period": float(period), "variance": bool(variance)})


def detrend(data: TimeSeries) -> TimeSeries:
    """The series without the least-squares straight line through the mean of all members, at each place; the mean is kept.

    >>> t = np.arange(100.0)
    >>> bool((detrend(TimeSeries(3 + 0.1 * t, t, "t")).u - 7.95).abs().max() < 1e-5)
    True
    """
    check_series(data, components=True)
    time = data.times - data.times.mean()
    slope = torch.tensordot(time, data.u.double().cpu().mean(0), dims=1) / time.square().sum()
    line = time.reshape(-1, *[1] * (data.u.ndim - 2)) * slope
    return _prepared(data, data.u - line.to(data.u), {"step": "detrend"})


def centre_members(data: TimeSeries) -> TimeSeries:
    """The series with the mean over time of each member, at each place, replaced by that of all members.

    It is meant for members whose levels differ for a reason of no interest, such as the offset of an instrument. The response is then that
    of deviations from a member's own level; in records that are not much longer than the memory, part of the slow variability is lost too.

    Raises:
        ValueError: the series has one member only.
    """
    check_series(data, components=True)
    if len(data.u) < 2:
        raise ValueError("the series has one member; centring needs two or more, because the mean of a single member is the mean itself")
    own = data.u.double().mean(1, keepdim=True)
    return _prepared(data, data.u - (own - own.mean(0)).to(data.u), {"step": "centre_members"})


def _samples(data: TimeSeries, period: float) -> float:
    samples = checks.positive("period", period) / data.every
    if not 2 - 1e-6 <= samples <= len(data.times) / 2:
        raise ValueError(
            f"period={period:g} is {samples:.4g} samples; expected 2 to {len(data.times) // 2}, half the series of {len(data.times)}"
        )
    return samples


def _cycle(steps: int, samples: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function that maps (time, *shape) to its mean cycle, of the same shape."""
    if abs(samples - round(samples)) < 1e-3 * samples / steps * round(samples):
        phase = torch.arange(steps) % round(samples)
        counts = torch.bincount(phase).double()

        def by_phase(u: torch.Tensor) -> torch.Tensor:
            sums = torch.zeros(len(counts), *u.shape[1:], dtype=u.dtype).index_add(0, phase, u.cpu())
            return (sums / counts.reshape(-1, *[1] * (u.ndim - 1)))[phase]

        return by_phase
    basis = torch.from_numpy(_harmonics(steps, samples))

    def by_harmonics(u: torch.Tensor) -> torch.Tensor:
        return (basis @ (basis.T @ u.cpu().reshape(steps, -1))).reshape(u.shape)

    return by_harmonics


def _harmonics(steps: int, samples: float) -> np.ndarray:
    """Orthonormal columns that span the constant and the harmonics of the period, (time, 1 + 2 · harmonics)."""
    angle = 2 * math.pi * np.arange(steps)[:, None] / samples * np.arange(1, min(HARMONICS, int(samples / 2)) + 1)
    return np.linalg.qr(np.concatenate([np.ones((steps, 1)), np.cos(angle), np.sin(angle)], axis=1))[0]


def _prepared(data: TimeSeries, u: torch.Tensor, step: dict[str, object]) -> TimeSeries:
    info = data.info | {"preparation": [*data.info.get("preparation", []), step]}
    return data.with_values(u, context=data.context, info=info)
