"""Codes for missing values, such as −999.9, distinguished from measured values, however far from the others these lie."""

import math
import re
from dataclasses import dataclass

import numpy as np
import scipy.stats

CODE = re.compile(r"([789])\1*\.?\1+|0|32767|32768|65535|2\.147484e\+09|1e\+\d\d|9\.96921e\+36")  # seven digits of the modulus
UNLIKELY = 0.05  # probability that the tail of all other values reaches as far as a code
CHANCE = 1e-4  # probability that it reaches so far and equals the code, given the resolution of the values
RARE = 0.01  # a zero that is more frequent may be a state, such as that of a machine that is off
TAIL = 20, 100  # one value in 20, and at most 100, determine how fast a tail decays
FEW = 4  # values are too few for that
FARTHEST = 1e4  # distance from the median, in interquartile ranges, beyond which any value that the tail does not explain is a code
EXPLAINED = 1e-6  # probability below which the tail does not explain a value
BEYOND = 1e12  # in the same units, a code in any case: one of a million Cauchy variates lies so far out with probability 3·10⁻⁷
APART = 20  # distance from all others, in the same units, beyond which an extreme value that recurs exactly is a code
LIMITS = 1e-37, 1e37  # of the spread and of the largest value; beyond them single precision loses digits
SOME = 1_000_000  # values suffice for quartiles


@dataclass(frozen=True)
class _Extreme:
    """The smallest or the largest value, in relation to all others.

    Attributes:
        value, count: the value and its number of occurrences.
        nearest: the next value, or the value itself if there is none.
        chance: probability that the tail of the other values reaches so far; NaN if there is no tail.
        hit: probability that it reaches so far and takes exactly this value, given the resolution of the values; NaN likewise.
    """

    value: float
    count: int
    nearest: float
    chance: float
    hit: float


def check_values(u: np.ndarray, time: int | None = None) -> np.ndarray:
    """The values unchanged (but true and false as 1 and 0), if they can be measurements of one quantity.

    Args:
        time: index of the time axis, if there is one: a code is then also compared with the values before and after it.

    Raises:
        ValueError: the values are not real numbers; there are none; they are NaN or infinite, or too large or too similar for single
            precision; or one of them must be a code for missing values: a usual code that the tail of the others hardly reaches, a value
            that recurs exactly far from all others, or one so far out that nothing explains it.
    """
    if u.dtype.kind not in "fiub":
        raise ValueError(f"the values are {u.dtype}; expected real numbers: analyse real and imaginary part, or the modulus, one at a time")
    if u.dtype.kind == "b":
        u = u.astype(np.float32)
    if u.size == 0:
        raise ValueError(f"the array has shape {u.shape}: there are no values in it")
    if bad := int((~np.isfinite(u)).sum()):
        raise ValueError(f"{bad} of {u.size} values are NaN or infinite, the first at index {_first(~np.isfinite(u))}; drop or fill them")
    quartiles = _quartiles(u)
    ends = [_extreme(u, quartiles[1], sign) for sign in (1, -1)]
    _check_marks(u, quartiles, ends, time)
    _check_unit(max(abs(one.value) for one in ends), quartiles[3])
    return u


def _check_marks(u: np.ndarray, quartiles: tuple[float, float, float, float], ends: list[_Extreme], time: int | None) -> None:
    low, middle, high, spread = quartiles
    for one, other in (ends, reversed(ends)):
        if _is_beyond(one, middle, spread) or _recurs(one, other, spread) or _is_code(u, one, middle, spread, time):
            raise ValueError(
                f"{one.count} of {u.size} values {'is' if one.count == 1 else 'are'} {one.value:.7g}, the first at index "
                f"{_first(u == one.value)}, while the nearest other is {one.nearest:.4g} and half of all lie between {low:.4g} and "
                f"{high:.4g}; a mark for missing values? Fill them, or drop these times"
            )


def _check_unit(largest: float, spread: float) -> None:
    if largest > LIMITS[1] or 0 < spread < LIMITS[0]:
        what = f"the largest value is {largest:.3g}" if largest > LIMITS[1] else f"the values vary by {spread:.3g} only"
        raise ValueError(f"{what}, which single precision does not hold; change the unit so that the values are of order one")


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(where.argmax(), where.shape))


