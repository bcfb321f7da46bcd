"""The flow: conservation, closed forms and order of convergence of the step; the forcing against its law; what is hidden."""

import math
from dataclasses import replace

import pytest
import torch

from gfdt_tutorial import DivergedError, NavierStokes, PeriodicGrid, perturb, simulate
from gfdt_tutorial.bench import navier_stokes_steps as bench
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.systems.built_in import make_system
from gfdt_tutorial.systems.flow_forcing import WaveForcing

LETTER = NavierStokes()
CPU = torch.device("cpu")
CALM = replace(LETTER, nu=0.0, nu_h=0.0, forcing=0.0, advection=0.0)
GRIDS = [PeriodicGrid((16, 16)), PeriodicGrid((12, 18)), PeriodicGrid((15, 9), lengths=(3.0, 2.0))]


def run(system, spectra, time, *, members=1, seed=0):
    """Spectra a time later."""
    return system.stepper(time, CPU)(spectra, system.make_noise(range(members), seed, CPU))


def turbulence(system, members=2, seed=1):
    """Smooth random eddies without a mean, as lively as the stationary flow."""
    spectra = system.initial(range(members), seed, CPU)
    spectra = spectra * torch.exp(-0.05 * system.grid.k_squared).float()
    spectra[:, 0, 0] = 0
    return system.grid.rfft(system.grid.irfft(spectra))


def enstrophy(system, spectra):
    return system.grid.irfft(spectra).double().square().mean((1, 2))


def energy(system, spectra):
    k_squared = system.grid.k_squared
    stream = torch.where(k_squared > 0, spectra.to(torch.complex128) / k_squared.clamp_min(1e-9), 0)
    return (stream.conj() * spectra * system.grid.multiplicity).real.sum((1, 2)) / 2 / system.grid.size**2


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_plane_wave_decays_and_drifts_as_in_closed_form(grid):
    """One wave alone does not advect itself, as ψ is proportional to u."""
    system = replace(LETTER, forcing=0.0, nu=1e-3, nu_h=3e-2, advection=0.7, grid=grid)
    spectra = torch.zeros(1, *grid.spectral_shape, dtype=torch.complex64)
    spectra[0, 2, 1] = 0.3 * grid.size
    k = float(grid.wavenumbers[1][0, 1])
    k_squared = float(grid.k_squared[2, 1])
    after = run(system, spectra, 2.0)
    exact = 0.3 * grid.size * torch.exp(torch.tensor(2.0 * complex(-3e-2 / k_squared**2 - 1e-3 * k_squared**2, -0.7 * k)))
    assert abs(after[0, 2, 1] - exact) < 1e-5 * grid.size
    others = after.clone()
    others[0, 2, 1] = 0
    assert float(others.abs().max()) < 1e-5 * grid.size


def test_the_mean_flow_carries_any_field_along_unchanged():
    system = replace(CALM, advection=math.pi)
    field = 1e-4 * torch.randn(32, 32, generator=torch.Generator().manual_seed(1))  # too weak to advect itself
    spectra = LETTER.grid.rfft(field)
    spectra[0, 0] = 0  # the mean decays
    moved = system.grid.irfft(run(system, spectra[None], 0.25))[0]
    assert torch.allclose(moved, system.grid.irfft(spectra).roll(4, -1), atol=2e-7)  # π/4 of 2π: 4 of 32 pixels


def test_without_forcing_and_damping_enstrophy_is_kept_and_energy_nearly():
    """Enstrophy to the error of the step, energy to that of the grid: aliasing spoils the product rule on which it rests."""
    spectra = turbulence(CALM)
    after = run(CALM, spectra, 10.0)
    assert ((enstrophy(CALM, after) / enstrophy(CALM, spectra) - 1).abs() < 1e-4).all()
    assert ((energy(CALM, after) / energy(CALM, spectra) - 1).abs() < 2e-3).all()
    assert float((after - spectra).abs().max()) > 0.1 * float(spectra.abs().max())  # and much has happened


def test_the_step_is_of_order_four():
    """With phases that stand still; the finest step serves as the truth. Single precision ends the fall at 10⁻⁶."""
    system = replace(LETTER, frozen=True, advection=1.0)
    spectra = turbulence(system)

    def after(dt):
        made = replace(system, dt=dt)
        noise = made.make_noise(range(2), 0, CPU)
        noise.frozen = True
        return made.stepper(1.0, CPU)(spectra, noise)

    exact = after(1 / 64)
    coarse, fine = (float((after(dt) - exact).abs().max()) for dt in (1 / 4, 1 / 8))
    assert 10 < coarse / fine < 26


