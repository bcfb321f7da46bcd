"""Scores, where the truth is exact: the identities they obey, the losses that find them, the network that carries them."""

import math
from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from gfdt_tutorial import Budget, GaussianScore, OrnsteinUhlenbeck, PeriodicGrid, TimeSeries, Training, simulate
from gfdt_tutorial.core.spectra import group_covariances, mode_covariance, shell_mean, smooth_spectrum
from gfdt_tutorial.scores import diagnostics, learned, linear_correction, steins_identity
from gfdt_tutorial.scores.learned import BATCH
from gfdt_tutorial.scores.matching import antithetic_loss, naive_loss

LETTER = OrnsteinUhlenbeck()
GRIDS = [PeriodicGrid((32, 32)), PeriodicGrid((24, 48)), PeriodicGrid((64,)), PeriodicGrid((33,))]
WIDTH = 0.4  # of each hump of the bimodal density


@lru_cache(maxsize=8)
def series(grid=LETTER.grid, members=16, duration=199.0, seed=1):
    return simulate(OrnsteinUhlenbeck(grid=grid), members=members, duration=duration, seed=seed, device="cpu")


def stirred(grid=LETTER.grid, **options):
    """A score whose filter and convolutions are no longer where they start."""
    training = Training(series(grid, duration=20.0), Budget(steps=1, width=8, **options.pop("budget", {})), device="cpu", **options)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in training.best.parameters():
            weights.add_(0.1 * torch.randn(weights.shape, generator=rng))
    return training.score()


def bimodal(seed=0, shape=(16, 200, 8, 8)):
    """Independent pixels, u = ±1 + WIDTH · η."""
    rng = torch.Generator().manual_seed(seed)
    return 2.0 * torch.randint(2, shape, generator=rng) - 1 + WIDTH * torch.randn(shape, generator=rng)


def bimodal_score(u):
    return (torch.tanh(u / WIDTH**2) - u) / WIDTH**2


# --- diagnostics


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_linear_stein_identity_holds_for_the_exact_score_and_trivially_for_a_gaussian_one(grid):
    data, system = series(grid, members=64, duration=99.0), OrnsteinUhlenbeck(grid=grid)
    exact = steins_identity.stein(grid, data.u, system.score(data.u))
    # |û_k|² of a member forgets itself over 1 / 2|L_k| time units; members are independent
    error = (1 / (64 * (100 * -system.rates.real).clamp_min(1))).sqrt() * 2 / grid.multiplicity.sqrt()
    assert ((exact - 1).abs() < 4.5 * error).all()
    assert (exact - 1).abs().max() > 1e-3  # this one is measured,
    fitted = steins_identity.stein(grid, data.u, GaussianScore.fit(data)(data.u))
    torch.testing.assert_close(fitted, torch.ones_like(fitted), atol=1e-5, rtol=0)  # this one is an identity


def test_linear_stein_identity_sees_a_score_of_wrong_size():
    u = series().u
    assert float((steins_identity.stein(LETTER.grid, u, 1.5 * LETTER.score(u)).real).mean()) == pytest.approx(1.5, abs=0.05)


def test_cubic_stein_identity_separates_a_bimodal_density_from_its_gaussian_score():
    u = bimodal()
    gaussian = GaussianScore.fit(TimeSeries(u, torch.arange(200.0)))(u)
    kurtosis = (1 + 6 * WIDTH**2 + 3 * WIDTH**4) / (1 + WIDTH**2) ** 2
    assert diagnostics.kurtosis(u) == pytest.approx(kurtosis, rel=0.02)
    assert steins_identity.cubic_stein(u, bimodal_score(u)) == pytest.approx(1, abs=0.03)
    assert steins_identity.cubic_stein(u, gaussian) == pytest.approx(kurtosis / 3, rel=0.02)
    assert kurtosis / 3 < 0.6
    grid = PeriodicGrid((8, 8))
    torch.testing.assert_close(
        steins_identity.stein(grid, u, gaussian).real, torch.ones(grid.spectral_shape), atol=1e-4, rtol=0
    )  # none the wiser


def test_cubic_stein_identity_holds_for_a_gaussian_field():
    u = series().u
    assert steins_identity.cubic_stein(u, LETTER.score(u)) == pytest.approx(1, abs=0.1)


def test_distances_to_a_known_score():
    exact = LETTER.score(series().u)
    assert diagnostics.relative_error(exact, exact) == diagnostics.fisher_divergence(exact, exact) == 0
    assert diagnostics.relative_error(1.1 * exact, exact) == pytest.approx(0.1, rel=1e-4)
    assert diagnostics.fisher_divergence(exact + 0.2, exact) == pytest.approx(0.02, rel=1e-4)


