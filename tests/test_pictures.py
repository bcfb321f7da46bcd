"""Pictures of an idea: a cloud with its weights, noisy targets, the losses of a training."""

import numpy as np
import torch

from gfdt_tutorial import Budget, OrnsteinUhlenbeck, PeriodicGrid, Training, figures, simulate
from gfdt_tutorial.course import panels, views


def test_a_marker_of_a_cloud_has_the_area_of_its_weight_and_the_lines_are_means():
    states = torch.tensor([[-1.0, 0.5], [0.0, 0.0], [1.0, -0.5]])
    figure = figures.kicked_cloud(states, torch.tensor([-0.2, 1.0, 2.0]), kick=0.5)
    before, _, shifted, weighted = figure.data
    np.testing.assert_allclose(shifted.x - before.x, 0.5)
    np.testing.assert_array_equal(weighted.x, before.x)
    np.testing.assert_allclose(weighted.marker.size, [0, 1, 2])
    assert weighted.marker.sizemode == "area" and weighted.marker.cmid == 1
    np.testing.assert_allclose([line.x0 for line in figure.layout.shapes], [0, 0.5, (0.2 + 2) / 3])


def test_targets_stand_beside_their_means_and_the_score():
    x, places = torch.linspace(-1, 1, 9), torch.linspace(-1, 1, 3)
    figure = figures.noisy_targets(x, -3 * x, places, -2 * places, -places)
    assert [trace.name for trace in figure.data] == ["targets −z/σ", "their mean in each bin", "score of the noisy data"]
    for trace, slope in zip(figure.data, (-3, -2, -1), strict=True):
        np.testing.assert_allclose(trace.y, slope * trace.x)


def test_a_training_shows_both_losses_of_the_averaged_weights_beside_those_of_the_newest():
    system = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
    data = simulate(system, members=16, duration=31.0, seed=1, device="cpu")
    training = Training(data, Budget(steps=12, pairs=4, width=4, noise="white", check_every=4), start="wrong", device="cpu")
    list(training)
    newest, seen, held = panels.training(views.TrainingView(training, system, data.u[0])).data[:3]
    np.testing.assert_allclose(newest.y, training.losses)
    for trace, looks, name in ((seen, training.averaged, "training"), (held, training.validations, "validation")):
        assert trace.name == f"{name}, averaged weights"
        np.testing.assert_allclose(np.stack([trace.x, trace.y], 1), looks)
