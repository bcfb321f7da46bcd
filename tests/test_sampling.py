"""Generation: fields drawn from a score have the statistics of the data it was learned from."""

import copy
import math
from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    Budget,
    GaussianScore,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    Training,
    fit_score,
    sample,
    simulate,
)
from gfdt_tutorial.core.spectra import mode_covariance
from gfdt_tutorial.generation import sampling
from gfdt_tutorial.scores import diagnostics
from gfdt_tutorial.scores.fit import suited

SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((12, 16)))
METHODS = ["sde", "ode"]


@lru_cache(maxsize=8)
def series(system=SMALL):
    return simulate(system, members=32, duration=199.0, seed=1, device="cpu")


@lru_cache(maxsize=8)
def learned(system=SMALL, steps=60):
    return fit_score(series(system), budget=Budget(steps=steps, level=0.05, pairs=16, width=8), noise_levels=True, device="cpu")


@lru_cache(maxsize=4)
def untrained(system=SMALL, noise="data"):
    return Training(series(system), Budget(steps=1, level=0.05, width=8, noise=noise), noise_levels=True, device="cpu").score()


def shells(grid, spectrum):
    """A spectrum averaged over shells of |k|, up to Nyquist."""
    shell, weight = grid.k_squared.sqrt().round().long().flatten(), grid.multiplicity.flatten()
    sums = [torch.zeros(int(shell.max()) + 1, dtype=torch.float64).index_add(0, shell, x) for x in (spectrum.flatten() * weight, weight)]
    return (sums[0] / sums[1])[: min(grid.shape) // 2 + 1]


def spectrum_error(fields, system=SMALL):
    """Largest relative error of the shell spectrum; without k = 0, which is one number a field."""
    found = shells(system.grid, mode_covariance(system.grid, fields[None], 0.0))
    return float((found / shells(system.grid, system.mode_covariance) - 1)[1:].abs().max())


# --- what is drawn


@pytest.mark.slow
@pytest.mark.parametrize(
    ("grid", "within"), [(PeriodicGrid((8, 12)), 0.2), (PeriodicGrid((16,)), 0.4)], ids=str
)  # few to a shell on a line
@pytest.mark.parametrize("method", METHODS)
def test_generated_fields_have_the_statistics_of_the_data(method, grid, within):
    system = OrnsteinUhlenbeck(grid=grid)
    fields = sample(learned(system), 512, method=method, steps=30)
    assert fields.shape == (512, *grid.shape)
    assert spectrum_error(fields, system) < within
    assert diagnostics.kurtosis(fields) == pytest.approx(3, abs=0.15)
    assert diagnostics.density_distance(fields, series(system).u) < 0.06
    assert float(fields.mean()) == pytest.approx(float(series(system).u.mean()), abs=0.15 * system.variance**0.5)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_letters_field_is_generated(method):
    system = OrnsteinUhlenbeck()
    fields = sample(learned(system, steps=150), 1024, method=method)
    assert spectrum_error(fields, system) < 0.15
    assert diagnostics.kurtosis(fields) == pytest.approx(3, abs=0.1)
    assert diagnostics.density_distance(fields, series(system).u) < 0.05


@pytest.mark.parametrize("steps", [1, 5, 20])
@pytest.mark.parametrize("noise", ["data", "white"])
@pytest.mark.parametrize("method", METHODS)
def test_for_gaussian_data_any_number_of_steps_is_exact(method, noise, steps):
    """The linear part of each step is solved exactly, and there is no other where the filter is where it starts."""
    assert spectrum_error(sample(untrained(noise=noise), 256, method=method, steps=steps)) < 0.2


@pytest.mark.parametrize("noise", ["data", "white"])
def test_probability_flow_leaves_gaussian_data_where_they_are(noise):
    """r(y, φ) = y/v + s_y(y, φ) = 0, so the field is its own noise, coloured."""
    few, many = (sample(untrained(noise=noise), 4, method="ode", seed=3, steps=steps) for steps in (1, 40))
    torch.testing.assert_close(few, many, atol=1e-4, rtol=0)
    assert not sample(untrained(), 4, method="sde", seed=3).allclose(few, atol=0.1)


@pytest.mark.parametrize("gain", [1.5, 0.8])
@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_gain_is_seen_in_the_spectrum_as_the_equations_say(method, gain):
    """With s = −g y the ODE makes |y|² grow as e^(2(1−g)τ); the SDE relaxes it to 1/(2g − 1), at the rate 2(2g − 1)."""
    system = OrnsteinUhlenbeck(grid=PeriodicGrid((16,)))
    score = copy.deepcopy(untrained(system))
    with torch.no_grad():
        score.network.log_gain.fill_(math.log(gain))
    path, pull = sampling.angles(score.network.angle, 1), 2 * (2 * gain - 1)
    lapse = math.log(math.cos(path[1]) / math.cos(path[0]))
    relaxed = 2 / pull + (1 - 2 / pull) * math.exp(-pull * lapse)
    expected = math.exp(2 * (1 - gain) * lapse) if method == "ode" else relaxed
    found = mode_covariance(system.grid, sample(score, 128, method=method, steps=100)[None], score.mean) / score.network.root.square()
    assert float(found.mean()) == pytest.approx(expected, rel=0.15)
    assert abs(expected - 1) > 0.3


@pytest.mark.slow
def test_a_step_of_the_probability_flow_is_of_order_two():
    score = copy.deepcopy(untrained(noise="white"))
    with torch.no_grad():
        score.network.layers[-1].weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    coarse, middle, fine, exact = (sample(score, 4, method="ode", seed=3, steps=steps) for steps in (20, 40, 80, 640))
    first, second, third = (float((fields - exact).square().mean().sqrt()) for fields in (coarse, middle, fine))
    assert first / second > 3 < second / third
    assert third > 1e-5  # above rounding
    assert (exact - sample(untrained(noise="white"), 4, method="ode", seed=3)).abs().max() > 0.1  # the network does something


@pytest.mark.slow
def test_two_phases_are_generated_and_the_gaussian_score_has_none():
    system = AllenCahn(grid=PeriodicGrid((16, 16)), epsilon=2 * AllenCahn().epsilon)
    data = simulate(system, members=128, duration=60.0, every=2.0, seed=1, device="cpu")
    chosen = replace(suited(data, noise_levels=True), steps=500)
    assert chosen.noise == "white"
    score, start = (
        fit_score(data, budget=chosen, noise_levels=True, device="cpu"),
        Training(data, chosen, noise_levels=True, device="cpu").score(),
    )
    known = shells(system.grid, mode_covariance(system.grid, data.u, float(data.u.mean())))
    for method in METHODS:
        drawn, gaussian = sample(score, 256, method=method), sample(start, 256, method=method)
        found = shells(system.grid, mode_covariance(system.grid, drawn[None], float(drawn.mean())))
        assert float((found / known - 1)[1:].abs().max()) < 0.2
        assert abs(diagnostics.kurtosis(drawn) - diagnostics.kurtosis(data.u)) < 0.1 < diagnostics.kurtosis(gaussian) - 2
        assert diagnostics.density_distance(drawn, data.u) < 0.05 < 0.2 < diagnostics.density_distance(gaussian, data.u)


@pytest.mark.slow
def test_a_density_that_is_not_gaussian_is_generated():
    rng = torch.Generator().manual_seed(0)
    u = 2.0 * torch.randint(2, (16, 100, 8, 8), generator=rng) - 1 + 0.4 * torch.randn(16, 100, 8, 8, generator=rng)
    data, chosen = TimeSeries(u, torch.arange(100.0)), Budget(steps=400, pairs=32, width=16, kernels=(1, 1), noise="white", rate=1e-2)
    score, start = (
        fit_score(data, budget=chosen, noise_levels=True, device="cpu"),
        Training(data, chosen, noise_levels=True, device="cpu").score(),
    )
    for method in METHODS:
        fields = sample(score, 128, method=method)
        assert diagnostics.kurtosis(fields) < diagnostics.kurtosis(u) + 0.3 < 2.2
        assert diagnostics.density_distance(fields, u) < 0.1 < diagnostics.density_distance(sample(start, 128, method=method), u)


# --- how it is drawn


@pytest.mark.parametrize("method", METHODS)
def test_a_field_is_the_same_however_many_are_drawn(method, monkeypatch):
    score = learned()
    many = sample(score, 70, method=method, seed=5, steps=4)  # in two chunks
    assert sampling.CHUNK == 64
    for count in (1, 66):
        torch.testing.assert_close(sample(score, count, method=method, seed=5, steps=4), many[:count], atol=1e-5, rtol=1e-5)
    monkeypatch.setattr(sampling, "CHUNK", 4)
    torch.testing.assert_close(sample(score, 7, method=method, seed=5, steps=4), many[:7], atol=1e-5, rtol=1e-5)
    assert many.flatten(1).unique(dim=0).shape[0] == 70


@pytest.mark.parametrize("method", METHODS)
def test_seeds_decide(method):
    first, again, other = (sample(learned(), 4, method=method, seed=seed, steps=8) for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)


def test_noise_levels_run_evenly_from_noise_to_the_lowest_known():
    levels = torch.tensor(sampling.angles(0.05, 10), dtype=torch.float64).tan()
    assert float(levels[0]) == pytest.approx(20)
    assert float(levels[-1].atan()) == pytest.approx(0.05)
    torch.testing.assert_close(levels[1:] / levels[:-1], (levels[1] / levels[0]).expand(10))


def test_the_callers_random_numbers_are_untouched():
    score, before = learned(), torch.get_rng_state()
    sample(score, 2, steps=2)
    assert before.equal(torch.get_rng_state())


# --- bad input


def test_scores_that_cannot_generate_are_refused():
    one_level = Training(series(), Budget(steps=1, width=4), device="cpu").score()
    for score in (one_level, GaussianScore.fit(series()), SMALL.score):
        with pytest.raises(ValueError, match="noise_levels=True"):
            sample(score, 2)


def test_a_score_with_context_is_refused():
    data = replace(series(), context=torch.zeros(32, 200, 1, 12, 16))
    score = Training(data, Budget(steps=1, width=4), noise_levels=True, context=True, device="cpu").score()
    with pytest.raises(ValueError, match="needs a context"):
        sample(score, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "guess"}, "method 'guess' is unknown; expected one of 'sde', 'ode'"),
        ({"count": 0}, "count is 0"),
        ({"count": 1.5}, "count is 1.5"),
        ({"steps": 0}, "steps is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
    ids=str,
)
def test_samples_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample(untrained(), **{"count": 2} | arguments)


def test_a_lowest_level_above_the_largest_is_refused():
    with pytest.raises(ValueError, match="level"):
        Training(series(), Budget(steps=1, level=25.0), noise_levels=True, device="cpu")
