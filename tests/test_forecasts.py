"""Forecasts, cross-fitting, and the combined estimate, whose errors multiply."""

import math
from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    Budget,
    DoubleWell,
    FittedForecast,
    Folds,
    GaussianScore,
    NavierStokes,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    compare,
    exact_response,
    fit_forecast,
    respond,
    respond_in_forms,
    sensitivities,
    simulate,
)
from gfdt_tutorial.core.folds import cross_fitted, part_for
from gfdt_tutorial.experiments.double_well import spoiled_estimates
from gfdt_tutorial.responses.observable_samples import sampled
from gfdt_tutorial.scores.dictionary import Power
from gfdt_tutorial.scores.forecast_files import load_forecast, save_forecast
from gfdt_tutorial.scores.forecast_network import ForecastNetwork
from gfdt_tutorial.scores.forecast_training import ForecastTraining, knots_of

FIELD = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
BENT = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)
WELL = DoubleWell()
TINY = Budget(steps=12, pairs=8, width=4, kernels=(3, 3), powers=(0.0, 1.0), gated=True, check_every=4)


@lru_cache(maxsize=4)
def field(members=16, duration=80.0, seed=0):
    return simulate(FIELD, members=members, duration=duration, seed=seed, device="cpu")


@lru_cache(maxsize=2)
def bent():
    return simulate(BENT, members=16, duration=60.0, seed=0, device="cpu")


@lru_cache(maxsize=2)
def walkers(members=64):
    return simulate(WELL, members=members, duration=200.0, every=0.1, seed=0, device="cpu")


def nothing(u, context=None):
    """A score that knows nothing."""
    return torch.zeros_like(u)


def powers(degree):
    """u² … u^degree, for a dictionary."""
    return [Power(p) for p in range(2, degree + 1)]


# The theory


@pytest.mark.parametrize("by_score", [0.1, 0.3, 0.9])
@pytest.mark.parametrize("by_forecast", [0.1, 0.3, 0.9])
def test_the_errors_of_score_and_forecast_multiply(by_score, by_forecast):
    lags = torch.tensor([0.2, 0.5, 1.0])
    one = spoiled_estimates(WELL, lags, torch.tanh, torch.tanh)
    found = spoiled_estimates(WELL, lags, lambda x: by_score * torch.tanh(x), lambda x: by_forecast * torch.tanh(x))
    product = (one.combined - one.exact) / 1.0
    assert product.abs().min() > 0.1  # ⟨g h⟩, which is no small number
    torch.testing.assert_close((found.combined - found.exact) / (by_score * by_forecast), product, rtol=0.01, atol=0)


def test_either_part_alone_makes_the_estimate_right():
    lags, wrong, right = torch.tensor([0.2, 1.0]), torch.sin, torch.zeros_like
    for g, h in ((wrong, right), (right, wrong)):
        found = spoiled_estimates(WELL, lags, g, h)
        assert (found.combined - found.exact).abs().max() < 1e-3
        spoiled = found.by_score if g is wrong else found.by_forecast
        assert (spoiled - found.exact).abs().min() > 0.05


# The estimate


def test_without_a_forecast_it_is_the_raw_form_and_without_a_score_the_mean_jacobian():
    data = bent()
    ahead = fit_forecast(data, 10.0, preset=None, folds=1, dictionary=powers(3))
    empty = replace(ahead, coefficients=torch.zeros_like(ahead.coefficients), fitted_to=None)
    score = GaussianScore.fit(data)
    raw, combined = respond(data, score, lags=10.0).values, respond(data, score, lags=10.0, forecast=empty).values
    torch.testing.assert_close(raw, combined, atol=5e-5, rtol=0)
    other = replace(ahead, fitted_to=None)
    alone = respond(data, nothing, lags=10.0, forecast=other).values
    slopes = torch.stack([torch.tensor(1.0), ahead_slope(data, 2), ahead_slope(data, 3)])
    expected = data.grid.irfft((ahead.coefficients * slopes[:, None, None]).sum(1))
    torch.testing.assert_close(alone, expected, atol=2e-3, rtol=0)


