"""Scores of unlike variables: a network, clusters, and the ladder from the Gaussian score to the network."""

import json
import warnings
from dataclasses import replace

import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.scores.budgets import component_budget
from gfdt_tutorial.scores.component_clusters import ComponentClusterScore
from gfdt_tutorial.scores.component_training import ComponentTraining, with_level
from gfdt_tutorial.scores.loading import load_score
from gfdt_tutorial.scores.rungs import Rung, beats, compare_rungs, recommended

UNITS = torch.tensor([1.0, 1e3])
SHORT = gfdt.Budget(steps=800, pairs=512, width=48, level=0.04, kernels=(1, 1, 1), rate=1e-2, average=0.99, check_every=100)


def banana(count=40_000, seed=0):
    """x normal, y = x² + noise: s = (−x + 2x r/q², −r/q²) with r = y − x², q² = ¼."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(count, generator=rng)
    y = x.square() + 0.5 * torch.randn(count, generator=rng)
    u = torch.stack([x, y], -1).reshape(8, -1, 2) * UNITS
    return gfdt.TimeSeries(u, torch.arange(float(u.shape[1])), "mtc", components=("x", "y"))


def exact(u):
    x, y = (u / UNITS).unbind(-1)
    rest = (y - x.square()) / 0.25
    return torch.stack([-x + 2 * x * rest, -rest], -1) / UNITS


DATA = banana()


def error_of(score, data=None):
    """Relative error in units of the standard deviations."""
    u = banana(8000, seed=1).u if data is None else data.u
    return float(((score(u) - exact(u)) * UNITS).norm() / (exact(u) * UNITS).norm())


@pytest.fixture(scope="module")
def network():
    return gfdt.fit_score(DATA, budget=SHORT)


def test_a_network_learns_the_score_of_unlike_variables(network):
    assert isinstance(network, gfdt.ComponentScore) and network.method == "generative" and network.components == ("x", "y")
    assert error_of(network) < 0.25 < 0.8 < error_of(gfdt.GaussianScore.fit(DATA))


def test_calibration_makes_the_identity_exact(network):
    fitted = DATA.split(0.8)[0]
    u = fitted.u.double().flatten(0, 1)
    product = -(u - u.mean(0)).T @ network(fitted.u).double().flatten(0, 1) / len(u)
    torch.testing.assert_close(product * UNITS / UNITS[:, None], torch.eye(2, dtype=torch.float64), rtol=0, atol=1e-4)
    assert network.identity_on == fitted.fingerprint and (network(fitted.u).double().mean((0, 1)) * UNITS).abs().max() < 1e-4
    response = gfdt.respond(fitted, network, lags=2.0).values[0]
    torch.testing.assert_close(response * UNITS / UNITS[:, None], torch.eye(2), rtol=0, atol=1e-4)


def test_a_score_is_saved_and_read_back(network, tmp_path):
    read = gfdt.ComponentScore.load(network.save(tmp_path))
    assert torch.equal(read(DATA.u[:1]), network(DATA.u[:1])) and read.rungs == network.rungs and read.identity_on == network.identity_on
    with pytest.raises(ValueError, match=r"ComponentScore\.load"):
        gfdt.LearnedScore.load(tmp_path)
    about = json.loads((tmp_path / "score.json").read_text(encoding="utf-8"))
    about["config"]["width"] = 7
    (tmp_path / "score.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(ValueError, match="do not fit"):
        gfdt.ComponentScore.load(tmp_path)


def test_a_score_of_one_field_is_not_one_of_components(tmp_path):
    well = gfdt.simulate(gfdt.DoubleWell(), members=8, duration=50.0, every=0.25)
    folder = gfdt.fit_score(well, preset="tiny").save(tmp_path)
    with pytest.raises(ValueError, match=r"LearnedScore\.load"):
        gfdt.ComponentScore.load(folder)


def test_an_interrupted_training_continues_with_the_same_bits(tmp_path):
    whole = ComponentTraining(DATA, SHORT, seed=3)
    for _ in whole:
        pass
    first = ComponentTraining(DATA, SHORT, seed=3)
    for _ in first:
        if first.step == 170:
            break
    second = ComponentTraining(DATA, SHORT, seed=3)
    second.restore(first.save(tmp_path / "checkpoint"))
    for _ in second:
        pass
    assert torch.equal(whole.score()(DATA.u), second.score()(DATA.u))


def test_the_noise_is_made_as_thin_as_the_data():
    """A third variable that departs from the first by 1/30 of its width: noise of 0.1 would blur it."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(8, 2000, generator=rng)
    thin = torch.stack([x, x.square() + 0.03 * torch.randn(8, 2000, generator=rng)], -1)
    data = gfdt.TimeSeries(thin, torch.arange(2000.0), "mtc")
    start = replace(component_budget("quick"), steps=1200, width=48, pairs=512)
    assert with_level(data, start).level < 0.1
    assert with_level(gfdt.simulate(gfdt.MarkovChain(), members=8, duration=2000.0), start).level == 0.1
    with pytest.warns(UserWarning, match="⟨u sᵀ⟩ = −1"):
        gfdt.fit_score(data, budget=replace(SHORT, steps=200, level=0.4))


