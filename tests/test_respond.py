"""The theorem on the field of which all is known: the response from unperturbed data against the closed form, within its own band."""

import math
import warnings
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    GaussianScore,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    compare,
    exact_response,
    kick_pattern,
    respond,
    sensitivities,
    sensitivity_maps,
    simulate,
)
from gfdt_tutorial.core import checks
from gfdt_tutorial.core.confidence_bands import band_factor
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.responses.theorem import drift_weight

LETTER = OrnsteinUhlenbeck()
SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
TWO_PHASES = AllenCahn(grid=PeriodicGrid((8, 8)), advection=0.0, epsilon=4 * AllenCahn().epsilon)  # its score is exact


@lru_cache(maxsize=16)
def ensemble(system=SMALL, members=32, duration=100.0, seed=0, every=1.0):
    return simulate(system, members=members, duration=duration, every=every, seed=seed, device="cpu")


def mean_square(u):
    return u.square().mean((-2, -1))


def z_scores(response, expected):
    return (response.values - expected) / response.standard_error


# --- accuracy


@pytest.fixture(scope="module")
def letter_data():
    return simulate(LETTER, members=64, duration=767.0, device="cpu")


def quoted(data, score):
    return compare(respond(data, score, resamples=2), exact_response(LETTER)).quoted


def test_gaussian_response_has_the_accuracy_promised(letter_data):
    assert letter_data.snapshots >= 48_000
    errors = quoted(letter_data, GaussianScore.fit(letter_data))
    assert errors["l2"] <= 0.022
    assert errors["linf"] <= 0.008


@pytest.mark.slow
def test_wrong_scores_miss_it(letter_data):
    gaussian = GaussianScore.fit(letter_data)
    wrong = {
        "white": lambda u: -u / LETTER.variance,
        "a tenth too weak": lambda u: 0.9 * gaussian(u),
        "of a fifth more diffusion": replace(LETTER, kappa=1.2 * LETTER.kappa).score,
    }
    for name, score in wrong.items():
        errors = quoted(letter_data, score)
        assert errors["l2"] > 0.03, name
        assert errors["linf"] > 0.008, name


def test_sampling_error_falls_as_one_over_root_n():
    """With the exact score and n independent snapshots L2 = n^−½ at lag 0, whatever the spectrum: every mode errs by its own n^−½."""
    sizes, system = (16, 64, 256, 1024), OrnsteinUhlenbeck(grid=PeriodicGrid((12, 16)))
    exact = exact_response(system, lags=1e4, every=1e4)
    errors = []
    for n in sizes:
        snapshots = [ensemble(system, members=n // 4, duration=3e4, every=1e4, seed=seed) for seed in range(12)]
        responses = [respond(data, system.score, lags=1e4, resamples=2) for data in snapshots]
        errors.append(torch.stack([compare(response, exact).l2[0].square() for response in responses]).mean().sqrt())
    slope = torch.linalg.lstsq(torch.tensor([[math.log(n), 1.0] for n in sizes]), torch.stack(errors).log().float()[:, None]).solution[0]
    assert float(slope) == pytest.approx(-0.5, abs=0.05)
    assert [float(error) * math.sqrt(n) for n, error in zip(sizes, errors, strict=True)] == pytest.approx([1, 1, 1, 1], abs=0.15)


@pytest.mark.parametrize("grid", [PeriodicGrid((33,)), PeriodicGrid((64,)), PeriodicGrid((24, 48))], ids=str)
def test_the_theorem_holds_on_other_grids(grid):
    system = OrnsteinUhlenbeck(grid=grid)
    runs = [ensemble(system, members=32, duration=100.0, seed=seed) for seed in range(6)]
    responses, exact = [respond(data, GaussianScore.fit(data), lags=30.0) for data in runs], exact_response(system, lags=30.0)
    assert responses[0].values.shape == (31, *grid.shape)
    assert all(compare(response, exact).quoted["l2"] < 0.1 for response in responses)  # 3232 snapshots each
    assert coverage(responses, exact) == pytest.approx(0.90, abs=0.05)


# --- bands


def coverage(responses, exact):
    """How often the band covers the closed form, lag 0 left out."""
    inside = [(response.band[0] <= exact.values) & (exact.values <= response.band[1]) for response in responses]
    return float(torch.stack(inside)[:, 1:].float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("members", [8, 33])
@pytest.mark.parametrize("fitted", [True, False], ids=["gaussian", "analytic"])
def test_a_ninety_percent_band_covers_the_truth_ninety_times_in_a_hundred(members, fitted):
    runs = [ensemble(members=members, duration=150.0, seed=seed) for seed in range(16)]
    responses = [respond(data, GaussianScore.fit(data) if fitted else SMALL.score, lags=20.0) for data in runs]
    assert 0.85 < coverage(responses, exact_response(SMALL, lags=20.0)) < 0.95


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 4])
@pytest.mark.parametrize("fitted", [True, False], ids=["gaussian", "analytic"])
def test_stretches_of_time_serve_where_members_are_few(members, fitted):
    quick = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)), lam=0.4, kappa=0.02)  # stretches of 94 time units, memory of at most 7
    runs = [ensemble(quick, members=members, duration=3000.0 / members, seed=seed) for seed in range(8)]
    responses = [respond(data, GaussianScore.fit(data) if fitted else quick.score, lags=20.0) for data in runs]
    assert 0.83 < coverage(responses, exact_response(quick, lags=20.0)) < 0.95


