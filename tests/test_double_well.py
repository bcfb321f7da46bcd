"""One variable in a double well: its density, score and response against quadrature, twins and each other; four scores from samples."""

import math

import numpy as np
import pytest
import torch

from gfdt_tutorial import DoubleWell, GaussianScore, OrnsteinUhlenbeck, TimeSeries, exact_response, perturb, sensitivities, simulate
from gfdt_tutorial.bench import double_well as bench
from gfdt_tutorial.course import widgets
from gfdt_tutorial.course.views import KickedWell
from gfdt_tutorial.experiments.double_well import check_score
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.scores.one_variable import ESTIMATORS, ClusterScore, HistogramScore, KernelScore, NetworkScore, TabulatedScore
from gfdt_tutorial.systems.double_well import Moments

WELL = DoubleWell()
OTHER = DoubleWell(barrier=1.0, tilt=-0.2, epsilon=0.8)
MOMENTS = Moments(float(WELL.average(torch.clone)))
LAGS = torch.arange(0, 2.01, 0.25)
every_well = pytest.mark.parametrize("well", [WELL, pytest.param(OTHER, marks=pytest.mark.slow)], ids=["default", "other"])
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda kind: kind.method)


@pytest.fixture(scope="module")
def data():
    """100,000 samples."""
    return simulate(WELL, members=5000, duration=4.75, every=0.25, seed=0, device="cpu")


# The system


@every_well
def test_density_is_normalised_and_obeys_the_equation_of_no_current(well):
    """−V′ρ = (ε²/2) ρ′ in one dimension."""
    x, spacing = well.points, float(well.points[1] - well.points[0])
    assert float(well.average(torch.ones_like)) == pytest.approx(1)
    slope = torch.gradient(well.density, spacing=spacing)[0][1:-1]
    torch.testing.assert_close((well.drift(x) * well.density)[1:-1], well.epsilon**2 / 2 * slope, atol=4e-3, rtol=0)


@every_well
def test_score_is_the_slope_of_the_log_density(well):
    x = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad((-2 * well.energy(x) / well.epsilon**2).sum(), x)
    torch.testing.assert_close(well.score(x.detach()), slope)
    assert [float(well.average(lambda x, p=p: x**p * well.score(x))) for p in (0, 1, 3)] == pytest.approx(
        [0, -1, -3 * float(well.average(torch.square))], abs=1e-6
    )


@every_well
def test_simulated_moments_are_those_of_the_density_from_first_sample_to_last(well):
    u = simulate(well, members=20_000, duration=4.0, every=2.0, seed=3, device="cpu").u.double()
    assert u.shape == (20_000, 3)
    for power in (1, 2, 3, 4):
        error = (u**power).std() / math.sqrt(20_000)
        for time in (0, -1):
            assert float((u[:, time] ** power).mean()) == pytest.approx(float(well.average(lambda x, p=power: x**p)), abs=4 * float(error))


def test_a_step_eight_times_as_long_is_visibly_too_long(monkeypatch):
    monkeypatch.setattr("gfdt_tutorial.systems.double_well.STEP", 0.1)
    fourth = simulate(WELL, members=20_000, duration=4.0, every=4.0, seed=3, device="cpu").u[:, -1].double() ** 4
    assert abs(float(fourth.mean() - WELL.average(lambda x: x**4))) > 6 * float(fourth.std()) / math.sqrt(20_000)


def test_the_same_seed_gives_the_same_walkers_however_many():
    few, many = (simulate(WELL, members=count, duration=2.0, every=0.5, seed=4, device="cpu").u for count in (3, 8))
    torch.testing.assert_close(few, many[:3])
    assert not torch.equal(few, simulate(WELL, members=3, duration=2.0, every=0.5, seed=5, device="cpu").u)


# The exact response


@every_well
def test_exact_response_is_that_of_kicked_twins(well):
    twins = perturb(well, lags=2.0, pairs=4000, every=0.25, seed=2, device="cpu")
    exact = exact_response(well, lags=2.0, every=0.25)
    z = (twins.values - exact.values)[1:] / twins.standard_error[1:]
    assert float(z.abs().max()) < 4
    assert float(exact.values[0]) == pytest.approx(1)


