"""The same on CUDA: operators to rounding on the same input, ensembles within their bands."""

import math

import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    Budget,
    GaussianScore,
    LearnedScore,
    NavierStokes,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    Training,
    compare,
    exact_response,
    fit_score,
    perturb,
    respond,
    sensitivities,
    simulate,
)
from gfdt_tutorial.core.correlations import lagged_sum
from gfdt_tutorial.core.spectra import mode_covariance, shell_average

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")

LETTER = OrnsteinUhlenbeck()
TWO_PHASES = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)
GRIDS = [PeriodicGrid((33,)), PeriodicGrid((64,)), PeriodicGrid((24, 48)), PeriodicGrid((32, 32))]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)


def assert_same(cuda, cpu, tolerance=1e-5):
    assert cuda.device.type == "cuda"
    torch.testing.assert_close(cuda.cpu(), cpu, atol=tolerance * max(1.0, float(cpu.abs().max())), rtol=0)


def noise(grid, *leading):
    return torch.randn(*leading, *grid.shape, generator=torch.Generator().manual_seed(0))


@every_grid
def test_operators(grid):
    u = noise(grid, 3)
    for symbol in (grid.laplacian, grid.inverse_helmholtz, *(grid.derivative(axis) for axis in grid.axes)):
        assert_same(grid.apply(symbol, u.cuda()), grid.apply(symbol, u))


@every_grid
def test_scores(grid):
    system = OrnsteinUhlenbeck(grid=grid)
    data = simulate(system, members=4, duration=100.0, device="cpu")
    there = TimeSeries(data.u.cuda(), data.times, axes=data.axes)
    score, score_there = GaussianScore.fit(data), GaussianScore.fit(there)
    assert_same(score_there.covariance, score.covariance)
    assert_same(score_there(there.u), score(data.u))
    assert_same(system.score(there.u), system.score(data.u))
    assert_same(system.score(there.u, sigma=0.1), system.score(data.u, sigma=0.1))


@every_grid
def test_exact_steps(grid):
    system, spectra, kicks = OrnsteinUhlenbeck(grid=grid), grid.rfft(noise(grid, 2)), grid.rfft(noise(grid, 2)).flip(0)
    there = system.stepper(1.0, torch.device("cuda"))(spectra.cuda(), kicks.cuda)
    assert_same(there, system.stepper(1.0, torch.device("cpu"))(spectra, lambda: kicks))


