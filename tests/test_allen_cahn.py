"""The two-phase field: its score against the density written out, its steps against finer ones, its averages against the known."""

import math
import warnings
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from scipy.integrate import solve_ivp

from gfdt_tutorial import AllenCahn, DivergedError, PeriodicGrid, perturb, simulate
from gfdt_tutorial.core.random_streams import Stream
from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.scores import steins_identity
from gfdt_tutorial.systems.allen_cahn import two_stages
from gfdt_tutorial.systems.white_noise import WhiteNoise

LETTER = AllenCahn()
CPU = torch.device("cpu")
GRIDS = [PeriodicGrid((32,)), PeriodicGrid((33,)), PeriodicGrid((6, 4)), PeriodicGrid((9, 7), lengths=(5.0, 3.0))]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)


def like_the_letter(grid, **changes):
    """On another grid, with the noise as strong against the double well as on the letter's."""
    return AllenCahn(grid=grid, epsilon=LETTER.epsilon * math.sqrt(1024 / grid.size), **changes)


SMALL = like_the_letter(PeriodicGrid((8, 8)))


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def k_squared(grid):
    """Of the full spectrum, without the package's own."""
    k = (2 * math.pi * torch.fft.fftfreq(n, d=length / n, dtype=torch.float64) for n, length in zip(grid.shape, grid.lengths, strict=True))
    return sum(x.square() for x in torch.meshgrid(*k, indexing="ij"))


def full_apply(grid, symbol, u):
    return torch.fft.ifftn(symbol * torch.fft.fftn(u, dim=grid.axes), dim=grid.axes).real


def log_density(system, u):
    """(2/(N²ε²)) { Σ_x α(u²/2 − u⁴/4) − κ/(2N²) Σ_k (k² + k⁴)|û_k|² }, whose gradient eq. (10) is."""
    k2 = k_squared(system.grid)
    wells = system.alpha * (u.square() / 2 - u**4 / 4).sum()
    rough = system.kappa / (2 * u.numel()) * ((k2 + k2.square()) * torch.fft.fftn(u).abs().square()).sum()
    return 2 / (u.numel() * system.epsilon**2) * (wells - rough)


