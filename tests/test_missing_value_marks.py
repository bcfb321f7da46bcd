"""Codes for missing values are refused with their index, and measured values, however far out, are not."""

import math

import numpy as np
import pytest
import scipy.signal
import series_examples
from series_examples import noise

from gfdt_tutorial.data import reading
from gfdt_tutorial.data.reading import read_series

here = series_examples.here


def test_largest_values_that_are_no_marks_are_let_through():
    u = noise("tx")
    u[10, 3] = 50.0
    assert reading.check_values(u) is u
    with pytest.raises(ValueError, match="missing values"):
        u[10, 3] = -99999.0
        reading.check_values(u)


def marked(u, mark, share):
    return np.where(np.random.default_rng(1).random(u.shape) < share, mark, u)


RAIN = np.where(noise() > 1.3, noise() - 1.3, 0.0)


MARKED = {
    "a few": marked(noise(), -9999.0, 0.005),
    "not far": marked(15 + 8 * noise(), -999.0, 0.005),
    "in whole numbers": marked(np.round(15 + 8 * noise()), -999.0, 0.005).astype(int),
    "on land": marked(15 + 8 * noise(), -999.0, 0.4),
    "in rain": marked(RAIN, -9999.0, 0.005),
    "in little rain": marked(np.where(RAIN > 1, RAIN, 0.0), -9999.0, 0.005),
    "above": marked(noise(), 1e3, 0.005),
    "two codes": marked(marked(noise(), -999.9, 0.005), -9999.0, 1e-5),
    "one here, many there": np.where(np.arange(76800).reshape(8, 600, 16) == 500, -9999.0, marked(noise(), -999.9, 0.005)),
    "in little rain, once": np.where(np.arange(76800).reshape(8, 600, 16) == 500, -999.0, np.where(RAIN > 1, RAIN, 0.0)),
}


@pytest.mark.parametrize("case", MARKED)
def test_marks_for_what_is_missing_are_refused(case):
    with pytest.raises(ValueError, match="a mark for missing values"):
        reading.check_values(MARKED[case])


def skewed(rng, size):
    return rng.lognormal(0, 1, size)


def red(rng, size, memory=0.9):
    z = rng.normal(size=size + 200)
    return scipy.signal.lfilter([math.sqrt(1 - memory**2)], [1, -memory], z)[200:]


LAWS = {
    "Gaussian": lambda rng, size: rng.normal(size=size),
    "red": red,
    "Student, 3": lambda rng, size: rng.standard_t(3, size),
    "Student, 2": lambda rng, size: rng.standard_t(2, size),
    "Cauchy": lambda rng, size: rng.standard_cauchy(size),
    "Cauchy in whole numbers": lambda rng, size: np.round(rng.standard_cauchy(size)),
    "Pareto in whole numbers": lambda rng, size: np.round(10 * rng.pareto(1, size)),
    "lognormal": lambda rng, size: rng.lognormal(0, 2, size),
    "rain": lambda rng, size: np.where(rng.random(size) < 0.3, rng.exponential(size=size), 0.0),
    "counts": lambda rng, size: rng.poisson(3, size),
    "a scale that ends at 99": lambda rng, size: np.round(80 + 10 * rng.normal(size=size)).clip(0, 99),
}


LONE = {
    "not far": (lambda rng, size: 15 + 8 * red(rng, size), -99.9),
    "in tenths": (lambda rng, size: np.round(15 + 8 * red(rng, size), 1), -99.9),
    "in whole numbers": (lambda rng, size: np.round(15 + 8 * red(rng, size)), -999),
    "near, in whole numbers": (lambda rng, size: np.round(15 + 8 * red(rng, size)), -99),
    "nought in wide swings": (lambda rng, size: 280 + 40 * red(rng, size), 0.0),
    "nought kelvin": (lambda rng, size: 280 + 10 * red(rng, size), 0.0),
    "order one": (red, -999.9),
    "far": (red, -9999.0),
    "single precision": (lambda rng, size: red(rng, size).astype(np.float32), np.float32(-99.9)),
    "heavy tails": (LAWS["Student, 3"], -999.9),
    "skewed": (skewed, -99.9),
    "rain": (LAWS["rain"], -99.9),
    "above": (LAWS["rain"], 999.9),
    "netCDF": (LAWS["Cauchy"], 9.969209968386869e36),
}


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", LAWS)
def test_no_honest_series_is_refused(case, count):
    for seed in range(count):
        rng = np.random.default_rng([seed, 0])
        reading.check_values(LAWS[case](rng, int(rng.choice([300, 1000, 3000, 10_000]))), time=0)


@pytest.mark.parametrize("case", LONE)
def test_a_lone_mark_is_refused_with_its_index(case):
    law, mark = LONE[case]
    missed = 0
    for seed in range(40):
        rng = np.random.default_rng([seed, 1])
        u = law(rng, 1000)
        at = int(rng.integers(1000))
        u[at] = mark
        try:
            reading.check_values(u, time=0)
            missed += 1
        except ValueError as error:
            assert f"1 of 1000 values is {mark:.7g}, the first at index ({at},)" in str(error) and "missing values" in str(error)
    assert missed <= 2


def test_a_code_within_reach_of_a_heavy_tail_is_a_value():
    """A Cauchy variable comes that far in one of ten series of this length: 3000 × 1/(9999 π)."""
    u = np.random.default_rng(3).standard_cauchy(3000)
    u[500] = -9999.0
    assert reading.check_values(u, time=0) is u


def test_a_step_to_a_round_value_that_stays_is_no_spike():
    """A river that falls dry for a while: the first 0 is far from what was before, and near what follows."""
    u = np.concatenate([100 + 3 * red(np.random.default_rng(0), 300), np.abs(3 * red(np.random.default_rng(1), 30))])
    u[300] = 0.0
    assert reading.check_values(u, time=0) is u


def test_the_axis_of_time_is_known_whatever_the_order(here):
    """A code that the values alone do not betray, and the way to it and back does."""
    u = np.stack([280 + 80 * red(np.random.default_rng([seed, 2]), 1000, memory=0.99) for seed in range(4)])
    u[2, 700] = 0.0
    np.save("last.npy", u.T)
    with pytest.raises(ValueError, match=r"the first at index \(2, 700\)"):
        read_series("last.npy", axes="tm", every=1.0)
    assert reading.check_values(u) is u


HONEST = {
    "heavy tails": np.random.default_rng(2).standard_cauchy(3000),
    "rain": RAIN,
    "little rain": np.where(RAIN > 1, RAIN, 0.0),
    "on and off": np.where(noise() > 1.5, 7, 0),
    "three levels": np.round(noise().clip(-1, 1)),
    "counts": np.random.default_rng(2).poisson(0.1, 100_000),
    "counts of heavy tails": np.floor(np.abs(np.random.default_rng(3).standard_t(2, 100_000))),
    "a sensor that saturates": noise().clip(-4, 0.3),
    "a sensor that saturates far out": np.random.default_rng(2).standard_t(2, 100_000).clip(-40, 60),
    "bytes": np.clip(noise() * 20 + 128, 0, 255).astype("u1"),
    "constant": np.full(50, 4.0),
}


@pytest.mark.parametrize("case", HONEST)
def test_honest_values_are_no_marks(case):
    assert reading.check_values(HONEST[case]) is HONEST[case]


def test_yes_and_no_are_one_and_nought():
    found = reading.check_values(noise() > 0)
    assert found.dtype == np.float32 and set(np.unique(found)) == {0, 1}
