"""The response lab's widgets without a browser: what is shown after each move, what is measured in a thread, and what goes wrong."""

import json
import re
import threading

import numpy as np
import pytest
import torch
from lab_presses import finish, press_and_release

from gfdt_tutorial import OrnsteinUhlenbeck, kick_pattern
from gfdt_tutorial.course import panels, widgets
from gfdt_tutorial.course.views import response_lab
from gfdt_tutorial.course.views.kick_design import KickDesign, TimeProfile
from gfdt_tutorial.course.widgets.kick_pad import KickPad
from gfdt_tutorial.systems.simulate import DivergedError

OU = OrnsteinUhlenbeck.name


def maps(panel) -> list:
    """What the maps show, the origin back in the corner."""
    return [np.roll(trace.z, (16, 16), (0, 1)) for trace in panel.figure.data[: panels.MAPS] if trace.visible]


def assert_shows(panel, system, pattern, time_profile=None):
    """Each map and curve is the answer of a response, as the API gives it."""
    known = response_lab.lab_system(system)
    row = int((known.responses[known.truth].times - panel.controls["time"].value).abs().argmin())
    answers = [response.to(pattern, time_profile) for response in known.responses.values()]
    np.testing.assert_allclose(maps(panel)[:-1], [response[row] for response in answers], atol=1e-5)
    errors = {trace.name: trace.y for trace in panel.figure.data if trace.xaxis == "x8" and trace.visible}
    np.testing.assert_allclose(errors["Gaussian"], (answers[1] - answers[0]).flatten(1).norm(dim=1), atol=1e-4)
    assert "gfdt-error" not in panel.readout.value


def stroke(canvas, changes):
    """What the browser sends for a stroke."""
    canvas._handle_custom_msg({"strokes": changes}, [])


# The canvas


def test_strokes_change_what_they_touch_and_are_acknowledged():
    canvas = KickPad((4, 8))
    canvas.draw(np.eye(4, 8))
    stroke(canvas, [[1, 0.5], [9, 0.0]])
    expected = np.eye(4, 8)
    expected[0, 1], expected[1, 1] = 0.5, 0.0
    np.testing.assert_array_equal(canvas.drawing, expected)
    assert canvas.heard == 1
    stroke(canvas, [[999, 1.0]])  # of a canvas that was larger
    np.testing.assert_array_equal(canvas.drawing, expected)
    canvas.clear()
    assert not canvas.drawing.any() and canvas.heard == 2


# KickDesign


def test_every_control_moves_the_maps_to_the_answers():
    panel = widgets.KickLab(OU)
    grid = panel.view.grid
    for name, value in {"amplitude": 0.5, "sign": -1, "kick": "random", "time": 40.0}.items():
        panel.controls[name].value = value
    assert_shows(panel, OU, kick_pattern(grid, "random", -0.5))
    assert "t = 40" in panel.readout.value
    panel.controls["system"].value = "navier-stokes"
    assert panel.controls["time"].max == 4 and panel.play.max == 64
    assert_shows(panel, "navier-stokes", kick_pattern(grid, "random", -0.5))
    titles = [annotation.text for annotation in panel.figure.layout.annotations][:5]
    assert titles[:3] == ["truth (kicked twins)", "Gaussian", "generative"] and "measured here" in titles


@pytest.mark.parametrize(
    "start, message",
    [
        ({"system": "ou"}, "system 'ou' is unknown; expected one of"),
        ({"ready": "hammer"}, "kick 'hammer' is unknown; expected one of"),
        ({"amplitude": -1.0}, r"amplitude is -1.0; expected 0.001 to 10: a menu sets the sign"),
        ({"amplitude": 20.0}, r"amplitude is 20.0; expected 0.001 to 10"),
    ],
)
def test_a_start_that_the_controls_cannot_show_is_refused(start, message):
    with pytest.raises(ValueError, match=message):
        widgets.KickLab(**start)


def test_a_kick_is_drawn_by_hand_or_by_keys():
    panel = widgets.KickLab(OU, ready="nothing")
    stroke(panel.canvas, [[3 * 32 + 4, 1.0], [3 * 32 + 5, -1.0]])
    panel.pad["row"].value, panel.pad["column"].value, panel.pad["value"].value = -1, 40, 2.0
    panel.pad["add"].click()
    panel.controls["amplitude"].value = 0.5
    pattern = torch.zeros(32, 32)
    pattern[3, 4], pattern[3, 5], pattern[31, 8] = 0.5, -0.5, 1.0
    torch.testing.assert_close(panel.view.pattern, pattern)
    assert_shows(panel, OU, pattern)
    panel.pad["pen"].value, panel.pad["brush"].value = -1.0, 3
    assert panel.canvas.value == -1 and panel.canvas.brush == 3


