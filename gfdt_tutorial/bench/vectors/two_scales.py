"""Two-scale Lorenz 96, eleven components on a ring of 36, against twins: responses by a learned score, combined, and by the Gaussian one.

Without noise the system is deterministic, and its density is singular: no score exists, and a learned one is that of a blurred cloud. So it
is measured twice, as it is and with noise. Lags run up to the slow decorrelation time, at which the autocorrelation of X has fallen to 1/e.
Errors are freed of the noise of the truth (`compare`).
"""

import math

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.bench.vectors.worst import SEEDS, worst
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.errors import compare, in_common_units
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.two_scale_lorenz_96 import TwoScaleLorenz96

MEMBERS, STEPS, EVERY = 150, 1000, 0.05  # 150,000 samples
PAIRS, RESTARTS, KICK = 20_480, 40, 0.02  # of the truth
THIN = 4  # the network is evaluated at every fourth origin
NOISE = 0.5  # a fast variable then has about a third more variance
RATIO = "combined over Gaussian"


def two_scales() -> list[Row]:
    """Three seeds, without and with noise."""
    return [
        *_of(TwoScaleLorenz96(), "two-scale Lorenz 96, 150,000 samples", 0.4),
        *_of(TwoScaleLorenz96(eta=NOISE), f"the same with noise, η = {NOISE:g}", None),
    ]


def _of(system: TwoScaleLorenz96, what: str, bound: float | None) -> list[Row]:
    every = [simulate(system, members=MEMBERS, duration=(STEPS - 1) * EVERY, every=EVERY, seed=seed) for seed in SEEDS]
    lag = _decorrelation(every[0])
    truth = perturb(system, lags=lag, every=EVERY, pairs=PAIRS, restarts=RESTARTS, amplitude=KICK)
    table = []
    for seed, data in zip(SEEDS, every, strict=True):
        gaussian = respond(data, GaussianScore.fit(data), lags=lag, resamples=4)
        score = fit_score(data, seed=seed)
        learned, combined = (respond(data, score, lags=lag, resamples=4, form=form, thin=THIN) for form in ("controlled", "combined"))
        (true,) = in_common_units(gaussian, truth)
        size = float(true.values[1:].flatten(1).square().sum(1).mean().sqrt())
        slow = truth.between("X", "X")
        size_of_slow = float(slow.values[1:].flatten(1).square().sum(1).mean().sqrt())
        row = {}
        for name, answer in (("Gaussian", gaussian), ("learned", learned), ("combined", combined)):
            row[name] = compare(answer, truth).quoted["l2"] / size
            row[f"{name}, slow to slow"] = compare(answer.between("X", "X"), slow).quoted["l2"] / size_of_slow
        table.append(row | {RATIO: row["combined"] / row["Gaussian"], "learned over Gaussian": row["learned"] / row["Gaussian"]})
    rows = [Row(f"{what}: slow decorrelation time", lag)]
    return rows + worst(what, table, {} if bound is None else {RATIO: bound})


def _decorrelation(data: TimeSeries) -> float:
    """The first lag, in sampling intervals, at which the autocorrelation of X is 1/e or less."""
    x = data.u[:, :, 0] - data.centre[0]
    limit = float(x.square().mean()) / math.e
    return data.every * next(lag for lag in range(1, len(data.times)) if float((x[:, lag:] * x[:, :-lag]).mean()) <= limit)
