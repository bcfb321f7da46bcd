"""Several fields as unlike variables: their twins and their learned scores."""

import dataclasses
from typing import ClassVar

import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.core.whitening import FieldWhitening, apply_matrices
from gfdt_tutorial.scores.component_network import antithetic_loss
from gfdt_tutorial.scores.component_training import ComponentTraining
from gfdt_tutorial.scores.loading import load_score
from gfdt_tutorial.systems.white_noise import Normals

UNITS = torch.tensor([1.0, 100.0])
GRID = gfdt.PeriodicGrid((16,))
SHORT = gfdt.Budget(steps=300, pairs=64, width=24, level=0.1, kernels=(3, 1), rate=1e-2, average=0.98, check_every=50)


@dataclasses.dataclass(frozen=True)
class Pair(gfdt.System):
    """Two linear fields on a ring, sampled at whole times: û_k ← A_k û_k + white noise; b drives a, a drifts along +x."""

    grid: gfdt.PeriodicGrid = GRID
    name: ClassVar[str] = "pair"
    variables = ("a", "b")
    spinup: ClassVar[float] = 50.0

    @property
    def matrices(self):
        k = self.grid.wavenumbers[0]
        found = torch.zeros(*self.grid.spectral_shape, 2, 2, dtype=torch.complex128)
        found[..., 0, 0] = 0.8 * torch.exp(-0.02 * k**2 - 0.2j * k)
        found[..., 0, 1] = 0.2 * torch.exp(-0.02 * k**2) / 100
        found[..., 1, 1] = 0.6
        found[-1] = found[-1].real.to(found.dtype)
        return found

    def initial(self, members, seed, device):
        return torch.zeros(len(members), 2, *self.grid.shape)

    def make_noise(self, members, seed, device):
        return Normals((2, *self.grid.shape), members, seed)

    def field(self, state):
        return state

    def state(self, field):
        return field

    def stepper(self, every, device):
        return lambda state, noise: apply_matrices(self.grid, self.matrices, state) + noise() * UNITS[:, None]

    def response(self, lags):
        powers = torch.stack([torch.linalg.matrix_power(self.matrices, round(float(lag))) for lag in lags])
        return self.grid.irfft(powers.movedim(1, -1))


@pytest.fixture(scope="module")
def data():
    return gfdt.simulate(Pair(), members=16, duration=600.0, device="cpu")


def alike(response):
    """In units in which both components are alike."""
    return response.values.double() * (UNITS / UNITS[:, None])[..., None].double()


def test_twins_kick_each_field_at_one_place(tmp_path):
    found = gfdt.perturb(Pair(), lags=4.0, pairs=32, device="cpu", checkpoint=tmp_path / "twins.npz")
    exact = gfdt.exact_response(Pair(), lags=4.0)
    assert found.values.shape == (5, 2, 2, 16) and found.components == ("a", "b")
    torch.testing.assert_close(alike(found), alike(exact), rtol=0, atol=1e-4)
    again = gfdt.perturb(Pair(), lags=4.0, pairs=32, device="cpu", checkpoint=tmp_path / "twins.npz")
    assert torch.equal(again.values, found.values)
    assert (found.values[1, 0, 1] != 0).any() and not found.values[1, 1, 0].any()  # b drives a, and a does not drive b