def test_an_empty_drawing_is_said_to_be_empty():
    panel = widgets.KickLab(OU, ready="nothing")
    assert "nothing is kicked yet" in panel.readout.value and not np.any(maps(panel))
    panel.add(0, 0, 1.0)
    assert "nothing is kicked" not in panel.readout.value
    panel.pad["clear"].click()
    assert "nothing is kicked yet" in panel.readout.value


def test_play_moves_the_time():
    panel = widgets.KickLab(OU)
    panel.play.value = 33
    assert panel.controls["time"].value == 33
    assert_shows(panel, OU, kick_pattern(panel.view.grid, "bump"))


def test_reset_goes_back_to_the_start():
    panel = widgets.ForceLab(OU)
    first, shown = panel.values, maps(panel)
    panel.controls["system"].value = "navier-stokes"
    panel.controls["amplitude"].value = 0.01
    panel.add(1, 2, 3.0)
    panel.set_time_profile(1.0, 2.0, 0.5)
    panel.again.click()
    assert panel.values == first and not panel.canvas.drawing.any() and not panel.profile_pad.drawing.any()
    np.testing.assert_allclose(maps(panel), shown)


# Force


@pytest.mark.parametrize("shape", ["step", "ramp", "periodic"])
def test_a_forcing_of_each_time_profile_is_a_convolution(shape):
    panel = widgets.ForceLab(OU, amplitude=0.1)
    panel.controls["time_profile"].value = shape
    panel.controls["scale"].value = 30.0
    times = panel.view.times
    assert_shows(panel, OU, kick_pattern(panel.view.grid, "bump", 0.1), TimeProfile(shape, 30.0).values(times))


def test_a_time_profile_is_drawn_by_hand_or_by_fields_and_is_then_that_of_the_forcing():
    panel = widgets.ForceLab(OU)
    assert panel.controls["time_profile"].value == "step"
    stroke(panel.profile_pad, [[10, 0.25], [11, -0.5]])
    assert panel.controls["time_profile"].value == "drawn"
    panel.profile_controls["from"].value, panel.profile_controls["to"].value, panel.profile_controls["f"].value = 20.0, 30.0, 1.0
    panel.profile_controls["set"].click()
    time_profile = torch.zeros(91)
    time_profile[10], time_profile[11], time_profile[20:31] = 0.25, -0.5, 1.0
    assert_shows(panel, OU, kick_pattern(panel.view.grid, "bump"), time_profile)
    panel.profile_controls["f"].value = 7.0
    panel.profile_controls["set"].click()
    assert "gfdt-error" in panel.readout.value and "from −1 to 1" in panel.readout.value
    panel.profile_controls["f"].value, panel.profile_controls["from"].value = 1.0, 50.0
    panel.profile_controls["set"].click()
    assert "from t = 50 to 30; expected an end that is not before the start" in panel.readout.value
    panel.profile_controls["clear"].click()
    assert "zero throughout" in panel.readout.value
    panel.controls["system"].value = "navier-stokes"
    assert panel.profile_pad.columns == 65 and panel.controls["scale"].max == 4 and "gfdt-error" not in panel.readout.value


# The code


def test_the_code_is_shown_on_request_and_follows():
    panel = widgets.KickLab(OU)
    assert panel.listing.value == ""
    panel.listed.value = True
    assert "kick_pattern(system.grid, &quot;bump&quot;, 1)" in panel.listing.value
    panel.controls["amplitude"].value = 0.5
    assert "&quot;bump&quot;, 0.5)" in panel.listing.value
    panel.listed.value = False
    assert panel.listing.value == ""


# Ensembles


def test_an_ensemble_checks_the_answer_in_a_thread_until_the_kick_is_another():
    panel = widgets.KickLab(OU, amplitude=0.5)
    panel.listed.value = True
    panel.go.click()
    finish(panel)
    assert panel.go.description == "done" and panel.go.disabled
    assert "measured over linear response 1.00 ± 0.00" in panel.readout.value and "forced.responses" in panel.listing.value
    panel.controls["time"].value = 20.0
    np.testing.assert_allclose(maps(panel)[-1], panel.view.linear[20], atol=1e-4)
    panel.controls["amplitude"].value = 0.25
    assert panel.measured is None and panel.go.description == "check with an ensemble" and not panel.go.disabled
    assert not np.any(maps(panel)[-1]) and "members" not in panel.readout.value


@pytest.mark.slow
def test_an_amplitude_outside_the_linear_regime_is_warned_of_with_what_was_measured(monkeypatch):
    monkeypatch.setattr(response_lab, "MEMBERS", 24)
    panel = widgets.KickLab("allen-cahn", ready="random", amplitude=2.0)
    assert "outside the linear regime" not in panel.readout.value
    panel.go.click()
    finish(panel)
    assert "outside the linear regime" in panel.readout.value
    gain = float(re.search(r"measured over linear response ([0-9.]+) ±", panel.readout.value)[1])
    assert gain > 1.5


