"""Whether the density may be smooth, as the theorem asks, and whether it is Gaussian."""

import math

import numpy as np
import scipy.stats

from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.record import Record

SMOOTH = 1.5  # exponent of the structure function: 1 for paths driven by white noise, 2 for smooth ones
COARSE = 0.5  # ⟨(v(t + h) − v(t))²⟩ beyond which a smooth path, too, has an exponent below that
HEAVY = 10.0  # kurtosis - 3
LEVEL = 0.1  # share of the commonest value, beyond which no smooth density comes near


def smoothness_check(record: Record) -> Check:
    """The exponent of the structure function, ⟨(u(t + τ) − u(t))²⟩ ∝ τ^γ between one and two sampling steps: paths driven by white noise
    have γ = 1 at small τ, paths of a differential equation without noise, or with slow forcing, γ = 2. Pieces that do not vary, such as a
    dry spell, say nothing of it."""
    pieces = [[float((v[step:] - v[:-step]).square().mean()) for step in (1, 2)] for v in record.pieces() if len(v) > 2]
    varying = np.array([piece for piece in pieces if min(piece) > 0])
    if len(varying) < 2:
        return Check("smoothness", 0.0, 0.0, "unknown", "Too few pieces of the record vary from sample to sample to tell.")
    one, two = varying.T
    exponent = math.log2(two.mean() / one.mean())
    error = float(np.std(np.log2(two / one), ddof=1)) / math.sqrt(len(one))
    finding = f"⟨(u(t + τ) − u(t))²⟩ grows like τ^{exponent:.2f}: exponent 1 is noise, 2 a smooth path."
    if exponent <= SMOOTH and one.mean() > COARSE:
        words = f"Samples are too far apart to tell ({exponent:.2f} as they stand)."
        return Check(
            "smoothness", exponent, error, "unknown", words, "Does the system have noise of its own? If not, see the limits in lesson 07."
        )
    if exponent > SMOOTH:
        advice = "Without noise a smooth density is in doubt, and with it the answer at lags shorter than the memory."
        return Check("smoothness", exponent, error, "warning", finding, advice)
    return Check("smoothness", exponent, error, "fine", finding)


def gaussianity_check(record: Record) -> Check:
    """Skewness and kurtosis − 3 of a pixel and of differences between neighbours, with errors by the jackknife over pieces.

    Over its error each has Student's t distribution, with one degree of freedom fewer than there are pieces, and all that are tested
    count. In the place of the kurtosis −(kurtosis − 1)^(−3/2) is tested: the kurtosis itself is so skewed that small values come with
    small errors.
    """
    moments: dict[str, list[list[float]]] = {}
    for v in record.pieces():
        steps = {"step": v.roll(-1, -1) - v} if record.grid.shape else {}
        for name, values in {"pixel": v, **steps}.items():
            moments.setdefault(name, []).append([float(values.double().pow(power).mean()) for power in (1, 2, 3, 4)])
    level, share = record.commonest
    if share > LEVEL:
        finding = f"One value, {level:g}, makes up {share:.0%} of all: there is no smooth density, and a score cannot be had."
        return Check("Gaussianity", share, 0.0, "warning", finding, STEPPED)
    found = [(abs(z), value, error, f"{shape} of a {name}") for name, rows in moments.items() for z, value, error, shape in _shapes(rows)]
    if not found:
        return Check("Gaussianity", 0.0, 0.0, "unknown", "All that varies is in one piece of the record, too little to tell.")
    sure, value, error, name = max(found)
    chance = 2 * len(found) * scipy.stats.t.sf(sure, len(moments["pixel"]) - 1)
    finding = f"The {name} is {value:.2f} ± {error:.1g}, 0 for a Gaussian."
    if max(value for _, value, _, name in found if name.startswith("kurtosis")) > HEAVY:
        return Check(
            "Gaussianity", value, error, "warning", finding, "A few large events carry the averages, and a score needs many of them."
        )
    words = "As far as this tells, the Gaussian score will do."
    if chance < SIGNIFICANT:
        words = "The Gaussian score cannot be exact; a learned one can gain."
    return Check("Gaussianity", value, error, "fine", f"{finding} {words}")


STEPPED = "Take the quantity before it was rounded, cut off or turned into classes, or an average of it that varies smoothly."


def _shapes(rows: list[list[float]]) -> list[tuple[float, float, float, str]]:
    """(z, value, error, name) of skewness and kurtosis − 3, from raw moments ⟨v⟩ … ⟨v⁴⟩ of pieces; nothing if one holds all that varies."""
    moments = np.array(rows)
    without = (moments.sum(0) - moments) / (len(moments) - 1)
    if (without[:, 1] - without[:, 0] ** 2).min() < 1e-9:
        return []
    values, each = _standardised(moments.mean(0)), np.stack([_standardised(one) for one in without])
    errors = np.sqrt((len(moments) - 1) * each.var(0)) + 1e-12
    level, spread = _level(values), np.sqrt((len(moments) - 1) * _level(each).var(0)) + 1e-12
    found = zip(level / spread, values, errors, ("skewness", "kurtosis - 3"), strict=True)
    return [(float(z), float(value), float(error), name) for z, value, error, name in found]


def _level(shapes: np.ndarray) -> np.ndarray:
    """Of (..., 2), what is judged: the skewness, and the kurtosis less skewed, 0 for a Gaussian."""
    skewness, excess = shapes[..., 0], np.maximum(shapes[..., 1], -1.9)
    return np.stack([skewness, 2.0**-1.5 - (2 + excess) ** -1.5], axis=-1)


def _standardised(moments: np.ndarray) -> np.ndarray:
    a, b, c, d = moments
    variance = b - a**2
    third = c - 3 * a * b + 2 * a**3
    fourth = d - 4 * a * c + 6 * a**2 * b - 3 * a**4
    return np.array([third / variance**1.5, fourth / variance**2 - 3])
