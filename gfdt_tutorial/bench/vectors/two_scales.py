"""Two-scale Lorenz 96, eleven components on a ring of 36, against twins: the matrix of responses by a learned and by the Gaussian score.

Lags run up to the slow decorrelation time, at which the autocorrelation of X has fallen to 1/e.
"""

import math

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.bench.vectors.worst import SEEDS, relative, worst
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.errors import in_common_units
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.two_scale_lorenz_96 import TwoScaleLorenz96

MEMBERS, STEPS, EVERY = 150, 1000, 0.05  # 150,000 samples
PAIRS, RESTARTS, KICK = 20_480, 40, 0.02  # of the truth
THIN = 4  # origins at which the network is evaluated
RATIO = "learned over Gaussian"


def two_scales() -> list[Row]:
    """Three seeds."""
    system, what = TwoScaleLorenz96(), "two-scale Lorenz 96, 150,000 samples"
    table: list[dict[str, float]] = []
    rows: list[Row] = []
    lag, truth = 0.0, None
    for seed in SEEDS:
        data = simulate(system, members=MEMBERS, duration=(STEPS - 1) * EVERY, every=EVERY, seed=seed)
        if truth is None:
            lag = _decorrelation(data)
            truth = perturb(system, lags=lag, every=EVERY, pairs=PAIRS, restarts=RESTARTS, amplitude=KICK)
        gaussian = respond(data, GaussianScore.fit(data), lags=lag, resamples=4)
        learned = respond(data, fit_score(data, seed=seed), lags=lag, resamples=4, form="controlled", thin=THIN)
        one, other, true = (found.values for found in in_common_units(gaussian, gaussian, learned, truth))
        errors = {"Gaussian": relative(one, true), "learned": relative(other, true)}
        errors |= {"Gaussian, slow to slow": relative(one[:, 0, 0], true[:, 0, 0])}
        errors |= {"learned, slow to slow": relative(other[:, 0, 0], true[:, 0, 0])}
        table.append(errors | {RATIO: errors["learned"] / errors["Gaussian"]})
        if not rows:
            (scaled,) = in_common_units(gaussian, truth)
            rows = [Row(f"{what}: slow decorrelation time", lag)]
            rows.append(Row("   relative error of the truth", float(present(scaled.standard_error).norm() / scaled.values.norm())))
    return [*rows, *worst(what, table, {RATIO: 0.4})]


def _decorrelation(data: TimeSeries) -> float:
    """The first lag, in sampling intervals, at which the autocorrelation of X is 1/e or less."""
    x = data.u[:, :, 0] - data.centre[0]
    variance = float(x.square().mean())
    return data.every * next(lag for lag in range(1, len(data.times)) if float((x[:, lag:] * x[:, :-lag]).mean()) <= variance / math.e)
