"""The response lab without a browser: it shows the response of the theory, what it prints gives the same, and when that can be trusted."""

import math
from dataclasses import replace

import pytest
import torch

from gfdt_tutorial import AllenCahn, OrnsteinUhlenbeck, PeriodicGrid, exact_response, kick_pattern, load_shipped
from gfdt_tutorial.core.progress import run as run_work
from gfdt_tutorial.course.views import response_lab
from gfdt_tutorial.course.views.kick_design import KickDesign, TimeProfile
from gfdt_tutorial.course.views.response_lab import Predictions
from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import SYSTEMS

OU = OrnsteinUhlenbeck.name
DRAWN = KickDesign("nothing", 0.5, ((3, 4, 1.0), (3, 5, 1.0), (3, 6, -1.0), (31, 0, 1.0)))


def close(found, expected, atol=1e-5):
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


# Kicks and time profiles


def test_a_drawing_is_added_to_a_ready_made_kick():
    grid = PeriodicGrid()
    expected = kick_pattern(grid, "bump", -0.5)
    expected[3, 4:6] -= 0.5
    expected[-1, 2] += 0.25
    close(KickDesign("bump", -0.5, ((3, 4, 1.0), (3, 5, 1.0), (-1, 2, -0.5))).pattern(grid), expected)
    with pytest.raises(ValueError, match="expected one of"):
        KickDesign("sledgehammer").pattern(grid)
    with pytest.raises(ValueError, match="finite"):
        KickDesign("bump", math.nan).pattern(grid)


def test_neighbours_in_a_row_take_one_line():
    assert DRAWN.code() == ["kick = torch.zeros(system.grid.shape)", "kick[3, 4:6] += 0.5", "kick[3, 6] += -0.5", "kick[31, 0] += 0.5"]


def test_time_profiles():
    times = torch.arange(5, dtype=torch.float64)
    assert TimeProfile("step").values(times).tolist() == [1, 1, 1, 1, 1]
    assert TimeProfile("ramp", 2.0).values(times).tolist() == [0, 0.5, 1, 1, 1]
    close(TimeProfile("periodic", 4.0).values(times), torch.tensor([0, 1, 0, -1, 0], dtype=torch.float64))
    assert TimeProfile("drawn", drawing=(0, 1, 0.5, 0, 0)).values(times).tolist() == [0, 1, 0.5, 0, 0]
    with pytest.raises(ValueError, match="2 values for 5 lags"):
        TimeProfile("drawn", drawing=(0, 1)).values(times)
    with pytest.raises(ValueError, match="scale"):
        TimeProfile("ramp", 0.0).values(times)


# Forcings


def lasting(system, every, lags=40.0):
    """The closed form of a step, (e^{Lt} − 1)/L p, and the trapezoid sum over sampled responses."""
    grid, response = system.grid, exact_response(system, lags=lags, every=every)
    pattern = kick_pattern(grid, "bump")
    exact = grid.irfft(torch.expm1(system.rates * response.times[:, None, None]) / system.rates * grid.rfft(pattern.double()))
    return exact.float(), response.to(pattern, torch.ones_like(response.times))


def test_a_forcing_is_summed_to_second_order():
    system = OrnsteinUhlenbeck()
    errors = [float((exact - found).abs().max()) for exact, found in (lasting(system, every) for every in (4.0, 2.0, 1.0))]
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.2) and errors[1] / errors[2] == pytest.approx(4, abs=0.2)
    assert errors[2] < 2e-3 * float(lasting(system, 1.0)[0].abs().max())


def test_a_forcing_of_one_instant_is_a_kick():
    response = load_shipped("allen-cahn-truth")
    kick, time_profile = kick_pattern(response.grid, "random"), torch.zeros(len(response.times))
    time_profile[3] = 1.0
    found = response.to(kick, time_profile)
    close(found[4:], response.to(kick)[1:-3])
    close(found[3], 0.5 * response.to(kick)[0])
    assert not found[:3].any()


@pytest.mark.parametrize("time_profile", [torch.ones(7), torch.full((91,), torch.nan)])
def test_a_time_profile_that_does_not_fit_is_refused(time_profile):
    response = exact_response(OrnsteinUhlenbeck())
    with pytest.raises(ValueError, match="time_profile"):
        response.to(kick_pattern(response.grid), time_profile)


# Ensembles that are forced


