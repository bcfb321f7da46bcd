"""The field of which all is known: its simulation against its closed forms, and the rules of its random numbers."""

import math
import weakref
from dataclasses import dataclass, replace

import pytest
import torch

from gfdt_tutorial import DivergedError, OrnsteinUhlenbeck, PeriodicGrid, perturb, simulate
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import Trajectory

LETTER = OrnsteinUhlenbeck()
GRIDS = [PeriodicGrid((33,)), PeriodicGrid((64,)), PeriodicGrid((24, 48)), PeriodicGrid((9, 7), lengths=(5.0, 3.0))]
SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((4, 6)))
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)


def dense_covariance(system):
    """⟨u_i u_j⟩ as a matrix: column j is the covariance with pixel j, the closed form moved there."""
    column = system.covariance([0.0])[0].double()
    places = torch.cartesian_prod(*map(torch.arange, system.grid.shape)).reshape(system.grid.size, -1)
    return torch.stack([column.roll(place.tolist(), system.grid.axes).flatten() for place in places], dim=1)


def test_closed_forms_have_the_variances_of_the_letter():
    assert LETTER.variance == pytest.approx(2.965, abs=5e-4)
    assert LETTER.grid.trace(1 / LETTER.mode_covariance) / 1024 == pytest.approx(5.046, abs=5e-4)  # ⟨s²⟩ = tr C⁻¹ / N²


def test_parameters_enter_the_rates_as_in_the_equation():
    k_y, k_x = 3, 5
    rate = complex(LETTER.rates[k_y, k_x])
    assert rate.real == pytest.approx(-4e-2 / (1 + 34) - 2.5e-4 * 34)
    assert rate.imag == pytest.approx(-2e-2 * k_x)
    assert float(LETTER.mode_covariance[k_y, k_x]) == pytest.approx(1024 * 4e-3 / 35 / (-2 * rate.real))


def test_the_field_moves_along_plus_x():
    still = replace(LETTER, kappa=0.0, lam=1e-9)  # pure advection: after 2π/(32 A) all is one pixel downstream
    one_pixel = 2 * math.pi / 32 / still.advection
    smooth = torch.exp(-((torch.arange(32.0) - 16) ** 2) / 18).expand(32, 32)
    moved = still.grid.irfft(still.grid.rfft(smooth) * still.grid.rfft(still.response([one_pixel])[0]))
    torch.testing.assert_close(moved, smooth.roll(1, -1), atol=1e-4, rtol=0)


def test_response_starts_as_the_identity_and_covariance_is_response_times_variance():
    kick = torch.zeros(32, 32)
    kick[0, 0] = 1
    torch.testing.assert_close(LETTER.response([0.0])[0], kick)
    assert float(LETTER.covariance([0.0])[0, 0, 0]) == pytest.approx(LETTER.variance)
    spectra = LETTER.grid.rfft(LETTER.response([7.0])) * LETTER.mode_covariance
    torch.testing.assert_close(LETTER.grid.irfft(spectra).float(), LETTER.covariance([7.0]))


@every_grid
def test_simulated_variance_of_every_mode_is_the_closed_form(grid):
    system = OrnsteinUhlenbeck(grid=grid)
    u = simulate(system, members=400, duration=4e4, every=1e4, seed=1, device="cpu").u  # 2000 independent snapshots
    measured = grid.rfft(u).abs().square().mean((0, 1)) / grid.size
    z = (measured / system.mode_covariance - 1) * math.sqrt(2000) / spread(grid)
    assert z.abs().max() < 5  # of at most 600 modes
    assert z.square().mean() == pytest.approx(1, abs=6 / math.sqrt(z.numel()))
    assert float(u.mean()) == pytest.approx(0, abs=4 * math.sqrt(float(system.mode_covariance.flatten()[0]) / grid.size / 2000))


def spread(grid):
    """Standard deviation of |û|²/⟨|û|²⟩: 1 for a complex Gaussian, √2 for the real ones, which are their own mirror image."""
    own_mirror = torch.ones(grid.spectral_shape, dtype=torch.bool)
    for axis, n in zip(grid.axes, grid.shape, strict=True):
        k = torch.arange(grid.spectral_shape[axis]).reshape([-1 if a == axis else 1 for a in grid.axes])
        own_mirror = own_mirror & ((2 * k) % n == 0)
    return torch.where(own_mirror, math.sqrt(2), 1.0)


@every_grid
def test_simulated_lagged_covariance_is_the_closed_form(grid):
    system, lag, runs = OrnsteinUhlenbeck(grid=grid), 10.0, 1500
    u = simulate(system, members=runs, duration=lag, every=lag, seed=2, device="cpu").u
    early, late = (grid.rfft(u[:, i]) for i in (0, 1))
    products = (late * early.conj() / grid.size).to(torch.complex128)
    error = products.mean(0) - system.mode_covariance * torch.exp(system.rates * lag)
    for part in (torch.real, torch.imag):
        standard_error = part(products).std(0) / math.sqrt(runs)
        scatters = standard_error > 1e-6 * system.mode_covariance  # a mode that is its own mirror image is real: rounding only
        z = (part(error) / standard_error)[scatters]
        assert z.abs().max() < 5
        assert float(z.square().mean()) == pytest.approx(1, abs=6 / math.sqrt(z.numel()))


