"""Standard errors and bands: what they promise is what repetitions of the experiment show."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from gfdt_tutorial import (
    GaussianScore,
    LearnedScore,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    compare,
    difference,
    exact_response,
    fit_score,
    respond,
    respond_in_forms,
    simulate,
)
from gfdt_tutorial.bench import coverage
from gfdt_tutorial.core.resampling_groups import origin_groups
from gfdt_tutorial.scores.one_variable import KernelScore

SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))


# --- a run and its reverse


@pytest.mark.parametrize(("members", "steps", "groups"), [(8, 400, 8), (2, 800, 8), (1, 1600, 8)])
def test_a_run_and_its_reverse_are_no_further_data(members, steps, groups):
    """They give the same response where the process is reversible, so the band must stay as it is."""
    once, twice = (coverage.of_series(members, steps, 12, both_ways=both) for both in (False, True))
    np.testing.assert_allclose(twice.values, once.values, atol=1e-2)
    assert np.sqrt((twice.errors**2).mean()) == pytest.approx(np.sqrt((once.errors**2).mean()), rel=0.12)
    data = coverage.autoregressive(members, steps, 0).both_ways()
    assert data.paired and respond(data, torch.neg, lags=5.0).info["groups"] == groups


def test_the_quoted_error_is_the_scatter_over_repetitions():
    for both in (False, True):
        assert coverage.of_series(8, 400, 100, both_ways=both).ratio(coverage.LOOK) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("members", [1, 3, 20])
def test_each_origin_of_a_run_stands_beside_its_mirror_image(members):
    steps, lag = 240, 20
    found = origin_groups(2 * members, steps, lag, step_bytes=10_000, paired=True)
    for group in found.windows:
        forward, backward = set(), set()
        for window in group:
            for member in range(window.members.start, window.members.stop):
                origins = range(window.start, window.stop)
                if member % 2:
                    backward |= {(member // 2, steps - 1 - origin) for origin in origins}
                else:
                    forward |= {(member // 2, origin) for origin in origins}
        assert forward == backward != set()


def test_a_paired_series_keeps_its_pairs(tmp_path):
    data = coverage.autoregressive(3, 50, 0).both_ways()
    assert data.both_ways() is data and len(data.u) == 6 and len(data.runs) == 3
    assert TimeSeries.load(data.save(tmp_path / "pairs.npz")).paired
    with pytest.raises(ValueError, match="split first, and call both_ways on the parts"):
        data.split(0.5)
    with pytest.raises(ValueError, match="the number of members is 3; expected each run beside its reverse"):
        TimeSeries(data.u[:3], data.times, "mt", paired=True)


# --- few members


def test_pieces_of_a_run_last_some_decorrelation_times_and_the_error_makes_up_for_what_they_remember():
    free = origin_groups(1, 1000, 10, step_bytes=10)
    slow = origin_groups(1, 1000, 10, step_bytes=10, memory=100.0)
    assert len(free) == 8 and free.widening == 1 and free.short is None
    assert len(slow) == 3 and slow.widening == pytest.approx((1 - 100 / 660) ** -0.5) and slow.short == pytest.approx(10)
    assert len(origin_groups(1, 1000, 10, step_bytes=10, memory=1e4)) == 2
    assert origin_groups(8, 1000, 10, step_bytes=10, memory=1e4).widening == 1  # whole members are independent


def test_a_short_record_is_warned_of_and_a_long_one_is_not():
    assert coverage.of_series(1, 76, 20, lags=10).warned > 0.9
    assert coverage.of_series(1, 190, 20).warned > 0.8
    assert coverage.of_series(1, 3800, 20).warned == 0


@pytest.mark.slow
@pytest.mark.parametrize(("members", "times"), [(1, 40), (8, 10)])
def test_bands_cover_the_true_value_as_often_as_they_say(members, times):
    found = coverage.of_series(members, round(times * coverage.TAU), 150)
    assert 0.8 < found.covered.mean() < 0.95


# --- what is resampled


def test_an_exact_score_is_not_taken_for_one_that_was_fitted():
    """By chance R(0) is 1 within a thousandth for one such series in five; the band at lag 0 must not vanish for that."""
    assert coverage.tied(60) == 0


def test_a_score_says_what_it_was_fitted_to():
    data, other = coverage.autoregressive(8, 400, 0), coverage.autoregressive(8, 400, 1)
    for score in (GaussianScore.fit(data), KernelScore.fit(data)):
        assert score.fitted_to == score.identity_on == data.fingerprint == data.both_ways().fingerprint != other.fingerprint
        assert float(respond(data, score, lags=5.0).standard_error[0]) < 1e-4
        assert float(respond(other, score, lags=5.0).standard_error[0]) > 1e-3
    assert KernelScore.fit(data, calibrate=False).identity_on is None


def test_series_have_one_fingerprint_if_they_are_equal_and_others_if_not():
    data = coverage.autoregressive(4, 100, 0)
    changed = data.u.clone()
    changed[2, 50] += 1e-6
    assert replace(data, info={"a": 1}).fingerprint == data.fingerprint
    assert replace(data, u=changed).fingerprint != data.fingerprint
    assert TimeSeries(data.u.numpy(), data.times, "mt").fingerprint == data.fingerprint


@pytest.mark.slow
def test_the_band_of_a_shrunk_response_covers_where_the_weight_is_uncertain():
    found, chi2 = coverage.shrunk(60)
    assert 1 < chi2 < 4
    assert found.covered.mean() > 0.85 and found.covered.mean(0).min() > 0.75


# --- two responses on the same data


@pytest.fixture(scope="module")
def data():
    return simulate(SMALL, members=16, duration=200.0, device="cpu")


def test_two_responses_on_the_same_data_differ_by_less_than_each_is_off(data):
    """A score wrong by a tenth: its L2 exceeds the right one's by more than the error of the difference, not by that of either."""
    truth = exact_response(SMALL, lags=20.0)
    right, wrong = (respond(data, lambda u, factor=factor: factor * SMALL.score(u), lags=20.0) for factor in (1.0, 1.1))
    found = difference(wrong, right, truth)
    alone = compare(wrong, truth).quoted
    assert found.value == pytest.approx(alone["l2"] - compare(right, truth).quoted["l2"], abs=1e-6)
    assert found.from_truth == 0 and found.standard_error == found.from_data < alone["l2_se_data"]
    same = difference(right, right, truth)
    assert same.value == same.standard_error == 0