def forced(system=None, kick="bump", amplitude=1.0, time_profile=None, lags=12.0, every=1.0, **options):
    system = system or OrnsteinUhlenbeck()
    pattern = kick_pattern(system.grid, kick, amplitude)
    linear = exact_response(OrnsteinUhlenbeck(grid=system.grid), lags=lags, every=every).to(pattern, time_profile)
    return run_work(ForcedEnsemble(system, pattern, linear, time_profile, every=every, **{"members": 8} | options))


@pytest.mark.parametrize("time_profile", [None, torch.ones(13), torch.sin(torch.arange(13.0))])
def test_a_linear_field_responds_as_its_response_says(time_profile):
    found = forced(time_profile=time_profile)
    close(found.responses, found.linear, atol=2e-5)
    assert abs(found.departure.value) < 1e-4 and abs(found.even_part.value) < 1e-4
    assert found.gain.value == pytest.approx(1, abs=1e-4)


def test_kicks_at_intervals_approach_the_continuous_forcing_at_second_order():
    """Against (e^{Lt} − 1)/L p, by steps that are halved: Strang's splitting."""
    exact, errors = lasting(OrnsteinUhlenbeck(), 4.0, 16.0)[0][-1], []
    for every in (4.0, 2.0, 1.0):
        found = forced(time_profile=torch.ones(round(16 / every) + 1), lags=16.0, every=every)
        errors.append(float((found.responses[-1] - exact).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.3) and errors[1] / errors[2] == pytest.approx(4, abs=0.3)


class Squared(System):
    """A field without neighbours or noise, u ← u/2 + c u²: its response can be written in one line."""

    name = "squared"

    def __init__(self, c):
        self.c, self.grid = c, PeriodicGrid((2, 4))

    def initial(self, members, seed, device):
        return torch.zeros(len(members), *self.grid.spectral_shape, dtype=torch.complex64)

    def stepper(self, every, device):
        def step(spectra, noise):
            u = self.grid.irfft(spectra)
            return self.grid.rfft(0.5 * u + self.c * u.square())

        return step


def test_the_even_part_of_a_response_is_measured():
    system, pattern = Squared(0.3), torch.zeros(2, 4)
    pattern[0, 0] = 1.0
    found = run_work(ForcedEnsemble(system, pattern, torch.stack([pattern, 0.5 * pattern]), members=8))
    close(found.responses[1], 0.5 * pattern)  # odd: c drops out
    assert found.even_part.value == pytest.approx(0.3 / 0.5, abs=1e-5)
    assert found.departure.value == pytest.approx(0.3 / 0.5, abs=1e-5)
    assert found.gain.value == pytest.approx(1 + 0.3 * 0.5 / 0.25, abs=1e-5)


def test_scatter_of_members_is_no_departure():
    """A linear response that is wrong by 10 % shows in spite of noise; the right one does not, though the plain norm would say so."""
    torch.manual_seed(0)
    departures = []
    for wrong in (1.0, 0.9):
        found = forced(members=64)
        for row in range(1, 13):
            found._excess.add(0.02 * torch.randn(64, 32, 32) + (wrong - 1) * found.linear[row], found.linear[row])
        departures.append(found.departure)
    right, off = departures
    assert abs(right.value) < 3 * right.error < 0.05
    assert off.value == pytest.approx(0.1, abs=3 * off.error) and off.value > 5 * off.error


def test_a_run_that_was_left_goes_on_where_it_stopped():
    whole, system = forced(), OrnsteinUhlenbeck()
    parted = ForcedEnsemble(system, kick_pattern(system.grid, "bump"), whole.linear, members=8)
    for row in parted:
        if row == 3:
            break
    run_work(parted)
    assert torch.equal(parted.responses, whole.responses) and parted.departure == whole.departure
    assert run_work(parted).row == 12  # and once at the end, stays there


def test_bad_forcings_are_refused():
    system, pattern = OrnsteinUhlenbeck(), kick_pattern(PeriodicGrid())
    linear = torch.zeros(5, 32, 32)
    with pytest.raises(ValueError, match="shapes"):
        ForcedEnsemble(system, pattern[:4], linear)
    with pytest.raises(ValueError, match="3 values"):
        ForcedEnsemble(system, pattern, linear, torch.ones(3))
    with pytest.raises(ValueError, match="members"):
        ForcedEnsemble(system, pattern, linear, members=2)


# What is known of a system


def test_all_that_is_shipped_is_used_and_a_gaussian_is_made():
    for name, system in SYSTEMS.items():
        found = response_lab.lab_system(name)
        assert found.system == system() and found.truth == next(iter(found.responses))
        assert {"gaussian"} <= set(found.responses) and set(found.code) == set(found.responses)
    assert set(response_lab.lab_system("navier-stokes").responses) >= {"truth", "gaussian", "generative", "combined"}


def test_a_shipped_response_with_other_lags_is_refused(monkeypatch):
    monkeypatch.setattr(response_lab, "shipped_names", lambda: [f"{OU}-gaussian"])
    monkeypatch.setattr(response_lab, "load_shipped", lambda name: exact_response(OrnsteinUhlenbeck(), lags=30.0))
    with pytest.raises(ValueError, match="lags"):
        response_lab._lab_system.__wrapped__(OrnsteinUhlenbeck())


# Predictions, and the code that is printed


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("time_profile", [None, TimeProfile("periodic", 7.0)])
def test_predictions_are_convolutions_of_the_responses(name, time_profile):
    view = Predictions(name, KickDesign("random", 0.7, ((3, 4, 1.0),)), time_profile)
    pattern = kick_pattern(view.grid, "random", 0.7)
    pattern[3, 4] += 0.7
    f = None if time_profile is None else torch.sin(2 * torch.pi * view.times / 7)
    for method, response in view.lab_system.responses.items():
        close(view.fields[method], response.to(pattern, f))
    truth = view.fields[view.lab_system.truth]
    close(view.errors["gaussian"][5], (view.fields["gaussian"][5] - truth[5]).norm())
    close(view.size[5], truth[5].norm())
    close(view.along["gaussian"][5], (view.fields["gaussian"][5] * pattern).sum() / pattern.norm())
    assert set(view.errors) == set(view.fields) - {view.lab_system.truth}


SHOWN = [
    Predictions(OU, KickDesign("plane wave", -0.3)),
    Predictions(OU, DRAWN, TimeProfile("step")),
    Predictions("allen-cahn", replace(DRAWN, ready="bump"), TimeProfile("ramp", 12.5)),
    Predictions("navier-stokes", KickDesign("random", 1.2345678), TimeProfile("periodic", 1.7)),
    Predictions("navier-stokes", DRAWN, TimeProfile("drawn", drawing=tuple(0.001 * i for i in range(65)))),
]


@pytest.mark.parametrize("view", SHOWN, ids=lambda view: f"{view.name}, {view.kick.ready}, {view.time_profile and view.time_profile.shape}")
def test_the_printed_code_gives_what_is_shown(view):
    time = float(view.times[20])
    printed, row = view.code(time), view.row(time)
    found = {}
    exec(printed, found)
    assert list(found["maps"]) == list(view.fields)
    for method, field in view.fields.items():
        close(found["maps"][method], field[row])
    assert len(printed.splitlines()) <= 20


def test_the_printed_code_gives_what_was_measured():
    view = Predictions(OU, KickDesign("bump", 0.5), TimeProfile("ramp", 30.0))
    found = {}
    exec(view.code(20.0, measured=True), found)
    close(found["measured"], run_work(view.ensemble()).responses[20])


# Doubts


def test_an_empty_drawing_is_said_to_be_empty():
    view = Predictions("allen-cahn", KickDesign("nothing"))
    assert view.caveats() == ["nothing is kicked yet: draw, add a pixel, or choose a ready-made kick"]
    assert not view.linear.any() and all(torch.isfinite(curve).all() for curve in [*view.along.values(), *view.errors.values()])
    idle = Predictions("allen-cahn", KickDesign(), TimeProfile("drawn", drawing=(0.0,) * 91))
    assert "zero throughout" in idle.caveats()[0]


@pytest.mark.slow
def test_a_kick_outside_the_linear_regime_is_told_from_one_within():
    for amplitude, outside in ((0.5, False), (4.0, True)):
        view = Predictions(AllenCahn.name, KickDesign("bump", amplitude))
        measured = ForcedEnsemble(view.lab_system.system, view.pattern, view.linear[:21], members=32)
        assert view.caveats(measured) == []  # nothing is known before it ran
        run_work(measured)
        assert bool(view.caveats(measured)) is outside, (amplitude, measured.departure, measured.gain)
