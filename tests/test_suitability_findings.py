"""What the checks of a series find and name in fields and numbers; stationary and homogeneous series raise no alarm."""

import json
import math

import numpy as np
import pytest
import scipy.signal
import torch
from series_examples import RING, Work, drifting, noise, series, uneven

from gfdt_tutorial import AllenCahn, NavierStokes, OrnsteinUhlenbeck, PeriodicGrid, TimeSeries, simulate
from gfdt_tutorial.core.correlations import autocovariance, decorrelation_time
from gfdt_tutorial.data.suitability import examine


def test_the_decorrelation_time_of_a_known_series():
    for memory in (0.5, 0.9):
        data = series("mtx", memory=memory, steps=4000)
        rho = autocovariance(data.grid, data.u, float(data.u.mean())).sum(1)
        torch.testing.assert_close(rho[:6] / rho[0], memory ** torch.arange(6).double(), atol=0.02, rtol=0)
        assert decorrelation_time(rho / rho[0], 1.0)[0] == pytest.approx((1 + memory) / (1 - memory), rel=0.1)
    assert decorrelation_time(torch.cos(torch.arange(50.0)), 1.0)[1] is False  # never forgets


def test_an_autocovariance_at_lag_zero_is_the_variance():
    data = series("mtyx")
    assert float(autocovariance(data.grid, data.u, 0.0)[0].sum()) == pytest.approx(float(data.u.square().mean()), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "sizes"),
    [
        (OrnsteinUhlenbeck(), {"members": 16, "duration": 300.0}),
        (OrnsteinUhlenbeck(), {"members": 1, "duration": 3000.0}),
        (RING, {"members": 3, "duration": 500.0}),
        (AllenCahn(), {"members": 32, "duration": 200.0}),
        (NavierStokes(), {"members": 8, "duration": 60.0}),
    ],
    ids=["field", "one member", "ring", "two phases", "flow"],
)
def test_what_is_stationary_and_homogeneous_is_not_accused(system, sizes):
    """Less than one series in a thousand should be, of these none is."""
    for seed in range(8):
        found = examine(simulate(system, seed=100 + seed, device="cpu", **sizes))
        assert found["stationarity"].verdict == found["homogeneity"].verdict == "fine", f"seed {seed}: {found}"


