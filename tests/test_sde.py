"""Stochastic differential equations in a few variables: weak order, closed forms, derivatives, the contract."""

import math

import numpy as np
import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.experiments.parameter_responses import predict
from gfdt_tutorial.systems.sde import SDE

CPU = torch.device("cpu")


def pull(x, p):
    return -p["k"] * x


def even(x, p):
    return p["s"] * torch.ones(1)


WALKER = SDE(pull, even, {"k": 1.0, "s": 1.0}, spinup=8.0, lags=3.0, every=0.25, dt=0.05, name="walker")
GROWTH = SDE(lambda x, p: p["a"] * (1 - x), lambda x, p: p["s"] * x, {"a": 1.0, "s": 0.6}, start=(1.0,), spinup=8.0, dt=0.05)
MATRIX = torch.tensor([[-1.0, 2.0], [-1.5, -0.5]])
PAIR = SDE(lambda x, p: MATRIX @ x, lambda x, p: p["s"] * torch.ones(2), {"s": 1.0}, ("x", "y"), spinup=2.0, dt=0.02)


def quadrature(sources):
    """Nodes and weights that average polynomials of some normals exactly."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    grids = np.meshgrid(*[nodes] * sources, indexing="ij")
    each = np.meshgrid(*[weights / weights.sum()] * sources, indexing="ij")
    return torch.tensor(np.stack([g.ravel() for g in grids], 1)).float(), torch.tensor(np.prod(each, axis=0).ravel()).float()


def one_step_moments(system, start, h, sources=1):
    """⟨x⟩ and ⟨x²⟩ after one step from a state, averaged over the normals without sampling error."""
    normals, weights = quadrature(sources)
    state = torch.tensor([start]).expand(len(normals), -1).double()
    p = {name: torch.tensor(value, dtype=torch.float64) for name, value in system.parameters.items()}
    scheme = system._heun if system.additive else system._platen
    after = scheme(state, normals.double(), h, p)
    return (weights.double() @ after)[0], (weights.double() @ after.square())[0]


def test_noise_is_recognised_as_additive_or_not():
    assert WALKER.additive and PAIR.additive and not GROWTH.additive


@pytest.mark.parametrize(
    ("system", "exact"),
    [
        (WALKER, lambda h: (0.7 * math.exp(-h), 0.49 * math.exp(-2 * h) + (1 - math.exp(-2 * h)) / 2)),
        # dm₁ = a(1 − m₁), dm₂ = 2a m₁ − (2a − s²) m₂
        (GROWTH, lambda h: growth_moments(0.7, h)),
    ],
    ids=["Heun", "Platen"],
)
def test_one_step_errs_by_the_third_power_of_the_step(system, exact):
    errors = [[abs(float(a) - b) for a, b in zip(one_step_moments(system, [0.7], h), exact(h), strict=True)] for h in (0.2, 0.1)]
    for coarse, fine in zip(*errors, strict=True):
        assert fine < coarse / 6.5  # 8 for the third power, 4 for the second


def growth_moments(x, h, a=1.0, s=0.6):
    steps = 4000
    m1, m2 = x, x * x
    for _ in range(steps):  # Heun's scheme for the two moments
        k1 = (a * (1 - m1), 2 * a * m1 - (2 * a - s * s) * m2)
        n1, n2 = m1 + h / steps * k1[0], m2 + h / steps * k1[1]
        k2 = (a * (1 - n1), 2 * a * n1 - (2 * a - s * s) * n2)
        m1, m2 = m1 + h / steps * (k1[0] + k2[0]) / 2, m2 + h / steps * (k1[1] + k2[1]) / 2
    return m1, m2


def test_platens_scheme_serves_noise_that_is_shared_between_components():
    """Non-commuting noise, σ = [[x₂, ½], [½, x₁]] s: the second moments after a step against their own equation."""
    system = SDE(
        lambda x, p: -x, lambda x, p: p["s"] * torch.stack([torch.stack([x[1], 0.5 + 0 * x[0]]), torch.stack([0.5 + 0 * x[0], x[0]])]),
        {"s": 0.5}, ("x", "y"), start=(0.7, -0.4),
    )  # fmt: skip
    errors = []
    for h in (0.2, 0.1):
        # d⟨x²⟩ = −2⟨x²⟩ + s²(⟨y²⟩ + ¼), and the same with x and y exchanged
        total = np.array([0.49, 0.16])
        for _ in range(4000):
            slope = lambda m: -2 * m + 0.25 * (m[::-1] + 0.25)  # noqa: E731
            first = slope(total)
            total = total + h / 4000 * (first + slope(total + h / 4000 * first)) / 2
        normals, weights = quadrature(2)
        both = torch.cat([torch.cat([normals, sign * torch.ones(len(normals), 1)], 1) for sign in (1.0, -1.0)]).double()
        p = {"s": torch.tensor(0.5, dtype=torch.float64)}
        after = system._platen(torch.tensor([[0.7, -0.4]]).double().expand(len(both), -1), both, h, p)
        errors.append(np.abs((torch.cat([weights, weights]).double() / 2 @ after.square()).numpy() - total))
    assert (errors[1] < errors[0] / 6).all()


def test_the_stationary_moments_of_multiplicative_noise_are_those_of_ito():
    """⟨x⟩ = 1, ⟨x²⟩ = 2a/(2a − s²); Stratonovich's reading would have the mean a/(a − s²/2) = 1.22."""
    u = gfdt.simulate(GROWTH, members=512, duration=40.0, every=1.0, device="cpu").u.double()
    mean, square = u.mean(1), u.square().mean(1)
    assert float(mean.mean()) == pytest.approx(1.0, abs=4 * float(mean.std()) / 512**0.5)
    assert float(square.mean()) == pytest.approx(2 / (2 - 0.36), abs=4 * float(square.std()) / 512**0.5)


