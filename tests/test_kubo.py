"""Kubo's formula and the regression hypothesis: closed forms, sign and factor, members that are really changed, and what is refused."""

import warnings
from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    ChangedEnsemble,
    NavierStokes,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    kubo,
    noise_derivative,
    observables,
    regression,
    sensitivities,
    simulate,
)
from gfdt_tutorial.bench import kubo as bench_kubo
from gfdt_tutorial.core.progress import run as run_work
from gfdt_tutorial.core.spectra import shell_average

SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)), advection=0.0)
GRID = SMALL.grid
TWO_PHASES = AllenCahn(grid=GRID, advection=0.0, epsilon=4 * AllenCahn().epsilon, dt=1 / 64)
POWER, SHELLS = observables.moment(GRID, 2), observables.spectrum(GRID)
CHANGES = [(SMALL, name) for name in ("lam", "kappa", "epsilon")] + [(TWO_PHASES, name) for name in ("alpha", "kappa", "epsilon")]


@lru_cache(maxsize=8)
def ensemble(system=SMALL, members=128, duration=400.0, seed=0, every=1.0):
    return simulate(system, members=members, duration=duration, every=every, seed=seed, device="cpu")


def shell_change(system, parameter, lags):
    """∂C_k(t)/∂p by shell, (lag, shell), for a parameter that moves at t = 0: (dC_k/dp)(1 − e^(2 Re L_k t)), as the drift stays linear."""
    h = 1e-4 * getattr(system, parameter)
    up, down = (replace(system, **{parameter: getattr(system, parameter) + sign * h}).mode_covariance for sign in (1, -1))
    moved = (up - down) / (2 * h) * -torch.expm1(2 * system.rates.real * lags.reshape(-1, *[1] * len(system.grid.spectral_shape)))
    return shell_average(system.grid, moved)[1]


# --- the potentials


@pytest.mark.parametrize("system, name", CHANGES, ids=lambda value: getattr(value, "name", value))
def test_the_change_of_the_drift_is_half_the_noise_times_the_gradient_of_the_potential(system, name):
    """f = ½ D ∇φ, which fixes sign and factor of φ: of the drift, and of the noise, which acts on averages as a drift does."""
    u = ensemble(system, members=8, duration=8.0).u[:2, :3].double().requires_grad_()
    (slope,) = torch.autograd.grad(system.potential(name)(u).sum(), u)
    found = system.grid.apply(0.5 * GRID.size * system.epsilon**2 * GRID.inverse_helmholtz, slope)
    change = noise_derivative(system.score, GRID, system.noise_derivative()) if name == "epsilon" else system.drift_derivative(name)
    torch.testing.assert_close(found, change[0](u.detach()), rtol=1e-5, atol=1e-6)


def test_advection_has_no_potential_and_the_flow_none_at_all():
    for system in (SMALL, TWO_PHASES):
        with pytest.raises(ValueError, match="parameter with a potential 'advection' is unknown; expected one of"):
            system.potential("advection")
    assert not NavierStokes().has("potential")


# --- the formula


@pytest.mark.parametrize("advection", [0.0, 0.02])
@pytest.mark.parametrize("name", ["lam", "epsilon", "kappa"])
def test_a_linear_field_moves_as_its_closed_form_says(name, advection):
    """Sign and factor: without the ½ the size would be 2."""
    system = replace(SMALL, advection=advection)
    found = kubo(ensemble(system), SHELLS, {name: system.potential(name)}, lags=40.0)[name]
    expected = shell_change(system, name, found.times)
    assert found.method == "kubo" and found.values[0].abs().max() < 1e-11
    z = (found.values - expected)[1:] / found.standard_error[1:]
    assert z.abs().max() < 5  # 200 of them
    assert z.square().mean() < 3
    by_error = expected[1:] / found.standard_error[1:]
    size = (found.values[1:] / found.standard_error[1:] * by_error).sum() / by_error.square().sum()
    assert abs(float(size) - 1) < 0.1


