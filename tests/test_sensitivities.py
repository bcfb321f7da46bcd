"""Observables that are numbers, and how they respond to a change of parameters: closed forms, re-simulated twins, control variates."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    ChangedEnsemble,
    DivergedError,
    GaussianScore,
    NavierStokes,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    noise_derivative,
    observables,
    respond,
    sensitivities,
    simulate,
)
from gfdt_tutorial.core import numerics
from gfdt_tutorial.core.progress import run as run_work
from gfdt_tutorial.core.spectra import shell_average

SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
GRID = SMALL.grid
TWO_PHASES = AllenCahn(grid=GRID, advection=0.0, epsilon=4 * AllenCahn().epsilon, dt=1 / 32)  # its score is exact
FLOW = NavierStokes(grid=PeriodicGrid((16, 16)))
POWER, SHELLS = observables.moment(GRID, 2), observables.spectrum(GRID)


@lru_cache(maxsize=8)
def ensemble(system=SMALL, members=64, duration=400.0, seed=0, every=1.0):
    return simulate(system, members=members, duration=duration, every=every, seed=seed, device="cpu")


def changes(system, *names):
    return {name: system.drift_derivative(name) for name in names}


def shell_change(parameter, lags):
    """∂C_k(t)/∂p by shell, (lag, shell), for a parameter that moves at t = 0: (dC_k/dp)(1 − e^(2 Re L_k t)), as the drift stays linear."""
    h = 1e-4 * getattr(SMALL, parameter)
    up, down = (replace(SMALL, **{parameter: getattr(SMALL, parameter) + sign * h}).mode_covariance for sign in (1, -1))
    moved = (up - down) / (2 * h) * -torch.expm1(2 * SMALL.rates.real * lags.reshape(-1, 1, 1))
    return shell_average(GRID, moved)[1]


def z_scores(response, expected):
    return (response.values - expected)[1:] / response.standard_error[1:]


# --- what is measured


def test_observables_are_those_of_their_names():
    u = ensemble().u[:2, :3]
    torch.testing.assert_close(observables.moment(GRID, 4)(u)[..., 0], (u**4).mean((-2, -1)))
    torch.testing.assert_close(SHELLS(u), shell_average(GRID, GRID.rfft(u).abs().square() / 64)[1].float())
    sharp = observables.exceedance(GRID, [-1.0, 0.5], 1e-4)(u)
    torch.testing.assert_close(sharp, torch.stack([(u > c).float().mean((-2, -1)) for c in (-1.0, 0.5)], -1), atol=1e-3, rtol=0)
    whole = observables.density(GRID, torch.linspace(-20, 20, 81).tolist())(u)
    torch.testing.assert_close(whole.sum(-1) * 0.5, torch.ones(2, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "make",
    [
        lambda grid: observables.moment(grid, 2),
        observables.spectrum,
        lambda grid: observables.exceedance(grid, 0.0, 0.1),
        lambda grid: observables.density(grid, [-1.0, 0.0, 1.0]),
    ],
)
def test_an_observable_keeps_to_its_grid_and_to_the_precision_of_the_field(make, dtype):
    u = ensemble().u[:2, :3].to(dtype)
    assert make(GRID)(u).dtype == dtype
    torch.testing.assert_close(make(GRID)(u), make(GRID)(u.double()).to(dtype))
    with pytest.raises(ValueError, match=r"measured has shape \(2, 3, 8, 8\); its last axes must be \(8, 9\)"):
        make(PeriodicGrid((8, 9)))(u)


def test_a_shift_of_the_field_changes_no_observable():
    u = ensemble().u[:2, :3]
    measure = observables.together(POWER, SHELLS, observables.density(GRID, [-3.0, -1.0, 0.0, 2.0]))
    torch.testing.assert_close(measure(u), measure(u.roll((3, 2), (-2, -1))), rtol=1e-4, atol=1e-6)


def one_wave(u):
    return torch.fft.rfft2(u)[..., 1, 1]


class Conditioned:
    needs_context = True

    def __call__(self, u, context=None):
        return -u


def changed_lam(observable):
    return run_work(ChangedEnsemble(SMALL, replace(SMALL, lam=0.05), observable, lags=2.0, members=8))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: observables.density(GRID, [0.0, 0.0]), "edges must be two or more increasing values"),
        (lambda: observables.exceedance(GRID, 0.0, 0.0), "width is 0.0"),
        (lambda: observables.moment(GRID, 0), "order is 0"),
        (lambda: observables.spectrum(PeriodicGrid(())), "without axes"),
        (lambda: observables.exceedance(GRID, [], 0.1), "thresholds is empty"),
        (lambda: observables.together(), "give one observable or more"),
        (lambda: noise_derivative(SMALL.score, GRID, torch.ones(3)), "rate has shape"),
        (lambda: SMALL.noise_derivative("lam"), "'lam' is unknown; expected one of 'epsilon'"),
        (lambda: sensitivities(ensemble(), SMALL.score, POWER, {}), "perturbations must be a dictionary that names"),
        (
            lambda: sensitivities(ensemble(), SMALL.score, POWER, SMALL.drift_derivative("lam")),
            "perturbations must be a dictionary that names",
        ),
        (
            lambda: sensitivities(ensemble(), SMALL.score, POWER, changes(SMALL, "lam"), lags=10.0, resolved=11.0),
            "resolved must be a lag from 1",
        ),
        (lambda: sensitivities(ensemble(), SMALL.score, lambda u: u, changes(SMALL, "lam")), "the observable returns fields"),
        (lambda: sensitivities(ensemble(), SMALL.score, POWER, {"lam": None, "kappa": 3}), "must be a pair"),
        (
            lambda: sensitivities(ensemble(), SMALL.score, lambda u: (u > 0).float().mean((-2, -1)), changes(SMALL, "lam")),
            "number 0 of the observable jumps",
        ),
        (  # in part only
            lambda: sensitivities(ensemble(), SMALL.score, lambda u: (u * (u > 1)).mean((-2, -1)), changes(SMALL, "lam")),
            "number 0 of the observable jumps",
        ),
        (lambda: ChangedEnsemble(SMALL, [SMALL] * 3, POWER), "one changed system, or two"),
        (lambda: run_work(ChangedEnsemble(SMALL, SMALL, lambda u: u, lags=1.0, members=8)), "the observable returns fields"),
        (lambda: noise_derivative(Conditioned(), GRID, SMALL.noise_derivative()), "needs the hidden forcing"),
        (lambda: sensitivities(ensemble(), SMALL.score, one_wave, changes(SMALL, "lam")), "is complex; .* real and imaginary part as two"),
        (lambda: changed_lam(lambda u: (-u.square().mean((-2, -1))).sqrt()), "what observable returned has .* NaN"),
        (lambda: changed_lam(lambda u: u[..., :2, :3]), r"observable returned \(1, 2, 2, 3\)"),
        (lambda: changed_lam(lambda u: u.square().mean()), r"observable returned \(\) for fields of \(1, 2, 8, 8\)"),
        (lambda: ChangedEnsemble(SMALL, SMALL, POWER, members=2), "members is 2"),
        (
            lambda: ChangedEnsemble(SMALL, SMALL, POWER, lags=2.0, every=1.5),
            "lags = 2 is not a multiple of every = 1.5; try lags = 1.5, or every = 2",
        ),
        (lambda: ChangedEnsemble(SMALL, TWO_PHASES, POWER), "the changed system is AllenCahn, not OrnsteinUhlenbeck"),
        (lambda: ChangedEnsemble(SMALL, [SMALL, OrnsteinUhlenbeck()], POWER), r"on PeriodicGrid\(shape=\(32, 32\).*keep the grid"),
        (lambda: ChangedEnsemble(FLOW, replace(FLOW, cutoff=3.0), POWER), "another cutoff forces other waves"),
    ],
)
def test_bad_input_is_refused_in_words(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- the theorem


def test_parameters_move_the_spectrum_as_the_closed_form_says():
    found = sensitivities(ensemble(), SMALL.score, SHELLS, changes(SMALL, "lam", "kappa"), lags=60.0)
    for name, response in found.items():
        expected = shell_change(name, response.times)
        assert z_scores(response, expected).abs().max() < 5  # 300 of them
        error = (response.values - expected)[20:].norm() / expected[20:].norm()
        assert error < {"lam": 0.08, "kappa": 0.5}[name]  # κ moves so many waves that little is left of one shell; see the next but two


def test_the_control_variate_changes_no_mean_and_takes_scatter_out():
    data = ensemble()
    plain, controlled = (respond_to_lam(data, form=form) for form in ("raw", "controlled"))
    assert (controlled.standard_error[1:30] < 0.6 * plain.standard_error[1:30]).all()
    apart = (controlled.values - plain.values)[1:] / plain.standard_error[1:]
    assert apart.abs().max() < 3


def kicked(data, score, observable, lags, form):
    return sensitivities(data, score, observable, {"kick": None}, lags=lags, integrate=False, form=form)["kick"]


def respond_to_lam(data, **options):
    return sensitivities(data, SMALL.score, POWER, {"lam": SMALL.drift_derivative("lam")}, lags=40.0, **options)["lam"]


def test_at_lag_zero_the_control_variate_needs_no_score():
    """⟨A B⟩ = ⟨∇A·f⟩, so that even a wrong score gives the right start."""
    change = {"lam": SMALL.drift_derivative("lam")}
    response = sensitivities(ensemble(), lambda u: 0.3 * u, POWER, change, lags=5.0, integrate=False)["lam"]
    expected = -2 * float((GRID.inverse_helmholtz * SMALL.mode_covariance * GRID.multiplicity).sum()) / 64
    assert float(response.values[0, 0]) == pytest.approx(expected, rel=0.05)


def test_what_a_kick_leaves_alone_may_be_watched_with_a_control_variate():
    """⟨∇C_k·1⟩ = 0 for k > 0 is the right response at t = 0, and no jump of the observable."""
    plain, controlled = (kicked(ensemble(), SMALL.score, SHELLS, 20.0, form) for form in ("raw", "controlled"))
    assert controlled.values[0, 1:].abs().max() < 1e-6 < plain.values[0, 1:].abs().max()
    assert z_scores(plain, controlled.values).abs().max() < 4


def test_members_whose_means_differ_do_not_bias_the_response():
    """Where nothing moves in time, every lag is the covariance of A and B between members, and must be its unbiased estimate."""
    u = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(8, 9, 8, 8)
    data, mean = TimeSeries(u, torch.arange(9.0)), observables.moment(GRID, 1)
    response = kicked(data, torch.sin, mean, 4.0, "raw")
    pairs = torch.stack([u[:, 0].mean((-2, -1)), -torch.sin(u[:, 0]).mean((-2, -1))])
    torch.testing.assert_close(response.values[:, 0], torch.cov(pairs)[0, 1].expand(5))


def test_a_response_relaxes_as_fluctuations_do_from_where_it_is_no_longer_resolved():
    wanted = {"observable": SHELLS, "perturbations": changes(SMALL, "lam"), "lags": 60.0}
    whole, part = (sensitivities(ensemble(), SMALL.score, **wanted, resolved=resolved)["lam"] for resolved in (None, 10.0))
    torch.testing.assert_close(part.values[:11], whole.values[:11])
    assert part.info["resolved"] == 10.0
    expected = shell_change("lam", part.times)
    errors = [(response.values - expected)[20:].norm() / expected[20:].norm() for response in (whole, part)]
    assert errors[1] < 0.05 < errors[0]
    assert part.standard_error[-1].norm() < 0.85 * whole.standard_error[-1].norm()
    held = sensitivities(ensemble(), SMALL.score, **wanted, resolved=10.0, form="shrunk")["lam"]  # a linear field does relax so
    assert held.info["tail_chi2"] < 2
    assert held.info["tail_kept"] == 0


def test_a_resolved_lag_between_two_samples_is_rounded_with_a_warning():
    options = {"observable": POWER, "perturbations": changes(SMALL, "lam"), "lags": 10.0}
    with pytest.warns(UserWarning, match=r"resolved=4\.3 is not a multiple of the sampling interval 1; 4 is used instead"):
        rounded = sensitivities(ensemble(), SMALL.score, **options, resolved=4.3)["lam"]
    torch.testing.assert_close(rounded.values, sensitivities(ensemble(), SMALL.score, **options, resolved=4.0)["lam"].values)


@pytest.mark.slow
def test_shrinking_finds_nothing_beyond_the_regression_hypothesis_in_a_linear_field_and_keeps_what_two_phases_show():
    """A fine grid's κ moves so many waves that the raw response is lost in them; a linear field relaxes as it fluctuates."""
    fine = OrnsteinUhlenbeck(grid=PeriodicGrid((24, 24)))
    measure = observables.spectrum(fine.grid)
    data = simulate(fine, members=32, duration=400.0, device="cpu")
    raw, shrunk = (
        sensitivities(data, fine.score, measure, changes(fine, "kappa"), lags=50.0, form=form)["kappa"] for form in ("controlled", "shrunk")
    )
    h = 1e-6
    rates = replace(fine, kappa=fine.kappa + h).mode_covariance - replace(fine, kappa=fine.kappa - h).mode_covariance
    moved = rates / (2 * h) * -torch.expm1(2 * fine.rates.real * raw.times.reshape(-1, 1, 1))
    expected = shell_average(fine.grid, moved)[1]
    errors = [(response.values - expected)[-1].norm() / expected[-1].norm() for response in (raw, shrunk)]
    assert shrunk.info["departure_chi2"] < 2
    assert errors[1] < 0.08 < 0.2 < errors[0]

    data = ensemble(TWO_PHASES, every=0.5, duration=200.0)
    both = observables.together(POWER, observables.moment(GRID, 4), SHELLS)
    kept = sensitivities(data, TWO_PHASES.score, both, changes(TWO_PHASES, "alpha"), lags=10.0, form="shrunk")["alpha"].info
    assert kept["departure_chi2"] > 10
    assert kept["departure_kept"] > 0.8