@pytest.mark.slow
def test_a_longer_step_changes_no_shell():
    """1/32 against 1/128 from the same start and forcing law: the same spectrum, also where the mean flow passes pixels fastest."""
    shells = []
    for dt in (1 / 32, 1 / 128):
        u = simulate(replace(LETTER, dt=dt), members=16, spinup=4.0, duration=4.0, every=1.0, seed=3, device="cpu").u
        shells.append(shell_average(LETTER.grid, mode_covariance(LETTER.grid, u))[1][3:])
    assert ((shells[0] / shells[1] - 1).abs() < 0.12).all()


def test_plain_runge_kutta_would_fail_that():
    """The mean flow outside the integrating factor, as one more wave speed for the scheme to follow: it is damped."""
    k, h = 15.0, 1 / 32
    z = complex(0, -math.pi * k * h)
    growth = abs(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)
    assert growth ** (1 / h) < 0.6


def test_the_forcing_obeys_its_law():
    forcing = LETTER.make_noise(range(256), 0, CPU)
    first = LETTER.grid.irfft(forcing.spectra)
    assert forcing._phases.shape[1] == 349  # PHYSICS: k² ≤ 15²/2 and no Nyquist
    assert abs(float(first.square().mean()) / LETTER.forcing_variance - 1) < 0.02
    assert abs(LETTER.forcing_variance**0.5 - 0.2415) < 1e-3
    for _ in range(16):
        forcing.advance(1 / 16)
    later = LETTER.grid.irfft(forcing.spectra)
    assert abs(float((first * later).mean()) / LETTER.forcing_variance - math.exp(-1)) < 0.03
    assert abs(float(later.square().mean()) / LETTER.forcing_variance - 1) < 0.02


def test_forcing_on_other_grids_has_the_variance_it_says():
    for grid in GRIDS:
        system = replace(LETTER, grid=grid)
        forcing = WaveForcing(grid, range(512), 1, amplitude=system.forcing, cutoff=system.highest_forced)
        found = float(grid.irfft(forcing.spectra).square().mean())
        assert abs(found / system.forcing_variance - 1) < 0.03


def test_phases_stand_still_only_when_frozen():
    moving, frozen = (
        simulate(replace(LETTER, frozen=frozen), members=2, spinup=1.0, duration=2.0, every=0.5, seed=1, device="cpu", context=True)
        for frozen in (False, True)
    )
    assert moving.context.shape == (2, 5, 1, 32, 32)
    assert torch.equal(frozen.context[:, 0], frozen.context[:, -1])
    assert not torch.allclose(moving.context[:, 0], moving.context[:, -1], atol=0.05)
    assert torch.equal(moving.u[:, 0], frozen.u[:, 0])  # the spin-up is the same


def test_the_context_is_the_forcing_that_acts():
    """From rest, du/dt is ς."""
    noise = LETTER.make_noise(range(4), 0, CPU)
    first = noise.spectra.clone()
    noise.frozen = True
    step = replace(LETTER, advection=0.0).stepper(1e-3, CPU)
    after = step(torch.zeros(4, *LETTER.grid.spectral_shape, dtype=torch.complex64), noise)
    assert torch.allclose(after / 1e-3, first, atol=0.01 * float(first.abs().max()))


def test_a_member_is_the_same_in_any_company():
    alone = simulate(LETTER, members=1, spinup=1.0, duration=1.0, every=0.5, seed=4, device="cpu", context=True)
    among = simulate(LETTER, members=5, spinup=1.0, duration=1.0, every=0.5, seed=4, device="cpu", context=True)
    assert torch.allclose(alone.u[0], among.u[0], atol=1e-5)
    assert torch.allclose(alone.context[0], among.context[0], atol=1e-6)
    again = simulate(LETTER, members=5, spinup=1.0, duration=1.0, every=0.5, seed=4, device="cpu")
    assert torch.equal(again.u, among.u)


@pytest.mark.slow
def test_the_start_has_the_stationary_spectrum():
    spectra = LETTER.initial(range(64), 0, CPU)
    start = mode_covariance(LETTER.grid, LETTER.grid.irfft(spectra))
    data = simulate(LETTER, members=16, spinup=20.0, duration=20.0, every=4.0, seed=0, device="cpu")
    later = mode_covariance(LETTER.grid, data.u)
    ratio = shell_average(LETTER.grid, later)[1] / shell_average(LETTER.grid, start)[1]
    assert ((ratio[2:15] - 1).abs() < 0.3).all()