def test_the_response_of_a_walker_is_its_decay_by_score_and_by_twins():
    data = gfdt.simulate(WALKER, members=64, duration=100.0, every=0.25, device="cpu")
    truth = gfdt.perturb(WALKER, lags=3.0, every=0.25, pairs=16, device="cpu")
    expected = torch.exp(-truth.times).float()
    torch.testing.assert_close(truth.values, expected, atol=2e-3, rtol=0)
    found = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=3.0)
    assert float(((found.values - expected) / found.standard_error)[1:].abs().max()) < 4 and float(found.standard_error.max()) < 0.05


@pytest.mark.slow
def test_twins_of_one_component_of_two_answer_as_the_matrix_exponential():
    truth = gfdt.perturb(PAIR, lags=2.0, every=0.5, pairs=16, device="cpu")
    expected = torch.stack([torch.matrix_exp(MATRIX * float(t))[0, 0] for t in truth.times])
    torch.testing.assert_close(truth.values, expected, atol=1e-3, rtol=0)
    other = gfdt.SDE(PAIR.drift, PAIR.noise, PAIR.parameters, PAIR.components, "y", spinup=10.0, dt=0.02)
    expected = torch.stack([torch.matrix_exp(MATRIX * float(t))[1, 1] for t in truth.times])
    torch.testing.assert_close(gfdt.perturb(other, lags=2.0, every=0.5, pairs=16, device="cpu").values, expected, atol=1e-3, rtol=0)


def test_a_parameter_is_answered_by_automatic_differentiation():
    """Of the walker ⟨x²⟩ = s²/2k, so k ∂⟨x²⟩/∂k = −½ after a long time, by (1 − e^(−2kt)) before."""
    f, divergence = WALKER.drift_derivative("k")
    x = torch.linspace(-1, 1, 12).reshape(3, 4)
    torch.testing.assert_close(f(x), -x)
    torch.testing.assert_close(divergence(x), -torch.ones(3, 4))
    data = gfdt.simulate(WALKER, members=128, duration=100.0, every=0.25, device="cpu")
    score, power = gfdt.GaussianScore.fit(data), gfdt.observables.moment(WALKER.grid, 2)
    found = gfdt.sensitivities(data, score, power, {"k": (f, divergence)}, lags=3.0)["k"]
    expected = -0.5 * (1 - torch.exp(-2 * found.times))
    assert float((found.values[:, 0] - expected).abs().max()) < 0.05


def test_the_same_seed_gives_the_same_path_however_many_run_beside():
    one, many = (gfdt.simulate(GROWTH, members=n, duration=2.0, every=0.5, seed=3, device="cpu").u for n in (2, 5))
    torch.testing.assert_close(one, many[:2], rtol=0, atol=0)


def test_a_changed_parameter_is_another_system_with_other_settings():
    other = WALKER.changed(k=2.0)
    assert other.parameters == {"k": 2.0, "s": 1.0} and other.settings() != WALKER.settings() and other.settable() == {"k", "s"}
    found = gfdt.run(
        gfdt.ChangedEnsemble(WALKER, other, gfdt.observables.moment(WALKER.grid, 2), lags=2.0, every=0.5, members=64)
    ).response()
    expected = -0.25 * (1 - torch.exp(-4 * found.times.float()))  # from ½ to ¼
    assert float((found.values[:, 0] - expected).abs().max()) < 0.08
    assert predict is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SDE(lambda x, p: x[:1], even, {"s": 1.0}, ("x", "y")), r"drift returned shape \(1,\) for 2 components"),
        (lambda: SDE(pull, lambda x, p: torch.ones(3), {"k": 1.0}), r"noise returned shape \(3,\) for 1 components"),
        (lambda: SDE(lambda x, p: x / 0, even, {"s": 1.0}, start=(0.0,)), "what drift returned has .* NaN"),
        (lambda: SDE(pull, even, {"k": 1.0, "s": 1.0}, observed="z"), "component 'z' is unknown"),
        (lambda: SDE(pull, even, {"k": 1.0, "s": 1.0}, start=(1.0, 2.0)), "start has 2 values for 1 components"),
        (lambda: SDE(pull, even, {"k": 1.0, "s": 1.0}, dt=0.0), "dt is 0.0"),
        (lambda: WALKER.changed(q=1.0), "parameter of walker 'q' is unknown"),
        (lambda: PAIR.drift_derivative("s"), "components that the series does not show"),
        (lambda: WALKER.drift_derivative("q"), "parameter of walker 'q' is unknown"),
    ],
    ids=["drift", "noise", "NaN", "component", "start", "step", "parameter", "hidden", "derivative"],
)
def test_bad_input_is_refused_in_words(make, message):
    with pytest.raises(ValueError, match=message):
        make()
