"""The checks of a series: what is wrong is found and named with its cause, what is right is not accused, and size is no matter."""

import numpy as np
import pytest
from series_examples import Work

from gfdt_tutorial.bench.suitability import FIT, alarms, draws, made, named, red, seasonal, seasons, unlike
from gfdt_tutorial.data.preparation import deseasonalise
from gfdt_tutorial.data.suitability import examine
from gfdt_tutorial.data.suitability.calendar import likely_periods
from gfdt_tutorial.data.suitability.density import gaussianity_check
from gfdt_tutorial.data.suitability.record import Record

SEEDS = range(10)

# --- seasons


@pytest.mark.parametrize(
    ("amplitude", "years", "unit", "periods", "least"),
    [
        (1.0, 20, "months", (), 8),
        (0.5, 30, "months", (12.0,), 7),
        (0.5, 30, None, (), 5),
        (1.0, 20, "years", (), 8),
        (1.0, 20, None, (), 8),
    ],
)
def test_a_season_of_a_lone_record_is_found_and_its_period_named(amplitude, years, unit, periods, least):
    """With yearly samples the calendar names no period, and all frequencies are searched.

    Some 97 % of series with amplitude 1 are found, and some 80 % of those with 1/2 and the period given."""
    info = {"time_unit": unit} if unit else {}
    assert sum(named(examine(seasonal(seed, amplitude, years, **info), periods)) for seed in SEEDS) >= least


def test_a_season_says_how_to_go_on_and_the_series_then_passes():
    data = seasonal(0, 1.0, 30)
    assert "deseasonalise=12" in examine(data)["stationarity"].advice
    without = deseasonalise(data, 12)
    assert examine(without)["stationarity"].verdict == "fine"
    assert without.info["preparation"] == [{"step": "deseasonalise", "period": 12.0, "variance": False}]


def test_a_season_of_the_variance_is_found_and_removed():
    t = np.arange(720)
    data = made(red(draws(3)(1, 720), 0.5) * (1 + 0.6 * np.cos(2 * np.pi * t / 12)))
    found = examine(data, (12,))["stationarity"]
    assert found.verdict == "refused" and "A cycle of period 12 moves the variance" in found.finding
    assert "deseasonalise=12, variance=True" in found.advice
    assert examine(deseasonalise(data, 12, variance=True), (12,))["stationarity"].verdict == "fine"


def test_a_season_of_many_harmonics_is_found_at_its_fundamental():
    """A rainy month a year: no one harmonic carries much."""
    t = np.arange(480)
    data = made(red(draws(4)(1, 480), 0.5) + 1.6 * (t % 12 == 3))
    found = examine(data, (12,))["stationarity"]
    assert found.verdict == "refused" and "A cycle of period 12 " in found.finding


def test_a_period_need_not_be_a_whole_number_of_samples():
    t = np.arange(3000.0)
    u = red(draws(5)(1, 3000), 0.5) + np.cos(2 * np.pi * t / 12.37) + 0.5 * np.cos(4 * np.pi * t / 12.37)
    assert "A cycle of period 12.37 " in examine(made(u))["stationarity"].finding
    assert examine(deseasonalise(made(u), 12.37))["stationarity"].verdict == "fine"


def test_likely_periods_are_those_of_the_calendar_in_the_unit_of_the_series():
    assert likely_periods(1.0, 480, "months")[:3] == pytest.approx([12, 6, 4])
    days = likely_periods(1.0, 3650, "days")
    assert days[0] == pytest.approx(365.2425) and 7 in days and 1.0 not in days
    assert likely_periods(1.0, 240, "h") == pytest.approx([24, 12])
    assert likely_periods(1.0, 40, "years") == []
    assert 12.0 in likely_periods(1.0, 480, None) and likely_periods(1.0, 40, None)[0] == 6.0


def test_a_period_of_the_caller_must_be_one():
    with pytest.raises(ValueError, match="periods"):
        examine(seasonal(0, 1.0, 20), (-12,))


# --- members


