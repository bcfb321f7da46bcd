"""Seasons: cycles of the mean and of the variance that are phase-locked to a clock (cyclostationarity)."""

import numpy as np

from gfdt_tutorial.data.suitability.calendar import is_resolved, likely_periods
from gfdt_tutorial.data.suitability.change import Change
from gfdt_tutorial.data.suitability.check import SIGNIFICANT
from gfdt_tutorial.data.suitability.record import MANY, Record
from gfdt_tutorial.data.suitability.spectral_lines import PEAKED_BACKGROUND, SMOOTH_BACKGROUND, Line, Periodogram

PERIODS = 6  # the fewest cycles in the record for a search of all frequencies
HARMONICS = 4  # of a likely period, tested together
FUNDAMENTAL = 0.75  # fraction of the significance level of a likely period for its fundamental; the rest is for all harmonics together
NEARLY = 0.9  # of the amplitude
DOUBT = 2e-3  # a line must also have a smaller p-value than this against a background that may have peaks


def cycles(record: Record, profile: np.ndarray, name: str, unit: str, periods: tuple[float, ...], fraction: float) -> list[Change]:
    """The most significant cycles of a time profile, (member, time): of the caller's periods, of the calendar's, and of all others.

    Members that share a clock have a common phase; since each may have its own clock, the powers of the first seven members are also
    added. An oscillation of the system's own is not a season: it keeps its phase no longer than its memory, so that its power spreads
    over a peak of several Fourier frequencies.

    Args:
        periods: given by the caller, in time units; a period with fewer than four cycles in the record is ignored.
        fraction: of the significance level of the check that these tests may use.
    """
    few = profile[: MANY - 1]
    ways = (
        [lambda: Periodogram.between_members(profile)]
        if len(profile) >= MANY
        else [lambda: Periodogram.of_few(few, True, SMOOTH_BACKGROUND)]
    )
    if 1 < len(profile) < MANY or (len(profile) >= MANY and record.length > 16):
        ways.append(lambda: Periodogram.of_few(few, False, SMOOTH_BACKGROUND))
    found = []
    for way in ways:
        periodogram = way()
        tests = [
            (one, count, one.p_value * len(ways) / (fraction * weight)) for one, count, weight in _likeliest(record, periodogram, periods)
        ]
        for one, count, p_value in _simplest(tests):
            unambiguous = periodogram.noise is None or p_value > SIGNIFICANT or _doubted(few, periodogram.together, one, count) < DOUBT
            found.append(_words(record, one, p_value, unambiguous, name, unit))
    return found


def _simplest(tests: list[tuple[Line, int, float]]) -> list[tuple[Line, int, float]]:
    """The tests without redundant ones: sums of harmonics that consist almost entirely of a single line, whose period is then named; and
    the result of the search, which is the last test, if a likely period explains nearly as much."""
    lines = [one.amplitude for one, count, p_value in tests if count == 1 and p_value < SIGNIFICANT]
    *likely, search = [test for test in tests if test[1] == 1 or test[0].amplitude * NEARLY > max(lines, default=0.0)]
    known = any(p_value < SIGNIFICANT and one.amplitude > NEARLY * search[0].amplitude for one, _, p_value in likely)
    return likely if known else [*likely, search]


def _likeliest(record: Record, periodogram: Periodogram, periods: tuple[float, ...]) -> list[tuple[Line, int, float]]:
    """(line, harmonics, fraction of the significance level): the most significant of each kind."""
    duration = record.every * len(record.data.times)
    named = [period for period in periods if is_resolved(period, record.every, duration)]
    calendar = likely_periods(record.every, duration, record.data.info.get("time_unit"))
    fractions = (0.75, 0.125, 0.125) if named else (0.0, 0.5, 0.5)
    kinds = [
        _likely(periodogram, some, record.every, fraction) for some, fraction in zip((named, calendar), fractions, strict=False) if some
    ]
    kinds.append((periodogram.strongest(PERIODS), 1, fractions[2] if named or calendar else 1.0))
    return kinds


def _likely(periodogram: Periodogram, periods: list[float], every: float, fraction: float) -> tuple[Line, int, float]:
    """The most significant of some periods, each tested by its fundamental alone and with its harmonics."""
    tests: list[tuple[Line, int, float]] = []
    for period in periods:
        harmonics = min(HARMONICS, int(period / every / 2 + 1e-6))
        part = FUNDAMENTAL if harmonics > 1 else 1.0
        tests.append((periodogram.line_at(min(every / period, 0.5)), 1, part * fraction / len(periods)))
        if harmonics > 1:
            tests.append((periodogram.line_at(every / period, harmonics), harmonics, (1 - part) * fraction / len(periods)))
    return min(tests, key=lambda one: (one[0].p_value / one[2], -one[0].ratio))


def _doubted(profile: np.ndarray, together: bool, found: Line, harmonics: int) -> float:
    """p-value of a line against a background that may have peaks."""
    return Periodogram.of_few(profile, together, PEAKED_BACKGROUND).line_at(found.frequency, harmonics).p_value


def _words(record: Record, found: Line, p_value: float, unambiguous: bool, name: str, unit: str) -> Change:
    period = f"{record.every / found.frequency:.4g}"
    moved = f"moves the {name} up and down by {found.amplitude:.2g} ± {found.error:.1g} {unit}"
    variance = ", variance=True" if name == "variance" else ""
    remedy = f"Remove the season: deseasonalise={period}{variance}."
    if unambiguous:
        return Change(found.amplitude, found.error, p_value, f"A cycle of period {period} {moved}", remedy)
    words = f"A peak at period {period} {moved}; it is so narrow that it may be a season or an oscillation of the system's own"
    advice = f"If a clock of this period drives the system: {remedy} A longer record would decide."
    return Change(found.amplitude, found.error, p_value, words, advice, False)
