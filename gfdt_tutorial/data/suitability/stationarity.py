"""Stationarity: whether mean and variance are constant in time, without a trend, a level shift or a season."""

from collections.abc import Iterator

import numpy as np

from gfdt_tutorial.data.suitability.change import Change
from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.record import Record
from gfdt_tutorial.data.suitability.season import cycles
from gfdt_tutorial.data.suitability.trend import trends

LARGE = 0.2  # change of the mean, in standard deviations, or of the variance, relative, above which the data are refused
PROFILES = (
    ("mean", "standard deviations", 0.8),
    ("variance", "of itself", 0.2),
)  # and the fraction of the significance level that each may use
TRENDS = 0.2  # fraction of the significance level for trends and level shifts; the rest is for seasons


def stationarity_check(record: Record, periods: tuple[float, ...] = ()) -> Check:
    """Test mean and variance for a straight line in time, a level shift, and seasons.

    A change of the mean is reported before one of the variance, which it affects; and the largest change first, since a trend contains a
    little of every period, and a season a little of a trend.

    Args:
        periods: of likely seasons, in time units, in addition to those of the calendar.
    """
    tests = [_tests(record, profile, *words, periods) for profile, words in zip(record.profiles, PROFILES, strict=True)]
    for found in tests:
        if large := [one for one in _significant(found) if one.unambiguous and abs(one.size) > LARGE]:
            worst = max(large, key=lambda one: abs(one.size))
            return Check("stationarity", worst.size, worst.error, "refused", f"{worst.finding}.", worst.advice)
    if significant := [one for found in tests for one in _significant(found)]:
        worst = max(significant, key=lambda one: abs(one.size))
        advice = "Small but significant: small responses may be due to it." if worst.unambiguous else worst.advice
        return Check("stationarity", worst.size, worst.error, "warning" if worst.unambiguous else "unknown", f"{worst.finding}.", advice)
    least = min((one for found in tests for one in found), key=lambda one: one.p_value)
    return Check("stationarity", least.size, least.error, "fine", f"{least.finding}, which is within sampling.")


def _tests(record: Record, profile: np.ndarray, name: str, unit: str, fraction: float, periods: tuple[float, ...]) -> list[Change]:
    changes = trends(record, profile, name, unit, fraction * TRENDS)
    return changes + cycles(record, profile - profile.mean(), name, unit, periods, fraction * (1 - TRENDS))


def _significant(found: list[Change]) -> Iterator[Change]:
    return (one for one in found if one.p_value < SIGNIFICANT)