def test_exact_response_of_the_variance_is_that_of_kicked_twins():
    run, kick = simulate(WELL, members=20_000, duration=0.5, every=0.5, seed=6, device="cpu"), 0.2
    start, step = run.u[:, 0], WELL.stepper(0.5, torch.device("cpu"))

    def later(x):
        rng = torch.Generator().manual_seed(1)
        return step(x, lambda: torch.view_as_complex(torch.randn(len(x), 2, generator=rng)))

    up, down = later(start + kick).double(), later(start - kick).double()
    mean = MOMENTS.centre
    pairs = ((up - mean).square() - (down - mean).square()) / (2 * kick)
    expected = WELL.kicked([0.5], kick, MOMENTS) - WELL.kicked([0.5], -kick, MOMENTS)
    assert float(pairs.mean()) == pytest.approx(float(expected[0, 1]) / (2 * kick), abs=4 * float(pairs.std()) / math.sqrt(20_000))


@every_well
def test_a_small_kick_is_answered_by_the_impulse_response(well):
    small = (well.kicked(LAGS, 1e-3, MOMENTS) - well.kicked(LAGS, -1e-3, MOMENTS)) / 2e-3
    torch.testing.assert_close(small.float(), well.response(LAGS, MOMENTS), atol=1e-4, rtol=0)


def test_a_large_kick_is_not():
    view = KickedWell(WELL, kick=1.0)
    assert view.nonlinearity > 0.15 > 0.02 > KickedWell(WELL, kick=0.02).nonlinearity
    assert float(view.exact[0, 0]) == pytest.approx(1, abs=1e-3)
    assert float(view.exact[0, 1]) == pytest.approx(0, abs=1e-3)  # a shift leaves the variance as it is


def test_in_a_symmetric_well_the_variance_does_not_answer_at_first_order():
    even = DoubleWell(tilt=0.0)
    assert float(even.response(LAGS, Moments(0.0))[:, 1].abs().max()) < 1e-6
    assert float(WELL.response(LAGS, MOMENTS)[:, 1].min()) < -0.2


def test_as_many_lags_as_points_are_lags_all_the_same():
    lags = torch.arange(len(WELL.points)) * 0.01
    for answer in (lambda lags: WELL.response(lags, MOMENTS), lambda lags: WELL.kicked(lags, 0.2)):
        torch.testing.assert_close(answer(lags)[:-1], answer(lags[:-1]))


def test_response_starts_with_the_mean_slope_of_the_drift_and_ends_as_the_static_one():
    """R′(0) = ⟨b′⟩, and ∫R dt = 2⟨(x − ⟨x⟩)²⟩/ε², which is how the mean moves with the tilt."""
    early = WELL.response([0.0, 0.005])
    slope = float(WELL.average(lambda x: -4 * WELL.barrier * (3 * x.square() - 1)))
    assert float(early[1] - early[0]) / 0.005 == pytest.approx(slope, rel=0.03)
    long = WELL.response(torch.arange(0, 30.01, 0.05))
    susceptibility = float(torch.trapezoid(long, dx=0.05))
    assert susceptibility == pytest.approx(2 * WELL.variance / WELL.epsilon**2, rel=0.01)
    up, down = (float(DoubleWell(tilt=WELL.tilt + da).average(torch.clone)) for da in (0.01, -0.01))
    assert susceptibility == pytest.approx((up - down) / 0.02, rel=0.01)


def test_response_is_minus_the_slope_of_the_covariance_as_in_equilibrium():
    """Kubo: R(t) = −(2/ε²) C′(t), C the lagged covariance."""
    times = torch.arange(0.4, 0.6, 0.05)
    means = WELL.conditional_means(times)
    covariance = torch.stack([WELL.average(lambda x, m=m: (x - MOMENTS.centre) * m) for m in means])
    slope = (covariance[2:] - covariance[:-2]) / 0.1
    torch.testing.assert_close(WELL.response(times)[1:-1].double(), -2 / WELL.epsilon**2 * slope, rtol=5e-3, atol=0)


# The theorem on data


def kicked(data, observable):
    return sensitivities(data, WELL.score, observable, {"kick": None}, lags=2.0, integrate=False, form="raw")["kick"]


def test_the_exact_score_gives_the_exact_response_within_its_band(data):
    answer = kicked(data.both_ways(), MOMENTS)
    z = (answer.values - WELL.response(answer.times, MOMENTS)) / answer.standard_error
    assert float(z.abs().max()) < 4
    assert float(z.square().mean().sqrt()) < 2


