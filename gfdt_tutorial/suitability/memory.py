"""How long a series remembers, and so how many independent times it holds."""

import math

from gfdt_tutorial.suitability.check import Check
from gfdt_tutorial.suitability.record import Record

FEW, TOO_FEW = 100, 10  # independent times


def memory_check(record: Record) -> Check:
    """The decorrelation time of the slowest scale, and whether the record holds it often enough."""
    (slowest, resolved, pixel), effective = record.memory, record.effective
    whole = f"the record of {len(record.data.u)} × {record.every * len(record.data.times):.4g} holds {effective:.0f} independent times."
    finding = f"The slowest scale forgets itself in {slowest:.3g}, a pixel in {pixel:.3g} time units; {whole}"
    error = slowest * math.sqrt(10 / effective)
    if effective < TOO_FEW:
        return Check(
            "memory", slowest, error, "refused", finding, f"Record at least {FEW * slowest:.3g} time units in all, in longer runs."
        )
    if effective < FEW or not resolved:
        return Check("memory", slowest, error, "warning", finding, "Bands will be wide, and the checks below can miss much.")
    return Check("memory", slowest, error, "fine", finding)
