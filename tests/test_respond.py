"""The theorem on the field of which all is known: the response from unperturbed data against the closed form, within its own band."""

import math
from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from gfdt_tutorial import (
    GaussianScore,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    compare,
    exact_response,
    kick_pattern,
    respond,
    simulate,
    statistics,
)

LETTER = OrnsteinUhlenbeck()
SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))


@lru_cache(maxsize=16)
def ensemble(system=SMALL, members=32, duration=100.0, seed=0, every=1.0):
    return simulate(system, members=members, duration=duration, every=every, seed=seed, device="cpu")


def mean_square(u):
    return u.square().mean((-2, -1))


def z_scores(answer, expected):
    return (answer.values - expected) / answer.standard_error


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
        answers = [respond(data, system.score, lags=1e4, resamples=2) for data in snapshots]
        errors.append(torch.stack([compare(answer, exact).l2[0].square() for answer in answers]).mean().sqrt())
    slope = torch.linalg.lstsq(torch.tensor([[math.log(n), 1.0] for n in sizes]), torch.stack(errors).log().float()[:, None]).solution[0]
    assert float(slope) == pytest.approx(-0.5, abs=0.05)
    assert [float(error) * math.sqrt(n) for n, error in zip(sizes, errors, strict=True)] == pytest.approx([1, 1, 1, 1], abs=0.15)


@pytest.mark.parametrize("grid", [PeriodicGrid((33,)), PeriodicGrid((64,)), PeriodicGrid((24, 48))], ids=str)
def test_the_theorem_holds_on_other_grids(grid):
    system = OrnsteinUhlenbeck(grid=grid)
    runs = [ensemble(system, members=32, duration=100.0, seed=seed) for seed in range(6)]
    answers, exact = [respond(data, GaussianScore.fit(data), lags=30.0) for data in runs], exact_response(system, lags=30.0)
    assert answers[0].values.shape == (31, *grid.shape)
    assert all(compare(answer, exact).quoted["l2"] < 0.1 for answer in answers)  # 3232 snapshots each
    assert coverage(answers, exact) == pytest.approx(0.90, abs=0.05)


# --- bands


def coverage(answers, exact):
    """How often the band covers the closed form, lag 0 left out."""
    inside = [(answer.band[0] <= exact.values) & (exact.values <= answer.band[1]) for answer in answers]
    return float(torch.stack(inside)[:, 1:].float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("members", [8, 33])
@pytest.mark.parametrize("fitted", [True, False], ids=["gaussian", "analytic"])
def test_a_ninety_percent_band_covers_the_truth_ninety_times_in_a_hundred(members, fitted):
    runs = [ensemble(members=members, duration=150.0, seed=seed) for seed in range(16)]
    answers = [respond(data, GaussianScore.fit(data) if fitted else SMALL.score, lags=20.0) for data in runs]
    assert 0.85 < coverage(answers, exact_response(SMALL, lags=20.0)) < 0.95


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 4])
@pytest.mark.parametrize("fitted", [True, False], ids=["gaussian", "analytic"])
def test_stretches_of_time_serve_where_members_are_few(members, fitted):
    quick = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)), lam=0.4, kappa=0.02)  # stretches of 94 time units, memory of at most 7
    runs = [ensemble(quick, members=members, duration=3000.0 / members, seed=seed) for seed in range(8)]
    answers = [respond(data, GaussianScore.fit(data) if fitted else quick.score, lags=20.0) for data in runs]
    assert 0.83 < coverage(answers, exact_response(quick, lags=20.0)) < 0.95


@pytest.mark.slow
def test_stretches_of_time_are_longer_than_the_memory_of_the_field():
    slow = OrnsteinUhlenbeck(grid=PeriodicGrid((16, 16)))  # the letter's rates: the slowest wave remembers 158 time units
    runs = [ensemble(slow, members=1, duration=3000.0, seed=seed) for seed in range(6)]
    answers = [respond(data, slow.score, lags=10.0) for data in runs]
    assert 0.83 < coverage(answers, exact_response(slow, lags=10.0)) < 0.97