@pytest.mark.slow
def test_a_tail_that_relaxes_otherwise_is_kept():
    """Another κ smooths the walls between two phases first, and they go on otherwise than after a fluctuation."""
    data = ensemble(TWO_PHASES, every=1 / 16, duration=32.0)
    both = observables.together(POWER, observables.moment(GRID, 4), SHELLS)
    options = {"observable": both, "perturbations": changes(TWO_PHASES, "kappa"), "lags": 4.0, "resolved": 1 / 16}
    whole, plain, held = (
        sensitivities(data, TWO_PHASES.score, **options | chosen)["kappa"] for chosen in ({"resolved": None}, {}, {"form": "shrunk"})
    )
    assert held.info["tail_chi2"] > 10
    apart, kept = ((response.values - whole.values)[-1, :2].norm() for response in (plain, held))
    assert kept < 0.3 * apart


@pytest.mark.parametrize("score", ["exact", "Gaussian"])
def test_the_noise_moves_the_spectrum_as_the_closed_form_says(score):
    """∂C_k/∂ε = 2 C_k/ε, by (1 − e^(2 Re L_k t))."""
    data = ensemble()
    given = SMALL.score if score == "exact" else GaussianScore.fit(data)
    change = noise_derivative(given, GRID, SMALL.noise_derivative("epsilon"))
    response = sensitivities(data, given, SHELLS, {"epsilon": change}, lags=40.0)["epsilon"]
    grown = 2 / SMALL.epsilon * SMALL.mode_covariance * -torch.expm1(2 * SMALL.rates.real * response.times.reshape(-1, 1, 1))
    expected = shell_average(GRID, grown)[1]
    assert z_scores(response, expected).abs().max() < 5
    assert (response.values - expected)[20:].norm() / expected[20:].norm() < 0.15