def test_the_size_is_right_over_seeds_and_so_is_its_error():
    """δ⟨u²⟩ by λ at t = 20, 12 series: the mean over the closed form, and the scatter over the quoted standard error."""
    small = OrnsteinUhlenbeck(grid=PeriodicGrid((4, 4)), advection=0.0)
    sizes, quoted = [], []
    for seed in range(12):
        data = simulate(small, members=64, duration=200.0, seed=seed, device="cpu")
        found = kubo(data, observables.moment(small.grid, 2), {"lam": small.potential("lam")}, lags=20.0)["lam"]
        sizes.append(found.values[-1, 0])
        quoted.append(found.standard_error[-1, 0])
    moved = shell_power(small, "lam", 20.0)
    sizes = torch.stack(sizes) / moved
    assert abs(float(sizes.mean()) - 1) < 3 * float(sizes.std()) / 12**0.5 < 0.1
    assert 0.6 < float(torch.stack(quoted).mean() / abs(moved) / sizes.std()) < 1.6


def shell_power(system, parameter, lag):
    """∂⟨u²⟩/∂p at one lag."""
    h = 1e-4 * getattr(system, parameter)
    up, down = (replace(system, **{parameter: getattr(system, parameter) + sign * h}).mode_covariance for sign in (1, -1))
    grid = system.grid
    return float(((up - down) / (2 * h) * -torch.expm1(2 * system.rates.real * lag) * grid.multiplicity).sum()) / grid.size