def test_density_distance_is_the_shift_over_the_standard_deviation():
    u = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    assert diagnostics.density_distance(u, u) == 0
    assert diagnostics.density_distance(2 * u + 1, 2 * u) == pytest.approx(0.5, rel=0.02)
    assert diagnostics.density_distance(1.5 * u, u) == pytest.approx(0.5 * math.sqrt(2 / math.pi), rel=0.02)  # (a − 1) ⟨|u|⟩


def test_kurtosis():
    u = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    assert diagnostics.kurtosis(u + 7) == pytest.approx(3, abs=0.04)
    assert diagnostics.kurtosis(torch.tensor([-1.0, 1.0])) == 1
    assert diagnostics.kurtosis(torch.linspace(0, 1, 100_000)) == pytest.approx(1.8, abs=0.01)


# --- the two losses


def test_naive_and_antithetic_losses_differ_by_a_constant():
    """So their difference between two networks is the same, within sampling error."""
    grid = PeriodicGrid((8, 8))
    one, other = (stirred(grid).network, Training(series(grid, duration=20.0), Budget(steps=1), device="cpu").network)
    rng, gaps, sizes = torch.Generator().manual_seed(0), [], []
    fields = one.grid.irfft(one.grid.rfft(series(grid).u.flatten(0, 1)) / one.root)
    with torch.no_grad():
        for w in fields[torch.randint(len(fields), (60, 128), generator=rng)]:
            case = (w, torch.randn(w.shape, generator=rng), torch.full((128,), 0.6))
            naive, antithetic = (float(loss(one, *case) - loss(other, *case)) for loss in (naive_loss, antithetic_loss))
            gaps.append(naive - antithetic)
            sizes.append(antithetic)
    gaps, sizes = torch.tensor(gaps), torch.tensor(sizes)
    standard_error = float(gaps.std()) / math.sqrt(len(gaps))
    assert gaps.mean().abs() < 4 * standard_error
    assert sizes.mean() > 40 * standard_error  # what is compared is not zero


def test_both_losses_are_least_near_the_exact_score():
    """For Gaussian data in their own coordinates the score of noisy data is −y at every noise level: a gain g = 1."""
    network = Training(series(), Budget(steps=1, width=4), device="cpu").network
    w = network.grid.irfft(network.grid.rfft(series().u.flatten(0, 1)[::25]) / network.root)
    z, angle = torch.randn(w.shape, generator=torch.Generator().manual_seed(0)), torch.full((len(w),), network.angle)
    for loss in (naive_loss, antithetic_loss):
        network.zero_grad()
        loss(network, w, z, angle).backward()
        slope = float(network.log_gain.grad.sum())  # d loss / d ln g is 1 − 1 at the minimum; it is 1 without the data term
        assert abs(slope) < 0.1, loss


@pytest.mark.parametrize("sigma", [0.1, 1.0, 5.0])
def test_with_levels_the_loss_is_the_error_of_the_noise_read_off_the_field(sigma):
    """½|z + sin φ s|², for Gaussian data and their score ½ cos²φ; the antithetic form leaves out the ½|z|²."""
    network = Training(series(), Budget(steps=1, width=4), noise_levels=True, device="cpu").network
    w, z = torch.randn(2, 256, *network.grid.shape, generator=torch.Generator().manual_seed(0))
    angle = torch.full((256,), math.atan(sigma))
    with torch.no_grad():
        naive, antithetic = (float(loss(network, w, z, angle)) for loss in (naive_loss, antithetic_loss))
    cosine = math.cos(math.atan(sigma))
    assert naive == pytest.approx(0.5 * cosine**2, abs=0.01)
    assert antithetic == pytest.approx(0.5 * cosine**2 - 0.5, abs=0.01)


def test_antithetic_pairs_cut_the_variance_of_the_gradient():
    training = Training(series(), Budget(steps=1, level=0.02, width=8), device="cpu")
    naive, antithetic = diagnostics.gradient_variances(training.network, series(), 0.02, mean=training.mean, pairs=16, repeats=12)
    assert naive > 100 * antithetic > 0