def test_weights_that_are_being_trained_leave_no_trace_in_the_response():
    scale = torch.nn.Parameter(torch.tensor(1.0))
    data = ensemble(members=8, duration=60.0)
    trained = (lambda u: -scale * u, lambda u: -64 * scale.expand(u.shape[:2]))
    found = sensitivities(data, SMALL.score, lambda u: scale * POWER(u), {"decay": trained}, lags=10.0)["decay"]
    assert not found.values.requires_grad
    plain = sensitivities(data, SMALL.score, POWER, {"decay": (lambda u: -u, lambda u: -64.0)}, lags=10.0)["decay"]
    torch.testing.assert_close(torch.as_tensor(np.asarray(found.band)), plain.band)


def test_numbers_of_numpy_do_as_well():
    data, change = ensemble(members=8, duration=60.0), (lambda u: -u, lambda u: -64.0)
    plain = sensitivities(data, SMALL.score, POWER, {"decay": change}, lags=10.0)["decay"]
    change = (lambda u: -u.double().numpy(), lambda u: np.full(u.shape[:2], -64.0))
    found = sensitivities(data, lambda u: SMALL.score(u).double().numpy(), POWER, {"decay": change}, lags=10.0)["decay"]
    torch.testing.assert_close(found.values, plain.values)


