"""How long a series remembers, and so how many independent times it holds."""

import math

import numpy as np
import scipy.signal

from gfdt_tutorial.data.suitability.autoregression import fit_autoregression
from gfdt_tutorial.data.suitability.check import Check
from gfdt_tutorial.data.suitability.drifts import coarse
from gfdt_tutorial.data.suitability.record import Record

FEW, TOO_FEW = 100, 10  # independent times
WANDERS = 30.0  # (1 − root) · steps, below which a root of one, as of a random walk, cannot be excluded


def memory_check(record: Record, causes: tuple[Check, ...] = ()) -> Check:
    """The decorrelation time of the slowest scale, and whether the record holds it often enough.

    Args:
        causes: checks that were refused for what lengthens the decorrelation time: a trend, a season, members of unlike mean.
    """
    (slowest, resolved, pixel), effective = record.memory, record.effective
    whole = f"the record of {len(record.data.u)} × {record.every * len(record.data.times):.4g} holds {effective:.0f} independent times."
    finding = f"The slowest scale forgets itself in {slowest:.3g}, a pixel in {pixel:.3g} time units; {whole}"
    error = slowest * math.sqrt(10 / effective)
    if effective >= FEW and resolved:
        return Check("memory", slowest, error, "fine", finding)
    if causes:
        words = f"It seems to be {slowest:.3g} time units, but what {' and '.join(check.name for check in causes)} found lengthens it."
        return Check("memory", slowest, error, "unknown", words, "Remove that first, then judge the memory.")
    wandering = effective < 2 * TOO_FEW and wanders(record)  # the memory of a random walk comes out shorter than it is
    if effective >= TOO_FEW and not wandering:
        return Check("memory", slowest, error, "warning", finding, "Bands will be wide, and the checks can miss much.")
    longer = f"Record at least {FEW * slowest:.3g} time units in all, in longer runs."
    if wandering:
        finding += " It wanders like a random walk, without return to a mean."
        longer = "Analyse its increments (np.diff along time), which may be stationary; else record very much longer."
    return Check("memory", slowest, error, "refused", finding, longer)


def wanders(record: Record) -> bool:
    """Whether the mean of each member may be a random walk: its autoregressive model, trend removed, has a root too close to one."""
    y = scipy.signal.detrend(coarse(record.courses[0]), axis=-1)
    model = fit_autoregression(y, math.log(y.size))
    return bool(2 * math.pi * float(model.distance(np.array(0.0))) * y.shape[1] < WANDERS)