@pytest.mark.slow
def test_the_naive_gradient_blows_up_as_the_noise_vanishes_and_the_antithetic_does_not():
    grid = PeriodicGrid((8, 8))
    training = Training(series(grid), Budget(steps=1, level=0.02, width=8), device="cpu")
    variances = [
        diagnostics.gradient_variances(training.network, series(grid), sigma, mean=training.mean, pairs=16, repeats=64)
        for sigma in (0.01, 0.04, 0.16)
    ]
    naive, antithetic = torch.tensor(variances).T
    torch.testing.assert_close(naive[:-1] / naive[1:], torch.full((2,), 16.0), rtol=0.25, atol=0)  # ∝ 1/σ²
    assert antithetic.max() < 1.5 * antithetic.min()


# --- the spectrum it starts from


def spectrum_error(estimate, exact):
    return float((estimate / exact - 1).square().mean().sqrt())


def test_smoothing_an_isotropic_spectrum_halves_its_error():
    covariances = group_covariances(LETTER.grid, series().u, 0.0)
    smooth = smooth_spectrum(LETTER.grid, covariances)
    assert spectrum_error(covariances.mean(0), LETTER.mode_covariance) > 2 * spectrum_error(smooth, LETTER.mode_covariance)


@pytest.mark.parametrize("grid", [PeriodicGrid((16, 16)), PeriodicGrid((24,))], ids=str)
def test_smoothing_is_unbiased_where_samples_are_few(grid):
    """Of eight white fields; a mean of logarithms without its correction comes out 6 % too small."""
    totals = torch.zeros(2, dtype=torch.float64)
    for seed in range(200):
        fields = torch.randn(8, *grid.shape, generator=torch.Generator().manual_seed(seed))
        covariances = torch.stack([mode_covariance(grid, field) for field in fields])
        totals += torch.tensor([grid.trace(smooth_spectrum(grid, covariances)), grid.trace(covariances.mean(0))])
    assert float(totals[0] / totals[1]) == pytest.approx(1, abs=0.015)


def test_smoothing_keeps_a_significant_anisotropy():
    grid = LETTER.grid
    ky, kx = (k.expand(grid.spectral_shape) for k in grid.wavenumbers)
    stretch = torch.exp((kx**2 - ky**2) / (1 + grid.k_squared))  # by e² across, along a shell
    u = grid.apply(stretch.sqrt(), series().u)
    covariances = group_covariances(grid, u, 0.0)
    smooth = smooth_spectrum(grid, covariances)
    error = spectrum_error(smooth, LETTER.mode_covariance * stretch)
    assert error < 1.1 * spectrum_error(covariances.mean(0), LETTER.mode_covariance * stretch)
    assert error < 0.15


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_smoothing_a_single_member(grid):
    covariances = group_covariances(grid, series(grid, members=1, duration=999.0).u, 0.0)
    assert covariances.shape == (16, *grid.spectral_shape)
    smooth, raw = smooth_spectrum(grid, covariances), covariances.mean(0)
    if len(grid.shape) == 1:  # a shell is one wavevector: nothing to share
        torch.testing.assert_close(smooth, raw)
    else:
        exact = OrnsteinUhlenbeck(grid=grid).mode_covariance
        assert spectrum_error(smooth, exact) < 0.8 * spectrum_error(raw, exact)


def test_smoothing_on_a_long_thin_box():
    grid = PeriodicGrid((4, 64), lengths=(5.0, 0.5))
    assert smooth_spectrum(grid, group_covariances(grid, series(grid, duration=60.0).u, 0.0)).isfinite().all()


# --- the network


@pytest.mark.parametrize("noise", ["data", "white"])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_an_untrained_score_is_the_gaussian_score_of_the_smoothed_spectrum(grid, noise):
    training = Training(series(grid, duration=20.0), Budget(steps=1, noise=noise, width=8), device="cpu")
    smooth = smooth_spectrum(grid, group_covariances(grid, training.fitted.u, training.mean))
    u = series(grid).u[:2, :3]
    torch.testing.assert_close(training.score()(u), GaussianScore(grid, training.mean, smooth)(u), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("levels", [False, True])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_score_moves_with_the_field(grid, levels):
    score, u, shift = stirred(grid, noise_levels=levels), series(grid).u[:2, 5], (5, 7)[-len(grid.shape) :]
    torch.testing.assert_close(score(u.roll(shift, grid.axes)), score(u).roll(shift, grid.axes), atol=2e-4, rtol=1e-4)
    assert diagnostics.relative_error(score(u.roll(shift, grid.axes)), score(u)) > 0.1


def test_a_score_does_not_depend_on_what_it_is_evaluated_with():
    score, u = stirred(), series().u[:2, : BATCH - 5]  # (2, 27): the batches of 32 cut across the members
    assert u[..., 0, 0].numel() > BATCH
    alone = torch.stack([torch.stack([score(field) for field in member]) for member in u])
    torch.testing.assert_close(score(u), alone, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0])