def ahead_slope(data, degree):
    """p⟨v^(p − 1)⟩ in units of the standard deviation."""
    v = (data.u - data.u.mean()) / data.u.std()
    return degree * (v ** (degree - 1)).mean()


def test_the_linear_forecast_of_the_same_data_gives_the_controlled_form():
    data = field()
    score = lambda u: 0.7 * FIELD.score(u)  # noqa: E731 (a score of wrong size)
    ahead = replace(fit_forecast(data, 10.0, preset=None, folds=1, dictionary=()), fitted_to=None)
    controlled = respond(data, score, lags=10.0, form="controlled").values
    combined = respond(data, score, lags=10.0, forecast=ahead).values
    raw = respond(data, score, lags=10.0).values
    assert (combined - controlled).norm() < 0.1 * (raw - controlled).norm()


def test_a_wrong_score_is_mended_by_a_right_forecast_and_a_wrong_forecast_by_a_right_score():
    truth, data = exact_response(FIELD, lags=10.0), field(members=32, duration=200.0)
    wrong = lambda u: 0.5 * FIELD.score(u)  # noqa: E731
    ahead = fit_forecast(data, 10.0, preset=None)
    worse = Folds(
        tuple(replace(one, coefficients=0.5 * one.coefficients) for one in ahead.parts), ahead.cut, ahead.in_time, ahead.fitted_to
    )
    error = {}
    for name, score, forecast in (("score", wrong, ahead), ("forecast", FIELD.score, worse), ("both", wrong, worse)):
        error[name] = compare(respond(data, score, lags=10.0, forecast=forecast), truth).quoted["l2"]
    alone = compare(respond(data, wrong, lags=10.0), truth).quoted["l2"]
    assert error["score"] < 0.15 * alone and error["forecast"] < 0.15 * alone
    assert error["both"] == pytest.approx(alone / 2, rel=0.2)  # the product of one half and one half


def test_without_a_truth_it_says_which_part_is_wrong():
    data = field(members=32, duration=200.0)
    ahead = fit_forecast(data, 10.0, preset=None)
    worse = Folds(
        tuple(replace(one, coefficients=0.5 * one.coefficients) for one in ahead.parts), ahead.cut, ahead.in_time, ahead.fitted_to
    )
    wrong = lambda u: 0.5 * FIELD.score(u)  # noqa: E731
    right = respond(data, FIELD.score, lags=10.0, forecast=ahead).info["checks"]
    assert abs(right["score"]["sigmas"]) < 4 and right["score"]["l2"] < 0.03
    blamed = respond(data, wrong, lags=10.0, forecast=ahead).info["checks"]
    assert blamed["score"]["sigmas"] > 10 and blamed["score"]["l2"] > 5 * blamed["forecast"]["l2"]
    blamed = respond(data, FIELD.score, lags=10.0, forecast=worse).info["checks"]
    assert blamed["forecast"]["sigmas"] > 10 and blamed["forecast"]["l2"] > 5 * abs(blamed["score"]["l2"])


def test_a_dictionary_mends_the_gaussian_score_of_the_double_well():
    data = walkers()
    ahead = fit_forecast(data, 2.0, preset=None, dictionary=powers(7))
    found = respond_in_forms(data, GaussianScore.fit(data), lags=2.0, forecast=ahead)
    exact = WELL.response(found["raw"].times)
    gaussian, combined = ((found[form].values - exact).abs().max() for form in ("controlled", "combined"))
    assert combined < 0.25 * gaussian
    off = (found["combined"].values - exact)[1:] / found["combined"].standard_error[1:]
    assert off.abs().max() < 4