def test_whitened_fields_are_white_and_gradients_follow(data):
    whitening = FieldWhitening.of(data)
    y = whitening(data.u.double())
    spectra = GRID.rfft(y).movedim(2, -1).flatten(0, 1)
    covariance = torch.einsum("nki,nkj->kij", spectra, spectra.conj()) / len(spectra) / 16
    torch.testing.assert_close(covariance, torch.eye(2).to(covariance).expand_as(covariance), rtol=0, atol=1e-6)
    torch.testing.assert_close(whitening.back(y) + whitening.mean, data.u.double(), rtol=1e-6, atol=1e-6)
    u, gaussian = data.u[0, :3].double(), gfdt.GaussianScore.fit(data)
    torch.testing.assert_close(whitening.gradient(gaussian(u)), -whitening(u), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(whitening.gradient_back(-whitening(u)), gaussian(u), rtol=1e-5, atol=1e-7)
    flat = gfdt.TimeSeries(torch.cat([data.u, data.u[:, :, :1]], 2), data.times, "mtcx")
    with pytest.raises(ValueError, match="linear function of the others"):
        gfdt.fit_score(flat)


def test_a_linear_pair_has_a_gaussian_score_and_the_ladder_says_so(data):
    score, exact = gfdt.fit_score(data, budget=SHORT), gfdt.exact_response(Pair(), lags=4.0)
    assert score.recommended == "gaussian" and list(score.rungs) == ["gaussian", "network"]
    assert score.grid == GRID and score.shape == (2, 16)
    for form, most in (("raw", 0.06), ("controlled", 0.04)):
        answer = gfdt.respond(data, score, lags=4.0, form=form)
        assert (alike(answer) - alike(exact)).norm() < most * alike(exact).norm()


def bent(count=6000, seed=0):
    """a a smooth Gaussian field, b = a² + white noise of ½: s_b = −r/q², s_a = −C⁻¹a + 2ar/q², r = b − a², q² = ¼."""
    rng = torch.Generator().manual_seed(seed)
    a = GRID.apply(torch.exp(-0.01 * GRID.k_squared), torch.randn(8, count // 8, 16, generator=rng))
    b = a.square() + 0.5 * torch.randn(a.shape, generator=rng)
    return gfdt.TimeSeries(torch.stack([a, b], 2) * UNITS[:, None], torch.arange(float(count // 8)), "mtcx", components=("a", "b"))


def exact_bent(u):
    a, b = (u / UNITS[:, None]).unbind(-2)
    rest = (b - a.square()) / 0.25
    return torch.stack([-GRID.apply(torch.exp(0.02 * GRID.k_squared), a) + 2 * a * rest, -rest], -2) / UNITS[:, None]


@pytest.fixture(scope="module")
def network():
    return gfdt.fit_score(bent(), budget=dataclasses.replace(SHORT, steps=600))


def error_of(score):
    u = bent(800, seed=1).u
    return float(((score(u) - exact_bent(u)) * UNITS[:, None]).norm() / (exact_bent(u) * UNITS[:, None]).norm())


def test_a_network_learns_the_score_of_two_fields(network):
    assert error_of(network) < 0.35 < 0.8 < error_of(gfdt.GaussianScore.fit(bent()))
    assert network.recommended == "network"
    u = bent(80, seed=2).u
    torch.testing.assert_close(network(u.roll(3, -1)), network(u).roll(3, -1), rtol=1e-3, atol=1e-3)


def test_gates_and_the_weight_of_quiet_places_are_those_of_the_budget():
    """The minimum of the weighted loss is the same score."""
    budget = dataclasses.replace(SHORT, steps=600, gated=True, reach=1.0)
    score = gfdt.fit_score(bent(), budget=budget)
    assert score.config["gated"] and error_of(score) < 0.5
    y, z = torch.randn(2, 64, 2, 16, generator=torch.Generator().manual_seed(0)).unbind(0)

    def turned(both, context):
        return -both

    halved = antithetic_loss(turned, y, z, 0.1, weight=lambda both: torch.full_like(both, 0.5))
    torch.testing.assert_close(halved, 0.5 * antithetic_loss(turned, y, z, 0.1))


def test_calibration_makes_the_identity_hold_at_each_wavevector(network):
    fitted = bent().split(0.8)[0]
    answer = gfdt.respond(fitted, network, lags=1.0)
    torch.testing.assert_close(alike(answer)[0], torch.eye(2).double()[..., None] * (torch.arange(16) == 0), rtol=0, atol=2e-4)
    assert network.identity_on == fitted.fingerprint


def test_a_score_of_fields_is_saved_and_read_back(network, tmp_path):
    read = load_score(network.save(tmp_path))
    u = bent(80, seed=2).u
    assert torch.equal(read(u), network(u)) and read.rungs == network.rungs
    with pytest.raises(ValueError, match="u has"):
        read(u[..., :8])


def test_an_interrupted_training_continues_with_the_same_bits(tmp_path):
    budget = dataclasses.replace(SHORT, steps=60, check_every=20)
    whole, first, second = (ComponentTraining(bent(), budget, seed=3) for _ in range(3))
    for _ in whole:
        pass
    for _ in first:
        if first.step == 33:
            break
    second.restore(first.save(tmp_path / "checkpoint"))
    for _ in second:
        pass
    u = bent(80, seed=2).u
    assert torch.equal(whole.score()(u), second.score()(u))


def test_planes_and_contexts_are_taken_too():
    rng = torch.Generator().manual_seed(0)
    forcing = torch.randn(4, 300, 1, 6, 8, generator=rng)
    u = torch.cat([forcing, -forcing], 2) + 0.5 * torch.randn(4, 300, 2, 6, 8, generator=rng)
    data = gfdt.TimeSeries(u, torch.arange(300.0), "mtcyx", context=forcing)
    score = gfdt.fit_score(data, context=True, budget=SHORT)
    expected = -(u - torch.cat([forcing, -forcing], 2)) / 0.25
    assert score.needs_context and (score(u, context=forcing) - expected).norm() < 0.2 * expected.norm()
    assert gfdt.respond(data, score, lags=2.0).values.shape == (3, 2, 2, 6, 8)
    assert gfdt.fit_score(data, preset="tiny")(u[0, :2]).shape == (2, 2, 6, 8)


def test_hidden_forcing_is_conditioned_on_or_kicked():
    """The forcing ς drifts through the flow: with it as a component, the answer to a kick of the flow is the one with it as a context."""
    flow = gfdt.NavierStokes(grid=gfdt.PeriodicGrid((8, 8)))
    data = gfdt.simulate(flow, members=16, duration=200.0, context=True, device="cpu")
    both = data.context_as_components("vorticity", "forcing")
    assert both.axes == "mtcyx" and both.components == ("vorticity", "forcing") and torch.equal(both.u[:, :, 0], data.u)
    assert torch.equal(both.u[:, :, 1], data.context[:, :, 0])
    answer = gfdt.respond(both, gfdt.GaussianScore.fit(both), lags=5.0)
    assert answer.values.shape == (6, 2, 2, 8, 8)
    for refused in (both, gfdt.simulate(flow, members=2, duration=4.0, device="cpu")):
        with pytest.raises(ValueError, match="no context, or has components"):
            refused.context_as_components()
    with pytest.raises(ValueError, match="different names"):
        data.context_as_components("a", "b", "c")


def test_the_combined_form_of_several_fields_mends_a_wrong_score(data):
    """A score that is wrong by a half: the forecast, which is linear here, makes up for it."""
    exact, gaussian = gfdt.exact_response(Pair(), lags=4.0), gfdt.GaussianScore.fit(data)
    off = {}
    for name, score in (("right", gaussian), ("wrong", lambda u: 0.5 * gaussian(u))):
        for form in ("raw", "combined"):
            answer = gfdt.respond(data, score, lags=4.0, form=form, thin=2)
            off[name, form] = float((alike(answer) - alike(exact)).norm() / alike(exact).norm())
    assert answer.form == "combined" and answer.info["dictionary"] == 7 and answer.components == ("a", "b")
    assert off["right", "combined"] < 0.06 and off["wrong", "combined"] < 0.08 < 0.4 < off["wrong", "raw"], off
    assert answer.deviations.shape == (16, *answer.values.shape)


def test_products_of_neighbours_move_along_and_each_pair_comes_once(data):
    flow = gfdt.TimeSeries(torch.randn(4, 20, 2, 4, 6), torch.arange(20.0), "mtcyx")
    for series, reach, count in ((data, 0, 3), (data, 1, 7), (data, 2, 11), (flow, 1, 19)):
        found = gfdt.observables.neighbour_products(series, reach)(series.u[0, :2])
        assert found.shape == (2, count, *series.grid.shape)
        assert len({tuple(one.flatten().round(decimals=3).tolist()) for one in found.movedim(1, 0)}) == count
    moved = gfdt.observables.neighbour_products(flow)(flow.u[0].roll((1, 2), (-2, -1)))
    torch.testing.assert_close(moved, gfdt.observables.neighbour_products(flow)(flow.u[0]).roll((1, 2), (-2, -1)))
    answer = gfdt.respond(flow, gfdt.GaussianScore.fit(flow), lags=2.0, form="combined")
    assert answer.values.shape == (3, 2, 2, 4, 6) and float(answer.values[0, 0, 0, 0, 0]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: gfdt.respond(data.split(0.1)[0], torch.neg, lags=4.0, form="combined"), "four members or more"),
        (lambda data: gfdt.respond(data, torch.neg, lags=4.0, form="combined", dictionary=fixed), "does not move along"),
        (lambda data: gfdt.respond(data, torch.neg, lags=4.0, form="combined", dictionary=many), "at most 600"),
        (lambda data: gfdt.observables.neighbour_products(data, 9), "a reach up to half the grid"),
        (lambda data: gfdt.observables.neighbour_products(gfdt.TimeSeries(data.u[:, :, 0], data.times, "mtx")), "several fields"),
    ],
)
def test_a_dictionary_that_does_not_suit_is_refused(data, call, message):
    with pytest.raises(ValueError, match=message):
        call(data)


def fixed(u):
    """It depends on the place."""
    return u[..., :1, :] * torch.arange(u.shape[-1])


def many(u):
    return u[..., :1, :].expand(*u.shape[:-2], 700, u.shape[-1])