def test_score_is_minus_the_inverse_covariance_matrix_times_the_field():
    u = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = -torch.linalg.solve(dense_covariance(SMALL), u.reshape(5, 24).T).T.reshape(5, 4, 6)
    torch.testing.assert_close(SMALL.score(u), expected, rtol=1e-4, atol=1e-4)  # the closed form is stored in single precision


def test_score_is_the_gradient_of_the_log_density():
    density = torch.distributions.MultivariateNormal(torch.zeros(24, dtype=torch.float64), dense_covariance(SMALL))
    u = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    (gradient,) = torch.autograd.grad(density.log_prob(u.flatten()), u)
    torch.testing.assert_close(SMALL.score(u.detach()), gradient, rtol=1e-4, atol=1e-4)


def test_score_of_the_blurred_density_has_the_noise_added_to_the_covariance():
    u = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    blurred = dense_covariance(SMALL) + 0.5**2 * torch.eye(24, dtype=torch.float64)
    torch.testing.assert_close(SMALL.score(u, sigma=0.5).flatten(), -torch.linalg.solve(blurred, u.flatten()), rtol=1e-4, atol=1e-4)


def test_score_is_the_formula_of_the_physics_page():
    grid, u = LETTER.grid, torch.randn(32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    laplacian = grid.apply(grid.laplacian, u)
    terms = -LETTER.lam * u + LETTER.kappa * laplacian - LETTER.kappa * grid.apply(grid.laplacian, laplacian)
    torch.testing.assert_close(LETTER.score(u), 2 / (1024 * LETTER.epsilon**2) * terms)


@every_grid
def test_one_step_of_two_is_two_steps_of_one_in_law(grid):
    system, device = OrnsteinUhlenbeck(grid=grid), torch.device("cpu")
    one, zero = torch.ones(grid.spectral_shape, dtype=torch.complex64), torch.zeros(grid.spectral_shape, dtype=torch.complex64)

    def law(step):  # what becomes of a state; the variance that is added, for noise of unit variance
        return step(one, lambda: zero), (step(zero, lambda: one) / grid.white).abs().square().float()

    decay, added = law(system.stepper(1.0, device))
    decay_of_two, added_of_two = law(system.stepper(2.0, device))
    torch.testing.assert_close(decay_of_two, decay**2)
    torch.testing.assert_close(added_of_two, added + decay.abs().square() * added)
    torch.testing.assert_close(system.mode_covariance.float(), decay.abs().square() * system.mode_covariance.float() + added)  # stationary


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lam": 0}, "lam is 0; expected a finite number > 0"),
        ({"lam": -1.0}, "lam is -1.0"),
        ({"kappa": -1e-9}, "kappa is -1e-09; expected a finite number ≥ 0"),
        ({"advection": math.inf}, "advection"),
        ({"epsilon": 0.0}, "epsilon is 0.0"),
        ({"epsilon": "loud"}, "epsilon is 'loud'; expected a number"),
        ({"lam": "0.04"}, "lam is '0.04'; expected a number"),
        ({"grid": PeriodicGrid(())}, "needs a grid with one or two axes"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        OrnsteinUhlenbeck(**parameters)


@pytest.mark.parametrize("lags", [3.0, [-1.0], [math.nan], [[1.0]]])
def test_lags_of_closed_forms_are_a_list_of_times(lags):
    with pytest.raises(ValueError, match="list of times ≥ 0"):
        LETTER.response(lags)


def test_other_arguments_of_the_system_are_checked():
    with pytest.raises(ValueError, match="'epsilon' is unknown; expected one of 'lam', 'kappa', 'advection'"):
        LETTER.drift_derivative("epsilon")
    with pytest.raises(ValueError, match="last axes must be"):
        LETTER.score(torch.zeros(16, 16))
    with pytest.raises(ValueError, match="sigma"):
        LETTER.score(torch.zeros(32, 32), sigma=-1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"members": 0}, "members is 0; expected a whole number ≥ 1"),
        ({"members": 2.5}, "members is 2.5"),
        ({"duration": 0.0}, "duration is 0.0"),
        ({"duration": 0.2}, "duration / every is 0"),
        ({"every": -1.0}, "every is -1.0"),
        ({"every": math.nan}, "every is nan"),
        ({"spinup": -5.0}, "spinup is -5.0; expected a finite number ≥ 0"),
        ({"seed": -1}, "seed is -1; expected a whole number ≥ 0"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"device": "abacus"}, "device 'abacus' is unknown; expected 'auto', 'cpu' or 'cuda'"),
        ({"device": "cuda:99"}, "not available on this machine; try device='auto' or 'cpu'"),
        ({"context": True}, "has no hidden forcing"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_runs_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate(SMALL, **{"members": 2, "duration": 3.0, "device": "cpu"} | arguments)


@pytest.mark.parametrize("system", [OrnsteinUhlenbeck, "ornstein-uhlenbeck", None], ids=str)
def test_neither_a_class_nor_a_name_is_a_system(system):
    for use in (simulate, perturb):
        with pytest.raises(ValueError, match="expected a system with its parameters"):
            use(system)


def test_a_machine_without_cuda_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda' is not available on this machine"):
        simulate(SMALL, members=2, duration=3.0, device="cuda")
    assert simulate(SMALL, members=2, duration=3.0, device="auto").info["device"] == "cpu"


def run(seed=0, members=3, duration=40.0, system=SMALL, **options):
    return simulate(system, members=members, duration=duration, seed=seed, device="cpu", **options).u


@pytest.mark.parametrize("grid", [SMALL.grid, *GRIDS], ids=str)
def test_the_same_seed_gives_the_same_bits(grid):
    system = OrnsteinUhlenbeck(grid=grid)
    assert run(5, system=system).equal(run(5, system=system))
    assert not run(5, system=system).equal(run(6, system=system))


def test_a_member_does_not_depend_on_those_beside_it():
    torch.testing.assert_close(run(members=9)[:3], run(members=3), atol=1e-5, rtol=0)


def test_a_member_does_not_depend_on_the_length_of_the_run():
    torch.testing.assert_close(run(duration=100.0)[:, :41], run(duration=40.0), atol=1e-5, rtol=0)


def test_a_spinup_is_the_start_of_a_longer_run():
    torch.testing.assert_close(run(spinup=10.0), run(duration=50.0)[:, 10:], atol=1e-5, rtol=0)


def test_a_spinup_shorter_than_the_sampling_interval_is_not_left_out():
    start, spun = (simulate(SMALL, members=1, spinup=spinup, duration=20.0, every=10.0, seed=1).u for spinup in (0.0, 4.0))
    assert torch.equal(spun[:, 0], start[:, 1])


def test_neighbouring_seeds_and_members_share_nothing():
    system = OrnsteinUhlenbeck(grid=PeriodicGrid((16, 16)))
    runs = torch.cat([run(seed, members=8, duration=2e5, every=1e4, system=system) for seed in (0, 1, 2)])  # 21 independent fields each
    white = system.grid.apply(system.mode_covariance.rsqrt(), runs).flatten(1)
    z = torch.corrcoef(white)[torch.triu(torch.ones(24, 24), diagonal=1).bool()] * math.sqrt(white.shape[1])
    assert z.abs().max() < 4.5
    assert float(z.square().mean()) == pytest.approx(1, abs=0.35)  # 276 pairs: ± 0.085


def test_every_stream_of_random_numbers_has_its_own_name():
    rest = [(), (0,), (1,), (0, 1), (1, 0)]
    names = [(seed, stream, *more) for seed in (0, 1, 7, 2**32) for stream in Stream for more in rest]
    states = {tuple(torch.rand(4, generator=generator(*name)).tolist()) for name in names}
    assert len(states) == len(names)


def test_a_stream_without_a_name_is_refused():
    with pytest.raises(TypeError, match=r"expected a member of random_streams\.Stream"):
        generator(0, 3)


@dataclass(frozen=True)
class Runaway(System):
    """A system that leaves the finite numbers at step `last`."""

    last: int
    grid: PeriodicGrid = SMALL.grid
    name = "runaway"

    def initial(self, members, seed, device):
        return torch.zeros(len(members), *self.grid.spectral_shape, dtype=torch.complex64)

    def stepper(self, every, device):
        return lambda state, noise: state + 1 if float(state.real.max()) < self.last - 1 else state * math.inf


@pytest.mark.parametrize(("last", "steps", "seen", "kept"), [(3, 10, 10, None), (20, 60, 32, 17), (37, 60, 48, 33), (37, 40, 40, 33)])
def test_a_run_that_diverges_names_the_step_and_keeps_what_came_before(last, steps, seen, kept):
    with pytest.raises(DivergedError, match=rf"runaway diverged .* \(sampling step {seen}\)") as caught:
        simulate(Runaway(last), members=2, duration=float(steps), device="cpu")
    partial = caught.value.partial
    assert (partial and partial.u.shape[1]) == kept
    assert partial is None or partial.u.isfinite().all()


def test_a_run_does_not_diverge_before_it_begins():
    with pytest.raises(DivergedError, match=r"between t = [0-9]+ and 10"):
        simulate(Runaway(3), members=2, duration=10.0, device="cpu")


def test_members_may_be_given_as_any_whole_number():
    assert run(members=3.0).equal(run(members=3))


def test_a_spin_up_holds_no_more_than_the_last_states(monkeypatch):
    alive, most = weakref.WeakSet(), []

    def states(run, spinup):
        for _ in range(10):
            state = torch.zeros(3)
            alive.add(state)
            most.append(len(alive))
            yield state, None

    monkeypatch.setattr(Trajectory, "spin_up", states)
    Trajectory(OrnsteinUhlenbeck(), range(1), 0, 1.0, torch.device("cpu")).start(10.0)
    assert max(most) <= 3
