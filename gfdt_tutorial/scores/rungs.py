"""The ladder of scores for a few unlike variables: Gaussian, polynomial, network. Which rung do the data call for?

For the true score s* an integration by parts gives ⟨s·s*⟩ = −⟨∇·s⟩ for any s, so that

    J(s) = ½⟨|s|²⟩ + ⟨∇·s⟩ = ½⟨|s − s*|²⟩ + a constant

is known from data alone (Hyvärinen, J. Mach. Learn. Res. 6, 695, 2005). Averaged over data to which no score was fitted, in whitened
coordinates, it tells which score is closest, and the scatter of differences tells whether the data can tell. The recommended rung is the
simplest that the best one does not beat by more than SURE standard errors, or only slightly. (`fit_score` stops its network where it does
best on these data, which favours the network a little.)

Identities such as ⟨u sᵀ⟩ = −1 cannot decide this alone: every score that was calibrated obeys that one, whatever it misses elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.hermite import Whitening
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries

SURE = 3.0
SLIGHT = 1e-3  # of J: an error of the score of 0.045 root mean square, where a coordinate of a Gaussian score has 1
STATES = 16_384  # held-out states
PIECES = 16  # of them, whose scatter gives standard errors
LADDER = ("gaussian", "polynomial", "network")  # the simplest first


@dataclass(frozen=True)
class Rung:
    """One score on held-out data.

    Attributes:
        loss: J of this module's page.
        behind: by how much J exceeds that of the best rung, with its standard error; (0, 0) for the best.
    """

    loss: float
    behind: tuple[float, float]


def compare_rungs(held: TimeSeries, scores: Mapping[str, Score]) -> dict[str, Rung]:
    """Name → Rung, for scores that were fitted to other data.

    Args:
        held: components without space, to which none of the scores was fitted.
        scores: name → score, differentiable by torch.
    """
    step = -(-held.snapshots // STATES)
    u = held.u.reshape(held.snapshots, -1)
    whitening = Whitening.of(u)
    losses = {name: _losses(score, u[::step].reshape(-1, *held.shape), whitening) for name, score in scores.items()}
    best = min(losses.values(), key=lambda one: float(one.mean()))
    return {name: Rung(float(one.mean()), _mean_and_error(one - best)) for name, one in losses.items()}


def recommended(rungs: Mapping[str, Rung]) -> str:
    """The simplest rung, in the order of the mapping, that is not behind the best by more than SURE standard errors and SLIGHT."""
    return next(name for name, rung in rungs.items() if rung.behind[0] <= max(SLIGHT, SURE * rung.behind[1]))


@threads.steady()
def _losses(score: Score, u: torch.Tensor, whitening: Whitening) -> torch.Tensor:
    """½|s|² + ∇·s in whitened coordinates, the means over PIECES consecutive pieces of states."""
    inverse = torch.linalg.inv(whitening.matrix)  # u − ⟨u⟩ = y W⁻¹ as rows
    with torch.no_grad():
        s = score(u).reshape(len(u), -1).double() @ inverse.T
    total = 0.5 * s.square().sum(1)
    for i, direction in enumerate(inverse.to(u.dtype)):
        with threads.differentiating:
            slope = torch.func.jvp(score, (u.clone(),), (direction.reshape(u.shape[1:]).expand_as(u).clone(),))[1]
        total = total + (slope.detach().reshape(len(u), -1).double() @ inverse.T)[:, i]
    return torch.stack([piece.mean() for piece in total.chunk(PIECES)])


def _mean_and_error(values: torch.Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5)
