"""Whether the 90 % bands hold what they say: the same score on much more data."""

from dataclasses import replace

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.experiments.pipeline import truth_of
from gfdt_tutorial.experiments.shipped import load_shipped_score
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.simulate import simulate

DISPLACEMENTS = (0, 2, 4, 6)  # R_11, R_31, R_51, R_71
MEMBERS, DURATION, LAGS = 32, 200.0, 30.0


def coverage(names=("ornstein-uhlenbeck", "allen-cahn"), seeds: int = 20, multiple: int = 50, piece: int = 10) -> list[Row]:
    """At a fixed score, how often the bands of `seeds` series hold what the same score gives on `multiple` times the data.

    The score is held fixed, as bands speak of the average and not of the score; what is wrong with the score is reported apart, as the
    L2 of the long average against the truth.

    Args:
        piece: the many data come in pieces, each this many times the members of one series, and no longer: a field that starts not quite
            stationary would give something else on longer ones.
    """
    rows = []
    for name in names:
        system = SYSTEMS[name]()
        scores = [
            GaussianScore.fit(simulate(system, members=MEMBERS, spinup=None, duration=DURATION, every=1.0, seed=1000)),
            load_shipped_score(name),
        ]
        pieces = [_answers(system, scores, 2000 + number, piece * MEMBERS, resamples=2) for number in range(multiple // piece)]
        single = [_answers(system, scores, seed) for seed in range(seeds)]
        for method, parts, answers in zip(("Gaussian", "learned"), zip(*pieces, strict=True), zip(*single, strict=True), strict=True):
            long = replace(parts[0], values=torch.stack([part.values for part in parts]).mean(0))
            held = torch.stack([_held(answer, long) for answer in answers])
            label = f"{name}, {method} score"
            rows.append(Row(f"{label}, {seeds} series: share of R_11 … R_71 within its 90 % band", float(held.mean())))
            off = compare(long, truth_of(system, LAGS)).quoted["l2"]
            rows.append(Row(f"{label}: what is wrong with it, L2 with {multiple} times the data", off))
    return rows


def _answers(system, scores, seed: int, members: int = MEMBERS, resamples: int = 200) -> list[Response]:
    data = simulate(system, members=members, spinup=None, duration=DURATION, every=1.0, seed=seed)
    return [respond(data, score, lags=LAGS, resamples=resamples) for score in scores]


def _held(answer: Response, long: Response) -> torch.Tensor:
    """(displacement, lag > 0): 1 where the band of one holds the other."""
    found = []
    for displacement in DISPLACEMENTS:
        low, high = answer.band_along(displacement)
        value = long.along(displacement)
        found.append(((low <= value) & (value <= high))[1:].float())
    return torch.stack(found)
