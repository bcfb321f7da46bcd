"""How good a score of the double well is, and the responses that it gives."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.systems.double_well import DoubleWell, Moments


@dataclass(frozen=True)
class ScoreCheck:
    """How good a score of the double well is, and the responses of mean and variance that it gives; errors are relative, root mean square.

    Attributes:
        answer: from the data, (lag, 2).
        score: (⟨|s − s*|²⟩/⟨|s*|²⟩)^½ under the exact density.
        mean, variance: of that response, over lags > 0.
        both: of the two as one vector, the L2 of `compare` over that of the truth.
        endless: `both` with the average over endless data, so that what is left is the fault of the score.
    """

    answer: Response
    score: float
    mean: float
    variance: float
    both: float
    endless: float


def check_score(system: DoubleWell, score: Callable, data: TimeSeries, *, lags: float = 2.0) -> ScoreCheck:
    """The impulse response of mean and variance by one score, against the exact one.

    The average runs over the data both ways in time, as one variable in a potential is reversible. The observable is centred on the mean
    of the data for the answer, on the exact mean for the truth.

    Raises:
        ValueError: as `respond`.
    """
    moved = Moments(float(data.u.mean()))
    answer = sensitivities(data.both_ways(), score, moved, {"kick": None}, lags=lags, integrate=False, form="raw")["kick"]
    moments = Moments(float(system.average(torch.clone)))
    truth, endless = (system.response(answer.times, moments, one) for one in (system.score, score))
    off = score(system.points) - system.score(system.points)
    squares = [system.average(lambda x, f=field: f.square()) for field in (off, system.score(system.points))]
    return ScoreCheck(
        answer,
        float((squares[0] / squares[1]).sqrt()),
        *(_relative(answer.values[:, part], truth[:, part]) for part in (0, 1)),
        _relative(answer.values, truth),
        _relative(endless, truth),
    )


def _relative(values: torch.Tensor, truth: torch.Tensor) -> float:
    return float((values - truth)[1:].norm() / truth[1:].norm())