def test_forms_that_need_a_forecast_say_so():
    data = field()
    ahead = fit_forecast(data, 10.0, preset=None)
    with pytest.raises(ValueError, match="needs a forecast"):
        respond(data, FIELD.score, lags=10.0, form="combined")
    with pytest.raises(ValueError, match='enters the form "combined" only'):
        respond(data, FIELD.score, lags=10.0, form="raw", forecast=ahead)
    with pytest.raises(ValueError, match="the largest lag asked for is 20"):
        respond(data, FIELD.score, lags=20.0, forecast=ahead)
    with pytest.raises(ValueError, match=r"belong to another series.*forecast.parts\[0\]"):
        respond(field(seed=1), FIELD.score, lags=10.0, forecast=ahead)
    with pytest.raises(ValueError, match="before both_ways"):
        respond(data.both_ways(), FIELD.score, lags=10.0, forecast=ahead)
    alone = fit_forecast(data, 10.0, preset=None, folds=1)
    with pytest.warns(UserWarning, match="whose noise it knows"):
        respond(data, FIELD.score, lags=10.0, forecast=alone)
    with pytest.raises(ValueError, match="the forecast is of fields of shape"):
        respond(simulate(OrnsteinUhlenbeck(grid=PeriodicGrid((4, 4))), members=8, duration=40.0), nothing, lags=10.0, forecast=alone)
    assert set(respond_in_forms(data, FIELD.score, lags=10.0, forecast=ahead)) == {"raw", "normalised", "controlled", "combined"}


# Folds


def test_each_member_meets_the_fold_that_has_not_seen_it():
    data = field()
    seen = cross_fitted(data, lambda half, number: half.u.mean())
    assert seen.cut == 8 and not seen.in_time
    assert part_for(seen, 0, 0) == data.u[8:].mean() and part_for(seen, 8, 0) == data.u[:8].mean()


def test_a_lone_record_is_halved_in_time_with_a_gap():
    record = simulate(WELL, members=1, duration=400.0, every=0.1, device="cpu")
    lengths = cross_fitted(record, lambda half, number: len(half.times), gap=20)
    assert lengths.in_time and lengths.cut == 2000
    assert max(lengths.parts) < 2000 - 20
    assert part_for(lengths, 0, 1999) == lengths.parts[1] and part_for(lengths, 0, 2000) == lengths.parts[0]
    with pytest.raises(ValueError, match="too short to be halved"):
        cross_fitted(record, lambda half, number: half, gap=1500)
    ahead = fit_forecast(record, 2.0, preset=None)
    found = respond(record, WELL.score, lags=2.0, forecast=ahead)
    off = (found.values - WELL.response(found.times))[1:] / found.standard_error[1:]
    assert off.abs().max() < 4


def test_scores_may_come_in_folds_too():
    data = field()
    scores = cross_fitted(data, lambda half, number: GaussianScore.fit(half))
    found = respond(data, scores, lags=10.0)
    halves = [respond(half, GaussianScore.fit(other), lags=10.0).values for half, other in zip(*_both(data), strict=True)]
    torch.testing.assert_close(found.values, sum(halves) / 2, atol=2e-3, rtol=0)
    assert found.method == "gaussian"


def _both(data):
    first, second = data.split(0.5)
    return (first, second), (second, first)


def test_the_scatter_between_folds_widens_the_band():
    data = field(members=32, duration=200.0)
    ahead = fit_forecast(data, 10.0, preset=None)
    first, second = ahead.parts
    unlike = Folds((first, replace(second, coefficients=0.3 * second.coefficients)), ahead.cut, ahead.in_time, ahead.fitted_to)
    wrong = lambda u: 0.3 * FIELD.score(u)  # noqa: E731
    narrow, wide = (respond(data, wrong, lags=10.0, forecast=one) for one in (ahead, unlike))
    assert max(wide.info["between_folds"][1:]) > 3 * max(narrow.info["between_folds"][1:])
    assert wide.standard_error[5].mean() > narrow.standard_error[5].mean()


