"""Stein's identities, two halves of the data and the verdict: what passes, what fails, and what cannot be decided."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from series_examples import series

from gfdt_tutorial import AllenCahn, DoubleWell, PeriodicGrid, TimeSeries, simulate
from gfdt_tutorial.core.confidence_bands import band_factor
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.verdicts import Agreement, CrossCheck, verdict
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.steins_identity import Identity, grade, identity


def test_what_has_no_score_is_not_told_to_train_longer():
    found = analyse(series("mt", lambda u: np.sign(u)), preset="tiny", lags=4)
    assert "none can" in found.verdict and "train longer" not in found.verdict


def test_what_neighbours_tell_of_a_score():
    """To the exact score of white data is added what no average at one place can tell: a product of two neighbours."""
    data = TimeSeries(torch.randn(16, 800, 24, generator=torch.Generator().manual_seed(0)), torch.arange(800.0), "mtx")
    right = identity(data.split(0.5), [lambda u: -u] * 2)
    wrong = identity(data.split(0.5), [lambda u: -u + 0.3 * u.roll(-1, -1) * u.roll(-2, -1)] * 2)
    for found in (right, wrong):
        assert found.linear[0] == pytest.approx(1, abs=0.02) and found.cubic[0] == pytest.approx(1, abs=0.02)
    assert abs(right.pairs[0]) < 3 * right.pairs[1] and right.holds
    assert wrong.pairs[0] == pytest.approx(0.3, abs=0.02) and not wrong.holds


def test_an_identity_that_cannot_tell_does_not_pass():
    """Errors so large that a wrong score would lie within them, as heavy tails and short series make them."""
    for value, error in ((1445, 1445), (5.8, 3.1), (4.4, 3.0), (1.0, 0.5), (math.nan, math.nan)):
        assert grade(value, error, 1.0) == "cannot tell"
    assert grade(1.04, 0.001, 1.0) == "passes" and grade(1.06, 0.001, 1.0) == "fails" and grade(1.06, 0.03, 1.0) == "passes"
    doubtful = Identity((1.0, 0.01), (5.8, 3.1), (0.01, 0.02))
    assert doubtful.grade == "cannot tell" and not doubtful.holds
    assert replace(doubtful, pairs=(0.3, 0.02)).grade == "fails" and replace(doubtful, cubic=(1.0, 0.02)).holds


def test_heavy_tails_and_short_series_are_told_that_nothing_can_be_told():
    u = np.random.default_rng(0).standard_t(2, size=(4, 300))
    found = analyse(series("mt", lambda _: u), preset="tiny", lags=4)
    assert found.grade == "cannot tell" and found.verdict.startswith("Cannot tell: the data cannot judge")
    assert found.summary()["grade"] == "cannot tell" and found.summary()["identities"]["gaussian"]["grades"]["cubic"] == "cannot tell"


def test_the_implied_error_of_the_response_is_the_actual_one():
    """The Gaussian response of a double well is off by 0.3 at its worst, and that is what its identities imply."""
    well = DoubleWell()
    data = simulate(well, members=64, duration=400.0, every=0.25, device="cpu")
    halves, lags = data.split(0.5), 3.0
    gaussian = GaussianScore.fit(data)
    found = identity(halves, [gaussian] * 2, lags)
    lag = torch.arange(2, 13, 2) / 4
    actual = float((well.response(lag, score=gaussian) - well.response(lag)).abs().max())
    assert found.response[0] == pytest.approx(actual, rel=0.15) and 0.2 < actual < 0.4
    exact = identity(halves, [well.score] * 2, lags)
    assert exact.grade == "passes" and exact.response[0] < 0.02


def test_what_the_response_does_not_see_implies_no_error_of_it():
    """In Gaussian noise ⟨v(t) (v³ − 3v)⟩ = 0 at every lag: a score that is wrong along v³ − 3v fails, and its response is right."""
    data = series("mt", steps=8000)
    found = identity(data.split(0.5), [lambda u: -u - 0.1 * (u**3 - 3 * u)] * 2, 6.0)
    assert found.cubic[0] == pytest.approx(1.2, abs=0.05) and found.grades["cubic"] == "fails"
    assert found.response[0] < 0.01


def test_the_implied_error_of_fields_is_the_actual_one():
    """Of the Gaussian response of an Allen-Cahn field, in L2 at the worst lag, against the exact score on the same data."""
    system = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)
    data, lags = simulate(system, members=32, duration=200.0, device="cpu"), 12.0
    halves, gaussian = data.split(0.5), GaussianScore.fit(data)
    found, exact = (identity(halves, [score] * 2, lags) for score in (gaussian, system.score))
    first, second = (respond(data, score, lags=lags, form="controlled").values for score in (gaussian, system.score))
    actual = float((first - second)[2::2].flatten(1).norm(dim=1).max())
    assert found.response[0] == pytest.approx(actual, rel=0.2) and actual > 0.1
    assert exact.response[0] < 0.2 * actual


def test_halves_that_disagree_fail():
    """Two responses of 16 groups each, first alike but for sampling, then with scores that differ by more."""
    data = series("mt", members=32)
    one, other = (respond(half, GaussianScore.fit(half), lags=8.0) for half in data.split(0.5))
    alike, apart = Agreement.of(one, other), Agreement.of(one, replace(other, values=other.values + 0.3 * (other.times > 0)))
    assert alike.grade == "passes" and alike.distance < alike.limit and 3.2 < alike.limit < 5
    assert apart.grade == "fails" and "disagree" in apart.finding and apart.size > 0.2
    assert Agreement(5.85, 3.6, 0.01).grade == "passes" and Agreement(math.nan, 3.6, 0.1).grade == "cannot tell"


def test_the_limit_for_halves_holds_whatever_hangs_together():
    """One case in a thousand at most, for lags that are independent and for lags that are one."""
    rng, freedom = np.random.default_rng(0), 15
    for lags in (1, 2, 10):
        z = rng.normal(size=(20_000, lags, 2, freedom + 1))
        means, errors = z.mean(-1), z.std(-1, ddof=1) / math.sqrt(freedom + 1)
        ratio = np.sqrt(((means[..., 0] - means[..., 1]) ** 2).sum(1) / (errors**2).sum((1, 2)))
        assert np.mean(ratio > band_factor(0.999, freedom)) < 0.002


@pytest.mark.parametrize(
    ("generative", "gaussian", "words"),
    [
        ("passes", "passes", "Passes: both scores pass"),
        ("passes", "fails", "Passes: the learned score passes and the Gaussian one fails"),
        ("passes", "cannot tell", "Passes: the learned score passes, and the data cannot tell about the Gaussian one"),
        ("fails", "passes", "Passes: the Gaussian score passes, and the learned one fails"),
        ("cannot tell", "passes", "Passes: the Gaussian score passes, and the data cannot judge the learned one"),
        (
            "cannot tell",
            "fails",
            "Cannot tell: the data cannot judge the learned score, as a wrong one would pass as well, and the Gaussian one fails",
        ),
        ("cannot tell", "cannot tell", "Cannot tell: the data cannot judge either score"),
        ("fails", "fails", "Fails: neither score passes"),
    ],
)
def test_every_verdict_has_its_words(generative, gaussian, words):
    identities = {"gaussian": Identity((1.0, 0.01), (1.0, 0.02), (0.0, 0.01), (0.03, 0.004))}
    found = verdict({"generative": generative, "gaussian": gaussian}, words.split(":")[0].lower(), identities, None, discrete=False)
    assert found.startswith(words) and "0.03 ± 0.004 (Gaussian score)" in found


@pytest.mark.slow
def test_the_learned_score_passes_where_the_gaussian_one_fails():
    system = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)
    found = analyse(simulate(system, members=64, duration=300.0, device="cpu"), preset="quick", lags=20)
    assert found.identities["generative"].holds and not found.identities["gaussian"].holds
    assert found.verdict.startswith("Passes: the learned score passes and the Gaussian one fails")
    data = simulate(system, members=64, duration=300.0, seed=9, device="cpu")
    exact = respond(data, system.score, lags=20.0, form="controlled")
    gaps = {name: float((answer.values - exact.values).norm()) for name, answer in found.responses.items()}
    assert gaps["generative"] < 0.4 * gaps["gaussian"]


def test_the_combined_response_is_in_doubt_only_if_both_of_its_parts_fail():
    fine, wrong = (0.01, 1.0), (0.3, 9.0)
    assert CrossCheck(*fine, *wrong).grade == CrossCheck(*wrong, *fine).grade == CrossCheck(*fine, *fine).grade == "passes"
    assert "30%" in CrossCheck(*fine, *wrong).finding and "best claim" in CrossCheck(*fine, *wrong).finding
    assert CrossCheck(*wrong, *wrong).grade == "cannot tell" and "in doubt" in CrossCheck(*wrong, *wrong).finding
    assert CrossCheck(0.3, 1.0, *wrong).grade == "passes"  # large, and within its noise