def _quartiles(u: np.ndarray) -> tuple[float, float, float, float]:
    """The three quartiles and the spread: the interquartile range or, if it is 0 (as for rain), the median distance from the median of
    the values that differ from it; 0 if none does."""
    some = u.ravel()[:: -(-u.size // SOME)]
    low, middle, high = (float(value) for value in np.quantile(some, [0.25, 0.5, 0.75]))
    off = np.abs(some[some != middle] - middle)
    return low, middle, high, high - low or (float(np.median(off)) if off.size else 0.0)


def _extreme(u: np.ndarray, middle: float, sign: int) -> _Extreme:
    """The smallest value, or with `sign` −1 the largest."""
    value = float(u.min() if sign > 0 else u.max())
    count = int((u == value).sum())
    others = _outermost(u, sign, count)
    nearest = float(others[0]) if others.size else value
    distances = sign * (middle - others)
    if (distances > 0).sum() <= FEW:  # no values on this side, as below 0 for rain: the other side sets the scale
        distances = sign * (_outermost(u, -sign, 0) - middle)
    return _Extreme(value, count, nearest, *_chances(abs(value - middle), distances[distances > 0]))


def _chances(off: float, distances: np.ndarray) -> tuple[float, float]:
    """Probabilities that a tail reaches as far as `off`, and that it also takes this value, from the largest distances from the median in
    decreasing order.

    A tail is assumed to decay at least as fast as some power of the distance d. If it decays as a power, the i ln(d_i / d_{i+1}) of the
    ordered distances are independent and exponentially distributed with one mean H (Rényi, 1953; Hill, 1975), so that ln(off/d_2)/H has
    the F distribution with 2 and 2k degrees of freedom, where k of them are averaged; if it decays faster, off/d_2 is smaller. The density
    of the power law at `off` is chance / (H off), which is multiplied by the resolution of the values.
    """
    steps = np.log(distances[:-1] / distances[1:])
    scale = float((np.arange(2, steps.size + 2) * steps).mean()) if steps.size >= FEW else 0.0
    if scale == 0 or off == 0:
        return math.nan, math.nan
    chance = float(scipy.stats.f.sf(math.log(off / distances[0]) / scale, 2, 2 * steps.size))
    gaps = -np.diff(distances)
    return chance, chance * min(1.0, float(gaps[gaps > 0].min()) / (scale * off))


def _outermost(u: np.ndarray, sign: int, skipped: int) -> np.ndarray:
    """The smallest values in increasing order, or with `sign` −1 the largest in decreasing order, without the first `skipped`."""
    part, most = TAIL
    count = min(skipped + min(max(u.size // part, 10), most) + 1, u.size)
    flat = u.ravel()
    where = count - 1 if sign > 0 else u.size - count
    chosen = np.partition(flat, where)[slice(0, count) if sign > 0 else slice(where, None)].astype(float)
    return sign * np.sort(sign * chosen)[skipped:]


def _is_code(u: np.ndarray, one: _Extreme, middle: float, spread: float, time: int | None) -> bool:
    if not CODE.fullmatch(f"{abs(one.value):.7g}") or (one.value == 0 and one.count > RARE * u.size):
        return False
    if math.isnan(one.chance):  # no tail, for instance because another code is very frequent
        return abs(one.value - middle) > APART * spread > 0
    chances = [(one.chance, one.hit)] + ([_spike(u, one.value, time)] if time is not None else [])
    return any(chance < UNLIKELY / len(chances) and hit < CHANCE for chance, hit in chances)


def _spike(u: np.ndarray, value: float, time: int) -> tuple[float, float]:
    """`_chances` of the step in time to `value` and of the step back, the smaller of the two, among all such steps."""
    series = np.moveaxis(u, time, 0).astype(float)
    steps = np.abs(np.diff(series, axis=0))
    spikes, marked = np.minimum(steps[:-1], steps[1:]), series[1:-1] == value
    others = _outermost(spikes[~marked], -1, 0)
    return _chances(float(spikes[marked].min(initial=math.inf)), others[others > 0]) if marked.any() else (math.nan, math.nan)


def _recurs(one: _Extreme, other: _Extreme, spread: float) -> bool:
    """Whether an extreme value recurs far from all others: measured values do not, and saturated ones are not isolated."""
    apart = abs(one.nearest - one.value) > APART * spread > 0
    return apart and one.count > other.count and not one.chance >= UNLIKELY


def _is_beyond(one: _Extreme, middle: float, spread: float) -> bool:
    off = abs(one.value - middle)
    return off > FARTHEST * spread > 0 and (not one.chance >= EXPLAINED or off > BEYOND * spread)