def test_a_noise_derivative_repeats_itself():
    u = ensemble().u[:2, :3]
    first, again = (noise_derivative(TWO_PHASES.score, GRID, TWO_PHASES.noise_derivative())[1](u) for _ in range(2))
    assert torch.equal(first, again)
    assert len(set(first.flatten().tolist())) == 6
    assert noise_derivative(torch.neg, GRID, SMALL.noise_derivative())[0](u).shape == u.shape  # a score that shows no arguments


def test_a_noise_derivative_does_not_depend_on_how_snapshots_are_blocked(monkeypatch):
    """The signs that estimate a trace belong to (seed, snapshot): a block of one snapshot gives what a block of all gives."""
    data, change = ensemble(members=8, duration=50.0), noise_derivative(TWO_PHASES.score, GRID, TWO_PHASES.noise_derivative())
    whole = change[1](data.u[:2, :6])
    parts = torch.stack([torch.stack([change[1](data.u[m, t]) for t in range(6)]) for m in range(2)])
    torch.testing.assert_close(parts, whole)
    other = noise_derivative(TWO_PHASES.score, GRID, TWO_PHASES.noise_derivative(), seed=1)[1](data.u[:2, :6])
    assert not torch.equal(other, whole)
    options = {"lags": 5.0, "integrate": False, "form": "raw"}
    response = sensitivities(data, TWO_PHASES.score, POWER, {"it": change}, **options)["it"]
    monkeypatch.setattr(numerics, "BLOCK_BYTES", 2**12)
    again = sensitivities(data, TWO_PHASES.score, POWER, {"it": change}, **options)["it"]
    torch.testing.assert_close(again.values, response.values, rtol=1e-4, atol=1e-6)


