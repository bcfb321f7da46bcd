"""The score lab without a browser: the response that is watched is the one the API gives, and it gets better while the score is learned."""

import threading

import numpy as np
import pytest
import torch
from lab_presses import finish, press_and_release

from gfdt_tutorial import AllenCahn, GaussianScore, compare, load_shipped, respond, simulate
from gfdt_tutorial.course import widgets
from gfdt_tutorial.course.views import LearningResponse
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.training import Training

SYSTEM = AllenCahn()


@pytest.fixture(scope="module")
def data():
    return simulate(SYSTEM, members=16, duration=100.0, seed=3, device="cpu")


@pytest.fixture(scope="module")
def truth():
    return load_shipped("allen-cahn-truth")


def panel(data, truth, steps=20):
    return widgets.ScoreLab(data, SYSTEM, truth, steps=steps)


def held(work, count, reached, paused):
    """The work, which stops after `count` steps until it is released."""
    for number, step in enumerate(work, start=1):
        if number == count:
            reached.set()
            paused.wait()
        yield step


# The view


def test_the_response_is_that_of_the_averaged_network_and_starts_as_the_gaussian_one(data, truth):
    fitted, kept = data.split(0.5)
    training = Training(fitted, budget("tiny", kind="white"), device="cpu")
    view = LearningResponse(training, kept, truth, SYSTEM.score, lags=20.0, symmetries=("reflect y",), every=8)
    start = view.responses["generative"].values
    # the network starts from the smoothed spectrum of other members: with the Gaussian part as control variate, no difference is left
    torch.testing.assert_close(start, view.responses["gaussian"].values, atol=1e-4, rtol=0)
    assert list(view) == list(range(1, 21)) and [step for step, _ in view.history] == [0, 8, 16, 20]
    options = {"form": "controlled", "thin": 8, "symmetries": ("reflect y",)}
    response = respond(kept, training.current(), lags=20.0, **options)
    torch.testing.assert_close(view.responses["generative"].values, response.values)
    assert view.history[-1][1] == pytest.approx(compare(response, truth).quoted["l2"])
    gaussian = respond(kept, GaussianScore.fit(kept), lags=20.0, symmetries=("reflect y",))
    assert view.errors["gaussian"] == pytest.approx(compare(gaussian, truth).quoted["l2"])
    assert view.errors["analytic"] == pytest.approx(compare(respond(kept, SYSTEM.score, lags=20.0, **options), truth).quoted["l2"])


@pytest.mark.slow
@pytest.mark.parametrize("level, share", [(0.01, (0.0, 0.6)), (1.0, (0.85, 1.01))])
def test_learning_takes_the_response_from_the_gaussian_one_to_the_truth_unless_noise_hides_the_two_phases(data, truth, level, share):
    lab = panel(data, truth, steps=200)
    lab.controls["level"].value = level
    lab.go.click()
    finish(lab)
    error = dict(lab.view.history)
    low, high = share
    assert error[0] == pytest.approx(lab.view.errors["gaussian"], rel=0.01)
    assert low * error[0] < error[200] < high * error[0]
    lab.close()


# The widget


@pytest.mark.slow
def test_stopped_and_resumed_it_ends_where_an_undisturbed_training_does(data, truth):
    lab, other = panel(data, truth), panel(data, truth)
    reached, paused = threading.Event(), threading.Event()
    lab._work = lambda: held(lab.view, 3, reached, paused)
    lab.go.click()
    reached.wait()
    press_and_release(lab, paused)
    assert not lab.running and lab.go.description == "resume" and lab.view.training.step == 3
    lab.go.click()
    finish(lab)
    assert lab.go.description == "done" and lab.go.disabled and "step 20 of 20" in lab.readout.value
    list(other.view)
    assert lab.view.training.losses == other.view.training.losses and lab.view.history == other.view.history
    shown = {trace.xaxis: trace for trace in lab.figure.data if trace.name == "generative" and trace.fill is None}
    generative = lab.view.responses["generative"]
    for axis, displacement in {"x": 0, "x2": 2, "x3": 4}.items():
        np.testing.assert_allclose(shown[axis].y, generative.along(displacement))
    np.testing.assert_allclose(shown["x4"].y, [error for _, error in lab.view.history])
    np.testing.assert_allclose(next(trace for trace in lab.figure.data if trace.xaxis == "x").y, truth.along(0)[:41])
    lab.again.click()
    assert lab.view.training.step == 0 and lab.go.description == "start" and not lab.go.disabled


def test_another_noise_or_length_is_another_training_and_the_readout_says_so(data, truth):
    lab = panel(data, truth, steps=1000)
    lab.go.click()
    lab.controls["level"].value = 0.1
    assert not lab.running and lab.view.training.step == 0 and lab.view.training.budget.level == pytest.approx(0.1)
    assert "noise level σ is now 0.1: another training, from the start" in lab.readout.value
    lab.controls["steps"].value = 40
    assert lab.view.training.budget.steps == 40 and lab.view.training.budget.level == pytest.approx(0.1)
    assert "learning steps is now 40" in lab.readout.value
    next(iter(lab.view.training))
    lab.update()
    assert "is now" not in lab.readout.value and "step 1 of 40" in lab.readout.value


def test_the_cell_run_twice_leaves_no_thread_and_a_failure_is_shown(data, truth):
    lab = panel(data, truth, steps=1000)
    lab.go.click()
    assert lab.running
    other = panel(data, truth)
    assert not lab.running
    other.view.training._advance = lambda: 1 / 0
    other.go.click()
    finish(other)
    assert "ZeroDivisionError" in other.readout.value
    other.close()
    assert [thread for thread in threading.enumerate() if "Runner" in repr(getattr(thread, "_target", None))] == []