@pytest.mark.parametrize("kind", ["mean", "variance", "memory"])
def test_members_that_differ_are_refused_and_the_difference_named(kind):
    found = [examine(unlike(seed, kind))["members"] for seed in SEEDS]
    assert sum(one.verdict == "refused" and one.finding.startswith(f"The {kind} differs") for one in found) >= 9


def test_the_scatter_of_means_is_judged_by_the_memory():
    """With a memory near the length of a member, means scatter as much as the values: no reason to accuse them."""
    for seed in SEEDS:
        assert examine(made(red(draws(seed)(16, 200), 0.98)))["members"].verdict in ("fine", "unknown")
        assert examine(made(red(draws(seed)(16, 400), 0.9)))["members"].verdict == "fine"


# --- the cause before the memory


def test_the_cause_is_named_before_the_memory_that_it_lengthens():
    t = np.arange(600.0)
    noise = red(draws(1)(1, 600), 0.7)
    shift, season = 3.0 * (t >= 400), 2 * np.cos(t * np.pi / 6)
    for change, words in ((t / 100, "from start to end"), (shift, "level shift near 4"), (season, "period 12 ")):
        found = examine(made(noise + change))
        assert found.checks[0].name == "stationarity" and found.checks[0].verdict == "refused"
        assert words in found.checks[0].finding, found
        assert found["memory"].verdict in ("unknown", "fine") and "Record at least" not in str(found)
    assert "Cut at the shift" in examine(made(noise + shift))["stationarity"].advice


def test_members_of_unlike_level_are_named_before_the_memory():
    draw = draws(2)
    found = examine(made(red(draw(16, 600), 0.8) + draw(16, 1)))
    assert found["members"].verdict == "refused" and found["memory"].verdict == "unknown"
    assert [check.name for check in found.checks].index("members") < [check.name for check in found.checks].index("memory")


def test_a_random_walk_is_told_to_be_differenced():
    for seed in SEEDS:
        walk = np.cumsum(draws(seed)(1, 2000), axis=1)
        found = examine(made(walk))["memory"]
        assert found.verdict == "refused" and "random walk" in found.finding and "increments" in found.advice
        assert examine(made(np.diff(walk)))["memory"].verdict == "fine"


# --- false alarms


@pytest.mark.parametrize("kind", FIT)
def test_what_is_fit_is_not_accused(kind):
    """At the stated rate, one in a thousand for each check, less than one alarm is expected of all kinds together."""
    axes, make = FIT[kind]
    for seed in range(6):
        found = examine(made(make(draws(seed, 1 + list(FIT).index(kind))), axes))
        assert not any(alarms(found, kind).values()), found


@pytest.mark.parametrize(("axes", "shape"), [("mt", (8, 100)), ("mtx", (8, 60, 12))])
def test_a_gaussian_series_is_rarely_said_not_to_be(axes, shape):
    """Stated is one in a thousand; the largest of two or four t values with seven degrees of freedom exceeds 4 in one or two of 100."""
    said = [gaussianity_check(Record(made(red(draws(seed)(*shape), 0.3), axes))).finding for seed in range(300)]
    assert sum("cannot be exact" in finding for finding in said) <= 2


# --- size


@pytest.mark.slow
def test_a_million_samples_with_a_long_memory_take_transforms_of_the_data_only(monkeypatch):
    """No transform is longer than a small multiple of the series, and there are few of them. Seconds and megabytes are in the bench."""
    work = Work(monkeypatch)
    found = examine(made(red(draws(0)(1, 10**6), 1 - 2e-4)))
    assert found["stationarity"].verdict == "fine"
    assert work.largest < 4e6 and work.transformed < 100e6 and work.evaluations < 2_000, vars(work)


@pytest.mark.slow
def test_the_bench_finds_seasons_as_often_as_it_says():
    rows = {row.what: row for row in seasons(100)}
    for words in ("amplitude 1, 20 years", "amplitude 1/2, 30 years, period given"):
        assert "yes" in rows[f"season found and named, {words}: of 100"].verdict