@pytest.mark.parametrize("members", [1, 2, 16])
def test_the_probabilities_are_those_of_chance(members):
    """Of 200 homogeneous, stationary series, about a tenth has a probability below 0.1, for each of the two tests."""
    from gfdt_tutorial.data.suitability.homogeneity import map_test, time_mean_maps
    from gfdt_tutorial.data.suitability.record import Record
    from gfdt_tutorial.data.suitability.trend import fit_shape

    p_values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = TimeSeries(rng.normal(size=(members, 1600 // members, 12)), np.arange(1600.0 // members), "mtx")
        record = Record(data)
        maps = time_mean_maps(record)["variance"]
        line = np.linspace(0, 1, len(data.times))
        p_values.append((map_test(data.grid, maps)[2], fit_shape(record, record.profiles[0], line)[2]))
    fraction = (np.array(p_values) < 0.1).mean(0)
    assert (fraction > 0.03).all() and (fraction < 0.2).all(), fraction


CHANGES = {
    "a trend": (drifting, "stationarity", "refused", "The mean changes by 2"),
    "a spin-up": (lambda u: u + 3 * np.exp(-np.arange(600) / 40)[:, None], "stationarity", "refused", "after the first eighth"),
    "growing variance": (lambda u: u * np.linspace(0.7, 1.3, 600)[:, None], "stationarity", "refused", "The variance changes by"),
    "a slight trend": (lambda u: drifting(u) / 30 + 29 / 30 * u, "stationarity", "warning", "The mean changes by 0.1"),
    "a cycle": (lambda u: u + np.cos(2 * np.pi * np.arange(600) / 12)[:, None], "stationarity", "refused", "A cycle of period 12 "),
    "a cycle of the variance": (
        lambda u: u * (1 + 0.6 * np.cos(2 * np.pi * np.arange(600) / 12))[:, None],
        "stationarity",
        "refused",
        "A cycle of period 12 moves the variance",
    ),
    "places of other mean": (lambda u: u + np.arange(16) / 8, "homogeneity", "refused", "The mean varies over the box by"),
    "places of other variance": (uneven, "homogeneity", "refused", "The variance varies over the box by"),
    "one loud place": (lambda u: u * np.where(np.arange(16) == 3, 1.5, 1.0), "homogeneity", "refused", "The variance varies"),
    "a slightly loud place": (lambda u: u * np.where(np.arange(16) == 3, 1.12, 1.0), "homogeneity", "warning", "The variance varies"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_is_wrong_is_found_and_named(case):
    change, name, verdict, words = CHANGES[case]
    found = examine(series("mtx", change, members=24))[name]
    assert (found.verdict, words in found.finding, bool(found.advice)) == (verdict, True, True), found
    assert examine(series("mtx", members=24))[name].verdict == "fine"


@pytest.mark.parametrize("members", [2, 8])
def test_places_that_forget_at_different_rates_are_found(members):
    quick, slow = (noise("mtx", steps=2000, memory=memory, members=members) for memory in (0.3, 0.95))
    data = TimeSeries(np.where(np.arange(16) < 8, quick, slow), np.arange(2000.0), "mtx")
    found = examine(data)["homogeneity"]
    assert found.verdict == "refused" and "step in time" in found.finding and "forget at different rates" in found.advice


def test_a_box_of_two_places_is_judged_as_far_as_it_goes():
    u = noise("mtx")[..., :2]
    assert examine(TimeSeries(u, np.arange(600.0), "mtx"))["homogeneity"].verdict == "fine"
    assert examine(TimeSeries(u + np.arange(2), np.arange(600.0), "mtx"))["homogeneity"].verdict == "refused"


def oscillation(members, steps, period, damping, seed):
    """A number that swings of its own and forgets its phase by e^(-t/damping): an autoregressive series of second order."""
    radius, early = math.exp(-1 / damping), 10 * damping
    z = np.random.default_rng(seed).normal(size=(members, steps + early))
    return scipy.signal.lfilter([1], [1, -2 * radius * math.cos(2 * math.pi / period), radius**2], z)[:, early:]


@pytest.mark.parametrize(
    ("members", "steps", "period", "damping"), [(64, 1000, 12, 12), (64, 1000, 20, 40), (1, 4000, 20, 60), (1, 4000, 4, 20)]
)
def test_an_oscillation_of_its_own_is_no_cycle(members, steps, period, damping):
    for seed in range(5):
        data = TimeSeries(oscillation(members, steps, period, damping, seed), np.arange(float(steps)), "mt")
        assert examine(data)["stationarity"].verdict == "fine"


def test_red_noise_of_many_members_is_no_cycle():
    z = np.random.default_rng(1).normal(size=(1000, 400))
    u = scipy.signal.lfilter([1], [1, -0.9], z)[:, 200:]
    assert examine(TimeSeries(u, np.arange(200.0), "mt"))["stationarity"].verdict == "fine"


@pytest.mark.parametrize("members", [1, 12])
@pytest.mark.parametrize("period", [2.0, 3.0, 4.0, 12.3])
def test_a_cycle_of_any_period_is_found(members, period):
    t = np.arange(2000.0)
    u = noise("mt", steps=2000, members=12)[:members] + 0.8 * np.cos(2 * np.pi * t / period)
    found = examine(TimeSeries(u, t, "mt"))["stationarity"]
    assert found.verdict == "refused" and f"A cycle of period {period:.4g} moves the mean" in found.finding


def test_a_cycle_is_found_where_members_have_clocks_of_their_own():
    t, phases = np.arange(2000.0), np.random.default_rng(0).uniform(0, 7, (12, 1))
    u = noise("mt", steps=2000, members=12) + 0.7 * np.cos(2 * np.pi * t / 12 + phases)
    assert "A cycle of period 12 " in examine(TimeSeries(u, t, "mt"))["stationarity"].finding


def test_the_work_of_the_checks_grows_in_proportion_to_the_length(monkeypatch):
    """Four times the samples take four times the transformed values; a test of every period by itself would take sixteen times as many."""
    transformed = {}
    for steps in (10_000, 40_000):
        work = Work(monkeypatch)
        examine(TimeSeries(noise("t", steps=steps), np.arange(float(steps)), "t"))
        transformed[steps] = work.transformed
        assert work.evaluations < 2_000
    assert transformed[40_000] < 5 * transformed[10_000] and transformed[40_000] < 100 * 40_000


def test_a_window_cut_from_a_larger_field_shows_its_seam():
    data = simulate(OrnsteinUhlenbeck(grid=PeriodicGrid((32,)), lam=0.2, kappa=0.02), members=16, duration=600.0, device="cpu")
    assert examine(data)["homogeneity"].verdict == "fine"
    found = examine(TimeSeries(data.u[..., 3:15], data.times, "mtx"))["homogeneity"]
    assert found.verdict == "refused" and "step along x" in found.finding and "close on itself" in found.advice


def test_paths_without_noise_are_told_from_paths_with():
    t = 0.1 * np.arange(4000)
    rng = np.random.default_rng(0)
    smooth = sum(np.cos(w * t[:, None] + rng.uniform(0, 7, 40)) for w in rng.normal(size=30))
    assert examine(TimeSeries(smooth.T, t, "mt"))["smoothness"].verdict == "warning"
    assert examine(series("mtx", memory=0.95))["smoothness"].verdict == "fine"
    assert examine(series("mtx", memory=0.3))["smoothness"].verdict == "unknown"


@pytest.mark.parametrize("change", [lambda u: u > 0, lambda u: np.round(u.clip(-1, 1)), lambda u: np.maximum(u, 1)])
def test_data_of_a_few_levels_are_told_that_they_have_no_score(change):
    found = examine(series("mtx", lambda u: change(u).astype(float)))
    assert found.discrete and found["Gaussianity"].verdict == "warning" and "a score cannot be had" in found["Gaussianity"].finding
    assert not examine(series("mtx", lambda u: np.round(5 * u))).discrete


def dry(u):
    """One member does not vary at all."""
    return np.where(np.arange(8)[:, None] == 3, 0.0, u)


def one_lives(u):
    return np.where(np.arange(8)[:, None] == 3, u, 0.0)


def alternating(u):
    return np.where(np.arange(8)[:, None] < 3, (-1.0) ** np.arange(u.shape[1]), u)


@pytest.mark.parametrize(
    "change", [dry, one_lives, alternating, lambda u: u[:1, :16], lambda u: (-1.0) ** np.arange(60)[None] + 0 * u[:, :60]]
)
def test_pieces_that_do_not_vary_are_left_out(change):
    """Every number can be written down: JSON knows no NaN."""
    for check in examine(series("mt", change)).checks:
        json.dumps([check.value, check.error], allow_nan=False)


def test_dry_spells_change_nothing_about_the_rest():
    found, all_wet = (examine(series("mt", change))["smoothness"] for change in (dry, lambda u: u))
    assert found.verdict == all_wet.verdict and found.value == pytest.approx(all_wet.value, abs=0.05)
    assert found.error == pytest.approx(all_wet.error, rel=0.5)


def test_a_density_that_is_not_gaussian_is_known():
    assert "will do" in examine(series("mtx"))["Gaussianity"].finding
    squashed = examine(series("mtx", np.tanh))["Gaussianity"]
    assert "cannot be exact" in squashed.finding and squashed.value < -10 * squashed.error
    assert examine(series("mtx", lambda u: np.sign(u) * abs(u) ** 4))["Gaussianity"].verdict == "warning"