@pytest.mark.slow
def test_stretches_of_time_are_longer_than_the_memory_of_the_field():
    slow = OrnsteinUhlenbeck(grid=PeriodicGrid((16, 16)))  # the letter's rates: the slowest wave remembers 158 time units
    runs = [ensemble(slow, members=1, duration=3000.0, seed=seed) for seed in range(6)]
    responses = [respond(data, slow.score, lags=10.0) for data in runs]
    assert 0.83 < coverage(responses, exact_response(slow, lags=10.0)) < 0.97


def test_the_band_has_the_width_of_the_error_it_stands_for():
    runs = [ensemble(seed=seed) for seed in range(16)]
    exact = exact_response(SMALL, lags=10.0)
    responses = [respond(data, SMALL.score, lags=10.0) for data in runs]
    error = torch.stack([compare(response, exact).l2_sq_unbiased for response in responses]).mean(0)
    claimed = torch.stack([response.standard_error.square().sum((-2, -1)) for response in responses]).mean(0)
    assert float((error / claimed).mean()) == pytest.approx(1, abs=0.15)


def test_a_higher_level_is_a_wider_band():
    data = ensemble()
    half = {level: respond(data, SMALL.score, lags=5.0, confidence=level).band.diff(dim=0) / 2 for level in (0.5, 0.99)}
    assert (half[0.99] > 3 * half[0.5]).all()


def test_few_blocks_are_confessed():
    data = ensemble(members=2, duration=100.0)
    with pytest.warns(UserWarning, match=r"too narrow: the whole record lasts \S+ decorrelation times, and its 4 blocks"):
        response = respond(data, SMALL.score, lags=50.0)
    assert response.dof == 3
    with pytest.warns(UserWarning, match="the band rests on 6 blocks of data only"):
        respond(ensemble(members=3, duration=1000.0), SMALL.score, lags=500.0)


# --- normalise


def test_normalising_restores_a_score_of_wrong_amplitude_and_phase():
    def wrong(u):
        return SMALL.grid.apply(2 + SMALL.grid.derivative(), SMALL.score(u))

    data, identity = ensemble(), exact_response(SMALL).values[0]
    wanted, mended = (respond(data, score, lags=20.0, form="normalised") for score in (SMALL.score, wrong))
    assert mended.form == "normalised"
    torch.testing.assert_close(mended.values, wanted.values, atol=1e-5, rtol=0)
    torch.testing.assert_close(mended.values[0], identity, atol=1e-6, rtol=0)
    raw = respond(data, wrong, lags=20.0)
    assert (raw.values[0] - identity).abs().max() > 0.9
    torch.testing.assert_close(raw.normalise().values, mended.values, atol=1e-5, rtol=0)


