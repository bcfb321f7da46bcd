"""Seasons: cycles that are phase-locked to a clock, in the mean and in the variance."""

import numpy as np

from gfdt_tutorial.data.suitability.calendar import held, likely_periods
from gfdt_tutorial.data.suitability.change import Change
from gfdt_tutorial.data.suitability.check import SIGNIFICANT
from gfdt_tutorial.data.suitability.lines import PEAKED, SMOOTH, Found, Lines
from gfdt_tutorial.data.suitability.record import MANY, Record

PERIODS = 6  # of a cycle in the record: of fewer, a search says nothing
HARMONICS = 4  # of a likely period, taken together
ALONE = 0.75  # of the false alarms of a likely period go to its fundamental, the rest to all its harmonics together
NEARLY = 0.9  # of the amplitude
DOUBT = 2e-3  # probability by chance that a line must fall below, too, where the background may be a peak


def cycles(record: Record, course: np.ndarray, name: str, unit: str, periods: tuple[float, ...], share: float) -> list[Change]:
    """Of a time profile, (member, time): the likeliest of the periods that the caller names, of those of the calendar, and of all others.

    Members that share a clock have one phase; where each may have a clock of its own, their powers are added, of the first seven. An
    oscillation of the system's own is no season, for it keeps its phase no longer than its memory: its power spreads over a peak of
    several Fourier frequencies.

    Args:
        periods: in time units, named by the caller; of them the record must hold four.
        share: of the false alarms of the check.
    """
    few = course[: MANY - 1]
    ways = [lambda: Lines.many(course)] if len(course) >= MANY else [lambda: Lines.few(few, True, SMOOTH)]
    if 1 < len(course) < MANY or (len(course) >= MANY and record.length > 16):
        ways.append(lambda: Lines.few(few, False, SMOOTH))
    found = []
    for way in ways:
        lines = way()
        tests = [(one, count, one.chance * len(ways) / (share * weight)) for one, count, weight in _likeliest(record, lines, periods)]
        for one, count, chance in _simplest(tests):
            sure = lines.noise is None or chance > SIGNIFICANT or _doubted(few, lines.together, one, count) < DOUBT
            found.append(_words(record, one, chance, sure, name, unit))
    return found


def _simplest(tests: list[tuple[Found, int, float]]) -> list[tuple[Found, int, float]]:
    """Without harmonics taken together of which a single line makes up nearly all, which then names the period; and without the line of
    the search, the last test, where a likely period explains nearly as much."""
    lines = [one.size for one, count, chance in tests if count == 1 and chance < SIGNIFICANT]
    *likely, search = [test for test in tests if test[1] == 1 or test[0].size * NEARLY > max(lines, default=0.0)]
    known = any(chance < SIGNIFICANT and one.size > NEARLY * search[0].size for one, _, chance in likely)
    return likely if known else [*likely, search]


def _likeliest(record: Record, lines: Lines, periods: tuple[float, ...]) -> list[tuple[Found, int, float]]:
    """(line, harmonics, share of the false alarms): the likeliest of each kind."""
    duration = record.every * len(record.data.times)
    named = [period for period in periods if held(period, record.every, duration)]
    calendar = likely_periods(record.every, duration, record.data.info.get("time_unit"))
    shares = (0.75, 0.125, 0.125) if named else (0.0, 0.5, 0.5)
    kinds = [_likely(lines, some, record.every, share) for some, share in zip((named, calendar), shares, strict=False) if some]
    kinds.append((lines.blind(PERIODS), 1, shares[2] if named or calendar else 1.0))
    return kinds


def _likely(lines: Lines, periods: list[float], every: float, share: float) -> tuple[Found, int, float]:
    tests = []
    for period in periods:
        harmonics = min(HARMONICS, int(period / every / 2 + 1e-6))
        part = ALONE if harmonics > 1 else 1.0
        tests.append((lines.at(min(every / period, 0.5)), 1, part * share / len(periods)))
        if harmonics > 1:
            tests.append((lines.at(every / period, harmonics), harmonics, (1 - part) * share / len(periods)))
    return min(tests, key=lambda one: (one[0].chance / one[2], -one[0].ratio))


def _doubted(course: np.ndarray, together: bool, found: Found, harmonics: int) -> float:
    """Probability by chance before a background that may have peaks."""
    return Lines.few(course, together, PEAKED).at(found.frequency, harmonics).chance


def _words(record: Record, found: Found, chance: float, sure: bool, name: str, unit: str) -> Change:
    period = f"{record.every / found.frequency:.4g}"
    moved = f"moves the {name} up and down by {found.size:.2g} ± {found.error:.1g} {unit}"
    variance = ", variance=True" if name == "variance" else ""
    remedy = f"Remove the season: deseasonalise={period}{variance}."
    if sure:
        return Change(found.size, found.error, chance, f"A cycle of period {period} {moved}", remedy)
    words = f"A peak at period {period} {moved}; it is so narrow that it may be a season or an oscillation of the system's own"
    advice = f"If a clock of this period drives the system: {remedy} A longer record tells."
    return Change(found.size, found.error, chance, words, advice, False)
