"""Any callable is a score: a lambda, a function with context, an object, a torch module; and its attributes mean what `Score` says."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from gfdt_tutorial import OrnsteinUhlenbeck, PeriodicGrid, TimeSeries, observables, respond, sensitivities, simulate
from gfdt_tutorial.core.score import ConditionalScore, Score

SYSTEM = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
CHANGES = {"lam": SYSTEM.drift_derivative("lam")}


@lru_cache(maxsize=2)
def series(context=False):
    data = simulate(SYSTEM, members=16, duration=60.0, seed=1, device="cpu")
    return TimeSeries(data.u, data.times, context=torch.ones(*data.u.shape[:2], 1, 8, 8)) if context else data


def given_context(u, context):
    """Its context is one everywhere."""
    return SYSTEM.score(u) * context[:, :, 0]


class Object:
    """A score with all its attributes."""

    method = "mine"
    grid = SYSTEM.grid
    needs_context = False
    identity_on = None

    def __call__(self, u):
        return SYSTEM.score(u)


class Module(torch.nn.Module):
    """With weights, which record gradients."""

    needs_context = False

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(()))

    def forward(self, u):
        return self.factor * SYSTEM.score(u)


def in_numpy(u):
    return SYSTEM.score(u).numpy()


PLAIN: dict[str, Score] = {
    "lambda": lambda u: SYSTEM.score(u),
    "object": Object(),
    "module": Module(),
    "numpy": in_numpy,
}
CONDITIONAL: dict[str, ConditionalScore] = {"function": given_context}
every_score = pytest.mark.parametrize("name", [*PLAIN, *CONDITIONAL])


def case(name):
    """The score, and data like those for which it is made."""
    return (CONDITIONAL[name], series(context=True)) if name in CONDITIONAL else (PLAIN[name], series())


@every_score
def test_it_gives_a_response(name):
    score, data = case(name)
    response = respond(data, score, lags=10.0)
    torch.testing.assert_close(response.values, respond(series(), SYSTEM.score, lags=10.0).values, atol=1e-6, rtol=1e-5)
    assert response.method == ("mine" if name == "object" else "score")
    assert not response.values.requires_grad


@every_score
def test_it_gives_sensitivities(name):
    score, data = case(name)
    found = sensitivities(data, score, observables.spectrum(SYSTEM.grid), CHANGES, lags=10.0)["lam"]
    expected = sensitivities(series(), SYSTEM.score, observables.spectrum(SYSTEM.grid), CHANGES, lags=10.0)["lam"]
    torch.testing.assert_close(found.values, expected.values, atol=1e-5, rtol=1e-4)
    assert found.method == ("mine" if name == "object" else "score")


@pytest.mark.parametrize("score", [Object(), Module()], ids=["object", "module"])
def test_a_score_that_says_so_is_not_given_the_context(score):
    assert respond(series(context=True), score, lags=10.0).values.equal(respond(series(), score, lags=10.0).values)


def test_a_score_that_does_not_say_so_is_given_it():
    with pytest.raises(TypeError, match="context"):
        respond(series(context=True), lambda u: SYSTEM.score(u), lags=10.0)


def test_a_grid_is_checked_before_the_score_is_called():
    class Elsewhere(Object):
        grid = PeriodicGrid((16, 16))

        def __call__(self, u):
            raise AssertionError("it was called")

    with pytest.raises(ValueError, match=r"fields of shape \(16, 16\)"):
        respond(series(), Elsewhere(), lags=10.0)


def test_identity_on_ties_the_response_at_lag_zero():
    """A score that obeys Stein's identity exactly on these data, and says on which."""
    data = series()
    covariance = SYSTEM.grid.rfft(data.u - data.u.mean()).abs().square().mean((0, 1)).double() / SYSTEM.grid.size

    class Fitted(Object):
        identity_on = data.fingerprint

        def __call__(self, u):
            return SYSTEM.grid.apply(-1 / covariance, u - data.u.mean())

    class Silent(Fitted):
        identity_on = None

    tied, free = (respond(data, score, lags=10.0) for score in (Fitted(), Silent()))
    assert tied.values.equal(free.values)
    assert float(tied.standard_error[0].max()) < 1e-6 < float(free.standard_error[0].max())


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda u: SYSTEM.score(u)[..., :4], "the score returned shape"),
        (lambda u: SYSTEM.score(u) * np.nan, "the score has .* values that are NaN"),
        (lambda u: SYSTEM.score(u) + 0j, "the score is complex"),
    ],
    ids=["shape", "nan", "complex"],
)
def test_wrong_values_are_refused(score, message):
    with pytest.raises(ValueError, match=message):
        respond(series(), score, lags=10.0)