def test_the_band_has_the_width_of_the_error_it_stands_for():
    runs = [ensemble(seed=seed) for seed in range(16)]
    exact = exact_response(SMALL, lags=10.0)
    answers = [respond(data, SMALL.score, lags=10.0) for data in runs]
    error = torch.stack([compare(answer, exact).l2_sq_unbiased for answer in answers]).mean(0)
    claimed = torch.stack([answer.standard_error.square().sum((-2, -1)) for answer in answers]).mean(0)
    assert float((error / claimed).mean()) == pytest.approx(1, abs=0.15)


def test_a_higher_level_is_a_wider_band():
    data = ensemble()
    half = {level: respond(data, SMALL.score, lags=5.0, level=level).band.diff(dim=0) / 2 for level in (0.5, 0.99)}
    assert (half[0.99] > 3 * half[0.5]).all()


def test_few_blocks_are_confessed():
    data = ensemble(members=2, duration=100.0)
    with pytest.warns(UserWarning, match="the band rests on 4 blocks of data only"):
        answer = respond(data, SMALL.score, lags=50.0)
    assert answer.freedom == 3


# --- normalise


def test_normalising_restores_a_score_of_wrong_amplitude_and_phase():
    def wrong(u):
        return SMALL.grid.apply(2 + SMALL.grid.derivative(), SMALL.score(u))

    data, identity = ensemble(), exact_response(SMALL).values[0]
    wanted, mended = (respond(data, score, lags=20.0, normalise=True) for score in (SMALL.score, wrong))
    assert mended.normalised
    torch.testing.assert_close(mended.values, wanted.values, atol=1e-5, rtol=0)
    torch.testing.assert_close(mended.values[0], identity, atol=1e-6, rtol=0)
    raw = respond(data, wrong, lags=20.0)
    assert (raw.values[0] - identity).abs().max() > 0.9
    torch.testing.assert_close(raw.normalise().values, mended.values, atol=1e-5, rtol=0)