def test_a_parameter_is_answered_too(data):
    """The mean after the tilt was raised for good: ∫₀ᵗ of the response to a unit force."""
    answer = sensitivities(data, WELL.score, lambda x: x[..., None], {"tilt": WELL.drift_derivative("tilt")}, lags=2.0, form="raw")["tilt"]
    exact = torch.cumulative_trapezoid(WELL.response(LAGS), dx=0.25)
    torch.testing.assert_close(answer.values[1:, 0], exact, atol=4 * float(answer.standard_error.max()), rtol=0)
    f, divergence = WELL.drift_derivative("barrier")
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(f(x), (DoubleWell(barrier=1.0).drift(x) - DoubleWell(barrier=0.5).drift(x)) / 0.5)
    torch.testing.assert_close(divergence(x)[1:-1], torch.gradient(f(x), spacing=0.25)[0][1:-1], atol=0.3, rtol=0)


@pytest.mark.slow
def test_time_backwards_is_the_same_process_and_narrows_the_scatter(data):
    once, twice = (kicked(series, MOMENTS) for series in (data, data.both_ways()))
    exact = WELL.response(once.times, MOMENTS)
    assert data.both_ways().u.shape == (10_000, 20)
    assert float((twice.values - exact).norm()) < float((once.values - exact).norm())
    assert 0.6 < float((twice.standard_error / once.standard_error).mean()) < 1


def test_the_gaussian_score_gets_it_wrong(data):
    checked = check_score(WELL, GaussianScore.fit(data), data)
    assert checked.mean > 0.5 and checked.variance > 0.8 and checked.infinite_data > 0.7


@every_estimator
@pytest.mark.slow
def test_each_estimator_is_within_three_percent_where_the_gaussian_is_off_by_eighty(data, estimator):
    checked = check_score(WELL, estimator.fit(data), data)
    assert checked.both < 0.03 and checked.mean < 0.03 and checked.variance < 0.06
    assert checked.infinite_data < 0.06
    assert checked.score < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [KernelScore, ClusterScore, NetworkScore], ids=lambda kind: kind.method)
def test_blur_makes_a_score_too_small_and_the_identity_mends_it(data, estimator):
    raw = estimator.fit(data, calibrate=False)
    product = -float(((data.u - data.u.mean()) * raw(data.u)).double().mean())
    assert 0.85 < product < 0.99
    checked = check_score(WELL, raw, data)
    assert checked.both > 2 * check_score(WELL, raw.calibrated(data), data).both


@every_estimator
def test_a_calibrated_score_obeys_both_identities_on_its_data(data, estimator):
    options = {"steps": 50} if estimator is NetworkScore else {}
    s = estimator.fit(data, **options)(data.u).double()
    assert float(s.mean()) == pytest.approx(0, abs=1e-5)
    assert float((data.u * s).mean()) == pytest.approx(-1, abs=1e-4)


@pytest.mark.slow
@every_estimator
def test_estimators_find_a_gaussian_score(estimator):
    u = 3 + 0.5 * torch.randn(100, 1000, generator=torch.Generator().manual_seed(0))
    score = estimator.fit(TimeSeries(u, np.arange(1000.0), axes="mt"))
    x = torch.linspace(2.0, 4.0, 41)
    torch.testing.assert_close(score(x), -(x - 3) / 0.25, atol=1.0, rtol=0)
    assert float((score(x) + (x - 3) / 0.25).square().mean().sqrt()) < 0.4


@pytest.mark.parametrize("estimator", [ClusterScore, NetworkScore], ids=lambda kind: kind.method)
def test_estimators_with_noise_repeat_themselves_and_leave_the_global_state_alone(data, estimator):
    options = {"steps": 20} if estimator is NetworkScore else {}
    state = torch.get_rng_state()
    first, again, other = (estimator.fit(data, **options, seed=seed).values for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_table_is_linear_between_its_points_and_beyond():
    score = TabulatedScore(torch.tensor([-1.0, 0.0, 2.0]).double(), torch.tensor([3.0, 1.0, 0.0]).double())
    assert score(torch.tensor([[-2.0, -0.5], [1.0, 4.0]])).tolist() == [[5.0, 2.0], [0.5, -1.0]]


def test_empty_bins_are_stepped_over():
    u = torch.cat([torch.linspace(0, 1, 500), torch.linspace(9, 10, 500)])
    assert bool(HistogramScore.fit(TimeSeries(u, np.arange(1000.0), axes="t"), calibrate=False).values.isfinite().all())


# The door


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"barrier": 0.0}, "barrier is 0.0; expected a finite number > 0"),
        ({"epsilon": -1.0}, "epsilon is -1.0"),
        ({"tilt": math.nan}, "tilt is nan; expected a number from −1 to 1"),
        ({"tilt": 3.0}, "tilt is 3.0"),
        ({"barrier": 0.05, "epsilon": 2.0}, "walkers go beyond"),
        ({"barrier": 2.0, "epsilon": 0.1}, "too small for a barrier"),
    ],
)
def test_wells_that_cannot_be_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        DoubleWell(**parameters)


