"""The checker: a stub, a wrong answer, a wrong shape, nonsense, and the right answer."""

import math

import pytest
import torch

from gfdt_tutorial import OrnsteinUhlenbeck, exact_response, load_shipped
from gfdt_tutorial.course.exercises import EXERCISES, check, verdict


@pytest.mark.parametrize("number", EXERCISES)
def test_verdicts(number):
    answer = EXERCISES[number].expected
    assert verdict(number, answer) == "passed."
    assert verdict(number, None).startswith("not attempted yet")
    assert verdict(number, ...).startswith("not attempted yet")
    assert "Hint" in verdict(number, answer * 1.2 + 0.1)
    assert "Hint" in verdict(number, answer * math.nan)
    assert "Hint" in verdict(number, "nonsense")
    assert "should be real" in verdict(number, answer + 5j)
    assert "shape" in verdict(number, torch.zeros(7, 7))


def test_there_is_none_of_that_number(capsys):
    check("99.9", 1.0)
    assert "02.1" in capsys.readouterr().out


def test_answers_against_a_calculation_by_hand():
    assert EXERCISES["00.1"].answer == pytest.approx(2 * 2 * math.pi / 32 / 0.02)
    system = OrnsteinUhlenbeck()
    rates = system.lam / (1 + system.grid.k_squared) + system.kappa * system.grid.k_squared
    assert EXERCISES["02.1"].answer == pytest.approx(4)
    assert EXERCISES["02.2"].answer == pytest.approx(float((1 / rates).max()))


def test_the_blurred_slope_against_a_numerical_derivative():
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    noisy = torch.logsumexp(-((x - torch.tensor([-1.0, 1.0], dtype=torch.float64)) ** 2) / (2 * 0.29), 0)
    (score,) = torch.autograd.grad(noisy, x, create_graph=True)
    (slope,) = torch.autograd.grad(score, x)
    assert EXERCISES["03.4"].answer == pytest.approx(float(slope))


def test_the_memory_of_a_fast_forcing_against_the_largest_of_many():
    t = torch.linspace(0, 3, 100_001, dtype=torch.float64)
    excess = (10 * torch.exp(-t) - torch.exp(-10 * t)) / 9 - torch.exp(-t)
    assert EXERCISES["05.4"].answer == pytest.approx(float(excess.max()))


def test_the_steady_swing_against_a_push_by_convolution():
    """A uniform push, up and down with a period of 100, long enough for the start to be forgotten."""
    response = exact_response(OrnsteinUhlenbeck(), lags=400.0, every=0.5)
    time_profile = torch.sin(2 * math.pi * response.times / 100)
    answer = response.to(torch.ones(32, 32), time_profile)[-200:, 0, 0]
    assert EXERCISES["08.4"].answer == pytest.approx(float(answer.max()), abs=0.02)


def test_a_slope_fitted_to_samples_is_near_enough():
    """03.3 invites to find it numerically: least squares of −z/σ on x = w + σz, with as many samples as fit a laptop without a thought."""
    w, z = torch.randn(2, 100_000, generator=torch.Generator().manual_seed(1))
    x = w + 0.5 * z
    assert verdict("03.3", (x * z / 0.5).mean() / x.square().mean()) == "passed."


# An answer that somebody would give who had understood half: the checker must not let it pass.
MISTAKES = {
    "00.1": 2 / 0.02,  # two units of length instead of two pixels
    "00.2": 90.0,  # as long as the longest lag
    "00.3": 1.0,  # downstream
    "01.1": -EXERCISES["01.1"].expected,  # away from the peak
    "01.2": 0.5,  # as with the tilt
    "01.3": -EXERCISES["01.3"].expected,  # growing apart
    "01.4": EXERCISES["01.4"].expected / 2,  # 1/ε² for 2/ε²
    "02.1": 2.0,  # of the standard deviation
    "02.2": 1 / OrnsteinUhlenbeck().lam,  # the life of k = 0
    "02.3": OrnsteinUhlenbeck().covariance([30.0])[0],  # not divided by C(0)
    "02.4": -OrnsteinUhlenbeck().variance / OrnsteinUhlenbeck().lam,  # as if all waves had the rate λ
    "03.1": 10.0,  # of the standard deviation
    "03.2": 0.05**2 / float(OrnsteinUhlenbeck().mode_covariance.min()),  # σ²/C instead of σ²/(C + σ²)
    "03.3": 1.0,  # the score of the clean data
    "03.4": 1 / 0.2**4 - 1 / 0.2**2,  # of the clean data
    "04.1": 1.0,  # the bottom of the well
    "04.2": 2 * 16 * 0.5 * 0.75 / 4e-3,  # N² left out
    "04.3": load_shipped("allen-cahn-truth").info["growth"]["mean"][40] / 0.01,  # not squared
    "04.4": float(load_shipped("allen-cahn-gaussian").values[20].sum()),  # the truth not taken away
    "05.1": 300 * (32 / 128) ** 2 * (348.01 / 2) ** 0.5,  # the inverse FFT's 1/N² left out
    "05.2": 0.0,  # where both are largest
    "05.3": load_shipped("navier-stokes-truth").info["growth"]["mean"][16] / 0.01**2,  # |R|² not taken away
    "05.4": 1 / math.e,  # of a forcing as slow as the mean
    "06.1": 1 - EXERCISES["06.1"].expected,  # the series' share
    "06.2": EXERCISES["06.2"].expected ** 0.5,  # not squared
    "06.3": EXERCISES["06.3"].expected * 128**0.5,  # of one pair
    "06.4": EXERCISES["06.4"].expected * 0.01,  # not squared
    "07.1": 1 / 0.01**2,  # as if the unit of time were the memory
    "07.2": 1.0,  # of noise, at small τ
    "07.3": 0.1,  # of the deviation, not the variance
    "08.1": 0.4,  # the odd part
    "08.2": float(load_shipped("navier-stokes-truth").values[8, 0, 0]),  # the neighbour left out
    "08.3": OrnsteinUhlenbeck().lam,
    "08.4": 1 / OrnsteinUhlenbeck().lam,  # of a push that lasts
    "12.1": 0.1,  # as if C_k were proportional to ε
    "12.2": 1.0,  # as if there were no κ
    "12.3": 0.95,  # as if ⟨u²⟩ were proportional to 1/λ
    "12.4": -EXERCISES["12.4"].expected,  # the wrong direction
    "13.1": 0.0,  # the transposed entry: the wind does not feel u1
    "13.2": 0.3,  # the lagged correlation
    "13.3": 0.5,  # ⟨D⟩ changes by ε⟨x²⟩ = ε/2, not halved again
    "13.4": 0.0,  # no direct link
    "13.5": 5.0,  # each p below 0.05
    "13.6": 7.09,  # (1 − r²)^(−½), as if the kick of both had a weight of one
    "15.1": 0.08,  # the product of the sizes alone
    "15.2": 0.15,  # the sum of the errors
    "15.3": 0.5,  # as fast as the standard error, which one of them alone would need
}


@pytest.mark.parametrize("number", EXERCISES)
def test_a_plausible_mistake_does_not_pass(number):
    assert "Hint" in verdict(number, MISTAKES[number])