def test_folds_is_one_or_two():
    with pytest.raises(ValueError, match="folds is 3"):
        fit_forecast(field(), 10.0, preset=None, folds=3)


# The fit


def test_the_linear_forecast_of_a_linear_field_is_its_propagator():
    ahead = fit_forecast(field(members=32, duration=200.0), 10.0, preset=None, folds=1)
    exact = FIELD.grid.rfft(exact_response(FIELD, lags=10.0).values)
    kept = FIELD.grid.k_squared <= 4
    assert (ahead.coefficients[:, 0] - exact)[:, kept].abs().mean() < 0.06
    assert ahead.metrics["held_out"] <= ahead.metrics["held_out_linear"]


def test_the_forecast_itself_is_what_a_later_field_is_on_average():
    data = bent()
    ahead = fit_forecast(data, 5.0, preset=None, folds=1)
    u = data.u[:, 0]
    predicted = ahead(u)
    assert predicted.shape == (6, 16, 8, 8)
    torch.testing.assert_close(predicted[0], u, atol=0.05, rtol=0)
    later = data.u[:, 5]
    assert (later - predicted[5]).square().mean() < (later - data.u.mean()).square().mean()


def test_the_dictionary_is_chosen_by_held_out_data():
    linear, cubic = (fit_forecast(data, 5.0, preset=None, folds=1) for data in (field(), bent()))
    assert "u^3" in cubic.metrics["dictionary"]
    assert linear.metrics["held_out_dictionary"] > 0


def test_a_trained_forecast_explains_more_than_its_dictionary():
    data = simulate(WELL, members=64, duration=100.0, every=0.1, device="cpu")
    ahead = fit_forecast(
        data, 2.0, preset="tiny", folds=1, dictionary=(), budget=Budget(steps=600, pairs=256, kernels=(1, 1), check_every=20)
    )
    assert ahead.network is not None and ahead.metrics["held_out"] < ahead.metrics["held_out_linear"] - 0.002
    exact = WELL.conditional_means(torch.tensor([1.0]))[0]
    inside = WELL.points.abs() < 1.2
    off = ahead(WELL.points.float())[10] - exact
    linear = fit_forecast(data, 2.0, preset=None, folds=1, dictionary=())(WELL.points.float())[10] - exact
    assert off[inside].square().mean() < 0.5 * linear[inside].square().mean()


def test_a_network_that_finds_nothing_is_left_out():
    ahead = fit_forecast(field(), 10.0, folds=1, budget=replace(TINY, rate=1e-12))
    assert ahead.network is None and ahead.metrics["steps"] == 6  # half of the steps


def test_the_same_seed_gives_the_same_forecast_with_any_number_of_workers(monkeypatch):
    data, found = bent(), []
    for workers in ("1", "3"):
        monkeypatch.setenv("GFDT_WORKERS", workers)
        found.append(fit_forecast(data, 5.0, folds=1, budget=TINY, seed=3))
    assert found[0].coefficients.equal(found[1].coefficients)
    score = GaussianScore.fit(data)
    values = []
    for workers in ("1", "3"):
        monkeypatch.setenv("GFDT_WORKERS", workers)
        values.append(respond(data, score, lags=5.0, forecast=replace(found[0], fitted_to=None)).values)
    assert values[0].equal(values[1])
    assert not fit_forecast(data, 5.0, folds=1, budget=TINY, seed=4).coefficients.equal(found[0].coefficients)


def _training(data, **changes):
    plain = fit_forecast(data, 5.0, preset=None, folds=1, dictionary=())
    fitted, held = data.split(0.8)
    start = plain.coefficients.movedim(0, -1).movedim(0, -1).to(torch.complex128)
    return ForecastTraining(fitted, held, 5, replace(TINY, **changes), seed=0, closed=plain, coefficients=start, velocity=(0.0, 0.0))