def test_a_score_of_all_levels_knows_the_noisy_data(sigma):
    """With noise of the spectrum of the data, u + σ C^½ z has the covariance (1 + σ²) C."""
    score = Training(series(), Budget(steps=1, level=0.02), noise_levels=True, device="cpu").score()
    x = math.sqrt(1 + sigma**2) * series(seed=2).u[:4, ::20]
    assert diagnostics.relative_error(score(x, sigma=sigma), LETTER.score(x) / (1 + sigma**2)) < 0.08
    assert diagnostics.relative_error(score(x), LETTER.score(x)) < 0.08


def test_a_score_of_one_level_knows_that_level():
    score, x = Training(series(), Budget(steps=1, level=0.3, noise="white"), device="cpu").score(), series(seed=2).u[:4, ::20]
    assert diagnostics.relative_error(score(x, sigma=0.3), LETTER.score(x, sigma=0.3 * math.sqrt(LETTER.variance))) < 0.05


# --- calibration


def direction(grid, axis):
    """k_j / |k|, 0 where the wave has no sign."""
    return grid.derivative(axis).imag / grid.k_squared.sqrt().clamp_min(1e-9)


def by_shell(score, data):
    """−⟨û ŝ*⟩/N² in the mean over shells, and how its imaginary part leans along each axis."""
    grid = data.grid
    found = steins_identity.stein(grid, data.u, score(data.u, data.context))
    return shell_mean(grid, found.real), [shell_mean(grid, found.imag * direction(grid, axis)) for axis in grid.axes]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_calibrated_score_obeys_the_linear_stein_identity_shell_by_shell(grid):
    data, score = series(grid, duration=20.0), stirred(grid)
    score = replace(score, mean=float(data.u.mean()))
    before, after = by_shell(score, data)[0], by_shell(score.calibrated(data), data)[0]
    torch.testing.assert_close(after, torch.ones_like(after), atol=1e-3, rtol=0)
    assert (before - 1).abs().max() > 0.03


def test_calibration_adds_a_linear_part_and_nothing_else():
    grid, score = LETTER.grid, stirred()
    u = series().u[:2, ::20]
    tuned = score.calibrated(series(duration=20.0))
    added = grid.apply(tuned.correction / tuned.unit**2, u - score.mean)
    torch.testing.assert_close(tuned(u) - score(u), added, atol=1e-4, rtol=1e-4)
    assert tuned.correction.real.abs().max() > 1e-3 * tuned.unit**2
    torch.testing.assert_close(tuned(u, sigma=0.15), score(u, sigma=0.15), atol=0, rtol=0)  # the score of noisy data is left alone
    assert score.correction is None


def test_calibration_mends_a_score_of_wrong_size():
    training = Training(series(duration=60.0), Budget(steps=1, noise="white", level=0.01, width=8), device="cpu")
    score, data = training.score(), training.fitted
    with torch.no_grad():
        score.network.log_gain.add_(math.log(1.5))
    u = series(seed=2).u[:4, ::20]
    assert diagnostics.relative_error(score(u), LETTER.score(u)) == pytest.approx(0.5, abs=0.05)
    assert float(by_shell(score, data)[0].mean()) == pytest.approx(1.5, abs=0.03)
    mended = score.calibrated(data)
    assert diagnostics.relative_error(mended(u), LETTER.score(u)) < 0.1
    assert (by_shell(mended, data)[0] - 1).abs().max() < 1e-4
    assert mended.correction.real.min() > 0  # against a score too strong


def twisted(axis):
    """A Gaussian score with a spurious slope, and its data: the imaginary part of the identity alone shows it."""
    training = Training(series(duration=60.0), Budget(steps=1, width=8), device="cpu")
    slope = 0.3j * direction(LETTER.grid, axis) / LETTER.mode_covariance
    score = training.score()
    return replace(score, correction=(score.unit**2 * slope).to(torch.complex64)), training.fitted


def leaning(score, data):
    return max(float(each.abs().max()) for each in by_shell(score, data)[1])


@pytest.mark.parametrize("axis", [-1, -2])
def test_calibration_takes_out_a_spurious_slope(axis):
    score, data = twisted(axis)
    assert leaning(score, data) > 0.15
    assert leaning(score.calibrated(data), data) < 0.02
    mended = score.calibrated(data)
    left = (mended.correction.imag / mended.unit**2 * LETTER.mode_covariance)[LETTER.grid.k_squared >= 9]
    assert left.square().mean().sqrt() < 0.03  # 0.2 before; data and the closed form differ by wavevector
    assert (by_shell(mended, data)[0] - 1).abs().max() < 1e-4


