"""The letter's Figure 1: every system a row, every method named once and told from the others by more than its colour."""

import numpy as np
import pytest
import torch

from gfdt_tutorial import AllenCahn, OrnsteinUhlenbeck, figures
from gfdt_tutorial.experiments.pipeline import Comparison
from gfdt_tutorial.figures.figure_one import figure_one
from gfdt_tutorial.responses.response import Response, exact_response

LAGS = 5
METHODS = [("gaussian", "raw"), ("generative", "raw"), ("generative", "normalised")]


def comparison(system, truth, methods):
    found = Comparison(system, torch.zeros(system.grid.shape), truth, "cpu", {truth.method: truth})
    for index, (method, form) in enumerate(methods):
        found.add(response(system, LAGS, method, form, 0.1 * (index + 1)))
    return found


def response(system, lags, method, form="raw", value=0.5):
    values = torch.full((lags + 1, *system.grid.shape), value)
    return Response(torch.arange(lags + 1.0), values, method, 0.01 * torch.ones_like(values), grid=system.grid, form=form, info={})


@pytest.fixture(scope="module")
def figure():
    linear, field = OrnsteinUhlenbeck(), AllenCahn()
    one = comparison(linear, exact_response(linear, lags=LAGS), METHODS)
    other = comparison(
        field, response(field, 3 * LAGS, "dynamical"), [("gaussian", "raw"), ("generative", "raw"), ("generative", "normalised")]
    )
    return figure_one([one, other])


def panel(figure, row, column):
    """Traces of one panel."""
    return list(figure.select_traces(row=row, col=column))


def test_a_row_is_snapshot_four_responses_and_two_errors(figure):
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["u", *(f"R<sub>{n}1</sub>(t)" for n in (1, 3, 5, 7)), "L2 error", "L∞ error", "Ornstein-Uhlenbeck", "Allen-Cahn"]
    for row, truth in ((1, "exact"), (2, "dynamical")):
        assert [trace.type for trace in panel(figure, row, 1)] == ["heatmap"]
        for column in (2, 3, 4, 5):
            lines = [trace.legendgroup for trace in panel(figure, row, column) if trace.fill is None]
            bands = [trace.legendgroup for trace in panel(figure, row, column) if trace.fill == "toself"]
            assert lines == [truth, "gaussian", "generative"] and bands == ([] if row == 1 else [truth]) + ["gaussian", "generative"]
        for column in (6, 7):
            assert [trace.legendgroup for trace in panel(figure, row, column)] == ["gaussian", "generative"]


def test_each_system_shows_the_letters_form(figure):
    normalised = 0.3  # the raw one is 0.2
    for row in (1, 2):
        (curve,) = [trace for trace in panel(figure, row, 2) if trace.legendgroup == "generative" and trace.fill is None]
        np.testing.assert_allclose(curve.y, normalised, rtol=1e-6)


def test_the_lags_are_those_of_the_predictions(figure):
    for row in (1, 2):
        for column in range(2, 8):
            assert next(figure.select_xaxes(row=row, col=column)).range == (0, LAGS)


def test_each_method_is_named_once(figure):
    named = [trace.legendgroup for trace in figure.data if trace.type == "scatter" and trace.showlegend]
    assert sorted(named) == ["dynamical", "exact", "gaussian", "generative"]


def test_curves_of_any_displacements_are_named_once():
    exact = exact_response(OrnsteinUhlenbeck(), lags=4.0)
    for displacements in ((0, 2, 4), (2, 4), (-1, 0)):
        drawn = figures.response_curves({"exact": exact, "mine": exact}, displacements)
        assert [trace.name for trace in drawn.data if trace.showlegend] == ["exact", "mine"]