@pytest.mark.slow
def test_a_run_is_stopped_resumed_and_one_at_a_time():
    panel = widgets.KickLab("allen-cahn")
    reached, released, work = threading.Event(), threading.Event(), panel._work

    def held():
        for step in work():
            if panel.measured.row == 2:
                reached.set()
                released.wait()
            yield step

    panel._work = held
    panel.go.click()
    reached.wait()
    press_and_release(panel, released)
    row = panel.measured.row
    assert not panel.running and panel.go.description == "resume" and row == 2
    panel._work = work
    panel.go.click()
    assert panel.running
    other = widgets.ForceLab(OU)  # two labs open at once, or the cell run again
    assert not panel.running and panel.measured.row >= row
    other.go.click()
    panel.go.click()
    assert panel.running and not other.running
    panel.controls["amplitude"].value = 0.1  # another kick while it runs
    assert not panel.running and panel.measured is None
    panel.controls["time"].value = 3.0
    assert_shows(panel, "allen-cahn", kick_pattern(panel.view.grid, "bump", panel.values["amplitude"]))
    panel.go.click()
    panel.close()
    assert not panel.running
    assert [thread for thread in threading.enumerate() if "Runner" in repr(getattr(thread, "_target", None))] == []


def test_after_a_failure_the_button_starts_anew_and_the_failure_is_shown_again(monkeypatch):
    panel = widgets.KickLab(OU)
    with monkeypatch.context() as broken:
        broken.setattr(response_lab.ForcedEnsemble, "_measure", lambda *arguments: 1 / 0)
        for _ in range(2):
            panel.go.click()
            finish(panel)
            assert panel.go.description == "check with an ensemble" and "ZeroDivisionError" in panel.readout.value
    panel.go.click()
    finish(panel)
    assert panel.go.description == "done" and "measured over linear response 1.00 ± 0.00" in panel.readout.value


def test_a_run_that_fails_at_its_first_lag_leaves_what_can_be_shown():
    panel = widgets.KickLab(OU)
    panel.measured = panel.view.ensemble()
    shape = panel.view.grid.spectral_shape
    panel.measured._measure(panel.measured._fields(torch.zeros(3, 8, *shape, dtype=torch.complex64), 0))
    with pytest.raises(DivergedError):
        panel.measured._fields(torch.full((3, 8, *shape), torch.nan, dtype=torch.complex64), 1)
    panel.update()
    assert "gfdt-error" not in panel.readout.value and "members at t = 0" in panel.readout.value


@pytest.mark.slow
def test_a_run_that_diverges_and_a_callback_that_fails_are_shown(monkeypatch):
    panel = widgets.KickLab("allen-cahn", ready="random", amplitude=10.0)
    panel.go.click()
    finish(panel)
    assert "DivergedError" in panel.readout.value and "smaller amplitude" in panel.readout.value
    with monkeypatch.context() as broken:
        broken.setattr(panels, "predictions_data", lambda *arguments: 1 / 0)
        panel.controls["time"].value = 5.0
        assert "ZeroDivisionError" in panel.readout.value and "gfdt-error" in panel.readout.value
    panel.controls["amplitude"].value = 0.5
    assert "gfdt-error" not in panel.readout.value
    with monkeypatch.context() as broken:
        broken.setattr(KickDesign, "pattern", lambda *arguments: 1 / 0)
        panel.add(0, 0, 1.0)
        assert "ZeroDivisionError" in panel.readout.value


@pytest.mark.slow
def test_a_kernel_that_is_closed_in_the_middle_of_a_run_goes():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    code = "from gfdt_tutorial.course import widgets\npanel = widgets.KickLab('allen-cahn')\npanel.go.click()\nprint(panel.running)"
    printed = []
    reply = client.execute_interactive(code, timeout=300, output_hook=lambda message: printed.append(message["content"].get("text")))
    assert reply["content"]["status"] == "ok" and "True\n" in printed
    client.stop_channels()
    manager.shutdown_kernel()
    assert not manager.is_alive()


# Numbers


@pytest.mark.parametrize("panel", [widgets.KickLab, widgets.ForceLab])
def test_a_move_sends_at_most_64_kib_to_the_browser(panel):
    from plotly.io.json import to_json_plotly

    shown, sizes = panel("navier-stokes"), []
    for name, value in {"amplitude": 0.3, "kick": "random", "time": 2.0}.items():
        shown.controls[name].value = value
        sizes.append(sum(len(to_json_plotly(data)) for data in panels.predictions_data(shown.view, shown.controls["time"].value)))
    assert max(sizes) < 64 * 1024
    assert json.loads(re.search('data-values="(.*?)"', shown.readout.value)[1].replace("&quot;", '"'))["time"] == 2.0