def test_a_gaussian_score_is_normalised_on_its_own_data():
    data = ensemble()
    response = respond(data, GaussianScore.fit(data), lags=20.0)
    torch.testing.assert_close(response.values[0], exact_response(SMALL).values[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(response.normalise().values, response.values, atol=1e-5, rtol=0)


def test_the_gaussian_response_is_c_of_t_over_c_of_zero():
    data = ensemble()
    fields, grid = data.u - data.u.mean(), SMALL.grid
    late, early = grid.rfft(fields[:, 7:]), grid.rfft(fields[:, :-7])
    lagged = (late * early.conj()).mean((0, 1)) / grid.size
    expected = grid.irfft(lagged / mode_covariance(grid, fields).float())
    torch.testing.assert_close(respond(data, GaussianScore.fit(data), lags=7.0).values[7], expected, atol=1e-5, rtol=0)


def test_normalising_warns_of_noise_and_refuses_nothing():
    data, keep = ensemble(), SMALL.grid.k_squared < 9
    with pytest.warns(UserWarning, match="normalising multiplies its noise"):
        respond(data, lambda u: SMALL.grid.apply(torch.where(keep, 1.0, 0.01).double(), SMALL.score(u)), lags=5.0, form="normalised")
    with pytest.raises(ValueError, match=r"R\(0\) vanishes"):
        respond(data, lambda u: SMALL.grid.apply(keep.double(), SMALL.score(u)), lags=5.0, form="normalised")


# --- any observable, any perturbation


def cubic(u):
    """A change of the drift whose divergence varies from field to field."""
    return 0.5 * u - u**3


CUBIC = (cubic, lambda u: (0.5 - 3 * u**2).sum((-2, -1)))


def test_the_weight_is_the_rate_at_which_the_change_of_the_drift_moves_the_density():
    """B = −∇·(f ρ)/ρ, here by automatic differentiation of f and of ln ρ = −½ u·C⁻¹u."""
    u = ensemble().u[:2, :3].double()
    found = drift_weight(CUBIC, u, cubic(u), SMALL.score(u))
    for index in np.ndindex(2, 3):
        field = u[index]
        jacobian = torch.func.jacrev(cubic)(field).reshape(64, 64)
        gradient = torch.func.grad(lambda v: 0.5 * (v * SMALL.score(v)).sum())(field)
        expected = -jacobian.trace() - (cubic(field) * gradient).sum()
        assert float(found[index]) == pytest.approx(float(expected), rel=1e-6)


def test_at_lag_zero_the_weight_gives_the_mean_slope_of_the_observable():
    """⟨A B⟩ = ⟨∇A·f⟩ = ⟨u²⟩ − 6⟨u²⟩² for A = u², averaged over Gaussian pixels; neither term of B alone gives it."""
    data = ensemble(members=256, duration=1000.0)
    response = sensitivities(data, SMALL.score, mean_square, {"it": CUBIC}, lags=2.0, integrate=False, form="raw")["it"]
    expected = SMALL.variance - 6 * SMALL.variance**2  # 2⟨u f⟩
    assert abs(float(response.values[0]) - expected) < 4 * float(response.standard_error[0]) < 0.2 * abs(expected)


def parameter_response(system, parameter, lags):
    """∂C_k(t)/∂p for a parameter raised at t = 0, per mode.

    The drift stays linear, so that dC_k/dt = 2 Re L_k C_k + noise and C_k goes from its old value to its new one as e^{2 Re L_k t}.
    To first order in the change: ∂C_k(t)/∂p = (dC_k/dp) (1 − e^{2 Re L_k t}); the last factor is the transient.
    """
    h = 1e-4 * getattr(system, parameter)
    up, down = (replace(system, **{parameter: getattr(system, parameter) + sign * h}).mode_covariance for sign in (1, -1))
    return (up - down) / (2 * h) * -torch.expm1(2 * system.rates.real * lags.reshape(-1, 1, 1))


def lasting(data, observable, change, lags):
    """The response of numbers to a lasting change, without a control variate."""
    return sensitivities(data, SMALL.score, observable, {"it": change}, lags=lags, form="raw")["it"]


def kick_map(data, observable, change, *, integrate=False):
    return sensitivity_maps(data, SMALL.score, observable, {"it": change}, lags=10.0, integrate=integrate)["it"]


@pytest.mark.parametrize("parameter", ["lam", "kappa"])
def test_the_variance_responds_to_a_parameter_as_the_closed_form_says(parameter):
    data = ensemble(members=256, duration=1000.0)
    change = SMALL.drift_derivative(parameter)
    response = lasting(data, mean_square, change, lags=100.0)
    expected = torch.stack([torch.tensor(SMALL.grid.trace(modes) / 64) for modes in parameter_response(SMALL, parameter, response.times)])
    assert response.values.shape == (101,)
    assert response.values[0] == 0
    assert z_scores(response, expected)[1:].abs().max() <= 3
    assert response.standard_error[-1] < 0.1 * expected[-1].abs()  # so that 3 of them mean something


def test_the_spectrum_responds_to_a_parameter_shell_by_shell():
    def shells(u):
        return shell_average(SMALL.grid, SMALL.grid.rfft(u).abs().square() / 64)[1].float()

    data = ensemble(members=256, duration=1000.0)
    change = SMALL.drift_derivative("lam")
    response = lasting(data, shells, change, lags=60.0)
    expected = shell_average(SMALL.grid, parameter_response(SMALL, "lam", response.times))[1]
    assert response.values.shape == expected.shape == (61, 5)
    assert z_scores(response, expected)[1:].abs().max() < 5  # 300 of them, Student's t with 31 degrees of freedom
    assert (response.standard_error[-1, :3] < 0.15 * expected[-1, :3].abs()).all()


def test_the_variance_does_not_respond_to_advection():
    data = ensemble(members=256, duration=1000.0)
    by_advection, by_lam = (lasting(data, mean_square, SMALL.drift_derivative(name), lags=50.0) for name in ("advection", "lam"))
    # f·s = ∂ₓu·C⁻¹u vanishes field by field, as ∂ₓ is antisymmetric and commutes with C: what is left is rounding.
    assert by_advection.values.abs().max() < 1e-6 * by_lam.values.abs().max()


def test_the_field_as_an_explicit_observable_is_the_default():
    data = ensemble()
    given, default = kick_map(data, lambda u: u, None), respond(data, SMALL.score, lags=10.0)
    torch.testing.assert_close(given.values, default.values, atol=1e-5, rtol=0)
    torch.testing.assert_close(given.standard_error, default.standard_error, atol=1e-5, rtol=0)


def test_the_cube_of_the_field_responds_to_a_kick_by_three_variances():
    """⟨3u² ∂u/∂u_j⟩ = 3⟨u²⟩ R(t): an odd observable, whose response is known at every pixel."""
    data = ensemble(members=128, duration=400.0)
    response = kick_map(data, lambda u: u**3, None)
    expected = 3 * SMALL.variance * exact_response(SMALL, lags=10.0).values
    assert z_scores(response, expected).abs().max() < 5  # 704 of them
    assert response.standard_error.max() < 0.15 * expected.max()


def test_the_spatial_mean_responds_to_a_kick_at_one_pixel():
    data = ensemble(members=128, duration=400.0)
    options = {"lags": 30.0, "integrate": False, "form": "raw"}
    response = sensitivities(data, SMALL.score, lambda u: u.mean((-2, -1)), {"kick": None}, **options)["kick"]
    expected = torch.exp(-SMALL.lam * response.times) / 64
    assert z_scores(response, expected).abs().max() < 3.5
    assert response.standard_error.max() < 0.2 * expected[0]


def test_a_constant_change_of_the_drift_is_a_kick_of_that_shape():
    pattern = kick_pattern(SMALL.grid, "bump")
    data = ensemble(members=128, duration=400.0)
    response = kick_map(data, lambda u: u, (lambda u: pattern.expand_as(u), lambda u: 0.0))
    expected = exact_response(SMALL, lags=10.0).to(pattern)
    assert z_scores(response, expected).abs().max() < 5
    assert response.standard_error.max() < 0.2 * expected.max()


def test_a_lasting_change_is_the_integral_over_lags():
    data = ensemble(duration=100.0)
    impulse, whole = (kick_map(data, lambda u: u, None, integrate=integrate).values for integrate in (False, True))
    torch.testing.assert_close(whole, torch.cat([0 * impulse[:1], torch.cumulative_trapezoid(impulse, dx=1.0, dim=0)]), atol=1e-5, rtol=0)


# --- less noise from the same data

SYSTEMS = pytest.mark.parametrize("system", [SMALL, TWO_PHASES], ids=lambda system: system.name)


def responses_of(system, *options, members=64, duration=100.0, lags=8.0, score=None):
    data = ensemble(system, members=members, duration=duration, seed=4)
    return [respond(data, score or system.score, lags=lags, **option) for option in ({}, *options)]


def width(response, lags=slice(1, None)):
    """Root-mean-square standard error."""
    return float(response.standard_error[lags].square().mean().sqrt())


def assert_within_the_band(one, other):
    """They share their data, so that they differ by less than the wider of the two errs by."""
    z = ((one.values - other.values) / other.standard_error)[1:]
    assert z.square().mean() < 2
    assert z.abs().max() < band_factor(1 - 0.01 / z.numel(), other.dof)  # one of a hundred data sets has a larger one by chance


@pytest.mark.slow
@SYSTEMS
def test_control_ties_the_start_and_leaves_the_mean(system):
    plain, controlled = responses_of(system, {"form": "controlled"})
    identity = kick_pattern(system.grid)
    torch.testing.assert_close(controlled.values[0], identity, atol=1e-5, rtol=0)
    assert controlled.standard_error[0].max() < 1e-5
    assert (plain.values[0] - identity).abs().max() > 1e-3
    assert_within_the_band(controlled, plain)
    assert (controlled.values - plain.values)[1:].abs().max() > 1e-3
    assert width(controlled) < 0.85 * width(plain)
    assert width(controlled, 1) < 0.6 * width(plain, 1)
    assert controlled.info["control"] is True


def test_control_of_a_linear_score_is_the_gaussian_response():
    data = ensemble()
    gaussian = respond(data, GaussianScore.fit(data), lags=10.0)
    for score in (SMALL.score, lambda u: -0.3 * u, lambda u: SMALL.grid.apply(SMALL.grid.derivative(), u)):
        torch.testing.assert_close(respond(data, score, lags=10.0, form="controlled").values, gaussian.values, atol=1e-4, rtol=0)


def test_control_takes_out_what_is_linear_in_an_error_of_the_score():
    data = ensemble(TWO_PHASES, members=64, duration=100.0, seed=4)
    right = respond(data, TWO_PHASES.score, lags=8.0, form="controlled")
    wrong = respond(data, lambda u: TWO_PHASES.score(u) + 0.4 * u, lags=8.0, form="controlled")
    torch.testing.assert_close(wrong.values, right.values, atol=1e-4, rtol=0)
    weak = respond(data, lambda u: 0.5 * TWO_PHASES.score(u), lags=8.0, form="controlled")
    assert (weak.values - right.values).abs().max() > 0.02  # what is not linear is still the score's


@SYSTEMS
def test_a_reflection_leaves_the_mean_and_narrows_the_band(system):
    plain, reflected = responses_of(system, {"symmetries": ("reflect y",)})
    assert_within_the_band(reflected, plain)
    upside_down = plain.values.flip(-2).roll(1, -2)
    torch.testing.assert_close(reflected.values, 0.5 * (plain.values + upside_down), atol=1e-5, rtol=0)
    off_the_axis = (slice(1, None), slice(1, 4))  # y = 0 and 4 are their own images
    assert width(reflected, off_the_axis) == pytest.approx(width(plain, off_the_axis) / math.sqrt(2), rel=0.15)
    assert reflected.info["symmetries"] == ["reflect y"]


def test_control_and_symmetries_go_together():
    plain, both, controlled = responses_of(TWO_PHASES, {"form": "controlled", "symmetries": ("reflect y", "sign")}, {"form": "controlled"})
    assert_within_the_band(both, plain)
    assert width(both) < width(controlled) < width(plain)


def test_a_score_that_is_not_odd_is_made_odd_by_the_symmetry_of_sign():
    data = ensemble(seed=4)
    centre = data.u.mean()

    def lopsided(u):
        return SMALL.score(u) + 3 * (u - centre).square() - 1

    odd, plain = ({"symmetries": ("sign",)}, {})
    expected = respond(data, lambda u: SMALL.score(u - centre), lags=10.0)
    torch.testing.assert_close(respond(data, lopsided, lags=10.0, **odd).values, expected.values, atol=2e-5, rtol=0)
    assert (respond(data, lopsided, lags=10.0, **plain).values - expected.values).abs().max() > 0.01


def test_the_symmetry_of_sign_keeps_the_name_of_the_method():
    assert respond(ensemble(), SMALL.score, lags=5.0, symmetries=("sign",)).method == "analytic"


def test_the_symmetry_of_sign_says_nothing_about_a_context():
    u = ensemble().u
    data = TimeSeries(u, torch.arange(101.0), context=torch.ones_like(u)[:, :, None])
    with pytest.raises(ValueError, match="says nothing about a context; leave it out"):
        respond(data, lambda u, context: SMALL.score(u), lags=10.0, symmetries=("sign",))


def lagged_means(grid, later, earlier, origins, lags):
    """⟨later(τ + t) earlier(τ)*⟩ / N² over members and the origins given, (lag, *spectral_shape), as a loop."""
    late, early = grid.rfft(later), grid.rfft(earlier)
    length = later.shape[1]
    return torch.stack(
        [torch.stack([late[:, o + t] * early[:, o].conj() for o in origins if o + t < length]).mean((0, 1)) for t in range(lags + 1)]
    ) / grid.size  # fmt: skip


def test_thinned_origins_are_every_so_manyth_and_all_lags_are_kept():
    grid, rng = PeriodicGrid((3, 4)), torch.Generator().manual_seed(0)
    data = TimeSeries(torch.randn(9, 15, 3, 4, generator=rng), torch.arange(15.0))
    u = data.u - data.u.mean()
    some, every = range(0, 15, 4), range(15)
    response, spectrum = (lagged_means(grid, u, other, some, 6) for other in (-(data.u**3), u))
    torch.testing.assert_close(respond(data, lambda u: u**3, lags=6.0, thin=4).values, grid.irfft(response), atol=1e-5, rtol=1e-5)
    overall = lagged_means(grid, u, u, every, 6)
    expected = overall / overall[0].real + response - response[0] * spectrum / spectrum[0].real
    controlled = respond(data, lambda u: u**3, lags=6.0, thin=4, form="controlled")
    torch.testing.assert_close(controlled.values, grid.irfft(expected), atol=1e-5, rtol=1e-5)
    assert controlled.info["thin"] == 4


def test_a_thinned_score_is_evaluated_at_those_origins_only():
    data, seen = ensemble(members=9, duration=40.0), []

    def counting(u):
        seen.append(u.shape[0] * u.shape[1])
        return SMALL.score(u)

    respond(data, counting, lags=10.0, thin=5)
    assert sum(seen) == 9 * 9


@pytest.mark.slow
@pytest.mark.parametrize("members", [2, 16])
def test_thinning_costs_little_where_samples_remember_one_another(members):
    data = ensemble(TWO_PHASES, members=members, duration=800.0 / members, every=0.25, seed=4)
    plain, thinned = (respond(data, TWO_PHASES.score, lags=5.0, thin=thin) for thin in (1, 4))
    assert_within_the_band(plain, thinned)
    assert width(thinned) < 2.2 * width(plain)  # 2 if they did not


@pytest.mark.slow
def test_control_gives_back_more_than_thinning_takes():
    data = ensemble(TWO_PHASES, members=64, duration=100.0, every=0.5, seed=4)
    plain, thinned, both = (respond(data, TWO_PHASES.score, lags=5.0, **o) for o in ({}, {"thin": 4}, {"thin": 4, "form": "controlled"}))
    assert width(both) < 0.8 * width(thinned)
    assert width(both, slice(1, 3)) < 0.5 * width(thinned, slice(1, 3))
    assert_within_the_band(both, thinned)
    torch.testing.assert_close(both.values[0], kick_pattern(TWO_PHASES.grid), atol=1e-5, rtol=0)
    assert (both.values - plain.values).abs().max() < 5 * thinned.standard_error.max()


@pytest.mark.slow
def test_a_controlled_band_covers_the_truth_as_often_as_it_says():
    runs = [ensemble(members=33, duration=150.0, seed=seed) for seed in range(16)]
    found = [respond(data, SMALL.score, lags=20.0, form="controlled", thin=3, symmetries=("reflect y",)) for data in runs]
    assert 0.84 < coverage(found, exact_response(SMALL, lags=20.0)) < 0.96


# --- scalars, and what comes with data


@pytest.mark.parametrize("axes", ["t", "mt"])
def test_plain_numbers_have_a_response_too(axes):
    decay, rng = 0.9, torch.Generator().manual_seed(0)
    x = torch.zeros(20, 2000)
    for i in range(1, 2000):
        x[:, i] = decay * x[:, i - 1] + torch.randn(20, generator=rng)
    x = x[:, 100:] if axes == "mt" else x[:, 100:].flatten()
    data = TimeSeries(x, torch.arange(float(x.shape[-1])), axes=axes)
    response = respond(data, GaussianScore.fit(data), lags=20.0)
    torch.testing.assert_close(response.values, decay ** response.times.float(), atol=0.06, rtol=0)


def test_units_and_mean_of_the_data_do_not_matter():
    data = ensemble()
    rescaled = TimeSeries(3.0 * data.u + 5.0, data.times)
    expected = respond(data, GaussianScore.fit(data), lags=10.0).values
    torch.testing.assert_close(respond(rescaled, GaussianScore.fit(rescaled), lags=10.0).values, expected, atol=1e-4, rtol=0)


def test_the_score_is_given_the_context():
    u = ensemble().u
    data = TimeSeries(u, torch.arange(101.0), context=2 * torch.ones_like(u)[:, :, None])
    response = respond(data, lambda u, context: SMALL.score(u) * context[:, :, 0], lags=10.0)
    torch.testing.assert_close(response.values, 2 * respond(ensemble(), SMALL.score, lags=10.0).values, atol=1e-5, rtol=0)


def test_a_response_names_its_method_device_and_sample():
    response = respond(ensemble(), GaussianScore.fit(ensemble()), lags=10.0)
    assert (response.method, response.info["device"], response.info["snapshots"]) == ("gaussian", "cpu", 32 * 101)
    assert respond(ensemble(), SMALL.score, lags=10.0).method == "analytic"
    assert response.times.tolist() == list(range(11))


# --- times that are rounded


@pytest.mark.parametrize(
    ("time", "every", "count"), [(90.0, 1.0, 90), (0.3, 0.1, 3), (10.0, 1 / 3, 30), (7.0 * (1 + 9e-7), 0.7, 10), (1e4, 1e4, 1)]
)
def test_multiples_of_the_sampling_interval_are_taken_without_a_word(time, every, count):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checks.steps("lags", time, every) == count


@pytest.mark.parametrize(("time", "every", "used"), [(10.4, 1.0, 10), (10.6, 1.0, 11), (7.0 * (1 + 2e-6), 0.7, 7), (0.7, 0.5, 0.5)])
def test_a_time_between_two_samples_is_rounded_with_a_warning(time, every, used):
    with pytest.warns(UserWarning, match=rf"lags=\S+ is not a multiple of the sampling interval {every:g}; {used:g} is used instead"):
        assert checks.steps("lags", time, every) * every == pytest.approx(used)


def test_a_time_that_rounds_to_nothing_is_left_to_the_caller_and_one_that_is_no_time_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checks.steps("lags", 0.4, 1.0) == 0
    for wrong in (0.0, -1.0, math.nan, "10"):
        with pytest.raises(ValueError, match="lags is"):
            checks.steps("lags", wrong, 1.0)


ROUNDED = {
    "respond": lambda data: respond(data, SMALL.score, lags=10.4),
    "sensitivities": lambda data: sensitivities(data, SMALL.score, mean_square, {"kick": None}, lags=10.4)["kick"],
    "sensitivity_maps": lambda data: sensitivity_maps(data, SMALL.score, lambda u: u**3, {"kick": None}, lags=10.4)["kick"],
    "exact_response": lambda data: exact_response(SMALL, lags=10.4),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_the_warning_of_rounded_lags_points_at_the_line_that_gave_them(name):
    with pytest.warns(UserWarning, match=r"lags=10\.4 is not a multiple of the sampling interval 1; 10 is used instead") as caught:
        found = ROUNDED[name](ensemble())
    assert float(found.times[-1]) == 10
    assert [warning.filename for warning in caught if warning.category is UserWarning] == [__file__]


# --- bad input


BAD = {
    "lags beyond half": ({"lags": 51.0}, "half the series of 101 samples"),
    "lags not positive": ({"lags": 0.0}, "lags is 0.0"),
    "score of another shape": ({"score": lambda u: u[..., :4]}, "the score returned shape"),
    "score with NaN": ({"score": lambda u: u * math.nan}, "the score has .* NaN"),
    "form unknown": ({"form": "divided"}, "form 'divided' is unknown"),
    "symmetry unknown": ({"symmetries": ("rotate",)}, "symmetry 'rotate' is unknown"),
    "symmetry as a text": ({"symmetries": "sign"}, "symmetries is the text 'sign'"),
    "no origins": ({"thin": 0}, "thin is 0; expected a whole number ≥ 1"),
    "half an origin": ({"thin": 1.5}, "thin is 1.5"),
    "confidence in percent": ({"confidence": 90}, "a probability between 0 and 1"),
    "one resample": ({"resamples": 1}, "resamples is 1"),
    "seed": ({"seed": -1}, "seed is -1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        respond(ensemble(), **{"score": SMALL.score, "lags": 10.0} | changes)


BAD_CHANGES = {
    "observable of another shape": ({"observable": lambda u: u.mean()}, "observable returned"),
    "observable of pieces": ({"observable": lambda u: u[..., :4]}, "observable returned"),
    "observable of fields": ({"observable": lambda u: u}, "the observable returns fields"),
    "observable with NaN": ({"observable": lambda u: mean_square(u) * math.nan}, "what observable returned has .* NaN"),
    "no change": ({"perturbations": {}}, "one or more"),
    "a change without a name": ({"perturbations": SMALL.drift_derivative("lam")}, "one or more"),
    "f of another shape": ({"perturbations": {"it": (mean_square, lambda u: 0.0)}}, "perturbation f returned shape"),
    "f with NaN": ({"perturbations": {"it": (lambda u: u / 0, lambda u: 0.0)}}, "what perturbation f returned has .* NaN"),
    "∇·f of another shape": ({"perturbations": {"it": (lambda u: u, lambda u: u)}}, "∇·f returned shape"),
    "an unknown form": ({"form": "normalised"}, "form 'normalised' is unknown"),
    "control of what has no derivative": (
        {"form": "controlled", "observable": lambda u: torch.from_numpy(u.numpy()).mean((-2, -1))},
        "derivative of the observable; .*torch cannot differentiate it",
    ),
}


@pytest.mark.parametrize("name", BAD_CHANGES)
def test_bad_changes_and_observables_are_refused_in_words(name):
    changes, message = BAD_CHANGES[name]
    given = {"observable": mean_square, "perturbations": {"it": SMALL.drift_derivative("lam")}, "lags": 10.0, "form": "raw"} | changes
    with pytest.raises(ValueError, match=message):
        sensitivities(ensemble(), SMALL.score, **given)


def test_a_map_is_of_fields_only():
    with pytest.raises(ValueError, match="the observable returns numbers"):
        sensitivity_maps(ensemble(), SMALL.score, mean_square, {"kick": None}, lags=10.0)


def test_no_score_comes_from_data_without_variance():
    for u in (torch.ones(3, 9, 8, 8), SMALL.grid.apply((SMALL.grid.k_squared < 9).double(), ensemble().u[:, :9])):
        with pytest.raises(ValueError, match="wavevectors carry no variance"):
            GaussianScore.fit(TimeSeries(u, torch.arange(9.0)))


def test_a_gaussian_score_refuses_fields_of_another_grid_and_a_negative_blur():
    score = GaussianScore.fit(ensemble())
    with pytest.raises(ValueError, match="last axes must be"):
        score(torch.zeros(8, 4))
    with pytest.raises(ValueError, match="sigma is -1"):
        score(torch.zeros(8, 8), sigma=-1)
    with pytest.raises(ValueError, match="of type ndarray; expected a tensor"):
        score(np.zeros((8, 8)))
    rows = TimeSeries(ensemble().u[:, :, 0], ensemble().times, "mtx")
    with pytest.raises(ValueError, match=r"the score is of fields of shape \(8,\), the data have \(8, 8\)"):
        respond(ensemble(), GaussianScore.fit(rows), lags=10.0)
