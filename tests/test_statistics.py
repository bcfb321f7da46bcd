"""Averages against their definitions, written out as loops."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal
import torch

from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, PeriodicGrid, TimeSeries, respond, simulate
from gfdt_tutorial.core import numerics
from gfdt_tutorial.core.confidence_bands import band_factor, bootstrap_error
from gfdt_tutorial.core.correlations import autocovariance, count_products, decorrelation_time, lagged_sum
from gfdt_tutorial.core.numerics import BLOCK_BYTES, nearest_power_of_two
from gfdt_tutorial.core.resampling_groups import origin_groups
from gfdt_tutorial.core.spectra import mode_covariance, shell_average, shell_mean

GRIDS = [PeriodicGrid((7,)), PeriodicGrid((8,)), PeriodicGrid((4, 6)), PeriodicGrid((5, 3), lengths=(1.0, 2.0))]


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_mode_covariance_holds_the_eigenvalues_of_the_covariance_matrix(grid):
    fields = noise(50, *grid.shape) + noise(50, *grid.shape, seed=1).roll(1, -1)
    covariance = torch.stack([(fields.roll([-d for d in shift], grid.axes) * fields).mean() for shift in shifts(grid)])  # ⟨u(x + d) u(x)⟩
    matrix = torch.stack([covariance.reshape(grid.shape).roll(shift, grid.axes).flatten() for shift in shifts(grid)], dim=1)
    eigenvalues = torch.linalg.eigvals(matrix.double()).real.sort().values
    modes = mode_covariance(grid, fields)
    torch.testing.assert_close(full(grid, modes).sort().values, eigenvalues, atol=1e-4, rtol=1e-4)
    assert grid.trace(modes) / grid.size == pytest.approx(float(fields.square().mean()), rel=1e-5)


def shifts(grid):
    return list(itertools.product(*map(range, grid.shape)))


def full(grid, modes):
    """Each entry of a half spectrum as often as the full spectrum has it."""
    return modes.flatten().repeat_interleave(grid.multiplicity.flatten().long())


def test_mode_covariance_is_the_same_in_blocks(monkeypatch):
    grid, fields = GRIDS[2], noise(3, 17, 4, 6)
    whole = mode_covariance(grid, fields)
    monkeypatch.setattr(numerics, "BLOCK_BYTES", 1)
    torch.testing.assert_close(mode_covariance(grid, fields), whole)


@pytest.mark.parametrize("grid", [PeriodicGrid((12,)), PeriodicGrid((8, 12)), PeriodicGrid((8, 8), lengths=(1.0, 3.0))], ids=str)
def test_shell_average_is_the_mean_over_the_full_spectrum(grid):
    modes = torch.rand(2, *grid.spectral_shape, generator=torch.Generator().manual_seed(3))
    k, mean = shell_average(grid, modes)
    unit = 2 * math.pi / max(grid.lengths)
    nearest = full(grid, (grid.k_squared.sqrt() / unit).round())
    for shell, wavenumber in enumerate(k):
        assert float(wavenumber) == pytest.approx(unit * shell)
        expected = torch.stack([full(grid, part)[nearest == shell].mean() for part in modes])
        torch.testing.assert_close(mean[:, shell], expected.double())
    assert float(k[-1]) <= min(math.pi * n / length for n, length in zip(grid.shape, grid.lengths, strict=True)) + unit


@pytest.mark.parametrize(("times", "origins", "max_lag"), [(12, 12, 11), (12, 12, 3), (12, 5, 7), (12, 5, 11), (9, 1, 8), (30, 30, 0)])
def test_lagged_sum_is_the_double_loop_and_no_lag_folds_back(times, origins, max_lag):
    later, earlier = noise(3, times, 4, dtype=torch.complex64), noise(3, origins, 4, seed=1, dtype=torch.complex64)
    expected = torch.zeros(max_lag + 1, 4, dtype=torch.complex64)
    for lag, origin in itertools.product(range(max_lag + 1), range(origins)):
        if origin + lag < times:
            expected[lag] += (later[:, origin + lag] * earlier[:, origin].conj()).sum(0)
    torch.testing.assert_close(lagged_sum(later, earlier, max_lag), expected, atol=1e-4, rtol=1e-5)


def test_lagged_sum_takes_one_weight_for_all_modes():
    later, weight = noise(2, 9, 5), noise(2, 9, 1, seed=1)
    torch.testing.assert_close(lagged_sum(later, weight, 4), lagged_sum(later, weight.expand(2, 9, 5), 4))


@pytest.mark.parametrize("groups", [8, 32])
def test_bootstrap_error_of_a_mean_is_s_over_root_n(groups):
    x = noise(groups)
    error = bootstrap_error(lambda weights: weights @ x / groups, groups, resamples=20_000)
    assert float(error) == pytest.approx(float(x.std()) / math.sqrt(groups), rel=0.03)  # 20 000 resamples leave 0.5 %


def test_bootstrap_error_is_drawn_with_its_seed():
    x = noise(16)
    first, again, other = (bootstrap_error(lambda weights: weights @ x / 16, 16, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_one_group_leaves_the_error_unknown():
    assert bootstrap_error(lambda weights: weights @ torch.ones(1, 2), 1).isnan().all()


def test_band_factor_is_the_normal_quantile_widened_by_few_groups():
    assert band_factor(0.90, math.inf) == pytest.approx(1.6449, abs=1e-4)
    assert band_factor(0.90, 7) == pytest.approx(1.8946, abs=1e-4)  # Student's t with 7 degrees of freedom
    assert math.isnan(band_factor(0.90, 0))


@pytest.mark.parametrize("block_bytes", [1, 5_000, 2**26])
@pytest.mark.parametrize(
    ("members", "steps", "max_lag"), [(1, 5, 2), (1, 10_000, 7), (2, 300, 100), (7, 64, 31), (8, 40, 3), (33, 40, 20), (100, 11, 1)]
)
def test_every_origin_of_every_member_is_in_one_group_once(members, steps, max_lag, block_bytes, monkeypatch):
    monkeypatch.setattr(numerics, "BLOCK_BYTES", block_bytes)
    groups = origin_groups(members, steps, max_lag, step_bytes=100).windows
    visits = torch.zeros(members, steps, dtype=torch.int64)
    for window in itertools.chain.from_iterable(groups):
        visits[window.members, window.start : window.stop] += 1
    assert visits.eq(1).all()
    assert len(groups) <= 32
    assert all(groups)


def test_groups_are_whole_members_where_there_are_many_and_stretches_of_time_where_there_are_few():
    members = origin_groups(64, 500, 90, step_bytes=1).windows
    assert [window.members for group in members for window in group] == [slice(2 * g, 2 * g + 2) for g in range(32)]
    stretches = origin_groups(2, 4000, 90, step_bytes=1).windows
    assert len(stretches) == 8
    assert all(window.stop - window.start >= 90 for group in stretches for window in group)


@pytest.mark.parametrize("max_lag", [3, 33, 99, 100, 133, 199, 200])
def test_every_stretch_of_a_single_member_tells_of_the_largest_lag(max_lag):
    steps = 400
    groups = origin_groups(1, steps, max_lag, step_bytes=100).windows
    counts = [sum(max(0, min(window.stop, steps - max_lag) - window.start) for window in group) for group in groups]
    assert len(groups) == min(8, steps // max_lag)
    assert max(counts) - min(counts) <= 2 and min(counts) >= max_lag / 2


def test_a_window_is_small_enough_to_transform_at_once():
    for group in origin_groups(64, 10_000, 90, step_bytes=32 * 32 * 32).windows:
        for window in group:
            held = (window.members.stop - window.members.start) * (window.stop - window.start + 90) * 32 * 32 * 32
            assert held <= 1.5 * BLOCK_BYTES


@pytest.mark.parametrize("members", [1, 3, 9])
def test_a_response_does_not_depend_on_the_blocks_it_was_summed_in(members, monkeypatch):
    data = simulate(OrnsteinUhlenbeck(grid=PeriodicGrid((8, 12))), members=members, duration=500.0, seed=3, device="cpu")
    score = GaussianScore.fit(data)
    whole = respond(data, score, lags=20.0)
    for block_bytes in (1, 2**18):
        monkeypatch.setattr(numerics, "BLOCK_BYTES", block_bytes)
        parts = respond(data, score, lags=20.0)
        torch.testing.assert_close(parts.values, whole.values, atol=1e-5, rtol=0)
        torch.testing.assert_close(parts.standard_error, whole.standard_error, atol=1e-5, rtol=0)


def test_a_response_is_the_naive_average_over_members_origins_and_pixels():
    grid = PeriodicGrid((3, 4))
    data, score = TimeSeries(noise(9, 7, 3, 4), torch.arange(7.0)), GaussianScore(grid, 0.0, torch.ones(grid.spectral_shape))
    answer, u, s = respond(data, score, lags=3.0).values, data.u - data.u.mean(), -data.u
    for lag, (y, x) in itertools.product(range(4), shifts(grid)):
        moved = u.roll((-y, -x), (-2, -1))
        assert float(answer[lag, y, x]) == pytest.approx(-float((moved[:, lag:] * s[:, : 7 - lag]).mean()), abs=1e-5)


@pytest.mark.parametrize("grid", [*GRIDS, PeriodicGrid((6, 10), lengths=(2.0, 5.0))], ids=str)
def test_shell_mean_gives_every_wavevector_the_mean_of_its_shell(grid):
    modes = torch.rand(grid.spectral_shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found, shell = shell_mean(grid, modes), (grid.k_squared.sqrt() / (2 * math.pi / max(grid.lengths))).round()
    for number in shell.unique():
        expected = full(grid, modes)[full(grid, shell) == number].mean()
        torch.testing.assert_close(found[shell == number], expected.expand(int((shell == number).sum())))
    assert grid.trace(found) == pytest.approx(grid.trace(modes))
    torch.testing.assert_close(shell_mean(grid, found), found)


def test_a_thin_box_takes_no_more_memory_than_its_wavevectors():
    """Sides in different units: shells are counted, not numbered up to the largest |k| over the lowest."""
    grid = PeriodicGrid((4, 4), lengths=(1e12, 1.0))
    fields, modes = noise(2, 30, 4, 4), torch.rand(grid.spectral_shape, generator=torch.Generator().manual_seed(3))
    found = autocovariance(grid, fields)
    assert found.shape == (16, 5)  # three without k_x, and those of its first and second multiple
    assert float(found[0].sum()) == pytest.approx(float(fields.square().mean()), rel=1e-5)
    assert shell_average(grid, modes)[1].shape == (3,)
    assert grid.trace(shell_mean(grid, modes)) == pytest.approx(grid.trace(modes))


def test_shell_mean_agrees_with_shell_average():
    grid, modes = PeriodicGrid((8, 12)), torch.rand(8, 7, generator=torch.Generator().manual_seed(3))
    k, mean = shell_average(grid, modes)
    torch.testing.assert_close(shell_mean(grid, modes)[0, : len(k)], mean)  # along k_x, where k_y = 0


def two_exponentials(slow, ratio, every, lags):
    """ρ of a sum of two memories, of which `slow` is the variance of the one that is `ratio` times as long, and its decorrelation time."""
    t = every * torch.arange(lags, dtype=torch.float64)
    rho = (1 - slow) * torch.exp(-t) + slow * torch.exp(-t / ratio)
    return rho, every * (1 + 2 * float(rho[1:].sum()))


@pytest.mark.parametrize("every", [0.2, 1.0])
@pytest.mark.parametrize("ratio", [80, 100])
@pytest.mark.parametrize("slow", [0.07, 0.1, 0.2, 0.3, 0.4])
def test_a_slow_tail_counts_in_the_decorrelation_time(slow, ratio, every):
    rho, exact = two_exponentials(slow, ratio, every, round(30 * ratio / every))
    found, resolved = decorrelation_time(rho, every)
    assert resolved and found == pytest.approx(exact, rel=0.02)


def oscillating(modulus, period, lags=8000):
    """ρ of an autoregressive series of second order."""
    one, two = 2 * modulus * math.cos(2 * math.pi / period), -(modulus**2)
    rho = [1.0, one / (1 - two)]
    while len(rho) < lags:
        rho.append(one * rho[-1] + two * rho[-2])
    return torch.tensor(rho, dtype=torch.float64)


@pytest.mark.parametrize("period", [4, 6, 12, 20, 40, 80, 150, 300, 1000])
def test_the_decorrelation_time_of_an_oscillator(period):
    rho = oscillating(0.98, period)
    exact = max(float(1 + 2 * rho[1:].sum()), float(1 + 2 * rho[1:].square().sum()))
    assert decorrelation_time(rho, 1.0)[0] == pytest.approx(exact, rel=0.1)


def autoregressive(memory, members, steps, seed, early=200):
    z = np.random.default_rng(seed).normal(size=(members, steps + early))
    return scipy.signal.lfilter([math.sqrt(1 - memory**2)], [1, -memory], z)[:, early:]


def test_the_decorrelation_time_of_sampled_correlations_scatters_about_the_exact_one():
    found = []
    for seed in range(40):
        data = TimeSeries(autoregressive(0.9, 1, 1900, seed), torch.arange(1900.0), "mt")  # a hundred decorrelation times
        rho = autocovariance(data.grid, data.u, float(data.u.mean()))[:, 0]
        found.append(decorrelation_time(rho / rho[0], 1.0, data.u.numel())[0])
    assert float(np.mean(found)) == pytest.approx(19, rel=0.25) and float(np.std(found)) < 0.6 * 19


@pytest.mark.parametrize("spacing", [1, 3, 8])
@pytest.mark.parametrize(("times", "origins", "first"), [(50, 50, 0), (50, 31, 2), (40, 7, 5), (20, 20, 20), (9, 9, 8)])
def test_products_are_counted_without_a_list_of_them(times, origins, first, spacing):
    known = torch.arange(first, origins, spacing)
    expected = [int((known + lag < times).sum()) for lag in range(30)]
    assert count_products(times, origins, 29, spacing, first).tolist() == expected


LONG = """
import numpy as np, torch
from gfdt_tutorial import GaussianScore, TimeSeries, respond, sensitivities
from gfdt_tutorial.core.memory import peak_memory_mb
data = TimeSeries(np.random.default_rng(0).normal(size=100_000), np.arange(1e5), "t")
before = peak_memory_mb()
respond(data, GaussianScore.fit(data), lags=2e4, resamples=2, form="controlled")
sensitivities(data, torch.neg, lambda u: torch.stack([u, u**2], -1), {"kick": None}, lags=2e4, resamples=2, form="raw")
print(peak_memory_mb() - before)
"""


@pytest.mark.slow
def test_no_array_grows_like_lags_times_origins():
    """20,000 lags of 100,000 samples: a list of their products would take gigabytes."""
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, encoding="utf-8", check=True)
    assert float(done.stdout) < 600


@pytest.mark.parametrize("unit", [1e-25, 1.0, 1e25])
def test_squares_of_any_unit_fit_single_precision(unit):
    values = noise(1000) * unit
    scale = nearest_power_of_two(values)
    assert math.log2(scale).is_integer() and 0.5 <= float((values / scale).abs().max()) <= 2
    assert nearest_power_of_two(torch.zeros(3)) == nearest_power_of_two(torch.zeros(0)) == 1
    grid = PeriodicGrid((6,))
    fields = noise(40, 6) * unit
    assert grid.trace(mode_covariance(grid, fields)) / 6 == pytest.approx(float(fields.double().square().mean()), rel=1e-5)
    lagged = autocovariance(grid, fields[None])
    assert float(lagged[0].sum()) == pytest.approx(float(fields.double().square().mean()), rel=1e-5)