@pytest.mark.parametrize("name, value", [("nu", 1e-3), ("nu_h", 1e-1), ("advection", 1.0)])
def test_drift_derivatives_are_those_of_the_step(name, value):
    system, h = replace(LETTER, forcing=0.0), 1e-3
    spectra = turbulence(system)
    more, less = (system.grid.irfft(run(replace(system, **{name: factor * value}), spectra, h)) for factor in (1.5, 0.5))
    expected = system.drift_derivative(name)[0](system.grid.irfft(spectra))
    assert torch.allclose((more - less) / (value * h), expected, atol=0.02 * float(expected.abs().max()))


def test_divergences_are_traces():
    grid = PeriodicGrid((6, 8))
    system = replace(LETTER, grid=grid, nyquist=True)
    basis = torch.eye(grid.size).reshape(grid.size, *grid.shape)
    for name in ("nu", "nu_h", "advection"):
        force, divergence = system.drift_derivative(name)
        trace = float(force(basis).reshape(grid.size, grid.size).diagonal().sum())
        assert abs(trace - float(divergence(basis)[0])) < 1e-3 * max(1.0, abs(trace))


def test_twins_start_at_the_identity_and_drift_downstream():
    truth = perturb(LETTER, lags=0.25, pairs=16, every=1 / 16, amplitude=1 / 64, spinup=2.0, device="cpu")
    assert abs(float(truth.values[0, 0, 0]) - 1) < 1e-5
    rows = truth.values[:, 0].argmax(1)
    assert rows.tolist() == [0, 1, 2, 3, 4]  # a pixel each 1/16, as A = π


def test_kicked_twins_feel_the_same_forcing():
    """From rest the flow hardly advects yet, and the difference of twins is the kick, however hard both are stirred."""
    system = replace(LETTER, advection=0.0)
    kick = torch.zeros(32, 32)
    kick[3, 5] = 1e-2
    shift = system.grid.rfft(kick).expand(2, -1, -1)
    twins = run(system, torch.stack([shift, -shift]), 0.25, members=2)
    assert float(system.grid.irfft(twins[0]).std()) > 0.04
    difference = system.grid.irfft(twins[0] - twins[1]) / 2
    assert torch.allclose(difference, kick.expand(2, -1, -1), atol=1e-3)


def test_a_step_that_would_diverge_is_refused_at_once():
    with pytest.raises(DivergedError, match="Courant number"):
        simulate(replace(LETTER, dt=0.5), members=2, duration=4.0, device="cpu")
    assert 64 * replace(LETTER, grid=PeriodicGrid((64, 64))).step <= 1


@pytest.mark.parametrize(
    "change, words",
    [
        ({"nu": -1.0}, "nu is -1.0"),
        ({"forcing": math.nan}, "forcing is nan"),
        ({"advection": "fast"}, "advection is 'fast'"),
        ({"grid": PeriodicGrid((32,))}, "two axes"),
        ({"cutoff": 0.0}, "cutoff is 0.0"),
        ({"dt": -0.1}, "dt is -0.1"),
        ({"frozen": 2}, "frozen is 2"),
    ],
)
def test_bad_parameters_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        NavierStokes(**change)


def test_there_is_no_analytic_score_and_the_message_says_what_to_use():
    assert not LETTER.has("score")
    with pytest.raises(ValueError, match="fit_score"):
        LETTER.score(torch.zeros(32, 32))
    with pytest.raises(ValueError, match="hidden forcing"):
        simulate(make_system("allen-cahn"), members=1, duration=2.0, context=True)


def test_the_letters_nyquist_variant_differs_at_nyquist_only():
    kept, dropped = (replace(LETTER, nyquist=nyquist, advection=0.0).rates.real for nyquist in (True, False))
    assert torch.equal(kept[:16, :16], dropped[:16, :16])
    assert (dropped[1:16, 16] > kept[1:16, 16]).all()


# --- the bench's comparison of two steps


def test_long_and_short_steps_are_driven_by_the_same_walk():
    system = replace(LETTER, grid=PeriodicGrid((8, 8)))
    short = system.make_noise(range(2), 3, CPU)
    long = bench._SameForcing(grid=system.grid).make_noise(range(2), 3, CPU)
    for _ in range(6):
        for _ in range(bench.FINER):
            short.advance(0.01)
        long.advance(0.01 * bench.FINER)
        torch.testing.assert_close(long.spectra, short.spectra)
    assert not torch.equal(system.make_noise(range(2), 3, CPU).advance(0.04), long.spectra)