@every_grid
def test_spectra_without_the_symmetry_of_a_real_field_count_by_their_symmetric_part(grid):
    """cuFFT by itself leaves them undefined."""
    spectra = torch.randn(3, *grid.spectral_shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    there = spectra.cuda()
    assert_same(grid.irfft(there), grid.irfft(spectra))
    assert there.cpu().equal(spectra)


@every_grid
def test_two_phases_step_by_step(grid):
    system = AllenCahn(grid=grid, epsilon=AllenCahn().epsilon * math.sqrt(1024 / grid.size))
    rng = torch.Generator().manual_seed(0)
    spectra = system.initial(range(2), 0, torch.device("cpu"))
    noises = [torch.randn(2, *grid.spectral_shape, dtype=torch.complex64, generator=rng) for _ in range(4)]
    here, there = iter(noises), iter([noise.cuda() for noise in noises])
    moved = system.stepper(0.125, torch.device("cuda"))(spectra.cuda(), lambda: next(there))
    expected = system.stepper(0.125, torch.device("cpu"))(spectra, lambda: next(here))
    assert_same(grid.irfft(moved), grid.irfft(expected), tolerance=1e-4)
    u = grid.irfft(expected)
    assert_same(system.score(u.cuda()), system.score(u))
    for parameter in ("alpha", "kappa", "advection"):
        for function in system.drift_derivative(parameter):
            assert_same(function(u.cuda()), function(u), tolerance=1e-4)


@every_grid
def test_two_phases_start_there(grid):
    u = grid.irfft(AllenCahn(grid=grid, epsilon=1.0).initial(range(200), 0, torch.device("cuda"))).flatten(1)
    assert ((u.abs() - 0.9).abs() < 1e-4).sum(1).min() >= grid.size - 1
    assert float(u.mean(1).std()) == pytest.approx(0.145, abs=0.05)


def test_averages():
    grid, u = GRIDS[2], noise(GRIDS[2], 3, 20)
    modes = mode_covariance(grid, u)
    assert_same(mode_covariance(grid, u.cuda()), modes)
    assert_same(shell_average(grid, modes.cuda())[1], shell_average(grid, modes)[1])
    flat = grid.rfft(u).flatten(2)
    assert_same(lagged_sum(flat.cuda(), flat.cuda(), 9), lagged_sum(flat, flat, 9))


@pytest.mark.parametrize("members", [2, 9])
def test_response_of_the_same_data(members):
    data = simulate(LETTER, members=members, duration=200.0, device="cpu")
    there = TimeSeries(data.u.cuda(), data.times)
    change = {"lam": LETTER.drift_derivative("lam")}

    def changed(series):
        return sensitivities(series, LETTER.score, lambda u: u.square().mean((-2, -1)), change, lags=20.0, form="raw")["lam"]

    kicked = [lambda series, form=form: respond(series, LETTER.score, lags=20.0, form=form) for form in ("raw", "normalised")]
    for way in (*kicked, changed):
        answer, answer_there = (way(series) for series in (data, there))
        assert_same(answer_there.values, answer.values, tolerance=1e-4 if way is changed else 1e-5)
        torch.testing.assert_close(answer_there.standard_error.cpu(), answer.standard_error, rtol=1e-2, atol=1e-5)


def test_an_ensemble_and_its_response_lie_within_the_band():
    data = simulate(LETTER, members=64, duration=767.0, device="cuda")
    assert (data.u.device.type, data.info["device"]) == ("cuda", "cuda")
    assert float(data.u.square().mean()) == pytest.approx(LETTER.variance, rel=0.02)
    answer, exact = respond(data, GaussianScore.fit(data)), exact_response(LETTER)
    assert compare(answer, exact).quoted["l2"] <= 0.022
    lower, upper = answer.band.cpu()
    assert 0.85 < ((lower <= exact.values) & (exact.values <= upper))[1:].float().mean() < 0.95


@every_grid
def test_twins_equal_the_closed_form(grid):
    system = OrnsteinUhlenbeck(grid=grid)
    truth = perturb(system, lags=90.0, pairs=16, device="cuda")
    assert_same(truth.values, exact_response(system, lags=90.0).values)
    assert compare(truth, exact_response(system, lags=90.0)).quoted["linf"] < 1e-5


def test_random_signs_scatter_as_their_standard_error_says():
    truth, exact = perturb(LETTER, lags=40.0, pairs=1024, kick="random signs", device="cuda"), exact_response(LETTER, lags=40.0)
    z = ((truth.values.cpu() - exact.values) / truth.standard_error.cpu())[truth.standard_error.cpu() > 1e-6]
    assert 0.8 < z.var() < 1.25


def test_controlled_twins_agree_on_both_machines():
    """Other random numbers on either: within the bands."""
    options = {
        "lags": 1.0,
        "every": 0.25,
        "pairs": 512,
        "kick": "random signs",
        "restarts": 2,
        "spinup": 10.0,
        "symmetries": ("reflect y",),
    }
    here, there = (perturb(TWO_PHASES, **options, device=device) for device in ("cpu", "cuda"))
    z = (there.values - here.values) / (there.standard_error.square() + here.standard_error.square()).sqrt()
    assert float(z[1:].square().mean()) == pytest.approx(1.1, abs=0.5)
    assert there.values.device.type == "cpu"


def test_responses_with_less_noise_from_the_same_data():
    data = simulate(TWO_PHASES, members=9, duration=100.0, device="cpu")
    there = TimeSeries(data.u.cuda(), data.times)
    for options in ({"form": "controlled"}, {"thin": 4}, {"thin": 4, "form": "controlled", "symmetries": ("reflect y", "sign")}):
        answer, answer_there = (respond(series, TWO_PHASES.score, lags=10.0, **options) for series in (data, there))
        assert_same(answer_there.values.cuda(), answer.values, tolerance=1e-4)


def test_calibration_there(tmp_path):
    data = simulate(TWO_PHASES, members=10, duration=60.0, device="cpu")
    score = Training(data, Budget(steps=1, noise="white", level=0.01, kernels=(3, 1), width=8), device="cpu").score()
    here = score.calibrated(data)
    there = score.to("cuda").calibrated(TimeSeries(data.u.cuda(), data.times))
    assert_same(torch.view_as_real(there.correction), torch.view_as_real(here.correction), tolerance=1e-4)
    loaded = LearnedScore.load(there.save(tmp_path))
    assert loaded.correction.device.type == "cpu"
    assert_same(there(data.u[0].cuda()), loaded(data.u[0]), tolerance=1e-4)


def test_the_same_seed_gives_the_same_bits():
    first, again = (simulate(LETTER, members=3, duration=20.0, seed=4, device="cuda").u for _ in range(2))
    assert first.equal(again)


def test_answers_and_series_are_saved_from_the_device(tmp_path):
    data = simulate(LETTER, members=8, duration=20.0, device="cuda")
    assert TimeSeries.load(data.save(tmp_path / "run.npz")).u.equal(data.u.cpu())
    answer = respond(data, LETTER.score, lags=5.0)
    assert type(answer).load(answer.save(tmp_path / "answer.npz")).values.equal(answer.values.cpu())
    assert_same(answer.to(torch.ones(32, 32)), answer.to(torch.ones(32, 32)).cpu())
    assert answer.values.device.type == "cpu"  # whatever made it


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="not available on this machine"):
        simulate(LETTER, members=1, duration=1.0, device="cuda:99")


def test_a_step_of_the_flow():
    """The same spectra and phases there and here, for a quarter of a time unit."""
    system = NavierStokes()
    spectra = system.initial(range(4), 0, torch.device("cpu"))
    results = []
    for device in ("cuda", "cpu"):
        noise = system.make_noise(range(4), 0, torch.device("cpu"))
        noise.frozen = True
        noise.spectra = noise.spectra.to(device)
        results.append(system.grid.irfft(system.stepper(0.25, torch.device(device))(spectra.to(device), noise)))
    assert_same(results[0], results[1], 1e-4)


def test_the_forcing_of_the_flow():
    system = NavierStokes()
    forcing = system.make_noise(range(256), 0, torch.device("cuda"))
    for _ in range(4):
        forcing.advance(0.25)
    found = float(system.grid.irfft(forcing.spectra).square().mean())
    assert abs(found / system.forcing_variance - 1) < 0.05


def test_a_conditioned_score_is_the_same_there():
    data = simulate(NavierStokes(), members=8, spinup=1.0, duration=4.0, every=1.0, device="cpu", context=True)
    score = fit_score(data, preset="tiny", context=True, device="cpu")
    here = score(data.u, data.context)
    assert_same(score.to("cuda")(data.u.cuda(), data.context.cuda()), here, 1e-4)