def test_calibration_takes_out_a_spurious_slope_to_rounding():
    score, data = twisted(-1)
    assert leaning(score.calibrated(data), data) < 1e-4


def test_calibrating_again_changes_nothing():
    data, score = series(duration=20.0), stirred()
    once = score.calibrated(data)
    torch.testing.assert_close(once.calibrated(data).correction.real, once.correction.real, atol=1e-4 * once.unit**2, rtol=1e-3)


def test_calibration_looks_at_some_of_many_fields(monkeypatch):
    score, data, seen = stirred(), series(duration=99.0), []
    call = learned.LearnedScore.__call__
    monkeypatch.setattr(linear_correction, "FIELDS", 200)
    monkeypatch.setattr(learned.LearnedScore, "__call__", lambda self, u, *args: seen.append(len(u)) or call(self, u, *args))
    few = score.calibrated(data)
    assert sum(seen) == 200
    assert len(seen) == 16  # from every member
    monkeypatch.setattr(linear_correction, "FIELDS", 10**6)
    assert diagnostics.relative_error(few(data.u[0]), score.calibrated(data)(data.u[0])) < 0.05


def test_a_score_with_context_is_calibrated_with_it():
    training = Training(with_context(), Budget(steps=1, width=8), context=True, device="cpu")
    with torch.no_grad():
        training.best.layers[-1].weight.add_(0.5)
    score, data = training.score(), training.fitted
    assert (by_shell(score, data)[0] - 1).abs().max() > 0.01
    assert (by_shell(score.calibrated(data), data)[0] - 1).abs().max() < 1e-3


# --- bad input


@pytest.mark.parametrize("sigma", [0, -0.1, math.nan, math.inf, "much"])
def test_impossible_noise_levels_are_refused(sigma):
    with pytest.raises(ValueError, match="sigma is"):
        stirred(noise_levels=True)(series().u[0, 0], sigma=sigma)


def test_a_level_that_a_score_never_saw_is_refused():
    score = stirred()
    score(series().u[0, 0], sigma=0.15)
    with pytest.raises(ValueError, match=r"knows sigma=0\.15 alone; fit one with noise_levels=True"):
        score(series().u[0, 0], sigma=0.2)


def test_fields_on_another_grid_are_refused():
    for score in (stirred(), GaussianScore.fit(series())):
        with pytest.raises(ValueError, match=r"its last axes must be \(32, 32\)"):
            score(torch.zeros(3, 32, 16))
        with pytest.raises(ValueError, match=r"its last axes must be \(32, 32\)"):
            score(torch.zeros(32))


@lru_cache(maxsize=1)
def with_context():
    grid = PeriodicGrid((8, 8))
    plain = series(grid, duration=20.0)
    context = torch.randn(16, 21, 2, *grid.shape, generator=torch.Generator().manual_seed(0))
    return TimeSeries(plain.u, plain.times, context=context)


def test_a_context_is_given_field_by_field():
    data = with_context()
    training = Training(data, Budget(steps=1, width=8), context=True, device="cpu")
    with torch.no_grad():
        training.best.layers[-1].weight.add_(0.5)
    score = training.score()
    whole = score(data.u, data.context)
    torch.testing.assert_close(whole[3, 4], score(data.u[3, 4], data.context[3, 4]), atol=1e-5, rtol=1e-5)
    assert (whole - score(data.u, data.context.flip(0))).abs().max() > 0.01


def test_contexts_missing_superfluous_or_of_another_shape_are_refused():
    data = with_context()
    score, u, context = Training(data, Budget(steps=1, width=8), context=True, device="cpu").score(), data.u[0], data.context[0]
    for wrong in (None, context[:-1], context[:, :1], context[..., :4], context[:, 0], context[0]):
        with pytest.raises(ValueError, match=r"needs a context of shape \(21, 2, 8, 8\)"):
            score(u, wrong)
    with pytest.raises(ValueError, match="fitted without context; leave it out"):
        stirred()(series().u[0, 0], torch.zeros(1, 32, 32))


@pytest.mark.parametrize("u", [torch.zeros(2, 8, 8, dtype=torch.float64), torch.zeros(0, 8, 8)], ids=["double", "none"])
def test_double_precision_and_no_fields_are_welcome(u):
    assert stirred(PeriodicGrid((8, 8)))(u).shape == u.shape
