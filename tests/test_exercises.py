"""The checker: a stub, a wrong answer, a wrong shape, nonsense, and the right answer."""

import math

import pytest
import torch

from gfdt_tutorial import OrnsteinUhlenbeck
from gfdt_tutorial.exercises import EXERCISES, check, verdict


@pytest.mark.parametrize("number", EXERCISES)
def test_verdicts(number):
    answer = EXERCISES[number].expected
    assert verdict(number, answer) == "passed."
    assert verdict(number, None).startswith("not attempted yet")
    assert verdict(number, ...).startswith("not attempted yet")
    assert "Hint" in verdict(number, answer * 1.2 + 0.1)
    assert "Hint" in verdict(number, answer * math.nan)
    assert "Hint" in verdict(number, "nonsense")
    assert "shape" in verdict(number, torch.zeros(7, 7))


def test_there_is_none_of_that_number(capsys):
    check("99.9", 1.0)
    assert "02.1" in capsys.readouterr().out


def test_answers_against_a_calculation_by_hand():
    assert EXERCISES["00.1"].answer == pytest.approx(2 * 2 * math.pi / 32 / 0.02)
    system = OrnsteinUhlenbeck()
    rates = system.lam / (1 + system.grid.k_squared) + system.kappa * system.grid.k_squared
    assert EXERCISES["02.1"].answer == pytest.approx(float((1 / rates).max()))
    assert EXERCISES["02.2"].answer == pytest.approx(4)
