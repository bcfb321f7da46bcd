"""The parameter lab without a browser: what is predicted after a move, what is measured in a thread, and what it warns of."""

import gc
import re
import threading

import numpy as np
import pytest
import torch

from gfdt_tutorial import OrnsteinUhlenbeck, figures
from gfdt_tutorial.core.progress import run as run_work
from gfdt_tutorial.course import panels, widgets
from gfdt_tutorial.course.views import parameter_lab
from gfdt_tutorial.course.views.parameter_lab import ParameterChange, lab_system
from gfdt_tutorial.figures import theme

OU, AC, NS = "ornstein-uhlenbeck", "allen-cahn", "navier-stokes"


def finish_rounds(panel, rounds):
    """Run so many, and half of the next, and then stop."""
    reached, released, work = threading.Event(), threading.Event(), panel._work

    def held():
        for step in work():
            if panel.measured.rounds >= rounds and panel.measured.row > len(panel.view.times) // 2:
                reached.set()
                released.wait()
            yield step

    panel._work = held
    panel.go.click()
    reached.wait()
    panel.runner._asked.set()
    released.set()
    panel.stop()
    panel._work = work
    assert panel.measured.rounds == rounds


def lines(panel, axis, name):
    """What the line of a method shows in a panel."""
    label = theme.LABELS[name]
    (line,) = (trace for trace in panel.figure.data if trace.xaxis == axis and trace.name == label and trace.fill is None)
    return line.y


# The view


def test_several_parameters_add_up_to_first_order_and_so_do_their_errors_at_most():
    answer = lab_system(AC).responses["generative"]
    alpha, kappa = (list(answer.info["parameters"]).index(name) for name in ("alpha", "kappa"))
    found = ParameterChange(AC, (("alpha", 0.1), ("kappa", -0.2))).predicted["generative"]
    torch.testing.assert_close(found.values, 0.1 * answer.values[:, alpha] - 0.2 * answer.values[:, kappa])
    torch.testing.assert_close(found.standard_error, 0.1 * answer.standard_error[:, alpha] + 0.2 * answer.standard_error[:, kappa])


@pytest.mark.parametrize("method", parameter_lab.METHODS)
@pytest.mark.parametrize("parameter", ["lam", "epsilon"])
def test_of_a_linear_field_the_prediction_is_the_derivative_of_its_variance(method, parameter):
    system = OrnsteinUhlenbeck()
    found = ParameterChange(OU, ((parameter, 0.01),)).predicted[method]
    if parameter == "epsilon":
        moved = 0.02 * system.mode_covariance  # C is proportional to ε²
    else:
        moved = 0.01 * system.mode_covariance * system.lam * system.grid.inverse_helmholtz / system.rates.real
    exact = system.grid.trace(moved * -torch.expm1(2 * system.rates.real * found.times[-1])) / system.grid.size
    error = float(found.standard_error[-1, 0])
    assert abs(float(found.values[-1, 0]) - exact) < 4 * error < abs(exact)


@pytest.mark.parametrize(
    "name, moved, message",
    [
        (OU, "lambda", "parameter of ornstein-uhlenbeck 'lambda' is unknown; expected one of 'lam'"),
        (NS, "forcing", "parameter of navier-stokes 'forcing' is unknown"),
        ("ou", "lam", "system 'ou' is unknown"),
    ],
)
def test_a_name_that_is_unknown_is_refused_and_not_left_out(name, moved, message):
    with pytest.raises(ValueError, match=message):
        ParameterChange(name, ((moved, 0.1),))


def test_a_lab_of_a_system_that_is_unknown_is_refused_in_the_same_words(recwarn):
    with pytest.raises(ValueError, match="system 'ou' is unknown; expected one of"):
        widgets.ParameterLab("ou")
    gc.collect()  # a widget that was never whole is thrown away without a word
    assert not [one for one in recwarn if "unraisable" in type(one.message).__name__.lower()]


def test_an_ensemble_is_of_the_system_as_it_is_and_as_it_becomes():
    shift = ParameterChange(AC, (("alpha", 0.25), ("epsilon", -0.05)))
    run = shift.ensemble()
    assert run.system == lab_system(AC).system and run.changed == (shift.changed,)
    assert shift.changed.alpha == 20.0 and shift.changed.epsilon == pytest.approx(0.95 * lab_system(AC).system.epsilon)
    torch.testing.assert_close(run.times, shift.times)


def test_it_warns_of_parameters_far_from_the_trained_ones_and_says_what_the_system_says():
    assert ParameterChange(AC).caveats() == ParameterChange(AC, (("alpha", 0.1), ("kappa", -0.1))).caveats() == []
    (far,) = ParameterChange(AC, (("alpha", 0.2), ("kappa", 0.05), ("epsilon", 0.11))).caveats()
    assert far.startswith("α +20 %, ε +11 %: outside what the score was learned at")
    _, stuck = ParameterChange(AC, (("epsilon", -0.3),)).caveats()
    assert "hardly ever leaves a phase" in stuck


