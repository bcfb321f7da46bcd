"""Principal components, the way back to maps, and a channel, against closed forms."""

import numpy as np
import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.core.whitening import apply_matrices

CHANNEL = gfdt.ShearedChannel(latitudes=12, places=12, smooth=4.0)


@pytest.fixture(scope="module")
def data():
    return gfdt.simulate(CHANNEL, members=32, duration=500.0)


def bump(row, width=1.5):
    return gfdt.localised_kick(12, CHANNEL.grid, row, width=width)


def error(found, true):
    return float((found - true).norm() / true.norm())


def test_the_channel_has_the_covariance_score_and_responses_that_it_states(data):
    score = gfdt.GaussianScore.fit(data)
    scale = CHANNEL.covariance.diagonal(dim1=-2, dim2=-1).real.sqrt()
    off = (score.covariance - CHANNEL.covariance) / (scale[..., :, None] * scale[..., None, :])
    assert off.abs().max() < 0.1
    back = apply_matrices(CHANNEL.grid, CHANNEL.covariance, CHANNEL.score(data.u[:2]).double())
    torch.testing.assert_close(back, -data.u[:2].double(), rtol=0, atol=1e-3)
    twins = gfdt.perturb(CHANNEL, lags=3.0, pairs=16, device="cpu")
    torch.testing.assert_close(twins.values.double(), gfdt.exact_response(CHANNEL, lags=3.0).values, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="sigma"):
        CHANNEL.score(data.u, sigma=0.1)


def test_wide_kicks_are_answered_where_kicks_of_one_latitude_are_lost(data):
    score = gfdt.GaussianScore.fit(data)
    answer, exact = gfdt.respond(data, score, lags=2.0, resamples=20), gfdt.exact_response(CHANNEL, lags=2.0)
    assert float(score.condition.max()) > 1e3 and score.condition.shape == CHANNEL.grid.spectral_shape
    wide, narrow = bump(5), (bump(5) == 1).float()
    errors = [error(answer.to(kick)[1], exact.to(kick.double())[1]) for kick in (wide, narrow)]
    assert errors[0] < 0.03 < 0.1 < errors[1], errors


def test_within_the_retained_components_a_channel_answers_and_says_what_lies_outside(data):
    few = gfdt.principal_components(data, 6)
    assert few.series.axes == "mtcx" and few.series.components == tuple(f"PC{n}" for n in range(1, 7))
    assert (few.explained.diff() < 0).all() and 0.9 < float(few.explained.sum()) < 1
    answer = gfdt.respond(few.series, gfdt.GaussianScore.fit(few.series), lags=2.0, resamples=20)
    found = few.maps(answer.to(few.amplitudes(bump(5))))
    assert error(found[1], gfdt.exact_response(CHANNEL, lags=2.0).to(bump(5).double())[1]) < 0.05
    point = (bump(5) == 1).float()
    assert float(few.outside(bump(5))) < 0.01 < 0.05 < float(few.outside(point))
    with pytest.warns(UserWarning, match="lies outside the 6 retained"):
        few.amplitudes(point)
    every = gfdt.principal_components(data, 12)
    torch.testing.assert_close(every.maps(every.series.u), data.u - data.centre, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(every.amplitudes(data.u[0, :3] - data.centre), every.series.u[0, :3], rtol=1e-3, atol=1e-4)
    assert float(every.outside(point)) < 1e-6 and float(few.outside(torch.zeros(12, 12))) == 0
    with pytest.warns(UserWarning, match="lies outside"):
        torch.testing.assert_close(few.amplitudes(point.long()), few.amplitudes(point))


def test_components_of_a_field_and_of_numbers_go_back_to_what_they_were():
    field = gfdt.simulate(gfdt.OrnsteinUhlenbeck(grid=gfdt.PeriodicGrid((4, 6))), members=4, duration=300.0, device="cpu")
    found = gfdt.principal_components(field, 24)
    assert found.series.axes == "mtc" and found.maps(found.series.u).shape == field.u.shape
    torch.testing.assert_close(found.maps(found.series.u), field.u - field.u.mean((0, 1)), rtol=1e-3, atol=1e-4)
    covariance = torch.cov(found.series.u.double().flatten(0, 1).T, correction=0)
    torch.testing.assert_close(covariance, torch.diag(covariance.diagonal()), rtol=0, atol=1e-4 * float(covariance.max()))
    triad = gfdt.simulate(gfdt.enso_triad(), members=8, duration=20.0)
    two = gfdt.principal_components(triad, 2, scaled=True)
    assert two.series.u.shape == (8, 21, 2)
    assert float(two.outside(triad.u - triad.u.mean((0, 1))).mean()) < 1
    steps = two.series.info["preparation"]
    assert steps == [{"step": "principal_components", "count": 2}]


def drawn(shape, axes, **options):
    return gfdt.TimeSeries(np.random.default_rng(0).normal(size=shape), np.arange(float(shape[0])), axes, **options)


@pytest.mark.parametrize(
    ("series", "count", "message"),
    [
        (lambda: gfdt.simulate(gfdt.DoubleWell(), members=2, duration=20.0), 1, "plain number"),
        (lambda: drawn((9, 2), "tc", units=("K", "m")), 1, "different units"),
        (lambda: drawn((9, 2), "tc"), 3, "at most 2"),
        (lambda: drawn((9, 70, 70), "tyx"), 3, "too large"),
        (lambda: drawn((5, 4, 4), "tyx"), 5, "fewer than there are snapshots"),
        (lambda: gfdt.TimeSeries(torch.randn(2, 9, 4), torch.arange(9.0), "mtx", context=torch.randn(2, 9, 1, 4)), 2, "hidden forcing"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(series, count, message):
    with pytest.raises(ValueError, match=message):
        gfdt.principal_components(series(), count)


def test_a_localised_kick_is_a_gaussian_across_rows_and_places():
    kick = gfdt.localised_kick(5, gfdt.PeriodicGrid((4, 6)), 2, width=1.0)
    assert kick.shape == (5, 4, 6) and float(kick[2, 0, 0]) == 1 == float(kick.max())
    assert float(kick[3, 1, 5]) == pytest.approx(np.exp(-1.5)) and torch.equal(kick[1], kick[3])
    for wrong, message in (({"row": 5}, "row"), ({"row": 2, "width": 0.0}, "width")):
        with pytest.raises(ValueError, match=message):
            gfdt.localised_kick(5, gfdt.PeriodicGrid((4,)), **wrong)
