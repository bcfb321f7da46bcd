"""The form "projected": B is projected on functions whose averages with it are known, for any score and any observable."""

import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.systems.cubic import stationary_average

TRIAD = gfdt.enso_triad()
DATA = gfdt.simulate(TRIAD, members=16, duration=100.0, every=0.2)
KICK = (lambda u: torch.tensor([1.0, 0.0, 0.0]).expand_as(u), lambda u: torch.zeros(u.shape[:2]))


def squares(u):
    return torch.stack([u[..., 0] * u[..., 2], u[..., 2].square()], -1)


def wrong(u):
    """A score that is right about nothing."""
    return -0.3 * u + 0.1 * u.flip(-1)


def test_averages_with_quadratic_observables_are_exact_at_lag_zero_whatever_the_score():
    """⟨A B⟩ = ⟨∇A·f⟩ for the kick, and ½⟨δD:∇∇A⟩ for the change of the noise."""
    noise = gfdt.diffusion_change(wrong, TRIAD.diffusion_derivative("sigma_3"))
    found = gfdt.sensitivities(DATA, wrong, squares, {"kick": KICK, "noise": noise}, lags=4.0, integrate=False, form="projected")
    some = DATA.u[:, ::4].double()  # ∇A·f is averaged over every fourth snapshot
    at_once = 1.5 * (torch.tanh(some[..., 0]) + 1).square().mean() * 2
    torch.testing.assert_close(found["kick"].values[0].double(), torch.stack([some[..., 2].mean(), torch.zeros(())]), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found["noise"].values[0].double(), torch.stack([torch.zeros(()).double(), at_once]), rtol=1e-3, atol=1e-3)
    raw = gfdt.sensitivities(DATA, wrong, squares, {"noise": noise}, lags=4.0, integrate=False, form="raw")["noise"]
    assert abs(raw.values[0, 1] - at_once) > 0.5 * at_once


def test_an_observable_that_jumps_is_taken():
    """1[x ≤ 2.5] of the cubic number after a lasting change of the forcing, against quadrature."""
    system = gfdt.cubic_number()
    data = gfdt.simulate(system, members=128, duration=200.0, every=0.2).both_ways()
    score = gfdt.PolynomialScore.fit(data, degree=3)
    below = lambda u: (u <= 2.5).to(u.dtype)  # noqa: E731
    found = gfdt.sensitivities(data, score, below, {"F": system.drift_derivative("F")}, lags=16.0, form="projected")["F"]
    parameters = {name: torch.tensor(value, dtype=torch.float64) for name, value in system.parameters.items()}
    exact = torch.func.grad(lambda p: stationary_average(p, lambda x: (x <= 2.5).double()))(parameters)["F"]
    assert abs(found.values[-1] - exact) < 4 * found.standard_error[-1] < 0.8 * abs(exact)
    with pytest.raises(ValueError, match="jumps"):
        gfdt.sensitivities(data, score, below, {"F": system.drift_derivative("F")}, lags=16.0)


def test_the_default_dictionary_has_products_of_two_for_few_components_and_the_number_itself_for_one():
    numbers = gfdt.simulate(gfdt.DoubleWell(), members=16, duration=100.0, every=0.5)
    for data, degree in ((DATA, 2), (numbers, 1)):
        change = {"kick": KICK if data is DATA else (torch.ones_like, lambda u: torch.zeros_like(u))}
        observable = squares if data is DATA else torch.square
        options = {"lags": 4.0, "form": "projected", "resamples": 8}
        plain = gfdt.sensitivities(data, torch.neg, observable, change, **options)["kick"]
        named = gfdt.sensitivities(data, torch.neg, observable, change, dictionary=gfdt.observables.products(data, degree), **options)
        assert torch.equal(plain.values, named["kick"].values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "projected", "resolved": 2.0}, "resolved"),
        ({"form": "raw", "dictionary": squares}, "dictionary enters"),
        ({"form": "projected", "dictionary": lambda u: (u[..., 0] > 0).float()}, "jumps"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gfdt.sensitivities(DATA, wrong, squares, {"kick": KICK}, lags=4.0, **options)


def test_fields_need_a_dictionary_of_their_own():
    system = gfdt.OrnsteinUhlenbeck(grid=gfdt.PeriodicGrid((8, 8)))
    data = gfdt.simulate(system, members=8, duration=60.0)
    power = gfdt.observables.moment(system.grid, 2)
    change = {"lam": system.drift_derivative("lam")}
    with pytest.raises(ValueError, match="no dictionary of its own for fields"):
        gfdt.sensitivities(data, system.score, power, change, lags=10.0, form="projected")
    spectrum = gfdt.observables.spectrum(system.grid)
    found = gfdt.sensitivities(data, lambda u: 0.5 * system.score(u), power, change, lags=10.0, form="projected", dictionary=spectrum)[
        "lam"
    ]
    right = gfdt.sensitivities(data, system.score, power, change, lags=10.0)["lam"]
    assert (found.values - right.values).abs().max() < 0.2 * right.values.abs().max()
    with pytest.raises(ValueError, match="a few variables without space"):
        gfdt.observables.products(data)
