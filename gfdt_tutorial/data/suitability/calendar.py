"""Periods at which a season is likely, from the calendar."""

DAYS = {"second": 1 / 86_400, "minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365.2425 / 12, "year": 365.2425}
SHORT = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day", "mon": "month", "yr": "year", "a": "year"}
CALENDAR = (365.2425, 365.2425 / 2, 365.2425 / 3, 365.2425 / 4, 7.0, 1.0, 0.5)  # days: year, week and day with their harmonics
IN_SAMPLES = (12.0, 6.0, 4.0, 3.0, 24.0, 7.0, 52.0, 365.25)  # months, quarters, hours, days or weeks, where the unit is not known
CYCLES = 4  # in the record, or nothing can be said


def likely_periods(every: float, duration: float, unit: str | None) -> list[float]:
    """In time units, those of which the record holds four or more and a cycle two samples or more.

    Args:
        every: sampling interval, in time units.
        duration: of a member.
        unit: of time, such as "days"; None where it is not known.
    """
    name = str(unit or "").strip().lower()
    name = SHORT.get(name, name.removesuffix("s"))
    name = SHORT.get(name, name)
    periods = [days / DAYS[name] for days in CALENDAR] if name in DAYS else [samples * every for samples in IN_SAMPLES]
    return [period for period in periods if held(period, every, duration)]


def held(period: float, every: float, duration: float) -> bool:
    """Whether the record can show a cycle of this period."""
    return (2 - 1e-6) * every <= period <= duration / CYCLES
