"""Systems of unlike variables against closed forms: a Markov chain, a cubic number, the ENSO triad, Lorenz 63."""

import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.systems.cubic import stationary_average


def test_a_chain_has_the_covariance_and_the_responses_that_it_states():
    chain = gfdt.MarkovChain(noise=(1.0, 2.0, 0.5))
    data = gfdt.simulate(chain, members=64, duration=3000.0)
    u = data.u.double().flatten(0, 1)
    scale = chain.covariance.diagonal().sqrt()
    assert ((torch.cov(u.T) - chain.covariance) / (scale[:, None] * scale)).abs().max() < 0.02
    gaussian = gfdt.GaussianScore.fit(data)
    assert (chain.score(data.u) - gaussian(data.u)).norm() < 0.03 * gaussian(data.u).norm()
    truth = gfdt.exact_response(chain, lags=6.0)
    twins = gfdt.perturb(chain, lags=6.0, pairs=16)
    torch.testing.assert_close(twins.values.double(), truth.values, rtol=0, atol=1e-4)
    assert truth.components == ("x1", "x2", "x3") and truth.values[1, 2, 1] == 0 < truth.values[2, 2, 1]  # 2 → 1 → 3 takes two steps
    assert gfdt.compare(gfdt.respond(data, gaussian, lags=6.0), truth).quoted["l2"] < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"matrix": ((1.0, 0.0), (0.0, 0.5))}, "less than 1"),
        ({"matrix": ((0.5, 0.0),)}, "square"),
        ({"noise": (1.0, 1.0)}, "2 values for 3"),
        ({"noise": 0.0}, "noise"),
    ],
)
def test_a_chain_that_cannot_be_stationary_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gfdt.MarkovChain(**options)


def test_a_chain_lives_at_whole_times():
    with pytest.raises(ValueError, match="whole steps"):
        gfdt.simulate(gfdt.MarkovChain(), members=2, duration=10.0, every=0.5)
    with pytest.raises(ValueError, match="whole times"):
        gfdt.MarkovChain().response([0.5])


def test_the_quadrature_of_the_cubic_number_is_that_of_its_runs():
    system = gfdt.cubic_number()
    data = gfdt.simulate(system, members=500, duration=400.0, every=1.0)
    exact = stationary_average(system.parameters, lambda x: torch.stack([x, x**2, (x <= 2.5).double()]))
    numbers = torch.stack([data.u, data.u**2, (data.u <= 2.5).float()]).double()
    error = numbers.mean(2).std(1) / 500**0.5
    assert ((numbers.mean((1, 2)) - exact).abs() < 4 * error).all()
    linear = stationary_average({"F": 0.0, "a": -1.0, "b": 0.0, "c": 1e-9, "sigma": 2**0.5}, lambda x: x**2)
    assert float(linear) == pytest.approx(1.0, abs=1e-6)
    for wrong in ({"c": 0.0}, {"sigma": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            gfdt.cubic_number(**wrong)


def test_means_of_the_triad_answer_as_its_linear_drift_says():
    system = gfdt.enso_triad()
    twins = gfdt.perturb(system, lags=5.0, every=0.5, pairs=512)
    drift = torch.tensor([[-0.2, -0.4, 1.0], [0.4, -0.2, 0.0], [0.0, 0.0, -2.0]], dtype=torch.float64)
    exact = torch.stack([torch.linalg.matrix_exp(drift * t) for t in twins.times])
    off = (twins.values.double() - exact).abs()
    assert (off < 5 * twins.standard_error.double() + 2e-3).all()  # common noise cancels but where tanh u1 differs


def test_the_lorenz_system_keeps_to_its_attractor():
    data = gfdt.simulate(gfdt.lorenz_63(), members=64, duration=50.0)
    u = data.u.double()
    # d⟨z⟩/dt = 0 and d⟨z²⟩/dt = 0
    x, y, z = u.unbind(-1)
    assert float((x * y).mean() / z.mean()) == pytest.approx(8 / 3, rel=0.02)
    assert float((x * y * z).mean() - 8 / 3 * (z * z).mean() + 2) == pytest.approx(0, abs=0.02 * 8 / 3 * float((z * z).mean()))
    assert float(x.mean()) == pytest.approx(0, abs=0.8)
