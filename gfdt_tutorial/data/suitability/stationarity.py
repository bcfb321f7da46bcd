"""Whether mean and variance stay: no trend, no level shift, no season."""

from collections.abc import Iterator

from gfdt_tutorial.data.suitability.change import Change
from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.drifts import drifts
from gfdt_tutorial.data.suitability.record import Record
from gfdt_tutorial.data.suitability.seasons import cycles

DRIFT = 0.2  # of the mean, in standard deviations, or of the variance, relative; beyond is no matter of precision
PROFILES = (("mean", "standard deviations", 0.8), ("variance", "of itself", 0.2))  # and the share of the false alarms that each may use
DRIFTS = 0.2  # share of the drifts; the rest is that of seasons


def stationarity_check(record: Record, periods: tuple[float, ...] = ()) -> Check:
    """Mean and variance against time: a straight line, a level shift, and seasons.

    The mean before the variance, which shows whatever is wrong with the mean; and the largest first, for a trend has a little of every
    period, and a season a little of a trend.

    Args:
        periods: of likely seasons, in time units, beside those of the calendar.
    """
    tests = [_tests(record, course, *words, periods) for course, words in zip(record.courses, PROFILES, strict=True)]
    for found in tests:
        if large := [one for one in _significant(found) if one.sure and abs(one.size) > DRIFT]:
            worst = max(large, key=lambda one: abs(one.size))
            return Check("stationarity", worst.size, worst.error, "refused", f"{worst.finding}.", worst.advice)
    if significant := [one for found in tests for one in _significant(found)]:
        worst = max(significant, key=lambda one: abs(one.size))
        advice = "Small and significant: small responses may be this drift." if worst.sure else worst.advice
        return Check("stationarity", worst.size, worst.error, "warning" if worst.sure else "unknown", f"{worst.finding}.", advice)
    least = min((one for found in tests for one in found), key=lambda one: one.chance)
    return Check("stationarity", least.size, least.error, "fine", f"{least.finding}, which is within sampling.")


def _tests(record: Record, course, name: str, unit: str, share: float, periods: tuple[float, ...]) -> list[Change]:
    changes = drifts(record, course, name, unit, share * DRIFTS)
    return changes + cycles(record, course - course.mean(), name, unit, periods, share * (1 - DRIFTS))


def _significant(found: list[Change]) -> Iterator[Change]:
    return (one for one in found if one.chance < SIGNIFICANT)
