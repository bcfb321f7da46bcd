"""The double well: the product of two errors by quadrature, and whether a band from data contains the truth."""

from collections.abc import Callable, Sequence
from functools import partial

import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.core.folds import cross_fitted
from gfdt_tutorial.experiments.double_well import spoiled_estimates
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.forecast_fit import fit_forecast
from gfdt_tutorial.systems.double_well import DoubleWell
from gfdt_tutorial.systems.simulate import simulate

SIZES = (0.2, 0.4, 0.8)
LAGS = (0.2, 0.5, 1.0, 2.0)
MEMBERS, SAMPLES, EVERY = 64, 2000, 0.1


def errors_multiply(seeds: Sequence[int] = tuple(range(40))) -> list[Row]:
    """The error of the combined response over δδ′, for three sizes of each; and its error in standard errors, from data; ten minutes."""
    well, lags = DoubleWell(), torch.tensor(LAGS)
    ratios, alone = [], 0.0
    for score_error in (0.0, *SIZES):
        for forecast_error in (0.0, *SIZES):
            found = spoiled_estimates(well, lags, partial(_scaled, score_error, torch.tanh), partial(_scaled, forecast_error, torch.sin))
            off = (found.combined - found.exact).abs()
            if score_error and forecast_error:
                ratios.append(off / (score_error * forecast_error))
            else:
                alone = max(alone, float(off.max()))
    each = torch.stack(ratios)
    rows = [
        Row(
            "double well, by quadrature: error over δδ′, largest departure from its mean", float((each / each.mean() - 1).abs().max()), 0.01
        ),
        Row("double well, by quadrature: error with either part exact", alone, 1e-6),
    ]
    sigmas = torch.stack([_sigmas(well, seed) for seed in seeds])
    within = float((sigmas.abs() <= 2).double().mean())
    what = f"double well, {MEMBERS} × {SAMPLES} samples, learned parts, {len(seeds)} seeds and lags {LAGS}"
    return [
        *rows,
        Row(f"{what}: within two standard errors", within, 0.90, at_least=True),
        Row("   mean of the error in standard errors, at each lag, largest", float(sigmas.mean(0).abs().max())),
        Row("   scatter of the error in standard errors", float(sigmas.std())),
        Row(f"{what}: covered by 90 % bands", float((sigmas.abs() <= 1.69).double().mean()), 0.80, at_least=True),
    ]


def _scaled(size: float, shape: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return size * shape(x)


def _sigmas(well: DoubleWell, seed: int) -> torch.Tensor:
    """(lag,): the error of the combined response in its standard errors."""
    data = simulate(well, members=MEMBERS, duration=(SAMPLES - 1) * EVERY, every=EVERY, seed=seed)
    scores = cross_fitted(data, lambda half, number: fit_score(half, preset="quick", seed=seed + number))
    found = respond(data, scores, lags=max(LAGS), forecast=fit_forecast(data, max(LAGS), preset="quick", seed=seed))
    rows = [round(lag / EVERY) for lag in LAGS]
    return ((found.values - well.response(found.times)) / present(found.standard_error))[rows]
