"""Hidden memory: found where the future depends on more than the present value, and nowhere else, however badly a score was learned."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from series_examples import series as field

from gfdt_tutorial import GaussianScore, NavierStokes, OrnsteinUhlenbeck, PeriodicGrid, TimeSeries, simulate
from gfdt_tutorial.bench import hidden_memory as bench
from gfdt_tutorial.data import hidden_memory as module
from gfdt_tutorial.data import hidden_memory_of_fields as of_fields
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.hidden_memory import HiddenMemory, hidden_memory, hotelling, normal_scores
from gfdt_tutorial.data.suitability.record import Record
from gfdt_tutorial.figures.report import page
from gfdt_tutorial.scores.pair_score import PairScores

SHAPES = [(64, 1000), *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((3, 21_000), (1, 64_000)))]


def series(u):
    return TimeSeries(u, np.arange(float(u.shape[1])), "mt")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", bench.HIDDEN)
def test_hidden_memory_is_found(name, shape):
    found = hidden_memory(series(bench.HIDDEN[name](*shape, 0)))
    assert found.verdict == "found" and "depends on what else the kick holds fixed" in found.finding


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", bench.MARKOV)
def test_markov_series_are_not_accused(name, shape):
    found = hidden_memory(series(bench.MARKOV[name](*shape, 1)))
    assert found.verdict == "not found" and "within sampling" in found.finding


def test_the_difference_of_an_oscillator_is_the_known_one():
    """Of a Gaussian series R = ρ(τ) and R̃ = [ρ(τ) − ρ(d) ρ(τ + d)]/(1 − ρ(d)²)."""
    found = hidden_memory(series(bench.HIDDEN["AR(2) of modulus 0.98"](64, 4000, 0)))
    correlation = [1.0, bench.OSCILLATION[0] / (1 - bench.OSCILLATION[1])]
    for _ in range(40):
        correlation.append(bench.OSCILLATION[0] * correlation[-1] + bench.OSCILLATION[1] * correlation[-2])
    rho, lags, d = np.array(correlation), found.lags.long().numpy(), int(found.distance)
    conditional = (rho[lags] - rho[d] * rho[lags + d]) / (1 - rho[d] ** 2)
    np.testing.assert_allclose(found.response, rho[lags], atol=0.02)
    np.testing.assert_allclose(found.conditional - found.response, conditional - rho[lags], atol=0.03)
    assert abs(conditional - rho[lags]).max() > 0.2


@pytest.mark.slow
def test_a_wrong_score_does_not_accuse_a_markov_series(monkeypatch):
    """Any function of the pair in place of the score: what the present value does not explain of it is uncorrelated with the future."""

    class Wrong:
        weights = (torch.zeros(2, 1, 1),)

        def __call__(self, pairs):
            return pairs[..., 0] * pairs[..., 1].square() + 3 * torch.sin(2 * pairs[..., 1])

    monkeypatch.setattr(module.PairScores, "fit", lambda *_, **__: Wrong())
    p_values = [hidden_memory(series(bench.double_well(16, 1000, seed))).p_value for seed in range(30)]
    assert min(p_values) > 1e-3 and 0.2 < np.mean(p_values) < 0.8
    assert hidden_memory(series(bench.flow_mean(64, 1000, 0))).verdict == "found"


@pytest.mark.slow
def test_a_straight_forecast_would_accuse_a_double_well(monkeypatch):
    """The splines are needed: with one knot in place of them a Markov double well is accused."""
    data = series(bench.double_well(64, 4000, 0))
    assert hidden_memory(data).verdict == "not found"
    monkeypatch.setattr(module, "KNOTS", np.zeros(1))
    assert hidden_memory(data).verdict == "found"


def test_the_answer_does_not_depend_on_the_coordinate():
    u = bench.flow_mean(16, 500, 0)
    plain, bent = (hidden_memory(series(change(u))) for change in (lambda u: u, lambda u: np.exp(3 * u)))
    assert bent.p_value == pytest.approx(plain.p_value, rel=0.05)  # rounding to float32 may swap neighbours
    torch.testing.assert_close(bent.conditional, plain.conditional, atol=1e-4, rtol=0)


def test_same_seed_same_bits_and_another_seed_another_training():
    data = series(bench.flow_mean(16, 500, 0))
    one, same, other = (hidden_memory(data, seed=seed).conditional for seed in (0, 0, 1))
    assert one.equal(same) and not one.equal(other)


def test_short_series_are_told_apart_from_fit_ones():
    found = hidden_memory(series(bench.MARKOV["AR(1) 0.9"](1, 300, 0)))
    assert found.verdict == "unknown" and "too few" in found.finding
    with pytest.raises(ValueError, match="fields of shape"):
        hidden_memory(TimeSeries(np.zeros((1, 50, 4)), np.arange(50.0), "mtx"))


def test_normal_scores_are_normal():
    z = normal_scores(torch.from_numpy(np.random.default_rng(0).standard_cauchy((4, 500))))
    assert z.mean() == pytest.approx(0, abs=1e-12) and z.std() == pytest.approx(1, abs=0.01)
    ties = normal_scores(torch.tensor([[1.0, 1.0, 2.0]]))
    assert ties[0, 0] == ties[0, 1] < ties[0, 2]


def test_hotelling_keeps_its_level():
    z = np.random.default_rng(0).normal(size=(4000, 12, 3)) @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.9], [0.0, 0.0, 0.2]])
    p_values = np.array([hotelling(one) for one in z])
    for level in (0.01, 0.1, 0.5):
        assert np.mean(p_values < level) == pytest.approx(level, abs=4 * math.sqrt(level / 4000))
    assert hotelling(z[0] + [1.0, -1.0, 0.0]) < 1e-3


def test_a_pair_score_is_learned():
    """z = ½ z′ + (¾)^½ e, with e from two hills at ±0.8: the score of z given z′ is that of the hills."""
    rng = np.random.default_rng(0)
    before, hill = rng.normal(size=20_000), rng.choice([-0.8, 0.8], 20_000)
    e = hill + 0.6 * rng.normal(size=20_000)
    pairs = torch.from_numpy(np.stack([0.5 * before + math.sqrt(0.75) * e, before], -1))
    exact = (0.8 * np.tanh(0.8 * e / 0.36) - e) / 0.36 / math.sqrt(0.75)
    score = PairScores.fit([pairs[:10_000], pairs[10_000:]], steps=600, pairs=1024)
    with torch.no_grad():
        learned = score(pairs.float().expand(2, -1, -1)).numpy()
    gaussian = -(pairs[:, 0] - 0.5 * pairs[:, 1]).numpy() / 0.75
    errors = [float(np.mean((one - exact) ** 2) / np.mean(exact**2)) for one in (*learned, gaussian)]
    assert max(errors[:2]) < 0.05 < 0.3 < errors[2]
    with pytest.raises(ValueError, match="50 pairs"):
        PairScores.fit([pairs[:50]])
    with pytest.raises(ValueError, match="same number twice"):
        PairScores.fit([pairs[:, :1].expand(-1, 2)])


def test_the_mean_of_the_flow_obeys_the_equation_by_which_it_is_simulated():
    """dū/dt = −ū + ς̄ along a run of the flow itself, whatever the eddies do, and ς̄ is a tenth of a wave of the amplitude of the forcing."""
    system = NavierStokes(grid=PeriodicGrid((16, 16)))
    data = simulate(system, members=3, duration=30.0, every=1 / 32, spinup=5.0, context=True, device="cpu")
    mean, forcing = (values.double().mean((-1, -2)) for values in (data.u, data.context[:, :, 0]))
    decay = math.exp(-1 / 32)
    expected = decay * mean[:, :-1] + (1 - decay) * (forcing[:, 1:] + forcing[:, :-1]) / 2
    step = (mean[:, 1:] - mean[:, :-1]).std()
    assert (mean[:, 1:] - expected).std() < 0.01 * step
    assert forcing.abs().max() <= 0.1 * system.forcing * (1 + 1e-5) and forcing.abs().max() > 0.099 * system.forcing


def test_the_simulated_mean_of_the_flow_has_the_known_memory():
    """ρ(t) = (1 + t) e^(−t), and a variance of ⟨cos²⟩/2 = ¼."""
    u = bench.flow_mean(400, 600, 0)
    assert u.var() == pytest.approx(0.25, abs=0.01)
    for lag in (4, 8, 16):
        t = lag / 8
        assert np.mean(u[:, lag:] * u[:, :-lag]) / u.var() == pytest.approx((1 + t) * math.exp(-t), abs=0.02)


def test_a_sum_of_two_markov_numbers_is_not_markov():
    slow, fast = (bench.MARKOV["AR(1) 0.9"](64, 1000, 0), np.random.default_rng(9).normal(size=(64, 1000)))
    assert hidden_memory(series(slow)).verdict == "not found"
    assert hidden_memory(series(slow + 2 * fast)).verdict == "found"


# --- fields


def linear_pair_score(half, *_, context, **__):
    """The Gaussian score of a field given an earlier one, per wavevector, in place of a trained one: exact for linear fields."""
    assert context
    grid, mean = half.grid, half.u.mean()
    now, before = (grid.rfft(u - mean) for u in (half.u, half.context[:, :, 0]))
    slope = (now * before.conj()).mean((0, 1)) / before.abs().square().mean((0, 1))
    left = (now - slope * before).abs().square().mean((0, 1)) / grid.size
    return lambda u, past: -grid.irfft((grid.rfft(u - mean) - slope * grid.rfft(past[:, :, 0] - mean)) / left)


def examined(monkeypatch, data, pair_score=linear_pair_score):
    monkeypatch.setattr(of_fields, "fit_score", pair_score)
    halves = data.split(0.5)
    return of_fields.hidden_memory_of_fields(halves, [GaussianScore.fit(half) for half in halves], Record(data).autocorrelation)


def linear_field(seed=0, members=16):
    system = OrnsteinUhlenbeck(grid=PeriodicGrid((16,)), lam=0.2, kappa=0.01)
    return simulate(system, members=members, duration=399.0 * 16 / members, every=1.0, seed=seed, device="cpu")


@pytest.mark.parametrize("members", [16, 1])
def test_a_field_seen_through_noise_is_found_and_a_markov_one_is_not(monkeypatch, members):
    markov = examined(monkeypatch, linear_field(members=members))
    assert markov.verdict == "not found" and "within sampling" in markov.finding and markov.error.max() < 0.05
    noisy = bench.noisy_ring(0, members=members, steps=6400 // members)
    found = examined(monkeypatch, noisy)
    assert found.verdict == "found" and "of itself" in found.finding


def test_the_change_of_a_linear_field_is_the_known_one(monkeypatch):
    """Along the response, per wavevector: R̃ = [C(τ) − C(d)* C(τ + d)/C(0)]/[C(0) − |C(d)|²/C(0)]."""
    data = bench.noisy_ring(1, members=64)
    found = examined(monkeypatch, data)
    spectra, d = data.grid.rfft(data.u - data.u.mean()), int(found.distance)

    def covariance(lag):
        return (spectra[:, lag:] * spectra[:, : spectra.shape[1] - lag].conj()).mean((0, 1)).real.double()

    for lag, changed in zip(found.lags.long().tolist(), found.difference.tolist(), strict=True):
        alone = covariance(lag) / covariance(0)
        conditional = (covariance(lag) - covariance(d) * covariance(lag + d) / covariance(0)) / (
            covariance(0) - covariance(d) ** 2 / covariance(0)
        )
        weight = data.grid.multiplicity * alone
        assert changed == pytest.approx(float((weight * (conditional - alone)).sum() / (weight * alone).sum()), abs=0.02)


def test_a_wrong_score_does_not_accuse_a_linear_field(monkeypatch):
    def wrong(half, *_, **__):
        return lambda u, past: past[:, :, 0].roll(1, -1) * u.square() - 2 * past[:, :, 0]

    assert examined(monkeypatch, linear_field(3), wrong).p_value > 1e-3


def test_a_small_significant_change_of_a_field_does_not_count():
    lags = torch.arange(1.0, 4)
    small = HiddenMemory(1.0, lags, torch.ones(3), 1 + torch.tensor([-0.02, -0.01, 0.0]), torch.full((3,), 0.001), 1e-9, 32, 0.05)
    assert small.verdict == "not found" and "an error of the two scores" in small.finding
    assert replace(small, conditional=1 + torch.tensor([-0.2, 0.0, 0.0])).verdict == "found"


def test_a_short_record_of_fields_says_nothing(monkeypatch):
    data = linear_field()
    short = TimeSeries(data.u[:1, :60], data.times[:60], "mtx")
    assert examined(monkeypatch, short).verdict == "unknown"


# --- in an analysis


def test_hidden_memory_is_the_verdict_of_a_series_that_has_it():
    found = analyse(field("mt", lambda _: bench.flow_mean(64, 600, 0)), preset="tiny", lags=20)
    assert found.hidden.verdict == "found" and found.grade != "passes" and "held fixed during the kick" in found.verdict
    assert found.summary()["hidden_memory"]["verdict"] == "found" and json.dumps(found.summary())
    text = page(found).decode()
    assert text.index("Verdict</h2>") < text.index("May it be trusted?") and "this number alone is raised by one" in text
    assert "Does it remember more than it shows?" in text and "Three standard errors" not in text and "3 standard errors" in text
    markov = analyse(field("mt", steps=3000, members=16), preset="tiny", lags=4)
    assert markov.hidden.verdict == "not found" and "hidden memory" not in markov.verdict and markov.grade == "passes"