@pytest.mark.parametrize("members", [1, 8])
def test_the_sums_are_those_of_the_definition(members):
    data = ensemble(members=8, duration=60.0)
    data = TimeSeries(data.u[:members], data.times)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few blocks
        found = kubo(data, POWER, {"lam": SMALL.potential("lam")}, lags=25.0)["lam"]
    a, phi = POWER(data.u).double()[..., 0], SMALL.potential("lam")(data.u).double()
    for lag in (1, 7, 25):
        direct = 0.5 * ((a[:, lag:] - a[:, :-lag]) * (phi[:, lag:] - phi[:, :-lag])).mean()
        assert float(found.values[lag, 0]) == pytest.approx(float(direct), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alpha", "kappa"])
def test_two_phases_that_are_really_changed_move_so(name):
    both = observables.together(POWER, observables.moment(GRID, 4))
    data = ensemble(TWO_PHASES, members=256, duration=60.0, every=0.25)
    value = getattr(TWO_PHASES, name)
    up, down = (replace(TWO_PHASES, **{name: factor * value}, dt=1 / 80) for factor in (1.05, 0.95))
    truth = run_work(ChangedEnsemble(replace(TWO_PHASES, dt=1 / 80), [up, down], both, lags=2.0, every=0.25, members=512)).response()
    found = kubo(data, both, {name: TWO_PHASES.potential(name)}, lags=2.0)[name]
    predicted, error = (0.05 * value * part[1:] for part in (found.values, found.standard_error))
    z = (predicted - truth.values[1:]) / (error.square() + truth.standard_error[1:].square()).sqrt()
    assert z.abs().max() < 4
    size = (predicted * truth.values[1:]).sum() / truth.values[1:].square().sum()
    assert abs(float(size) - 1) < 0.25


@pytest.mark.slow
def test_the_bench_runs_in_small():
    rows = {row.what: row.value for row in bench_kubo.reversible(replace(TWO_PHASES, advection=0.02), 8, 30.0, 16)}
    assert all(value == value for value in rows.values())
    assert sum(what.endswith("over the measured") for what in rows) == 4


# --- what is refused, and what is doubted


def first_pixel(u):
    return u[..., 0, 0].square()


@pytest.mark.parametrize(
    "observable, potentials, message",
    [
        (first_pixel, {"lam": SMALL.potential("lam")}, "the observable changes when the field is shifted by one pixel along y"),
        (POWER, {"lam": first_pixel}, "the potential of 'lam' changes when the field is shifted"),
        (lambda u: u, {"lam": SMALL.potential("lam")}, "the observable returns fields"),
        (POWER, {"lam": SHELLS}, "the potential of 'lam' must return one number for each field"),
        (POWER, {}, "potentials must be a dictionary that names"),
        (POWER, SMALL.potential("lam"), "potentials must be a dictionary that names"),
        (POWER, {"lam": SMALL.drift_derivative("lam")}, "potentials must be a dictionary that names"),
    ],
)
def test_what_it_does_not_hold_for_is_refused(observable, potentials, message):
    with pytest.raises(ValueError, match=message):
        kubo(ensemble(), observable, potentials, lags=10.0)
    with pytest.raises(ValueError, match="ask for lags ≤ 200"):
        kubo(ensemble(), POWER, {"lam": SMALL.potential("lam")}, lags=300.0)


def saw_teeth(seed):
    """Numbers that rise slowly and fall at once: the film run backwards is another."""
    random = torch.Generator().manual_seed(seed)
    phase = torch.rand(16, 1, generator=random) + torch.arange(400) / 25 + 0.05 * torch.randn(16, 400, generator=random).cumsum(1)
    return TimeSeries(phase % 1 - 0.5, torch.arange(400.0), axes="mt")


def test_a_series_that_is_not_reversible_is_told_from_one_that_is():
    with pytest.warns(UserWarning, match="The dynamics are not reversible as these observables see them"):
        found = kubo(saw_teeth(0), lambda u: u**2, {"it": lambda u: u}, lags=20.0)["it"]
    assert found.info["irreversibility"] > 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(20):
            kubo(ensemble(members=16, duration=100.0, seed=seed), SHELLS, {"lam": SMALL.potential("lam")}, lags=20.0)


# --- the regression hypothesis


def test_the_regression_on_all_observables_is_what_the_theorem_is_without_its_score():
    """B = −∇·f − f·s with s = 0 is a constant for a linear f, and K(t) ⟨∇A·f⟩ is left."""
    data, change = ensemble(members=16, duration=100.0), {"kappa": SMALL.drift_derivative("kappa")}
    found = regression(data, SHELLS, change, lags=20.0)["kappa"]
    bare = sensitivities(data, torch.zeros_like, SHELLS, change, lags=20.0)["kappa"]
    torch.testing.assert_close(found.values, bare.values)
    assert found.method == "regression on all"


def test_of_single_waves_of_a_linear_field_both_regressions_are_exact():
    line = OrnsteinUhlenbeck(grid=PeriodicGrid((16,)), advection=0.0)
    data, change = ensemble(line, members=128), {"lam": line.drift_derivative("lam")}
    for together in (True, False):
        found = regression(data, observables.spectrum(line.grid), change, lags=40.0, together=together)["lam"]
        expected = shell_change(line, "lam", found.times)
        assert ((found.values - expected)[5:].norm() / expected[5:].norm()) < 0.1
        z = (found.values - expected)[1:] / found.standard_error[1:]
        assert z.square().mean() < 4


def test_of_two_phases_the_regression_on_one_observable_has_the_wrong_sign_and_kubo_the_right_one():
    """A stronger well pulls tails in first; what relaxes by itself cannot turn round and let ⟨u²⟩ rise."""
    data = ensemble(TWO_PHASES, members=64, duration=60.0, every=0.125)
    both = observables.together(POWER, observables.moment(GRID, 4))
    change = {"alpha": TWO_PHASES.drift_derivative("alpha")}
    one, all_of_them = (regression(data, both, change, lags=2.0, together=together)["alpha"] for together in (False, True))
    found = kubo(data, both, {"alpha": TWO_PHASES.potential("alpha")}, lags=2.0)["alpha"]
    lower = [float((one.values - 4 * one.standard_error)[-1, 0]) for one in (all_of_them, found)]
    assert one.values[-1, 0] + 4 * one.standard_error[-1, 0] < 0 < min(lower)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"perturbations": {}}, "perturbations must be a dictionary that names"),
        ({"perturbations": {"lam": 3}}, "must be a pair"),
        ({"observable": lambda u: u}, "the observable returns fields"),
        ({"observable": lambda u: (u > 0).float().mean((-2, -1))}, "jumps"),
    ],
)
def test_the_regression_checks_what_it_is_given(given, message):
    given = {"observable": POWER, "perturbations": {"lam": SMALL.drift_derivative("lam")}} | given
    with pytest.raises(ValueError, match=message):
        regression(ensemble(), given["observable"], given["perturbations"], lags=10.0)