def test_other_arguments_are_checked(data):
    with pytest.raises(ValueError, match="kick is 2"):
        WELL.kicked([0.0, 1.0], 2.0)
    with pytest.raises(ValueError, match="rising order"):
        WELL.response([1.0, 0.5])
    with pytest.raises(ValueError, match="observable returned"):
        WELL.response([0.0, 1.0], lambda x: x[:3])
    with pytest.raises(ValueError, match=r"observable returned \(3,\) for 641 points"):
        WELL.average(lambda x: x[:3])
    with pytest.raises(ValueError, match="no closed form"):
        WELL.score(torch.zeros(3), sigma=0.1)
    with pytest.raises(ValueError, match="'epsilon' is unknown; expected one of 'tilt', 'barrier'"):
        WELL.drift_derivative("epsilon")
    with pytest.raises(ValueError, match="bins is 3"):
        HistogramScore.fit(data, bins=3)
    with pytest.raises(ValueError, match="width is 0"):
        KernelScore.fit(data, width=0)
    with pytest.raises(ValueError, match="does not point back"):
        TabulatedScore(torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 1.0])).calibrated(data)


@every_estimator
def test_estimators_take_one_variable_and_enough_of_it(estimator):
    with pytest.raises(ValueError, match="fields of shape"):
        estimator.fit(simulate(OrnsteinUhlenbeck(), members=1, duration=3.0))
    with pytest.raises(ValueError, match="expected 100 at least"):
        estimator.fit(TimeSeries(np.zeros((4, 50)), np.arange(50.0), axes="mt"))


def test_a_series_with_hidden_forcing_is_not_reversible():
    series = TimeSeries(np.zeros((2, 9)), np.arange(9.0), axes="mt", context=np.zeros((2, 9, 1)))
    with pytest.raises(ValueError, match="not reversible"):
        series.both_ways()


# Explorer and bench


@pytest.mark.parametrize(("name", "value"), [("barrier", 1.0), ("tilt", -0.1), ("epsilon", 0.8), ("kick", -0.6)])
def test_every_control_of_the_explorer_moves_the_figure_to_the_exact_answer(name, value):
    explorer = widgets.DoubleWellExplorer()
    explorer.controls[name].value = value
    shown = explorer.values
    well = DoubleWell(**{key: shown[key] for key in ("barrier", "tilt", "epsilon")})
    times, mean = KickedWell(well).times, float(well.average(torch.clone))
    exact = well.kicked(times, shown["kick"]) - mean
    np.testing.assert_allclose(explorer.figure.data[2].y, exact, atol=1e-6)
    np.testing.assert_allclose(explorer.figure.data[3].y, shown["kick"] * well.response(times), atol=1e-5)
    decay = well.response(times, score=lambda x: (mean - x) / well.variance)
    np.testing.assert_allclose(explorer.figure.data[4].y, shown["kick"] * decay, atol=1e-5)
    np.testing.assert_allclose(explorer.figure.data[0].y, well.density[::2], atol=1e-6)
    assert f"variance {well.variance:.3f}" in explorer.readout.value and "gfdt-error" not in explorer.readout.value


@pytest.mark.slow
def test_the_bench_judges_each_estimator_on_equal_data():
    rows = {row.what: row.value for row in bench.accuracy(seeds=(0,), members=500, steps=100)}
    assert rows["Gaussian: mean and variance as one vector"] > 0.5
    both = rows["exact score: mean and variance as one vector"]
    assert rows["exact score: as one vector, in the infinite-data limit"] < 1e-6 < both < 0.3
    for estimator in ESTIMATORS:
        assert rows[f"{estimator.method}: mean and variance as one vector"] < 0.3
        assert rows[f"{estimator.method}, other samples: the score itself"] == rows[f"{estimator.method}: the score itself"]


@pytest.mark.slow
def test_relative_errors_are_those_of_compare(data):
    score = HistogramScore.fit(data)
    checked = check_score(WELL, score, data)
    truth = exact_response(WELL, lags=2.0, every=0.25)
    moments = truth.__class__(truth.times, WELL.response(truth.times, MOMENTS), "exact")
    size = float(moments.values[1:].square().sum(1).mean().sqrt())
    assert checked.both == pytest.approx(compare(checked.response, moments).quoted["l2"] / size, rel=1e-4)
