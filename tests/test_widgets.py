"""The explorers without a browser: every control moves the figure to what the API itself returns, and errors show."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    DoubleWell,
    NavierStokes,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    exact_response,
    figures,
    kick_pattern,
    load_shipped,
    simulate,
)
from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.course import panels, widgets
from gfdt_tutorial.course.views import LiveResponse, StirredFlow
from gfdt_tutorial.course.widgets.runner import Runner

MOVES = {"lam": 0.1, "kappa": 1e-3, "advection": -0.05, "epsilon": 0.2, "kick": "random", "amplitude": -0.5, "lag": 61}


@pytest.mark.parametrize("name", MOVES)
def test_every_control_of_the_explorer_moves_the_figure_to_the_closed_form(name):
    explorer = widgets.OrnsteinUhlenbeckExplorer()
    before = [np.array(trace.z if trace.type == "heatmap" else trace.y) for trace in explorer.figure.data]
    explorer.controls[name].value = MOVES[name]
    value = explorer.values
    system = OrnsteinUhlenbeck(**{parameter: value[parameter] for parameter in ("lam", "kappa", "advection", "epsilon")})
    response = exact_response(system, lags=90.0).to(kick_pattern(system.grid, value["kick"], value["amplitude"]))
    snapshot, _, spectrum, answer_map, *curves, _ = explorer.figure.data
    np.testing.assert_allclose([curve.y for curve in curves], [response[:, 0, d] for d in figures.DISPLACEMENTS], atol=1e-6)
    np.testing.assert_allclose(answer_map.z, np.roll(response[value["lag"]], (16, 16), (0, 1)), atol=2e-6)
    np.testing.assert_allclose(spectrum.y, shell_average(system.grid, system.mode_covariance)[1][1:])
    white = system.grid.apply(system.mode_covariance.rsqrt(), torch.tensor(np.roll(snapshot.z, (16, 16), (0, 1))).float())
    torch.testing.assert_close(white, widgets_noise(), atol=1e-3, rtol=0)  # the same weather under any parameters
    after = [np.array(trace.z if trace.type == "heatmap" else trace.y) for trace in explorer.figure.data]
    assert any(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))


def widgets_noise() -> torch.Tensor:
    system = OrnsteinUhlenbeck()
    return system.grid.apply(system.mode_covariance.rsqrt(), system.grid.irfft(system.initial(range(1), 0, torch.device("cpu")))[0])


def test_an_exception_in_a_callback_is_shown_and_the_next_move_mends_it(monkeypatch):
    explorer = widgets.OrnsteinUhlenbeckExplorer()
    with monkeypatch.context() as broken:
        broken.setattr("gfdt_tutorial.course.panels.explorer_data", lambda view: 1 / 0)
        explorer.controls["lag"].value = 5
        assert "ZeroDivisionError" in explorer.readout.value and "gfdt-error" in explorer.readout.value
    explorer.controls["lag"].value = 6
    assert "response at lag 6" in explorer.readout.value


def test_the_first_widget_shows_the_lag_it_says():
    exact = exact_response(OrnsteinUhlenbeck())
    first = widgets.FirstKick(exact)
    first.controls["lag"].value = 40
    np.testing.assert_allclose(first.figure.data[0].z, np.roll(exact.values[40], (16, 16), (0, 1)), atol=1e-6)
    assert "t = 40" in first.readout.value
    assert "torch" in widgets.first_kick.installation()


def test_one_move_sends_at_most_64_kib_to_the_browser():
    """Counted as JSON, which is more than what is sent: curves go as binary."""
    from plotly.io.json import to_json_plotly

    explorer = widgets.OrnsteinUhlenbeckExplorer()
    assert sum(len(to_json_plotly(data)) for data in panels.explorer_data(explorer.view)) < 64 * 1024


def trained(steps=40):
    data = simulate(OrnsteinUhlenbeck(), members=10, duration=63.0)
    return widgets.ScoreTraining(data, OrnsteinUhlenbeck(), steps=steps)


def wait_for(lab):
    lab.runner._thread.join()


class Gate:
    """An iterator in front of another, which the test lets through step by step."""

    def __init__(self, work):
        self.work, self.allowed, self.waiting = iter(work), threading.Semaphore(0), threading.Semaphore(0)

    def __iter__(self):
        return self

    def __next__(self):
        self.waiting.release()
        self.allowed.acquire()
        return next(self.work)

    def step(self, count=1):
        """Let `count` steps through, and wait until all of them are done and the next one is asked for."""
        for _ in range(count):
            self.allowed.release()
            self.waiting.acquire()

    def open(self):
        """Let everything through."""
        self.allowed.release(10**6)


def gated(lab):
    """The lab, whose work waits at a gate; and the gate."""
    gate = Gate(lab._work())
    lab._work = lambda: gate
    return gate


def start(lab, gate):
    """Press the button, and wait until the first step is asked for."""
    lab.go.click()
    gate.waiting.acquire()


def pause(lab, gate):
    """Press the button while the thread waits at the gate: the step that it waits for is the last."""
    stopper = threading.Thread(target=lab.go.click)
    stopper.start()
    lab.runner._asked.wait()
    gate.allowed.release()
    stopper.join()


@pytest.mark.slow
def test_training_starts_stops_resumes_and_ends_where_an_undisturbed_one_does():
    lab, other = trained(), trained()
    gate = gated(lab)
    start(lab, gate)
    gate.step(5)
    pause(lab, gate)
    assert not lab.runner.running and lab.go.description == "resume"
    assert lab.training.step == 6
    gate.open()
    lab.go.click()
    wait_for(lab)
    assert lab.training.step == 40 and lab.go.description == "done" and lab.go.disabled
    for _ in other.training:
        pass
    assert lab.training.losses == other.training.losses
    np.testing.assert_allclose(lab.figure.data[0].y, lab.training.losses)
    assert "step 40 of 40" in lab.readout.value


def test_another_noise_level_starts_anew_and_a_second_widget_stops_the_first():
    lab = trained(steps=10_000)
    lab.go.click()
    lab.controls["level"].value = 0.2
    assert lab.training.step == 0 and lab.training.budget.level == pytest.approx(0.2) and not lab.runner.running
    lab.go.click()
    assert lab.runner.running
    trained()  # as when the cell is run again
    assert not lab.runner.running
    lab.close()


def test_a_failing_training_is_shown():
    lab = trained()
    lab.training._advance = lambda: 1 / 0
    lab.go.click()
    wait_for(lab)
    assert "ZeroDivisionError" in lab.readout.value


def test_the_live_lab_runs_pauses_and_is_kicked_by_a_click():
    lab = widgets.AllenCahnLab()
    gate = gated(lab)
    start(lab, gate)
    gate.step(3)
    pause(lab, gate)
    paused = lab.view.time
    assert paused == 4
    assert not lab.runner.running and lab.go.description == "resume"
    np.testing.assert_allclose(lab.figure.data[0].z, figures.centred(lab.view.system.grid, lab.view.snapshot))
    x, y = lab.figure.data[0].x[20], lab.figure.data[0].y[11]  # the origin is in the middle of the map, so these are pixels 4 and -5
    lab.amplitude.value = 0.5
    lab.figure._handle_custom_msg({"clicked": 0, "x": x, "y": y}, [])
    assert lab.view.pattern[-5, 4] == 0.5 and lab.view.pattern.abs().sum() == 0.5 and lab.view.since == 0
    torch.testing.assert_close(lab.view.difference, lab.view.pattern, atol=1e-5, rtol=0)
    assert lab.view.time == paused
    lab.again.click()
    assert lab.view.time == 0 and lab.go.description == "start"


def test_a_parameter_starts_another_field_and_hides_the_truth_of_the_first():
    lab = widgets.AllenCahnLab()
    assert np.isfinite(lab.figure.data[3].y).all()
    lab.controls["alpha"].value = 5.0
    assert lab.view.system == replace(AllenCahn(), alpha=5.0)
    assert np.isnan(lab.figure.data[3].y).all()
    lab.controls["alpha"].value = 16.0
    assert lab.view.system == AllenCahn()
    assert np.isfinite(lab.figure.data[3].y).all()


def test_a_second_lab_stops_the_first_and_a_failure_is_shown():
    lab = widgets.AllenCahnLab()
    lab.go.click()
    assert lab.runner.running
    other = widgets.AllenCahnLab()
    assert not lab.runner.running
    other.view._advance = lambda: 1 / 0
    other.go.click()
    wait_for(other)
    assert "ZeroDivisionError" in other.readout.value
    other.close()


def test_live_estimates_are_those_of_the_same_recording():
    """The blocks of the running estimate against products summed one by one."""
    system = AllenCahn(grid=PeriodicGrid((6, 8)))
    view, record = LiveResponse(system, members=8, lags=3, spinup=2.0), []
    record.append(view._fields)
    for _ in zip(range(14), view, strict=False):
        record.append(view._fields)
    u = torch.stack(record, 1)  # windows of 7 times, 4 origins each, from 0, 4 and 8
    spectra, scores = system.grid.rfft(u), system.grid.rfft(system.score(u))
    numbers = {"c": [], "p": []}
    for lag in range(4):
        pairs = [(start + i, start + i + lag) for start in (0, 4, 8) for i in range(4) if i + lag < 7]
        numbers["c"].append(torch.stack([spectra[:, b] * spectra[:, a].conj() for a, b in pairs]).mean((0, 1)))
        numbers["p"].append(-torch.stack([spectra[:, b] * scores[:, a].conj() for a, b in pairs]).mean((0, 1)) / 48)
    c, p = torch.stack(numbers["c"]), torch.stack(numbers["p"])
    gaussian = c / c[:1].real
    found = view.responses()
    torch.testing.assert_close(found["gaussian"].values, system.grid.irfft(gaussian), atol=1e-4, rtol=0)
    torch.testing.assert_close(found["analytic"].values, system.grid.irfft(gaussian + p - p[:1] * gaussian), atol=1e-3, rtol=0)
    assert view.origins == 12 and [amount for amount, _ in view.history] == [32, 64, 96]
    assert (found["analytic"].standard_error[1:] > 0).all()


@pytest.mark.slow
def test_the_flow_lab_kicks_all_members_where_the_map_is_clicked_and_shows_the_prediction():
    response = load_shipped("navier-stokes-truth")
    lab = widgets.FlowLab(response)
    grid = lab.view.system.grid
    gate = gated(lab)
    start(lab, gate)
    gate.step(3)
    pause(lab, gate)
    x, y = lab.figure.data[0].x[20], lab.figure.data[0].y[11]
    lab.amplitude.value = 0.5
    lab.figure._handle_custom_msg({"clicked": 0, "x": x, "y": y}, [])
    assert lab.view.pattern[-5, 4] == 0.5 and lab.view.since == 0
    torch.testing.assert_close(lab.view.mean, lab.view.pattern, atol=1e-5, rtol=0)
    for _ in range(4):
        next(iter(lab.view))
    lab.update()
    expected = response.to(lab.view.pattern)[4]
    np.testing.assert_allclose(lab.figure.data[4].z, figures.centred(grid, expected), atol=1e-5)
    np.testing.assert_allclose(lab.figure.data[3].z, figures.centred(grid, lab.view.mean), atol=1e-5)
    assert lab.view.match > 0.9  # a quarter of a time unit: 16 pairs already agree with the prediction
    assert len(lab.figure.data[5].y) == 5 and "0.25 since the kick" in lab.readout.value
    lab.controls["members"].value = 8
    assert lab.view.members == 8 and lab.view.steps == 0
    lab.close()


@pytest.mark.parametrize(
    "make", [widgets.AllenCahnLab, lambda: widgets.FlowLab(load_shipped("navier-stokes-truth"))], ids=["field", "flow"]
)
def test_a_kick_in_the_middle_of_a_step_is_not_lost(make):
    """The step, once done, would put the twins of the kick before back, under the prediction of the new one."""
    lab, steps, second, kicked = make(), [], threading.Event(), threading.Event()
    step, stop = lab.view._step, lab.stop

    def slow(*arguments):
        steps.append(arguments)
        if len(steps) == 2:  # that of the twins, where they step alone
            second.set()
            kicked.wait()
        return step(*arguments)

    def stop_in_the_middle():
        lab.runner._asked.set()
        kicked.set()
        stop()

    lab.view._step, lab.stop = slow, stop_in_the_middle
    lab.go.click()
    second.wait()
    lab.kick(16, 20)
    assert lab.running
    lab.close()
    difference = lab.view.difference if hasattr(lab.view, "difference") else lab.view.mean
    row, column = np.unravel_index(int(difference.argmax()), difference.shape)
    assert abs(row - 16) < 3 and abs(column - 20) < 3


def test_a_response_of_another_grid_is_refused():
    response = exact_response(OrnsteinUhlenbeck(grid=PeriodicGrid((16, 16))), lags=4.0)
    with pytest.raises(ValueError, match="give a response of this system"):
        StirredFlow(NavierStokes(), response)


def test_without_a_kick_the_twins_stay_together_and_a_pause_follows_each_step():
    view = StirredFlow(NavierStokes(), load_shipped("navier-stokes-truth"), members=2, spinup=1.0)
    view.kick(0, 0, 0.0)
    for _ in zip(range(3), view, strict=False):
        pass
    assert float(view.mean.abs().max()) == 0 and view.time == pytest.approx(3 / 16)
    reports, pauses = [], []
    runner = Runner(iter(()), reports.append)
    runner._thread.join()
    runner._work, runner._pace, runner._every = iter(view), 0.2, math.inf
    runner._asked = Asked(pauses)
    runner._run()
    assert view.steps == 3 + 4 and pauses == [0.2] * 4 and reports == [None, None]


class Asked:
    """An event that notes how long it was waited for, and is set at the fourth time."""

    def __init__(self, pauses):
        self.pauses = pauses

    def wait(self, seconds):
        self.pauses.append(seconds)
        return len(self.pauses) == 4

    def is_set(self):
        return False

    def set(self):
        pass


def test_when_the_prediction_of_the_flow_has_ended_the_lab_says_so_and_shows_the_means_whole():
    response = load_shipped("navier-stokes-truth")
    lab = widgets.FlowLab(replace(response, times=response.times[:3], values=response.values[:3], standard_error=None, parts=None))
    assert "with the prediction 1.00" in lab.readout.value
    for _ in range(3):
        next(iter(lab.view))
    lab.update()
    assert "the prediction ends 0.125 after a kick" in lab.readout.value
    assert "nan" not in lab.readout.value
    mean = lab.figure.data[3]
    assert np.abs(mean.z).max() == pytest.approx(mean.zmax, rel=1e-4)
    lab.close()


@pytest.mark.parametrize("system", [OrnsteinUhlenbeck(advection=0.3), OrnsteinUhlenbeck(grid=PeriodicGrid((4, 4)))], ids=["swift", "small"])
def test_the_explorer_starts_at_the_system_it_is_given(system):
    explorer = widgets.OrnsteinUhlenbeckExplorer(system)
    response = exact_response(system, lags=90.0).to(kick_pattern(system.grid, "bump"))
    np.testing.assert_allclose(explorer.figure.data[7].y, response[:, 0, 6 % system.grid.shape[1]], atol=1e-6)


def test_a_parameter_that_no_slider_over_decades_can_show_is_refused():
    with pytest.raises(ValueError, match=r"κ, diffusivity is 0.0; expected a finite number > 0"):
        widgets.OrnsteinUhlenbeckExplorer(OrnsteinUhlenbeck(kappa=0.0))


def test_the_well_starts_where_it_is_told_and_without_a_kick_nothing_is_off():
    explorer = widgets.DoubleWellExplorer(DoubleWell(barrier=2.0))
    assert explorer.view.well.barrier == 2.0
    with pytest.raises(ValueError, match=r"kick is 1.5; expected a number from −1 to 1"):
        widgets.DoubleWellExplorer(kick=1.5)
    explorer = widgets.DoubleWellExplorer()
    explorer.controls["kick"].value = 0.0
    assert "mean: 0.0%" in explorer.readout.value


def test_the_bump_of_the_first_widget_is_told_the_nearer_way_round():
    first = widgets.FirstKick(exact_response(OrnsteinUhlenbeck(advection=-0.02)))
    first.controls["lag"].value = 40
    assert "-4 pixels downstream" in first.readout.value


def test_a_flow_that_is_kicked_by_nothing_has_no_correlation_to_tell():
    lab = widgets.FlowLab(load_shipped("navier-stokes-truth"))
    lab.amplitude.value = 0.0
    lab.kick(3, 4)
    assert "not kicked" in lab.readout.value and "nan" not in lab.readout.value
    lab.close()


def test_moved_back_to_the_letter_the_field_is_the_letters_and_a_stuck_one_is_said_to_be():
    lab = widgets.AllenCahnLab()
    for name in ("kappa", "epsilon"):
        slider = lab.controls[name]
        first = np.log10(slider.value) if name == "kappa" else slider.value
        assert (first - slider.min) / slider.step == pytest.approx(round((first - slider.min) / slider.step))
    lab.controls["epsilon"].value = lab.controls["epsilon"].min
    assert "gfdt-warning" in lab.readout.value and "hardly ever leaves a phase" in lab.readout.value
    lab.controls["epsilon"].value = AllenCahn().epsilon + 1e-6
    assert lab.view.system == AllenCahn() and "gfdt-warning" not in lab.readout.value