@pytest.mark.slow
def test_where_first_order_was_measured_not_to_hold_it_says_so():
    """The variance of the linear field is convex in λ: less than half of that raises it by more than first order says."""
    small, large = ParameterChange(OU, (("lam", -0.03),)), ParameterChange(OU, (("lam", -0.6),))
    assert small.caveats(run_work(small.ensemble(), rounds=4)) == []
    assert any(doubt.startswith("the prediction does not hold here: ⟨u²⟩") for doubt in large.caveats(run_work(large.ensemble(), rounds=4)))


# The widget


def test_a_slider_moves_the_curves_to_the_prediction():
    panel = widgets.ParameterLab(AC)
    panel.controls["alpha"].value, panel.controls["epsilon"].value = 10, -5
    row, expected = lab_system(AC), ParameterChange(AC, (("alpha", 0.1), ("epsilon", -0.05))).predicted
    measures = row.statistics
    for method, response in expected.items():
        np.testing.assert_allclose(lines(panel, "x3", method), response.values[:, 0])
        np.testing.assert_allclose(lines(panel, "x6", method), response.values[:, 1])
        np.testing.assert_allclose(lines(panel, "x4", method), (response.values[-1] / row.mean)[measures.spectrum][1:])
        np.testing.assert_allclose(lines(panel, "x5", method), response.values[-1, measures.density])
        assert np.abs(lines(panel, "x3", method)).max() > 1e-4
    assert "gfdt-warning" not in panel.readout.value
    panel.controls["alpha"].value = 11
    assert "α +11 %: outside what the score was learned at" in panel.readout.value
    panel.again.click()
    assert panel.values == {"system": AC, "alpha": 0, "kappa": 0, "advection": 0, "epsilon": 0}
    assert not np.any(lines(panel, "x3", "gaussian"))


@pytest.mark.slow
def test_measured_statistics_converge_round_by_round_and_begin_anew_when_a_slider_moves():
    panel = widgets.ParameterLab(OU)
    panel.controls["lam"].value = 5
    finish_rounds(panel, 1)
    first = panel.measured.response()
    finish_rounds(panel, 6)
    panel.update()
    found = panel.measured.response()
    assert found.standard_error[-1, 0] < 0.6 * first.standard_error[-1, 0]
    np.testing.assert_allclose(lines(panel, "x3", "measured"), found.values[:, 0])
    fields = [np.array(trace.z) for trace in panel.figure.data[:2]]
    np.testing.assert_allclose(fields, [figures.centred(lab_system(OU).system.grid, field) for field in panel.measured.fields])
    assert 0 < np.abs(fields[1] - fields[0]).max() < 0.5 * np.abs(fields[0]).max()  # the same noise, another λ
    assert int(re.search(r"; (\d+) members", panel.readout.value)[1]) == found.info["members"]
    panel.go.click()
    panel.controls["lam"].value = -5
    assert panel.running and panel.measured.rounds == 0 and panel.measured.changed == (panel.view.changed,)
    panel.again.click()
    assert not panel.running and panel.measured is None and len(lines(panel, "x3", "measured")) == 0
    panel.close()


@pytest.mark.slow
def test_another_system_has_other_sliders():
    panel = widgets.ParameterLab(OU)
    panel.controls["kappa"].value = 20
    panel.choice.value = NS
    assert panel.values == {"system": NS, "nu": 0, "nu_h": 0, "advection": 0}
    assert [slider.layout.display for slider in panel.sliders] == [None, None, None, "none"]
    panel.controls["nu"].value = 10
    expected = ParameterChange(NS, (("nu", 0.1),)).predicted["gaussian"]
    np.testing.assert_allclose(lines(panel, "x3", "gaussian"), expected.values[:, 0])
    assert "gfdt-error" not in panel.readout.value


def test_the_cell_run_twice_leaves_no_thread_and_a_failure_is_shown(monkeypatch):
    panel = widgets.ParameterLab(AC)
    panel.go.click()
    assert panel.running
    other = widgets.ParameterLab(AC)
    assert not panel.running
    monkeypatch.setattr(parameter_lab.ChangedEnsemble, "_add", lambda *arguments: 1 / 0)
    other.go.click()
    other.runner._thread.join()
    assert "ZeroDivisionError" in other.readout.value and other.go.description == "measure"
    monkeypatch.undo()
    other.go.click()
    assert other.measured.row == -1 and other.running  # anew
    other.close()
    assert [thread for thread in threading.enumerate() if "Runner" in repr(getattr(thread, "_target", None))] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [OU, AC, NS])
def test_a_move_sends_at_most_64_kib_to_the_browser(name):
    """Maps aside, which a move of a slider does not change until the ensemble has run."""
    from plotly.io.json import to_json_plotly

    panel = widgets.ParameterLab(name)
    panel.sliders[0].value = 7
    assert sum(len(to_json_plotly(data)) for data in panels.parameters_data(panel.view)[2:]) < 64 * 1024