def drift(system, u):
    """κΔu − A∂ₓu + αΣ[u(1 − u²)] with whole spectra."""
    k2 = k_squared(system.grid)
    k_x = 2 * math.pi * torch.fft.fftfreq(u.shape[-1], d=system.grid.lengths[-1] / u.shape[-1], dtype=torch.float64)
    if u.shape[-1] % 2 == 0:
        k_x[u.shape[-1] // 2] = 0
    well = full_apply(system.grid, system.alpha / (1 + k2), u * (1 - u.square()))
    return full_apply(system.grid, -system.kappa * k2 - 1j * system.advection * k_x, u) + well


def silent(spectra):
    return lambda: torch.zeros_like(spectra)


# --- the score, and changes of the drift


@every_grid
def test_the_score_is_the_gradient_of_the_log_density(grid):
    system, u = like_the_letter(grid, kappa=0.3, advection=0.0), draw(*grid.shape).requires_grad_()
    (gradient,) = torch.autograd.grad(log_density(system, u), u)
    torch.testing.assert_close(system.score(u.detach()), gradient)


def test_the_score_is_the_formula_of_the_letter():
    u = 0.9 * draw(3, 2, 32, 32)
    k2 = k_squared(LETTER.grid)
    terms = 16 * u * (1 - u**2) + 2.5e-4 * full_apply(LETTER.grid, -k2 - k2**2, u)
    torch.testing.assert_close(LETTER.score(u), 2 / (1024 * 4e-3) * terms)
    assert LETTER.score(u.float()).dtype == torch.float32


def test_the_score_under_noise_is_left_to_a_network():
    with pytest.raises(ValueError, match=r"no closed form; learn it with fit_score\(\.\.\., noise_levels=True\)"):
        LETTER.score(torch.zeros(32, 32), sigma=0.1)
    with pytest.raises(ValueError, match="last axes must be"):
        LETTER.score(torch.zeros(16, 16))


@every_grid
def test_without_advection_the_drift_is_half_the_noise_covariance_times_the_score(grid):
    """drift = ½ N²ε²Σ s: what makes ρ stationary."""
    system, u = like_the_letter(grid, kappa=0.3, advection=0.0), draw(*grid.shape)
    metric = grid.size * system.epsilon**2 * grid.inverse_helmholtz
    torch.testing.assert_close(drift(system, u), 0.5 * grid.apply(metric, system.score(u)))


@pytest.mark.parametrize("parameter", ["alpha", "kappa", "advection"])
@every_grid
def test_a_change_of_the_drift_is_its_derivative(grid, parameter):
    system, u, h = like_the_letter(grid, alpha=4.0), 0.8 * draw(*grid.shape), 1e-4
    f, _ = system.drift_derivative(parameter)
    up, down = (drift(replace(system, **{parameter: getattr(system, parameter) + sign * h}), u) for sign in (1, -1))
    torch.testing.assert_close(f(u), (up - down) / (2 * h), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("parameter", ["alpha", "kappa", "advection"])
@pytest.mark.parametrize("grid", [PeriodicGrid((5,)), PeriodicGrid((4, 3)), PeriodicGrid((3, 4), lengths=(1.0, 2.0))], ids=str)
def test_its_divergence_is_the_trace_of_its_jacobian(grid, parameter):
    fields = 0.8 * draw(2, 3, *grid.shape)
    f, divergence = like_the_letter(grid).drift_derivative(parameter)
    expected = [
        float(torch.autograd.functional.jacobian(f, u).reshape(grid.size, grid.size).trace()) for u in fields.reshape(-1, *grid.shape)
    ]
    found = divergence(fields)
    assert found.shape == (2, 3)
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_parameter_that_is_not_in_the_drift_is_refused():
    with pytest.raises(ValueError, match="'epsilon' is unknown; expected one of 'alpha', 'kappa', 'advection'"):
        LETTER.drift_derivative("epsilon")


# --- where it starts


@lru_cache(maxsize=1)
def starts(members=1500):
    return LETTER.grid.irfft(LETTER.initial(range(members), 0, CPU))


def test_it_starts_from_two_phases():
    u = starts(1500)
    in_a_phase = ((u.abs() - 0.9).abs() < 1e-4).flatten(1).sum(1)
    assert in_a_phase.min() >= 1023
    assert u.amax((1, 2)).min() > 0.89
    assert u.amin((1, 2)).max() < -0.89


def test_it_starts_with_no_pixel_between_the_phases():
    assert (starts(1500).abs() - 0.9).abs().max() < 1e-4


def test_its_mean_starts_with_the_variance_of_the_stationary_one():
    mean = starts(1500).mean((1, 2))
    assert float(mean.std()) == pytest.approx(0.145, rel=0.075)  # ± 1.8 %
    assert float(mean.mean()) == pytest.approx(0, abs=4 * 0.145 / math.sqrt(1500))


def test_it_starts_alike_in_x_and_y_and_with_patches_of_several_pixels():
    u = starts(1500)
    along_y, along_x = (float((u * u.roll(1, axis)).mean()) for axis in (-2, -1))
    assert along_y == pytest.approx(along_x, abs=0.006)
    assert 0.5 < along_x / 0.81 < 0.8


@every_grid
def test_other_grids_start_in_both_phases_too(grid):
    u = grid.irfft(like_the_letter(grid).initial(range(40), 0, CPU)).flatten(1)
    assert ((u.abs() - 0.9).abs() < 1e-4).sum(1).min() >= grid.size - 1
    assert float((u > 0).float().mean()) == pytest.approx(0.5, abs=0.15)


def test_starts_of_other_members_and_seeds_share_nothing():
    one, other = starts(1500)[:200], LETTER.grid.irfft(LETTER.initial(range(200), 1, CPU))
    for pair in ((one, other), (one, one.roll(1, 0))):
        overlap = (pair[0] * pair[1]).mean((1, 2))
        assert overlap.abs().max() < 0.6  # 0.81 were they the same
        assert overlap.mean().abs() < 4.5 * overlap.std() / math.sqrt(200)


# --- its members


def run(seed=0, members=3, duration=5.0, system=SMALL, **options):
    return simulate(system, members=members, duration=duration, seed=seed, spinup=1.0, device="cpu", **options).u


def test_a_member_does_not_depend_on_those_beside_it():
    torch.testing.assert_close(run(members=7)[:3], run(members=3), atol=1e-4, rtol=0)


@every_grid
def test_seeds_decide(grid):
    system = like_the_letter(grid)
    first, again, other = (run(seed, system=system) for seed in (5, 5, 6))
    assert first.equal(again)
    assert (first - other).abs().max() > 0.1
    assert first.isfinite().all()


def test_the_start_and_the_noise_that_follows_are_drawn_apart():
    noises = [WhiteNoise(SMALL.grid, range(2), 0, stream=stream)() for stream in (Stream.NOISE, Stream.INITIAL)]
    assert (noises[0] - noises[1]).abs().min() > 1e-4


# --- its steps


def test_a_sampling_interval_is_the_sum_of_its_halves():
    """The steps are the same, and so is their noise."""
    whole, halves = run(every=1.0), run(every=0.5)[:, ::2]
    torch.testing.assert_close(whole, halves, atol=1e-4, rtol=0)
    assert whole.std() > 0.5


@pytest.mark.parametrize(("dt", "every", "steps"), [(1 / 32, 1.0, 32), (0.1, 0.3, 3), (0.1, 0.31, 4), (0.1, 0.05, 1), (0.03, 0.1, 4)])
def test_an_interval_is_cut_in_equal_steps_no_larger_than_dt(dt, every, steps):
    system, drawn = replace(SMALL, alpha=1.0, dt=dt), []
    state = SMALL.initial(range(1), 0, CPU)
    after = system.stepper(every, CPU)(state, lambda: drawn.append(1) or torch.zeros_like(state))
    assert len(drawn) == steps
    finer = replace(system, dt=every / 64).stepper(every, CPU)(state, silent(state))
    torch.testing.assert_close(SMALL.grid.irfft(after), SMALL.grid.irfft(finer), atol=2e-3, rtol=0)  # as much time passes


@every_grid
def test_a_short_step_without_noise_follows_the_drift(grid):
    system, u, h = like_the_letter(grid, alpha=4.0, kappa=1e-3, advection=0.2), 0.8 * draw(*grid.shape), 2e-3
    state = grid.rfft(u.float())[None]
    moved = grid.irfft(system.stepper(h, CPU)(state, silent(state)))[0].double()
    middle = u + 0.5 * h * drift(system, u)
    torch.testing.assert_close((moved - u) / h, drift(system, middle), atol=0.015, rtol=0.01)


def errors_without_noise(system):
    """Against a fine reference, at steps of 1/8, 1/16 and 1/32."""
    start = system.initial(range(2), 0, CPU) * 0.4

    def after(dt):
        return system.grid.irfft(replace(system, dt=dt).stepper(1.0, CPU)(start.clone(), silent(start)))

    exact = after(1 / 512)
    return [float((after(dt) - exact).square().mean().sqrt()) for dt in (1 / 8, 1 / 16, 1 / 32)]


def assert_second_order(system):
    first, second, third = errors_without_noise(system)
    assert [first / second, second / third] == pytest.approx([4, 4], rel=0.25)
    assert 1e-5 < third < 1e-3  # above rounding


STRONG = AllenCahn(alpha=4.0, kappa=0.0, advection=0.0, grid=PeriodicGrid((16, 12)))


def test_without_noise_the_error_falls_as_the_square_of_the_step():
    assert_second_order(STRONG)


@pytest.mark.parametrize("changes", [{"kappa": 0.02}, {"kappa": 0.02, "advection": 0.5}], ids=str)
def test_with_diffusion_and_advection_too(changes):
    assert_second_order(replace(STRONG, **changes))


def test_the_same_steps_take_the_local_equation():
    """Σ = 1: ∂ₜu = κΔu + u − u³, against a solver of high order on the same grid."""
    grid, kappa = PeriodicGrid((16, 12)), 0.05
    start = grid.irfft(STRONG.initial(range(1), 0, CPU)) * 0.6

    def tendency(_, values):
        u = torch.from_numpy(values).reshape(grid.shape)
        return (full_apply(grid, -kappa * k_squared(grid), u) + u - u**3).flatten().numpy()

    solved = solve_ivp(tendency, (0, 1), start.double().flatten().numpy(), "DOP853", t_eval=[1.0], rtol=1e-10, atol=1e-12)
    exact = torch.from_numpy(solved.y[:, -1]).reshape(grid.shape)

    def error(dt):
        terms = {"alpha": 1.0, "epsilon": 0.0, "smoothing": torch.ones(grid.spectral_shape)}
        step = two_stages(grid, kappa * grid.laplacian, 1.0, dt, CPU, **terms)
        return float((grid.irfft(step(grid.rfft(start), None)) - exact).square().mean().sqrt())

    first, second, third = (error(dt) for dt in (1 / 4, 1 / 8, 1 / 16))
    assert [first / second, second / third] == pytest.approx([4, 4], rel=0.25)
    assert 1e-5 < third < 1e-3  # above rounding


def test_the_steps_are_for_one_and_the_same_time_whatever_the_speed():
    """Advection alone: after one time unit all is A downstream, exactly."""
    system = AllenCahn(alpha=1e-9, kappa=0.0, advection=2 * math.pi / 32 * 3)
    state = LETTER.grid.rfft(torch.exp(-((torch.arange(32.0) - 16) ** 2) / 18).expand(1, 32, 32))
    moved = system.grid.irfft(system.stepper(1.0, CPU)(state, silent(state)))
    torch.testing.assert_close(moved, system.grid.irfft(state).roll(3, -1), atol=1e-4, rtol=0)


@every_grid
def test_a_step_adds_noise_of_the_covariance_of_the_equation(grid):
    """Without double well: N²ε²hΣ, half of the diffusion acting before and half after."""
    system = AllenCahn(alpha=1e-9, kappa=0.2, grid=grid, dt=0.1)
    zero, one = torch.zeros(grid.spectral_shape, dtype=torch.complex64), torch.ones(grid.spectral_shape, dtype=torch.complex64)
    kick = system.stepper(0.1, CPU)(zero, lambda: one)
    expected = grid.size * system.epsilon**2 * 0.1 / (1 + grid.k_squared) * torch.exp(-0.2 * grid.k_squared * 0.1)
    torch.testing.assert_close((kick / grid.white).abs().square(), expected, rtol=1e-5, atol=0)


def test_noise_over_a_time_unit_has_the_variance_of_the_equation():
    """Drawn as in a run, without double well and diffusion: u(1) − u(0) has the pixel variance ε² Σ_k 1/(1 + k²)."""
    system = AllenCahn(alpha=1e-9, kappa=0.0, advection=0.0, dt=0.25)
    u = simulate(system, members=400, duration=1.0, spinup=0.0, device="cpu").u
    expected = system.epsilon**2 * system.grid.trace(system.grid.inverse_helmholtz)
    assert float((u[:, 1] - u[:, 0]).square().mean()) == pytest.approx(expected, rel=0.12)  # ± 2.5 %


def moments(system, members=4096, times=100):
    """⟨u²⟩, ⟨u⁴⟩ and ⟨u₁u₂⟩ on two pixels."""
    rng, state = torch.Generator().manual_seed(0), system.initial(range(members), 0, CPU)
    step, found = system.stepper(0.25, CPU), []
    for time in range(times + 10):
        state = step(state, lambda: torch.view_as_complex(torch.randn(members, 2, 2, generator=rng)))
        u = system.grid.irfft(state)
        if time >= 10:
            found.append(torch.stack([u.square().mean(), (u**4).mean(), (u[:, 0] * u[:, 1]).mean()]))
    return torch.stack(found).mean(0).double()


def integrated_moments(system):
    """The same from the density."""
    x = torch.linspace(-3, 3, 301, dtype=torch.float64)
    one, other = torch.meshgrid(x, x, indexing="ij")
    wells = sum(system.alpha * (u.square() / 2 - u**4 / 4) for u in (one, other))
    rough = system.kappa / 4 * (1 + 1) * (one - other).square()  # the wave (+, −) has k = 1
    density = torch.exp(2 / (2 * system.epsilon**2) * (wells - rough))
    density /= density.sum()
    return torch.stack([(density * q).sum() for q in (one.square(), one**4, one * other)])


def test_on_two_pixels_a_run_has_the_moments_of_the_density():
    """At a step so small that only the order shows: stages with noise of another mean or variance miss by 0.01 and more."""
    system = AllenCahn(grid=PeriodicGrid((2,)), epsilon=1.4, kappa=2.0, dt=1 / 128)
    error = (moments(system, times=70) - integrated_moments(system)).abs()
    assert (error < torch.tensor([0.003, 0.005, 0.005])).all(), error  # ± 0.0006, 0.0011, 0.0012


# --- what it averages to


def stationary(advection, members, spinup):
    system = replace(LETTER, advection=advection)
    u = simulate(system, members=members, duration=200.0, spinup=spinup, every=2.0, seed=1, device="cpu").u
    return u, system.score(u)


def over_members(values):
    """Mean over members, the first axis, and its standard error."""
    return values.mean(0), values.std(0) / math.sqrt(len(values))


@pytest.mark.slow
def test_without_advection_every_shell_obeys_the_stein_identity_and_the_moments_are_those_of_the_density():
    u, s = stationary(0.0, members=32, spinup=350.0)  # the start is that of a field with advection: ⟨u²⟩ is 0.755 after 100
    grid = LETTER.grid
    assert float(u.square().mean()) == pytest.approx(0.748, abs=0.01)  # Monte Carlo on ρ; advection makes it 0.732
    assert float((u**4).mean()) == pytest.approx(0.789, abs=0.01)
    members = torch.stack([steins_identity.stein(grid, fields, scores).real for fields, scores in zip(u, s, strict=True)])
    mean, error = over_members(shell_average(grid, members)[1])
    assert ((mean - 1).abs() < 4 * error)[1:].all()
    assert error[2:].max() < 0.05
    assert float(mean[4:].mean()) == pytest.approx(1, abs=0.012)  # ± 0.002; a drift off by 2 % shows
    assert steins_identity.cubic_stein(u, s) == pytest.approx(1, abs=0.01)


def neighbours(u, s, axis):
    """−⟨u_i s_j⟩, i the next pixel upstream and downstream of j."""
    return [float(-(u.roll(-shift, axis) * s).mean()) for shift in (-1, 1)]


@pytest.mark.slow
def test_advection_leaves_a_trace_between_neighbours_along_x_that_the_score_does_not_know():
    moving, still = stationary(0.02, members=20, spinup=50.0), stationary(0.0, members=20, spinup=50.0)
    assert neighbours(*moving, axis=-1) == pytest.approx([0.086, -0.082], abs=0.013)  # ± 0.003
    assert neighbours(*moving, axis=-2) == pytest.approx([0, 0], abs=0.013)
    assert neighbours(*still, axis=-1) == pytest.approx([0, 0], abs=0.013)


# --- what cannot be, and what should not


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 0.0}, "alpha is 0.0; expected a finite number > 0"),
        ({"alpha": -16.0}, "alpha is -16.0"),
        ({"kappa": -1e-9}, "kappa is -1e-09; expected a finite number ≥ 0"),
        ({"advection": math.nan}, "advection is nan"),
        ({"advection": "fast"}, "advection is 'fast'; expected a number"),
        ({"epsilon": 0.0}, "epsilon is 0.0"),
        ({"dt": 0.0}, "dt is 0.0"),
        ({"dt": math.inf}, "dt is inf"),
        ({"grid": PeriodicGrid(())}, "needs a grid with one or two axes"),
        ({"grid": (32, 32)}, "needs a grid with one or two axes"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        AllenCahn(**parameters)


def test_the_symmetries_are_those_of_the_grid():
    assert AllenCahn().symmetries == ("reflect y", "sign")
    line = AllenCahn(grid=PeriodicGrid((8,)))
    assert line.symmetries == ("sign",)
    assert perturb(line, lags=2.0, pairs=16, spinup=1.0, symmetries=line.symmetries).values.shape == (3, 8)


def test_advection_may_go_either_way():
    assert AllenCahn(advection=-0.02).advection == -0.02


def test_the_letters_parameters_need_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AllenCahn()
        AllenCahn(alpha=8.0, dt=1 / 16)
        AllenCahn(alpha=19.9, dt=1 / 64)


def test_a_step_too_large_is_a_warning_that_names_a_good_one_and_where_it_was_asked_for():
    with pytest.warns(UserWarning, match=r"dt = 0\.0625 is too large a step for alpha = 16: .* up to dt = 0\.03125") as caught:
        AllenCahn(dt=1 / 16)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_double_well_too_strong_is_a_warning_that_names_a_good_one():
    with pytest.warns(UserWarning, match=r"alpha = 128 is so strong against the noise, epsilon = 0\.0632, .* up to alpha = 20 ") as caught:
        AllenCahn(alpha=128.0, dt=1 / 256)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_run_with_far_too_large_a_step_diverges_and_says_so():
    with pytest.warns(UserWarning, match="too large a step"):
        hasty = replace(SMALL, dt=1.0)
    with pytest.raises(DivergedError, match="allen-cahn diverged between the spin-up's t = 0 and 16"):
        simulate(hasty, members=2, duration=10.0, device="cpu")