def test_the_error_of_an_l2_is_its_scatter_over_repetitions():
    truth, found = exact_response(SMALL, lags=10.0), []
    for seed in range(24):
        series = simulate(SMALL, members=16, duration=60.0, seed=seed, device="cpu")
        found.append(compare(respond(series, lambda u: 1.3 * SMALL.score(u), lags=10.0, resamples=2), truth).quoted)
    scatter, quoted = np.std([one["l2"] for one in found], ddof=1), np.mean([one["l2_se_data"] for one in found])
    assert quoted == pytest.approx(scatter, rel=0.6) and all(one["l2_se_truth"] == 0 for one in found)


def test_a_difference_that_cannot_be_told_is_refused(data, tmp_path):
    truth = exact_response(SMALL, lags=10.0)
    one = respond(data, SMALL.score, lags=10.0, resamples=2)
    saved = type(one).load(one.save(tmp_path / "one.npz"))
    with pytest.raises(ValueError, match=r"read from a file.*does not say how groups of its data deviate"):
        difference(one, saved, truth)
    assert "l2_se_data" not in compare(saved, truth).quoted
    with pytest.raises(ValueError, match="not of the same data"):
        difference(one, respond(data.split(0.5)[0], SMALL.score, lags=10.0, resamples=2), truth)
    with pytest.raises(ValueError, match="different lags"):
        difference(one, respond(data, SMALL.score, lags=5.0, resamples=2), truth)


# --- forms


def test_all_forms_come_from_one_evaluation_of_the_score(data):
    calls = []

    def score(u):
        calls.append(len(u))
        return SMALL.score(u) - u**3

    forms = respond_in_forms(data, score, lags=20.0, resamples=20)
    once = len(calls)
    alone = {"raw": {}, "normalised": {"form": "normalised"}, "controlled": {"form": "controlled"}}
    for form, options in alone.items():
        calls.clear()
        single = respond(data, score, lags=20.0, resamples=20, **options)
        assert len(calls) == once and single.form == forms[form].form == form
        torch.testing.assert_close(forms[form].values, single.values, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(forms[form].standard_error, single.standard_error, atol=1e-6, rtol=1e-4)
    identity = exact_response(SMALL, lags=20.0).values[0]
    for form in ("normalised", "controlled"):
        torch.testing.assert_close(forms[form].values[0], identity, atol=1e-5, rtol=0)
    assert (forms["normalised"].values[10] - forms["controlled"].values[10]).abs().max() > 1e-3
    torch.testing.assert_close(forms["raw"].normalise().values, forms["normalised"].values, atol=1e-5, rtol=0)


def test_forms_that_do_not_go_together_or_are_unknown_are_refused(data):
    with pytest.raises(ValueError, match="form 'divided' is unknown"):
        respond(data, SMALL.score, lags=10.0, form="divided")
    with pytest.raises(ValueError, match="form 'divided' is unknown"):
        respond_in_forms(data, SMALL.score, lags=10.0, forms=("divided",))
    for wrong in ("raw", ()):
        with pytest.raises(ValueError, match="expected a tuple of one form or more"):
            respond_in_forms(data, SMALL.score, lags=10.0, forms=wrong)


# --- units


@pytest.mark.parametrize("unit", [1e-25, 1e-19, 1e-10, 1e10, 1e25])
def test_a_response_does_not_depend_on_the_unit(data, unit):
    scaled = replace(data, u=(data.u.double() * unit).float())
    for members in (16, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = [replace(one, u=one.u[:members]) for one in (data, scaled)]
            for options in ({}, {"form": "controlled"}, {"form": "normalised"}, {"symmetries": ("sign",)}):
                plain, other = (respond(one, GaussianScore.fit(one), lags=10.0, resamples=10, **options) for one in parts)
                torch.testing.assert_close(other.values, plain.values, atol=1e-5, rtol=1e-5)
                torch.testing.assert_close(other.standard_error, plain.standard_error, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("exponent", [-83, 83])
def test_a_learned_score_does_not_depend_on_the_unit(data, exponent, tmp_path):
    """By a power of two, which rounds nothing: 2⁸³ is 10²⁵."""
    unit, found = 2.0**exponent, []
    for scale in (1.0, unit):
        scaled = replace(data, u=data.u * scale)
        score = fit_score(scaled, preset="tiny", device="cpu")
        loaded = LearnedScore.load(score.save(tmp_path / f"{scale:g}"))
        torch.testing.assert_close(loaded(scaled.u[:2, :3]) * scale, score(scaled.u[:2, :3]) * scale)
        found.append(respond(scaled, loaded, lags=10.0, resamples=2).values)
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-5)
