"""Whether members are replicas: the same mean, variance and memory in each."""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
import scipy.stats

from gfdt_tutorial.data.suitability.autoregression import fit_autoregression
from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.drifts import coarse
from gfdt_tutorial.data.suitability.record import Record

UNLIKE = 0.1  # spread between members, in standard deviations, or relative, beyond which an average over them stands for none
SHORT = 6.0  # Fourier frequencies over which a spectrum must be flat, or members are too short for their memory
FITTED = 2.0  # by which chances come out too small, as the model that makes the noise white is fitted to the same data
FEWEST, MOST = 3, 24  # slow cosines that measure the noise
ADVICE = {
    "mean": "Centre each member (centre_members), if its level is not what matters, or analyse one member at a time.",
    "variance": "Members of unlike variance are no replicas: analyse one member, or a group of like ones, at a time.",
    "memory": "Members that forget at different rates are no replicas: analyse one member, or a group of like ones, at a time.",
}


@dataclass(frozen=True)
class _Spread:
    """Of member means: spread beyond sampling, what sampling gives, probability by chance (NaN where members are too short to tell), the
    member that is farthest off."""

    name: str
    size: float
    error: float
    chance: float
    farthest: int


def members_check(record: Record) -> Check:
    """Mean, variance and memory of each member against the scatter that its own slow fluctuations explain.

    For each, a time profile whose mean is the quantity: u, (u − its mean)², and (u(t + h) − u(t))²/2 relative to the variance, at the lag
    h where half is forgotten. An autoregressive model makes it white; then the variance of the member means over that of the slowest
    cosines within members has the F distribution. The likeliest is named.
    """
    found = [_spread(name, profile) for name, profile in _profiles(record).items()]
    if math.isnan(found[0].chance):  # a member too short for its mean tells less of its variance, of slow changes least
        found[1] = replace(found[1], chance=math.nan)
    told = [one for one in found if not math.isnan(one.chance)]
    significant = [one for one in told if one.chance * len(found) < SIGNIFICANT / FITTED]
    if not significant and len(told) < len(found):
        names = " and ".join(one.name for one in found if math.isnan(one.chance))
        words = f"Each member is too short for its memory to tell whether members differ in {names}."
        return Check("members", found[0].size, found[0].error, "unknown", words)
    worst = min(significant or told, key=lambda one: one.chance)
    unit = "standard deviations" if worst.name == "mean" else "of itself"
    words = f"The {worst.name} differs between members by {worst.size:.2g} ± {worst.error:.1g} {unit}"
    if not significant:
        return Check("members", worst.size, worst.error, "fine", f"{words}, which is within sampling.")
    verdict = "refused" if worst.size > UNLIKE else "warning"
    return Check("members", worst.size, worst.error, verdict, f"{words}, most in member {worst.farthest}.", ADVICE[worst.name])


def _profiles(record: Record) -> dict[str, np.ndarray]:
    """name → (member, time)."""
    value, square = record.courses
    mean = value.mean(-1, keepdims=True)
    about = square - 2 * mean * value + mean**2
    variance = np.maximum(about.mean(-1, keepdims=True), 1e-12)
    lag = _lag(record)
    steps = np.stack([_steps(one, lag) for one in record.members()])
    pace = steps / variance
    relative = about / variance
    return {"mean": value, "variance": about / variance.mean(), "memory": pace / pace.mean() - relative[:, :-lag]}


def _steps(one, lag: int) -> np.ndarray:
    """Half the squared difference across a lag, averaged over the box, (time − lag,)."""
    squares = (one[lag:] - one[:-lag]).square() / 2
    return (squares.flatten(1).mean(1) if squares.ndim > 1 else squares).double().numpy()


def _lag(record: Record) -> int:
    """At which half is forgotten, in steps; an eighth of a member at most."""
    below = np.flatnonzero(record.autocorrelation.numpy() < 0.5)
    return int(np.clip(below[0] if len(below) else len(record.data.times), 1, max(1, len(record.data.times) // 8)))


def _spread(name: str, profile: np.ndarray) -> _Spread:
    profile = coarse(profile)
    own = profile.mean(-1, keepdims=True)
    model = fit_autoregression(profile - own, math.log(profile.size))
    e = model.whiten(profile - own.mean())
    count, steps = e.shape
    flat = steps * float(model.distance(np.array(0.0)))
    slow = int(np.clip(2 * flat, FEWEST, min(MOST, steps - 1)))
    c = scipy.fft.dct(e, norm="ortho", axis=-1)
    noise = max(float(np.square(c[:, 1 : slow + 1]).mean()), 1e-30)
    ratio = float(c[:, 0].var(ddof=1)) / noise
    chance = float(scipy.stats.f.sf(ratio, count - 1, count * slow)) if flat > SHORT else math.nan
    spread = float(own.std(ddof=1))
    farthest = int(abs(own - own.mean()).argmax())
    return _Spread(name, spread * math.sqrt(max(0.0, 1 - 1 / max(ratio, 1e-30))), spread / math.sqrt(max(ratio, 1e-30)), chance, farthest)
