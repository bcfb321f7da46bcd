"""Exchangeability: whether all members have the same mean, variance and memory, as replicas of one system do."""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
import scipy.stats
import torch

from gfdt_tutorial.data.suitability.autoregression import fit_autoregression
from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.record import Record
from gfdt_tutorial.data.suitability.trend import block_means

UNLIKE = 0.1  # spread between members, in standard deviations or relative, above which an average over them represents none
SHORT = 6.0  # Fourier frequencies over which the spectrum must be flat; with fewer, members are too short for their memory
FITTED = 2.0  # factor by which p-values are too small, because the whitening model is fitted to the same data
FEWEST, MOST = 3, 24  # number of slow cosines that estimate the noise
ADVICE = {
    "mean": "Centre each member (centre_members) if its level does not matter, or analyse one member at a time.",
    "variance": "Members of different variance are not replicas: analyse one member, or a group of similar ones, at a time.",
    "memory": "Members that forget at different rates are not replicas: analyse one member, or a group of similar ones, at a time.",
}


@dataclass(frozen=True)
class _Spread:
    """The spread of the member means of one quantity: beyond sampling; that of sampling alone; its p-value (NaN if members are too short
    for a test); and the member with the largest deviation."""

    name: str
    size: float
    error: float
    p_value: float
    farthest: int


def members_check(record: Record) -> Check:
    """Test the mean, variance and memory of each member against the scatter that the member's own slow fluctuations explain.

    Each quantity is the time mean of a profile: u; (u − its mean)²; and (u(t + h) − u(t))²/2 relative to the variance, at the lag h where
    the autocorrelation has fallen to one half. An autoregressive model whitens the profile; the variance of the member means, divided by
    that of the slowest cosines within members, then has the F distribution. The most significant difference is reported.
    """
    found = [_spread(name, profile) for name, profile in _profiles(record).items()]
    if math.isnan(found[0].p_value):  # members too short for a test of the mean are too short for one of the variance
        found[1] = replace(found[1], p_value=math.nan)
    tested = [one for one in found if not math.isnan(one.p_value)]
    significant = [one for one in tested if one.p_value * len(found) < SIGNIFICANT / FITTED]
    if not significant and len(tested) < len(found):
        names = " and ".join(one.name for one in found if math.isnan(one.p_value))
        words = f"Each member is too short, relative to its memory, to tell whether members differ in {names}."
        return Check("members", found[0].size, found[0].error, "unknown", words)
    worst = min(significant or tested, key=lambda one: one.p_value)
    unit = "standard deviations" if worst.name == "mean" else "of itself"
    words = f"The {worst.name} differs between members by {worst.size:.2g} ± {worst.error:.1g} {unit}"
    if not significant:
        return Check("members", worst.size, worst.error, "fine", f"{words}, which is within sampling.")
    verdict = "refused" if worst.size > UNLIKE else "warning"
    return Check("members", worst.size, worst.error, verdict, f"{words}, most in member {worst.farthest}.", ADVICE[worst.name])


def _profiles(record: Record) -> dict[str, np.ndarray]:
    """Time profiles whose means are compared: name → (member, time)."""
    value, square = record.profiles
    mean = value.mean(-1, keepdims=True)
    about = square - 2 * mean * value + mean**2
    variance = np.maximum(about.mean(-1, keepdims=True), 1e-12)
    lag = _lag(record)
    steps = np.stack([_steps(one, lag) for one in record.members()])
    pace = steps / variance
    relative = about / variance
    return {"mean": value, "variance": about / variance.mean(), "memory": pace / pace.mean() - relative[:, :-lag]}


def _steps(one: torch.Tensor, lag: int) -> np.ndarray:
    """Half the squared difference across a lag, averaged over the box, (time − lag,)."""
    squares = (one[lag:] - one[:-lag]).square() / 2
    return (squares.flatten(1).mean(1) if squares.ndim > 1 else squares).double().numpy()


def _lag(record: Record) -> int:
    """The lag at which the autocorrelation has fallen to one half, in steps; an eighth of a member at most."""
    below = np.flatnonzero(record.autocorrelation.numpy() < 0.5)
    return int(np.clip(below[0] if len(below) else len(record.data.times), 1, max(1, len(record.data.times) // 8)))


def _spread(name: str, profile: np.ndarray) -> _Spread:
    profile = block_means(profile)
    own = profile.mean(-1, keepdims=True)
    model = fit_autoregression(profile - own, math.log(profile.size))
    e = model.whiten(profile - own.mean())
    count, steps = e.shape
    flat = steps * float(model.distance(np.array(0.0)))
    slow = int(np.clip(2 * flat, FEWEST, min(MOST, steps - 1)))
    c = scipy.fft.dct(e, norm="ortho", axis=-1)
    noise = max(float(np.square(c[:, 1 : slow + 1]).mean()), 1e-30)
    ratio = float(c[:, 0].var(ddof=1)) / noise
    p_value = float(scipy.stats.f.sf(ratio, count - 1, count * slow)) if flat > SHORT else math.nan
    spread = float(own.std(ddof=1))
    farthest = int(abs(own - own.mean()).argmax())
    return _Spread(name, spread * math.sqrt(max(0.0, 1 - 1 / max(ratio, 1e-30))), spread / math.sqrt(max(ratio, 1e-30)), p_value, farthest)
