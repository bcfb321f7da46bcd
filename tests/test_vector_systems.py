"""Systems of unlike variables against closed forms and budgets: chain, cubic number, triad, Lorenz 63 and 96, Charney-DeVore."""

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


def test_charney_and_devore_keep_the_budget_of_the_first_wave():
    """d⟨x1⟩/dt = 0 and the same for x4; and the value of the first slope at a state that was computed by hand."""
    system = gfdt.charney_devore()
    data = gfdt.simulate(system, members=64, duration=400.0, every=1.0, spinup=200.0)
    x = data.u.double().flatten(0, 1).unbind(-1)
    zonal = [0.2 * 4 * m / (4 * m**2 - 1) * 2**0.5 * 1.6 / torch.pi for m in (1, 2)]
    assert float(zonal[0] * x[2].mean() - 0.1 * (x[0].mean() - 0.95)) == pytest.approx(0, abs=1e-3)
    epsilon = 16 * 2**0.5 / (5 * torch.pi)
    fourth = zonal[1] * x[5].mean() - 0.1 * (x[3].mean() + 0.76095) + epsilon * (x[1] * x[5] - x[2] * x[4]).mean()
    assert float(fourth) == pytest.approx(0, abs=1e-3)
    p = {name: torch.tensor(value, dtype=torch.float64) for name, value in system.parameters.items()}
    slope = system.drift(torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64), p)
    alpha, beta = 8 * 2**0.5 / torch.pi / 3 * 1.6**2 / (1.6**2 + 1), 1.25 * 1.6**2 / (1.6**2 + 1)
    assert float(slope[1]) == pytest.approx(-(alpha - beta), rel=1e-6) and float(slope[0]) == pytest.approx(zonal[0] - 0.005, rel=1e-6)
    jacobian = torch.func.jacrev(lambda u: system.drift(u, p))(torch.rand(6, dtype=torch.float64))
    assert int((jacobian == 0).sum()) == 9  # of 36
    long = gfdt.simulate(gfdt.charney_devore(b=0.5), members=16, duration=200.0, every=1.0, spinup=100.0)
    assert 0.5 < float(long.u[..., 0].mean()) < 1.2 and float(long.u.abs().max()) < 2


def test_lorenz_96_keeps_its_budget_of_energy_and_its_places_differ():
    data = gfdt.simulate(gfdt.lorenz_96(), members=64, duration=50.0, every=0.1)
    x = data.u.double().flatten(0, 1)
    forcing = 8 * (1 + 0.5 * torch.cos(torch.arange(8) * torch.pi / 4)).double()
    gain = (forcing * x.mean(0)).sum() - x.square().mean(0).sum() + 8 / 2  # d⟨x²/2⟩/dt summed over places, noise included
    assert abs(float(gain)) < 0.01 * float(x.square().mean(0).sum())
    assert float(x.mean(0).max() - x.mean(0).min()) > 1
    with pytest.raises(ValueError, match="places"):
        gfdt.lorenz_96(places=3)


def test_the_two_scales_exchange_energy_and_every_place_is_alike():
    system = gfdt.TwoScaleLorenz96(places=9, fast=4)
    rng = torch.Generator().manual_seed(0)
    state = torch.randn(2, 5, 9, generator=rng, dtype=torch.float64)
    gain = (state * system.drift(state)).sum((1, 2))
    expected = 10.0 * state[:, 0].sum(1) - state[:, 0].square().sum(1) - 5.0 * state[:, 1:].square().sum((1, 2))
    torch.testing.assert_close(gain, expected)  # advection and coupling conserve energy
    torch.testing.assert_close(system.drift(state.roll(2, -1)), system.drift(state).roll(2, -1))
    step = 1e-6 * torch.nn.functional.one_hot(torch.tensor(0), 9)
    pushed = (system.drift(state + torch.cat([step[None], torch.zeros(4, 9)])) - system.drift(state)) / 1e-6
    torch.testing.assert_close(pushed[:, 1:, 0], torch.full((2, 4), 0.5, dtype=torch.float64), rtol=0, atol=1e-4)  # hc/b
    data = gfdt.simulate(system, members=8, duration=20.0, every=0.1)
    assert data.components == ("X", "Y1", "Y2", "Y3", "Y4") and data.u.shape == (8, 201, 5, 9)
    noisy = gfdt.simulate(gfdt.TwoScaleLorenz96(places=9, fast=4, eta=0.5), members=8, duration=20.0, every=0.1)
    assert float(noisy.u[:, :, 1:].std()) > float(data.u[:, :, 1:].std())
    for wrong in ({"places": 3}, {"fast": 2}, {"eta": -1.0}, {"dt": 0.0}, {"b": 0.0}, {"F": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            gfdt.TwoScaleLorenz96(**wrong)
