"""Periods at which a season is likely, from the calendar."""

DAYS = {"second": 1 / 86_400, "minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365.2425 / 12, "year": 365.2425}
SHORT = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day", "mon": "month", "yr": "year", "a": "year"}
CALENDAR = (365.2425, 365.2425 / 2, 365.2425 / 3, 365.2425 / 4, 7.0, 1.0, 0.5)  # days: year, week and day with their harmonics
IN_SAMPLES = (12.0, 6.0, 4.0, 3.0, 24.0, 7.0, 52.0, 365.25)  # months, quarters, hours, days or weeks, if the unit is unknown
CYCLES = 4  # the fewest cycles in a record for a test of their period


def likely_periods(every: float, duration: float, unit: str | None) -> list[float]:
    """Periods at which a season is likely, in time units, with four cycles or more in the record and two samples or more in a cycle.

    Args:
        every: sampling interval, in time units.
        duration: of one member.
        unit: the unit of time, such as "days"; None if it is unknown.
    """
    name = str(unit or "").strip().lower()
    name = SHORT.get(name, name.removesuffix("s"))
    name = SHORT.get(name, name)
    periods = [days / DAYS[name] for days in CALENDAR] if name in DAYS else [samples * every for samples in IN_SAMPLES]
    return [period for period in periods if is_resolved(period, every, duration)]


def is_resolved(period: float, every: float, duration: float) -> bool:
    """Whether a record resolves a cycle of this period: CYCLES or more in a member, and two samples or more in each."""
    return (2 - 1e-6) * every <= period <= duration / CYCLES
