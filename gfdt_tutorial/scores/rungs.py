"""The ladder of scores for unlike variables: Gaussian, polynomial, network. Which rung do the data call for?

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
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.whitening import whitening_of

SURE = 3.0
SLIGHT = 1e-3  # of J: an error of the score of 0.045 root mean square, where a coordinate of a Gaussian score has 1
STATES = 16_384  # held-out states, or fields with as many points
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
        held: components, to which none of the scores was fitted.
        scores: name → score, differentiable by torch.
    """
    found = {name: losses(held, score) for name, score in scores.items()}
    best = min(found.values(), key=lambda one: float(one.mean()))
    return {name: Rung(float(one.mean()), _mean_and_error(one - best)) for name, one in found.items()}


def recommended(rungs: Mapping[str, Rung]) -> str:
    """The simplest rung, in the order of the mapping, that is not behind the best by more than SURE standard errors and SLIGHT."""
    return next(name for name, rung in rungs.items() if rung.behind[0] <= max(SLIGHT, SURE * rung.behind[1]))


def beats(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether the first of two sets of `losses` on the same data is smaller, by more than SURE standard errors and SLIGHT."""
    mean, error = _mean_and_error(other - one)
    return mean > max(SLIGHT, SURE * error)


@threads.steady()
def losses(held: TimeSeries, score: Score) -> torch.Tensor:
    """J = ½⟨|s|²⟩ + ⟨∇·s⟩ in whitened coordinates, per grid point, over PIECES consecutive pieces of the states, (piece,).

    Without space the divergence is exact; of fields it is Hutchinson's estimate with random signs, the same for every score.
    """
    whitening, size = whitening_of(held), held.grid.size
    states = held.u.reshape(held.snapshots, *held.shape)
    u = states[:: -(-held.snapshots * size // STATES)]
    y = whitening(u)
    if size == 1:
        probes = [one.expand_as(y) for one in torch.eye(y.shape[1], dtype=y.dtype)]
    else:
        signs = torch.randint(2, y.shape, generator=generator(0, Stream.TRACE))
        probes = [(2.0 * signs - 1).to(y)]
    with torch.no_grad():
        total = 0.5 * whitening.gradient(score(u)).double().reshape(len(u), -1).square().sum(1)
    for probe in probes:
        direction = whitening.back(probe).to(u.dtype)
        with threads.differentiating:
            slope = torch.func.jvp(score, (u.clone(),), (direction.clone(),))[1].detach()
        total = total + (probe * whitening.gradient(slope)).double().reshape(len(u), -1).sum(1)
    return torch.stack([piece.mean() for piece in (total / size).chunk(PIECES)])


def _mean_and_error(values: torch.Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5)
