"""Smoothness of the paths and Gaussianity of the values: may the density be smooth, as the theorem requires, and is it Gaussian?"""

import math

import numpy as np
import scipy.stats

from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.record import Record

SMOOTH_EXPONENT = 1.5  # exponent of the structure function: 1 for paths driven by white noise, 2 for smooth paths
COARSE = 0.5  # ⟨(v(t + h) − v(t))²⟩ above which even a smooth path has a smaller exponent
HEAVY = 10.0  # kurtosis - 3
DISCRETE = 0.1  # relative frequency of the most frequent value above which a smooth density is no approximation


def smoothness_check(record: Record) -> Check:
    """Exponent γ of the structure function, ⟨(u(t + τ) − u(t))²⟩ ∝ τ^γ, between one and two sampling steps.

    Paths driven by white noise have γ = 1 at small τ; paths of a differential equation without noise, or with slow forcing, have γ = 2.
    Pieces that do not vary, such as a dry spell, are left out.
    """
    pieces = [[float((v[step:] - v[:-step]).square().mean()) for step in (1, 2)] for v in record.pieces() if len(v) > 2]
    varying = np.array([piece for piece in pieces if min(piece) > 0])
    if len(varying) < 2:
        return Check("smoothness", 0.0, 0.0, "unknown", "Too few pieces of the record vary from sample to sample to determine it.")
    one, two = varying.T
    exponent = math.log2(two.mean() / one.mean())
    error = float(np.std(np.log2(two / one), ddof=1)) / math.sqrt(len(one))
    finding = f"⟨(u(t + τ) − u(t))²⟩ grows like τ^{exponent:.2f}: exponent 1 means noise, 2 a smooth path."
    if exponent <= SMOOTH_EXPONENT and one.mean() > COARSE:
        words = f"The samples are too far apart to determine it (the exponent is {exponent:.2f} at this interval)."
        return Check(
            "smoothness", exponent, error, "unknown", words, "Does the system have noise of its own? If not, see the limits in lesson 07."
        )
    if exponent > SMOOTH_EXPONENT:
        advice = "Without noise a smooth density is in doubt, and so is the response at lags shorter than the memory."
        return Check("smoothness", exponent, error, "warning", finding, advice)
    return Check("smoothness", exponent, error, "fine", finding)


def gaussianity_check(record: Record) -> Check:
    """Skewness and excess kurtosis of a pixel and of differences between neighbours, with standard errors from the jackknife over pieces.

    Each, divided by its standard error, has Student's t distribution with one degree of freedom fewer than there are pieces; the
    significance level accounts for the number of tests. Instead of the kurtosis, −(kurtosis − 1)^(−3/2) is tested, because the
    distribution of the kurtosis is so skewed that small values have small standard errors.
    """
    moments: dict[str, list[list[float]]] = {}
    for v in record.pieces():
        steps = {"step": v.roll(-1, -1) - v} if record.grid.shape else {}
        for name, values in {"pixel": v, **steps}.items():
            moments.setdefault(name, []).append([float(values.double().pow(power).mean()) for power in (1, 2, 3, 4)])
    value, fraction = record.most_frequent
    if fraction > DISCRETE:
        finding = f"One value, {value:g}, makes up {fraction:.0%} of all: there is no smooth density, and so a score cannot be had."
        return Check("Gaussianity", fraction, 0.0, "warning", finding, DISCRETE_ADVICE)
    found = [(abs(z), value, error, f"{shape} of a {name}") for name, rows in moments.items() for z, value, error, shape in _shapes(rows)]
    if not found:
        return Check(
            "Gaussianity",
            0.0,
            0.0,
            "unknown",
            "All variation is in one piece of the record, which is too little to determine the shape of the density.",
        )
    largest, value, error, name = max(found)
    p_value = 2 * len(found) * scipy.stats.t.sf(largest, len(moments["pixel"]) - 1)
    finding = f"The {name} is {value:.2f} ± {error:.1g}, 0 for a Gaussian."
    if max(value for _, value, _, name in found if name.startswith("kurtosis")) > HEAVY:
        return Check(
            "Gaussianity", value, error, "warning", finding, "A few large events dominate the averages, and a score needs many of them."
        )
    words = "As far as these moments show, the Gaussian score will do."
    if p_value < SIGNIFICANT:
        words = "The Gaussian score cannot be exact; a learned score can improve on it."
    return Check("Gaussianity", value, error, "fine", f"{finding} {words}")


DISCRETE_ADVICE = "Use the quantity before it was rounded, truncated or classified, or an average of it that varies smoothly."


def _shapes(rows: list[list[float]]) -> list[tuple[float, float, float, str]]:
    """(z, value, standard error, name) of skewness and excess kurtosis, from raw moments ⟨v⟩ … ⟨v⁴⟩ of pieces; empty if all variation is in
    one piece."""
    moments = np.array(rows)
    without = (moments.sum(0) - moments) / (len(moments) - 1)
    if (without[:, 1] - without[:, 0] ** 2).min() < 1e-9:
        return []
    values, each = _standardised(moments.mean(0)), np.stack([_standardised(one) for one in without])
    errors = np.sqrt((len(moments) - 1) * each.var(0)) + 1e-12
    tested, spread = _tested(values), np.sqrt((len(moments) - 1) * _tested(each).var(0)) + 1e-12
    found = zip(tested / spread, values, errors, ("skewness", "kurtosis - 3"), strict=True)
    return [(float(z), float(value), float(error), name) for z, value, error, name in found]


def _tested(shapes: np.ndarray) -> np.ndarray:
    """The tested functions of skewness and excess kurtosis, (..., 2): the skewness, and a transform of the kurtosis; 0 for a Gaussian."""
    skewness, excess = shapes[..., 0], np.maximum(shapes[..., 1], -1.9)
    return np.stack([skewness, 2.0**-1.5 - (2 + excess) ** -1.5], axis=-1)


def _standardised(moments: np.ndarray) -> np.ndarray:
    """Skewness and excess kurtosis from raw moments, (4,) → (2,)."""
    a, b, c, d = moments
    variance = b - a**2
    third = c - 3 * a * b + 2 * a**3
    fourth = d - 4 * a * c + 6 * a**2 * b - 3 * a**4
    return np.array([third / variance**1.5, fourth / variance**2 - 3])
