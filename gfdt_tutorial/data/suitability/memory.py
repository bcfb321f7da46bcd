"""The memory of a series, that is its decorrelation time, and the number of independent times in the record."""

import math

import numpy as np
import scipy.signal

from gfdt_tutorial.data.suitability.autoregression import fit_autoregression
from gfdt_tutorial.data.suitability.check import Check
from gfdt_tutorial.data.suitability.record import Record
from gfdt_tutorial.data.suitability.trend import block_means

FEW, TOO_FEW = 100, 10  # independent times
UNIT_ROOT = 30.0  # (1 − root) · steps below which a unit root, that of a random walk, cannot be excluded


def memory_check(record: Record, causes: tuple[Check, ...] = ()) -> Check:
    """The decorrelation time of the slowest scale, and whether the record is long enough compared with it.

    Args:
        causes: refused checks whose findings lengthen the decorrelation time: a trend, a season, members with different means.
    """
    (slowest, resolved, pixel), independent = record.memory, record.independent
    whole = (
        f"the record of {len(record.data.u)} × {record.every * len(record.data.times):.4g} contains {independent:.0f} independent times."
    )
    finding = f"The slowest scale forgets itself in {slowest:.3g}, a pixel in {pixel:.3g} time units; {whole}"
    error = slowest * math.sqrt(10 / independent)
    if independent >= FEW and resolved:
        return Check("memory", slowest, error, "fine", finding)
    if causes:
        words = f"It seems to be {slowest:.3g} time units, but {' and '.join(check.name for check in causes)} as found above lengthens it."
        return Check("memory", slowest, error, "unknown", words, "Remove that first, then check the memory again.")
    wandering = independent < 2 * TOO_FEW and may_be_random_walk(record)  # the memory of a random walk is underestimated
    if independent >= TOO_FEW and not wandering:
        return Check("memory", slowest, error, "warning", finding, "Bands will be wide, and the checks may miss violations.")
    longer = f"Record at least {FEW * slowest:.3g} time units in all, in longer runs."
    if wandering:
        finding += " It behaves like a random walk, without a return to a mean."
        longer = "Analyse its increments (np.diff along time), which may be stationary; else record for much longer."
    return Check("memory", slowest, error, "refused", finding, longer)


def may_be_random_walk(record: Record) -> bool:
    """Whether each member may be a random walk: the autoregressive model, after removal of a trend, has a root too close to one."""
    y = scipy.signal.detrend(block_means(record.profiles[0]), axis=-1)
    model = fit_autoregression(y, math.log(y.size))
    return bool(2 * math.pi * float(model.distance(np.array(0.0))) * y.shape[1] < UNIT_ROOT)