def test_an_interrupted_training_goes_on_with_the_same_bits(tmp_path):
    data, path = bent(), tmp_path / "here"
    whole, part = _training(data), _training(data)
    list(whole)
    for _ in part:
        if part.step == 5:
            break
    part.save(path)
    again = _training(data).resume(path)
    list(again)
    assert again.losses == whole.losses
    for one, other in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert one.equal(other)
    with pytest.raises(ValueError, match="belongs to another training"):
        _training(data, width=6).resume(path)


def test_a_forecast_is_what_was_saved(tmp_path):
    data = bent()
    ahead = fit_forecast(data, 5.0, budget=TINY)
    again = load_forecast(save_forecast(ahead, tmp_path / "two"))
    u = data.u[:2, 0]
    for one, other in zip(ahead.parts, again.parts, strict=True):
        assert one(u).equal(other(u)) and one.fitted_to == other.fitted_to
    assert (again.cut, again.in_time, again.fitted_to) == (ahead.cut, ahead.in_time, ahead.fitted_to)
    own = fit_forecast(data, 5.0, preset=None, folds=1, dictionary=(torch.sin,))
    own.save(tmp_path / "own")
    assert FittedForecast.load(tmp_path / "own", dictionary=(torch.sin,))(u).equal(own(u))
    with pytest.raises(ValueError, match="has 1 functions of its user's own, 0 were given"):
        FittedForecast.load(tmp_path / "own")
    weights = tmp_path / "own" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ValueError, match="damaged, truncated"):
        FittedForecast.load(tmp_path / "own", dictionary=(torch.sin,))
    (tmp_path / "two" / "folds.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        load_forecast(tmp_path / "two")


def test_knots_run_from_one_to_the_last_lag():
    assert knots_of(1) == [1] and knots_of(90)[0] == 1 and knots_of(90)[-1] == 90
    assert knots_of(64) == sorted(set(knots_of(64))) and len(knots_of(64)) <= 8


def test_bad_input_is_told():
    data = field()
    with pytest.raises(ValueError, match="half the series"):
        fit_forecast(data, 60.0, preset=None)
    with pytest.raises(ValueError, match="context=True, and the series carries none"):
        fit_forecast(data, 10.0, context=True)
    with pytest.raises(ValueError, match="preset"):
        fit_forecast(data, 10.0, preset="enormous")
    with pytest.raises(ValueError, match="dictionary must be a tuple of functions"):
        fit_forecast(data, 10.0, preset=None, dictionary=3)
    with pytest.raises(ValueError, match="a feature of the dictionary returned"):
        fit_forecast(data, 10.0, preset=None, dictionary=(lambda u: u.mean((-2, -1)),))
    with pytest.raises(ValueError, match="carry no variance"):
        flat = TimeSeries(torch.zeros(4, 40, 8, 8), torch.arange(40.0))
        fit_forecast(flat, 5.0, preset=None, folds=1)
    with pytest.raises(ValueError, match="expected a series"):
        fit_forecast(data.u, 5.0)


# Jacobians


@pytest.mark.parametrize("gated", [True, False])
def test_the_slope_of_the_network_is_its_derivative(gated):
    torch.manual_seed(0)
    network = ForecastNetwork(PeriodicGrid((8, 8)), 3, kernels=(3, 5), width=6, powers=(0.0, 1.0), gated=gated, context=1)
    torch.nn.init.normal_(network.layers[-1].weight)
    network.root.copy_(1 / (1 + network.grid.k_squared).float())
    w, direction, context = torch.randn(3, 4, 8, 8).unbind()
    context = context[:, None]
    value, slope = network.with_slope(w, direction, context)
    expected, derivative = torch.func.jvp(lambda x: network(x, context), (w,), (direction,))
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(slope, derivative, atol=1e-4, rtol=1e-4)


def test_probed_jacobians_have_the_mean_of_exact_ones():
    ahead = fit_forecast(bent(), 5.0, preset=None, folds=1, dictionary=(torch.sin,))
    ahead = replace(ahead, dictionary=(Power(1), torch.sin))
    u = bent().u[0, :40].repeat(50, 1, 1)
    found = ahead.jacobians(u, None, torch.Generator().manual_seed(0)).mean(0)
    exact = torch.cos((u - ahead.mean) / ahead.unit).mean()
    torch.testing.assert_close(found[0], torch.ones_like(found[0]))
    assert (found[1] - exact).abs().max() < 0.1 and (found[1].mean() - exact).abs() < 0.01


def test_hidden_forcing_enters_as_a_feature_that_a_kick_does_not_move():
    system = NavierStokes(grid=PeriodicGrid((16, 16)))
    data = simulate(system, members=32, duration=16.0, every=0.25, spinup=60.0, context=True, device="cpu")
    ahead = fit_forecast(data, 1.0, preset=None, context=True, folds=1, dictionary=())
    assert ahead.needs_context and ahead.coefficients.shape[1] == 2
    slopes = ahead.jacobians(data.u[0, :3], data.context[0, :3], torch.Generator().manual_seed(0))
    assert (slopes[:, 0] == 1).all() and (slopes[:, 1] == 0).all()
    mean = ahead.coefficients[4, :, 0, 0]
    assert mean[0].real == pytest.approx(math.exp(-1.0), abs=0.12)  # the mean decays at rate one, and the forcing makes up the rest
    with pytest.raises(ValueError, match="needs a context of shape"):
        ahead(data.u[0, :3])


# Observables


def test_errors_multiply_for_observables_too():
    data, score = walkers(), GaussianScore.fit(walkers())
    observable = lambda x: torch.stack([x, x**2], -1)  # noqa: E731
    more = lambda x: torch.stack([x**p for p in range(3, 8)], -1)  # noqa: E731
    options = {"lags": 2.0, "integrate": False}
    exact = WELL.response(torch.arange(21) * 0.1, observable)
    wrong = sensitivities(data, score, observable, {"kick": None}, **options)["kick"]
    right = sensitivities(data, score, observable, {"kick": None}, form="combined", dictionary=more, **options)["kick"]
    assert (right.values - exact).abs()[:, 0].max() < 0.25 * (wrong.values - exact).abs()[:, 0].max()
    assert ((right.values - exact)[1:].abs() < 4 * right.standard_error[1:]).all()
    assert right.values.shape == exact.shape


def test_a_dictionary_of_observables_is_checked():
    data, score = walkers(), WELL.score
    with pytest.raises(ValueError, match="a dictionary enters the forms"):
        sensitivities(data, score, torch.clone, {"kick": None}, lags=2.0, form="raw", dictionary=torch.sin)
    few = simulate(WELL, members=1, duration=30.0, every=0.1, device="cpu")
    with pytest.raises(ValueError, match="four groups of data"):
        sensitivities(few, score, torch.clone, {"kick": None}, lags=10.0, form="combined")


def test_the_forecast_of_observables_has_not_seen_what_it_is_averaged_over():
    slow, fast = (torch.randn(8, 400, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    for series, memory in ((slow, 0.95), (fast, 0.3)):
        for step in range(1, 400):
            series[:, step] = memory * series[:, step - 1] + (1 - memory**2) ** 0.5 * series[:, step]
    data = TimeSeries(torch.cat([slow, fast]), torch.arange(400.0), axes="mt")
    samples = sampled(data, nothing, torch.clone, {"kick": None}, 1, torch.clone)
    sums = samples.sums(samples.groups(5), 5).of(0)
    half = torch.arange(sums.groups)[None] < sums.groups // 2
    for own, memory in ((half, 0.3), (~half, 0.95)):  # the slow half is forecast by what the fast one taught, and the other way round
        assert float(sums.combined(own.double())[0, 1, 0]) == pytest.approx(memory, abs=0.06)