def test_thinner_noise_must_surely_lower_the_loss():
    flat = torch.zeros(16)
    scatter = torch.randn(16, generator=torch.Generator().manual_seed(0))
    assert beats(flat - 0.1, flat) and not beats(flat - 5e-4, flat) and not beats(flat, flat - 0.1)
    assert not beats(flat + scatter - scatter.mean() - 0.1, flat) and beats(scatter - 0.1, scatter)


def test_a_blur_of_rare_states_lowers_the_noise_though_the_identity_holds():
    """The width of y falls from 1 to 1/30 where x is large: ⟨u sᵀ⟩ hardly sees it, J does."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(8, 3000, generator=rng)
    width = torch.where(x > 1, 1 / 30, 1.0)
    data = gfdt.TimeSeries(torch.stack([x, width * torch.randn(8, 3000, generator=rng)], -1), torch.arange(3000.0), "mtc")
    start = replace(component_budget("quick"), steps=1200, width=48, pairs=512)
    assert with_level(data, start).level < 0.1


def test_the_ladder_recommends_the_simplest_rung_that_does(network):
    assert list(network.rungs) == ["gaussian", "polynomial", "network"] and network.recommended != "gaussian"
    chain = gfdt.simulate(gfdt.MarkovChain(), members=8, duration=2000.0)
    assert gfdt.fit_score(chain, budget=SHORT).recommended == "gaussian"
    held = banana(8000, seed=2)
    rungs = compare_rungs(held, {"gaussian": gfdt.GaussianScore.fit(DATA), "exact": exact, "polynomial": gfdt.PolynomialScore.fit(DATA)})
    assert rungs["exact"].behind == (0.0, 0.0) or recommended(rungs) == "exact"
    gap = 0.5 * float((((gfdt.GaussianScore.fit(DATA)(held.u) - exact(held.u)) @ _root(held)).square().sum(-1)).mean())
    assert rungs["gaussian"].loss - rungs["exact"].loss == pytest.approx(gap, rel=0.05)
    assert recommended({"gaussian": Rung(0.1, (0.1, 0.04)), "network": Rung(0.0, (0.0, 0.0))}) == "gaussian"
    assert recommended({"gaussian": Rung(0.1, (0.1, 0.01)), "network": Rung(0.0, (0.0, 0.0))}) == "network"


def _root(held):
    """C^½: the score per unit of a whitened coordinate is that per unit of u times it."""
    u = held.u.double().flatten(0, 1)
    values, vectors = torch.linalg.eigh(torch.cov(u.T, correction=0))
    return (vectors * values.sqrt() @ vectors.T).float()


def test_clusters_find_the_score_too(tmp_path):
    score = ComponentClusterScore.fit(DATA, clusters=300)
    assert score.method == "clusters" and error_of(score) < 0.45
    again = ComponentClusterScore.fit(DATA, clusters=300)
    assert torch.equal(again(DATA.u[:1]), score(DATA.u[:1]))
    read = load_score(score.save(tmp_path))
    assert read.method == "clusters" and torch.equal(read(DATA.u[:1]), score(DATA.u[:1]))
    with pytest.raises(ValueError, match="another kind"):
        gfdt.ComponentScore.load(tmp_path)
    with pytest.raises(ValueError, match="ten snapshots"):
        ComponentClusterScore.fit(banana(800), clusters=300)
    with pytest.raises(ValueError, match="components without space"):
        ComponentClusterScore.fit(gfdt.simulate(gfdt.DoubleWell(), members=8, duration=50.0, every=0.25))


def test_a_score_with_a_context_is_that_of_the_components_given_it():
    """x = forcing + noise: given the forcing, s = −(x − forcing)/q²."""
    rng = torch.Generator().manual_seed(0)
    forcing = torch.randn(8, 2000, 1, generator=rng)
    u = torch.cat([forcing, -forcing], -1) + 0.5 * torch.randn(8, 2000, 2, generator=rng)
    data = gfdt.TimeSeries(u, torch.arange(2000.0), "mtc", context=forcing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = gfdt.fit_score(data, context=True, budget=SHORT)
    expected = -(u - torch.cat([forcing, -forcing], -1)) / 0.25
    assert score.needs_context and (score(u, context=forcing) - expected).norm() < 0.15 * expected.norm()
    assert gfdt.respond(data, score, lags=2.0).values.shape == (3, 2, 2)
    with pytest.raises(ValueError, match="needs a context"):
        score(u)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gfdt.fit_score(DATA, noise_levels=True), "are for one field"),
        (lambda: gfdt.fit_score(DATA, network=torch.nn.Linear(2, 2)), "are for one field"),
        (lambda: gfdt.fit_score(DATA, context=True, preset="tiny"), "carries none"),
        (lambda: gfdt.fit_score(DATA, preset="tiny")(torch.zeros(5, 3)), "u has"),
        (lambda: gfdt.fit_score(DATA, preset="tiny")(torch.zeros(5, 2), context=torch.zeros(5, 1)), "without context"),
        (lambda: gfdt.fit_score(gfdt.TimeSeries(torch.ones(8, 20, 2), torch.arange(20.0), "mtc")), "does not vary"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
