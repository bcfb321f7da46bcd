"""The coverage of 90 % confidence bands at a fixed score, judged by the same score on much more data."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.experiments.pipeline import truth_of
from gfdt_tutorial.experiments.shipped import load_shipped_score
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.simulate import simulate

DISPLACEMENTS = (0, 2, 4, 6)  # R_11, R_31, R_51, R_71
Score = Callable[[torch.Tensor], torch.Tensor]
MEMBERS, DURATION, LAGS = 32, 200.0, 30.0


def coverage(
    names: Sequence[str] = ("ornstein-uhlenbeck", "allen-cahn"), seeds: int = 20, multiple: int = 50, piece: int = 10
) -> list[Row]:
    """How often 90 % bands cover the response that the same score gives on 50 times the data.

    The score is held fixed, because a band describes the error of the average and not that of the score. The error of the score is
    reported separately, as the L2 of the long average against the truth.

    Args:
        names: of the systems.
        seeds: how many series have a band each.
        multiple: how many times the data of one series the long average has.
        piece: the long data come in pieces with this many times the members of one series, and no longer in time: a field that starts
            not quite stationary would give another average on longer series.
    """
    rows = []
    for name in names:
        system = SYSTEMS[name]()
        scores: list[Score] = [
            GaussianScore.fit(simulate(system, members=MEMBERS, spinup=None, duration=DURATION, every=1.0, seed=1000)),
            load_shipped_score(name),
        ]
        pieces = [_responses(system, scores, 2000 + number, piece * MEMBERS, resamples=2) for number in range(multiple // piece)]
        single = [_responses(system, scores, seed) for seed in range(seeds)]
        for method, parts, responses in zip(("Gaussian", "learned"), zip(*pieces, strict=True), zip(*single, strict=True), strict=True):
            long = replace(parts[0], values=torch.stack([part.values for part in parts]).mean(0))
            covered = torch.stack([_covered(response, long) for response in responses])
            label = f"{name}, {method} score"
            rows.append(Row(f"{label}, {seeds} series: fraction of R_11 … R_71 within the 90 % band", float(covered.mean())))
            off = compare(long, present(truth_of(system, LAGS))).quoted["l2"]
            rows.append(Row(f"{label}: its own error, L2 with {multiple} times the data", off))
    return rows


def _responses(system: System, scores: Sequence[Score], seed: int, members: int = MEMBERS, resamples: int = 200) -> list[Response]:
    data = simulate(system, members=members, spinup=None, duration=DURATION, every=1.0, seed=seed)
    return [respond(data, score, lags=LAGS, resamples=resamples) for score in scores]


def _covered(response: Response, long: Response) -> torch.Tensor:
    """(displacement, lag > 0): 1 where the band of the first covers the second."""
    found = []
    for displacement in DISPLACEMENTS:
        low, high = present(response.band_along(displacement))
        value = long.along(displacement)
        found.append(((low <= value) & (value <= high))[1:].float())
    return torch.stack(found)