def test_a_kick_of_a_number_and_of_a_field_agree():
    """The spatial mean after a kick at one pixel: R summed over displacements, over N²."""
    data = ensemble()
    mean = kicked(data, SMALL.score, observables.moment(GRID, 1), 20.0, "raw")
    field = respond(data, SMALL.score, lags=20.0)
    torch.testing.assert_close(mean.values[:, 0], field.values.mean((-2, -1)), rtol=5e-3, atol=1e-5)  # means are taken off differently


# --- against what really happens


@pytest.mark.parametrize("parameter", ["lam", "epsilon"])
def test_changed_members_follow_the_closed_form(parameter):
    value = getattr(SMALL, parameter)
    both = [replace(SMALL, **{parameter: factor * value}) for factor in (1.025, 0.975)]
    found = run_work(ChangedEnsemble(SMALL, both, SHELLS, lags=40.0, members=256)).response()
    expected = 0.025 * value * shell_change(parameter, found.times)
    assert z_scores(found, expected).abs().max() < 5
    assert (found.values - expected).norm() / expected.norm() < 0.1


def test_further_rounds_narrow_the_band_and_repeat_what_one_large_round_gives():
    whole = run_work(ChangedEnsemble(SMALL, replace(SMALL, lam=0.05), POWER, lags=10.0, members=32)).response()
    parts = ChangedEnsemble(SMALL, replace(SMALL, lam=0.05), POWER, lags=10.0, members=8)
    first = run_work(parts).response()
    again = run_work(parts, rounds=3).response()
    assert parts.rounds == 4
    torch.testing.assert_close(again.values, whole.values, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(again.standard_error, whole.standard_error, rtol=1e-3, atol=1e-6)
    assert again.standard_error[5:].mean() < first.standard_error[5:].mean()


def test_a_change_of_nothing_changes_nothing():
    for system in (SMALL, TWO_PHASES, NavierStokes(grid=PeriodicGrid((16, 16)))):
        found = run_work(
            ChangedEnsemble(system, system, observables.moment(system.grid, 2), lags=1.0, every=0.25, members=8, spinup=1.0)
        ).response()
        assert found.values.abs().max() == 0


@pytest.mark.slow
def test_two_phases_under_another_well_are_predicted():
    """α by ±5 %: the prediction from unperturbed data against the members that are really changed; the Gaussian score is far off."""
    both = observables.together(POWER, observables.moment(GRID, 4))
    data = ensemble(TWO_PHASES, members=256, every=1 / 16, duration=16.0)
    up, down = (replace(TWO_PHASES, alpha=factor * 16.0, dt=1 / 64) for factor in (1.05, 0.95))
    truth = run_work(ChangedEnsemble(replace(TWO_PHASES, dt=1 / 64), [up, down], both, lags=2.0, every=1 / 16, members=256)).response()
    predicted, gaussian = (
        0.8 * sensitivities(data, score, both, changes(TWO_PHASES, "alpha"), lags=2.0)["alpha"].values
        for score in (TWO_PHASES.score, GaussianScore.fit(data))
    )
    error, wrong = ((found - truth.values)[4:].norm() / truth.values[4:].norm() for found in (predicted, gaussian))
    assert error < 0.25 < 0.5 < wrong


def stirred(*factors, members):
    """The mean and the power of members whose forcing is changed by factors, (lag, 2)."""
    both = observables.together(*(observables.moment(FLOW.grid, order) for order in (1, 2)))
    changed = [replace(FLOW, forcing=factor * FLOW.forcing) for factor in factors]
    return run_work(ChangedEnsemble(FLOW, changed, both, lags=2.0, every=0.25, members=members, spinup=4.0)).response()


def test_the_mean_of_a_flow_that_is_stirred_harder_moves_in_proportion():
    """Nothing carries it away, so the walk of the phases being the same, it does so member by member."""
    doubled, little = stirred(2.0, members=8).values[:, 0], stirred(1.02, 0.98, members=8).values[:, 0]
    assert (doubled[1:] != 0).all()
    torch.testing.assert_close(little, 0.02 * doubled, rtol=0.01, atol=1e-8)


def test_the_power_of_a_flow_that_is_stirred_harder_moves_as_the_theorem_says():
    data = simulate(FLOW, members=64, duration=6.0, every=0.25, spinup=4.0, device="cpu", context=True)
    change = {"forcing": FLOW.drift_derivative("forcing")}
    response = sensitivities(data, GaussianScore.fit(data), observables.moment(FLOW.grid, 2), change, lags=2.0)["forcing"]
    predicted, error = (0.02 * FLOW.forcing * part[1:, 0] for part in (response.values, response.standard_error))
    found = stirred(1.02, 0.98, members=64)
    measured, scatter = found.values[1:, 1], found.standard_error[1:, 1]
    assert measured[-1] > 4 * scatter[-1]
    assert ((measured - predicted) / (error.square() + scatter.square()).sqrt()).abs().max() < 3


def test_waves_may_come_to_rest_and_start_again():
    resting = replace(FLOW, frozen=True)
    for system, changed in ((FLOW, resting), (resting, FLOW)):
        found = run_work(
            ChangedEnsemble(system, changed, observables.spectrum(FLOW.grid), lags=1.0, every=0.5, members=8, spinup=1.0)
        ).response()
        assert (found.values[1:].abs().amax(1) > 0).all()


def test_a_flow_that_is_stirred_harder_needs_its_forcing():
    flow = NavierStokes(grid=PeriodicGrid((16, 16)))
    data = simulate(flow, members=8, duration=4.0, every=0.25, spinup=2.0, device="cpu", context=True)
    power, change = observables.moment(flow.grid, 2), flow.drift_derivative("forcing")
    force = change[0](data.u, data.context)
    torch.testing.assert_close(force, data.context[:, :, 0] / flow.forcing)
    score = GaussianScore.fit(data)
    options = {"lags": 1.0, "integrate": False}
    response = sensitivities(data, score, power, {"forcing": change}, **options)["forcing"]
    assert response.values.shape == (5, 1)
    start = 2 * (data.u * force)[:, ::4].mean()  # what the control variate puts there, taken at every fourth snapshot
    assert float(response.values[0, 0]) == pytest.approx(float(start), rel=1e-3)
    with pytest.raises(ValueError, match="context=True"):
        sensitivities(replace(data, context=None), score, power, {"forcing": change}, **options)
    with pytest.raises(ValueError, match="not forced"):
        replace(flow, forcing=0.0).drift_derivative("forcing")


def test_a_change_that_ruins_a_run_says_when():
    with pytest.raises(DivergedError, match=r"diverged"):
        run_work(ChangedEnsemble(TWO_PHASES, replace(TWO_PHASES, alpha=3000.0), POWER, lags=40.0, members=8, spinup=1.0))
