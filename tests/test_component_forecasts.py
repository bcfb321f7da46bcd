"""The combined response of unlike variables: a forecast by regression on a dictionary, corrected by a score."""

import pytest
import torch

import gfdt_tutorial as gfdt

UNITS = torch.tensor([1.0, 1e4, 1e-4])
CHAIN = gfdt.MarkovChain()


def chain(units=UNITS, seed=0):
    data = gfdt.simulate(CHAIN, members=16, duration=2000.0, seed=seed)
    return data.with_values(data.u * units)


def wrong(u):
    """The true score, half as large, and a cubic part that is not there."""
    x = u / UNITS
    return (0.5 * CHAIN.score(x) + 0.1 * (x**3 - 3 * x)) / UNITS


def test_a_right_forecast_mends_a_wrong_score_in_any_units():
    data = chain()
    found = gfdt.respond(data, wrong, lags=5.0, form="combined")
    raw = gfdt.respond(data, wrong, lags=5.0)
    truth = CHAIN.response(found.times) * UNITS[:, None] / UNITS
    scaled = [(one.values.double() - truth) * UNITS / UNITS[:, None] for one in (found, raw)]
    assert scaled[0].abs().max() < 0.05 < 0.3 < scaled[1].abs().max()
    inside = (found.values.double() - truth).abs() < 1.7 * found.standard_error.double() + 1e-12
    assert inside.double().mean() > 0.75 and found.form == "combined" and found.components == CHAIN.variables
    torch.testing.assert_close(scaled[0][0], torch.zeros(3, 3, dtype=torch.float64), rtol=0, atol=5e-3)


def test_a_right_score_mends_a_wrong_forecast():
    """The triad's wind is no polynomial of its past; the exact matrix is known, as the drift is linear."""
    triad = gfdt.enso_triad()
    data = gfdt.simulate(triad, members=32, duration=80.0, every=0.2)
    nothing = lambda u: u[..., :1] ** 3  # noqa: E731
    found = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=4.0, dictionary=nothing)
    drift = torch.tensor([[-0.2, -0.4, 1.0], [0.4, -0.2, 0.0], [0.0, 0.0, -2.0]], dtype=torch.float64)
    truth = torch.stack([torch.linalg.matrix_exp(drift * t) for t in found.times])
    assert found.form == "combined" and (found.values - truth).norm() < 0.1 * truth.norm()


def test_the_default_dictionary_has_no_more_products_than_can_be_regressed_on():
    rng = torch.Generator().manual_seed(0)
    many = gfdt.TimeSeries(torch.randn(8, 400, 12, generator=rng), torch.arange(400.0), "mtc")
    assert gfdt.respond(many, torch.neg, lags=2.0, form="combined", resamples=8).info["dictionary"] == 12 + 78
    with pytest.raises(ValueError, match="at most 150"):
        gfdt.respond(many, torch.neg, lags=2.0, dictionary=gfdt.observables.products(many, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"forecast": object()}, "forecasts are of one field"),
        ({"dictionary": lambda u: (u > 0).float()}, "jumps"),
        ({"form": "raw", "dictionary": torch.square}, "leave it out"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gfdt.respond(chain(), wrong, lags=5.0, **options)