def test_a_gaussian_score_is_normalised_on_its_own_data():
    data = ensemble()
    answer = respond(data, GaussianScore.fit(data), lags=20.0)
    torch.testing.assert_close(answer.values[0], exact_response(SMALL).values[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(answer.normalise().values, answer.values, atol=1e-5, rtol=0)


def test_the_gaussian_response_is_c_of_t_over_c_of_zero():
    data = ensemble()
    fields, grid = data.u - data.u.mean(), SMALL.grid
    late, early = grid.rfft(fields[:, 7:]), grid.rfft(fields[:, :-7])
    lagged = (late * early.conj()).mean((0, 1)) / grid.size
    expected = grid.irfft(lagged / statistics.mode_covariance(grid, fields).float())
    torch.testing.assert_close(respond(data, GaussianScore.fit(data), lags=7.0).values[7], expected, atol=1e-5, rtol=0)


def test_normalising_warns_of_noise_and_refuses_nothing():
    data, keep = ensemble(), SMALL.grid.k_squared < 9
    with pytest.warns(UserWarning, match="normalising multiplies its noise"):
        respond(data, lambda u: SMALL.grid.apply(torch.where(keep, 1.0, 0.01).double(), SMALL.score(u)), lags=5.0, normalise=True)
    with pytest.raises(ValueError, match=r"R\(0\) vanishes"):
        respond(data, lambda u: SMALL.grid.apply(keep.double(), SMALL.score(u)), lags=5.0, normalise=True)


# --- any observable, any perturbation


def parameter_response(system, parameter, lags):
    """∂C_k(t)/∂p for a parameter raised at t = 0, per mode.

    The drift stays linear, so that dC_k/dt = 2 Re L_k C_k + noise and C_k goes from its old value to its new one as e^{2 Re L_k t}.
    To first order in the change: ∂C_k(t)/∂p = (dC_k/dp) (1 − e^{2 Re L_k t}); the last factor is the transient.
    """
    h = 1e-4 * getattr(system, parameter)
    up, down = (replace(system, **{parameter: getattr(system, parameter) + sign * h}).mode_covariance for sign in (1, -1))
    return (up - down) / (2 * h) * -torch.expm1(2 * system.rates.real * lags.reshape(-1, 1, 1))


@pytest.mark.parametrize("parameter", ["lam", "kappa"])
def test_the_variance_answers_a_parameter_as_the_closed_form_says(parameter):
    data = ensemble(members=256, duration=1000.0)
    change = SMALL.drift_derivative(parameter)
    answer = respond(data, SMALL.score, lags=100.0, observable=mean_square, perturbation=change, integrate=True)
    expected = torch.stack([torch.tensor(SMALL.grid.trace(modes) / 64) for modes in parameter_response(SMALL, parameter, answer.times)])
    assert answer.values.shape == (101,)
    assert answer.values[0] == 0
    assert z_scores(answer, expected)[1:].abs().max() <= 3
    assert answer.standard_error[-1] < 0.1 * expected[-1].abs()  # so that 3 of them mean something


def test_the_spectrum_answers_a_parameter_shell_by_shell():
    def shells(u):
        return statistics.shell_average(SMALL.grid, SMALL.grid.rfft(u).abs().square() / 64)[1].float()

    data = ensemble(members=256, duration=1000.0)
    change = SMALL.drift_derivative("lam")
    answer = respond(data, SMALL.score, lags=60.0, observable=shells, perturbation=change, integrate=True)
    expected = statistics.shell_average(SMALL.grid, parameter_response(SMALL, "lam", answer.times))[1]
    assert answer.values.shape == expected.shape == (61, 5)
    assert z_scores(answer, expected)[1:].abs().max() < 5  # 300 of them, Student's t with 31 degrees of freedom
    assert (answer.standard_error[-1, :3] < 0.15 * expected[-1, :3].abs()).all()


def test_the_variance_does_not_answer_advection():
    data = ensemble(members=256, duration=1000.0)
    by_advection, by_lam = (
        respond(data, SMALL.score, lags=50.0, observable=mean_square, perturbation=SMALL.drift_derivative(name), integrate=True)
        for name in ("advection", "lam")
    )
    # f·s = ∂ₓu·C⁻¹u vanishes field by field, as ∂ₓ is antisymmetric and commutes with C: what is left is rounding.
    assert by_advection.values.abs().max() < 1e-6 * by_lam.values.abs().max()


def test_the_field_as_an_explicit_observable_is_the_default():
    data = ensemble()
    given, default = respond(data, SMALL.score, lags=10.0, observable=lambda u: u), respond(data, SMALL.score, lags=10.0)
    torch.testing.assert_close(given.values, default.values, atol=1e-5, rtol=0)
    torch.testing.assert_close(given.standard_error, default.standard_error, atol=1e-5, rtol=0)


def test_the_cube_of_the_field_answers_a_kick_by_three_variances():
    """⟨3u² ∂u/∂u_j⟩ = 3⟨u²⟩ R(t): an odd observable, at whose every pixel the answer is known."""
    data = ensemble(members=128, duration=400.0)
    answer = respond(data, SMALL.score, lags=10.0, observable=lambda u: u**3)
    expected = 3 * SMALL.variance * exact_response(SMALL, lags=10.0).values
    assert z_scores(answer, expected).abs().max() < 5  # 704 of them
    assert answer.standard_error.max() < 0.15 * expected.max()


def test_the_spatial_mean_answers_a_kick_at_one_pixel():
    data = ensemble(members=128, duration=400.0)
    answer = respond(data, SMALL.score, lags=30.0, observable=lambda u: u.mean((-2, -1)))
    expected = torch.exp(-SMALL.lam * answer.times) / 64
    assert z_scores(answer, expected).abs().max() < 3.5
    assert answer.standard_error.max() < 0.2 * expected[0]


def test_a_constant_change_of_the_drift_is_a_kick_of_that_shape():
    pattern = kick_pattern(SMALL.grid, "bump")
    data = ensemble(members=128, duration=400.0)
    answer = respond(data, SMALL.score, lags=10.0, perturbation=(lambda u: pattern.expand_as(u), lambda u: 0.0))
    expected = exact_response(SMALL, lags=10.0).to(pattern)
    assert z_scores(answer, expected).abs().max() < 5
    assert answer.standard_error.max() < 0.2 * expected.max()


def test_a_lasting_change_is_the_integral_over_lags():
    data = ensemble(duration=100.0)
    impulse, lasting = (respond(data, SMALL.score, lags=10.0, integrate=integrate).values for integrate in (False, True))
    torch.testing.assert_close(lasting, torch.cat([0 * impulse[:1], torch.cumulative_trapezoid(impulse, dx=1.0, dim=0)]), atol=1e-5, rtol=0)


# --- scalars, and what comes with data


@pytest.mark.parametrize("axes", ["t", "mt"])
def test_plain_numbers_have_a_response_too(axes):
    decay, rng = 0.9, torch.Generator().manual_seed(0)
    x = torch.zeros(20, 2000)
    for i in range(1, 2000):
        x[:, i] = decay * x[:, i - 1] + torch.randn(20, generator=rng)
    x = x[:, 100:] if axes == "mt" else x[:, 100:].flatten()
    data = TimeSeries(x, torch.arange(float(x.shape[-1])), axes=axes)
    answer = respond(data, GaussianScore.fit(data), lags=20.0)
    torch.testing.assert_close(answer.values, decay ** answer.times.float(), atol=0.06, rtol=0)


def test_units_and_mean_of_the_data_do_not_matter():
    data = ensemble()
    rescaled = TimeSeries(3.0 * data.u + 5.0, data.times)
    expected = respond(data, GaussianScore.fit(data), lags=10.0).values
    torch.testing.assert_close(respond(rescaled, GaussianScore.fit(rescaled), lags=10.0).values, expected, atol=1e-4, rtol=0)


def test_the_score_is_given_the_context():
    u = ensemble().u
    data = TimeSeries(u, torch.arange(101.0), context=2 * torch.ones_like(u)[:, :, None])
    answer = respond(data, lambda u, context: SMALL.score(u) * context[:, :, 0], lags=10.0)
    torch.testing.assert_close(answer.values, 2 * respond(ensemble(), SMALL.score, lags=10.0).values, atol=1e-5, rtol=0)


def test_the_answer_says_how_it_was_had():
    answer = respond(ensemble(), GaussianScore.fit(ensemble()), lags=10.0)
    assert (answer.method, answer.info["device"], answer.info["snapshots"]) == ("gaussian", "cpu", 32 * 101)
    assert respond(ensemble(), SMALL.score, lags=10.0).method == "analytic"
    assert answer.times.tolist() == list(range(11))


# --- bad input


BAD = {
    "lags beyond half": ({"lags": 51.0}, "half the series of 101 samples"),
    "lags not positive": ({"lags": 0.0}, "lags is 0.0"),
    "score of another shape": ({"score": lambda u: u[..., :4]}, "the score returned shape"),
    "score with NaN": ({"score": lambda u: u * math.nan}, "the score has .* NaN"),
    "observable of another shape": ({"observable": lambda u: u.mean()}, "observable returned"),
    "observable of pieces": ({"observable": lambda u: u[..., :4]}, "observable returned"),
    "observable with NaN": ({"observable": lambda u: mean_square(u) * math.nan}, "what observable returned has .* NaN"),
    "f of another shape": ({"perturbation": (mean_square, lambda u: 0.0)}, "perturbation f returned shape"),
    "f with NaN": ({"perturbation": (lambda u: u / 0, lambda u: 0.0)}, "what perturbation f returned has .* NaN"),
    "∇·f of another shape": ({"perturbation": (lambda u: u, lambda u: u)}, "∇·f returned shape"),
    "normalise an observable": ({"normalise": True, "observable": mean_square}, "leave it False here"),
    "normalise a perturbation": ({"normalise": True, "perturbation": SMALL.drift_derivative("lam")}, "leave it False here"),
    "level in percent": ({"level": 90}, "a probability between 0 and 1"),
    "one resample": ({"resamples": 1}, "resamples is 1"),
    "seed": ({"seed": -1}, "seed is -1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        respond(**{"data": ensemble(), "score": SMALL.score, "lags": 10.0} | changes)


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
