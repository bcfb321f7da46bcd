"""The combined estimate beside the other forms: errors over the whole field, by wavenumber and for a bump, and what training costs."""

import time
from collections.abc import Sequence

import torch

from gfdt_tutorial.bench.rows import Row, mean_and_scatter, present
from gfdt_tutorial.experiments.learning import learn, learn_forecast
from gfdt_tutorial.experiments.pipeline import plan, shipped_smooth_truth, truth_of
from gfdt_tutorial.experiments.shipped import ship, ship_table
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_patterns import kick_pattern
from gfdt_tutorial.responses.kick_response import respond_in_forms
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.scale_errors import band_errors, kick_error
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck

SEEDS = (0, 1, 2, 3, 4)
COMMAND = "python -m gfdt_tutorial bench --only combined-{}"
BUMP_LAGS = {"allen-cahn": (5.0, 15.0, 30.0), "navier-stokes": (0.25, 0.5, 1.0, 2.0)}
BAND_LAGS = {"allen-cahn": (5.0, 30.0), "navier-stokes": (0.5, 2.0), "ornstein-uhlenbeck": (5.0, 30.0)}
EDGES = (5.0, 8.0, 10.6)  # of the bands; the flow is forced up to 10.6
BOUNDS = {
    ("allen-cahn", "quick"): {"l2": 0.017},
    ("allen-cahn", "standard"): {"l2": 0.010, "bump 5": 0.20, "bump 15": 0.20, "bump 30": 0.25},
    ("navier-stokes", "standard"): {
        "l2": 0.040, "linf": 0.013, "k ≤ 5, lag 0.5": 0.015, "8 < k ≤ 10.6, lag 0.5": 0.03, "10.6 < k, lag 0.5": 0.055,
        "k ≤ 5, lag 2": 0.06,
    },
}  # fmt: skip
SECONDS = 90.0  # of training the forecasts of both folds, at `quick`


def quick() -> list[Row]:
    """The three fields with the preset `quick`, the flow given its forcing; eight minutes per seed."""
    return [row for system in (AllenCahn(), NavierStokes(), OrnsteinUhlenbeck()) for row in combined(system, "quick")]


def standard() -> list[Row]:
    """Allen-Cahn and the flow with the preset `standard`; a quarter of an hour per seed."""
    return [row for system in (AllenCahn(), NavierStokes()) for row in combined(system, "standard")]


def combined(system: System, preset: str, seeds: Sequence[int] = SEEDS) -> list[Row]:
    """Mean and scatter over seeds of the errors of every form. The table is written to the assets, for the lessons.

    With the preset `standard` the combined response of the first seed is shipped, too.
    """
    table: list[dict] = []
    for seed in seeds:
        rows, found = measured(system, preset, seed)
        table += rows
        if preset == "standard" and seed == seeds[0]:
            ship(f"{system.name}-combined", found["combined"], command=COMMAND.format(preset), seed=seed)
    return report(system.name, preset, table)


def measured(system: System, preset: str, seed: int) -> tuple[list[dict], dict[str, Response]]:
    """The errors of every form on one data set, one row per form, and the responses.

    A score is learned from one ensemble, forecasts from the halves of another, over which the responses are averaged.
    """
    planned = plan(system, preset, seed=seed, device="cpu", conditioned=system.hidden_forcing)
    score = learn(planned.fitted, **planned.training["fit_conditioned" if system.hidden_forcing else "fit"])
    planned.fitted.release()
    data, size = planned.data.data, planned.size
    start = time.perf_counter()
    ahead = learn_forecast(planned.data, **planned.forecast)
    seconds = time.perf_counter() - start
    symmetries = planned.averages["symmetries"]
    found = respond_in_forms(data, score, lags=size.lags, symmetries=symmetries, thin=size.thin, forecast=ahead)
    return [_numbers(system, response, size.every) | {"seed": seed, "training": seconds} for response in found.values()], found


def _numbers(system: System, response: Response, every: float) -> dict:
    lags = float(response.times[-1])
    truth = present(truth_of(system, lags, every))
    row: dict = {"form": response.form} | compare(response, truth).quoted
    row["se"] = float(present(response.standard_error)[1:].double().square().flatten(1).sum(1).mean().sqrt())
    for name, errors in band_errors(response, truth, EDGES).items():
        row |= {f"{name}, lag {lag:g}": float(errors[_at(response.times, lag)]) for lag in BAND_LAGS[system.name]}
    smooth = truth if system.has("response") else shipped_smooth_truth(system, lags, every)
    if smooth is not None and response.grid is not None:
        bump = kick_error(response, smooth, kick_pattern(response.grid, "bump"))
        row |= {"bump": bump.quoted}
        row |= {f"bump {lag:g}": float(bump.relative[_at(bump.times, lag)]) for lag in BUMP_LAGS.get(system.name, ())}
    if response.form == "combined":
        row |= {f"{name} alone": one["l2"] for name, one in response.info["checks"].items()}
    return row


def _at(times: torch.Tensor, lag: float) -> int:
    return int((times - lag).abs().argmin())


def report(system: str, preset: str, table: list[dict]) -> list[Row]:
    """Ship the table, and summarise it."""
    rounded = [{key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()} for row in table]
    ship_table(f"{system}-combined-{preset}", rounded, command=COMMAND.format(preset))
    rows: list[Row] = []
    for form in dict.fromkeys(row["form"] for row in table):
        chosen = [row for row in table if row["form"] == form]
        bounds = BOUNDS.get((system, preset), {}) if form == "combined" else {}
        for key in chosen[0]:
            if key not in ("form", "seed", "training"):
                rows += mean_and_scatter(f"{system}, {preset}, {form}: {key}", [row[key] for row in chosen], bounds.get(key))
    if system == "ornstein-uhlenbeck":
        rows.append(Row(f"{system}, {preset}: combined over the better of its parts, worst seed", _over_parts(table), 1.05))
    seconds = max(row["training"] for row in table if "training" in row)
    return [*rows, Row(f"{system}, {preset}: training the forecasts, both folds", seconds, SECONDS if preset == "quick" else None, "s")]


def _over_parts(table: list[dict]) -> float:
    """The L2 of the combined form over the least of the other forms of the same score, in the worst case."""
    ratios = []
    for seed in dict.fromkeys(row["seed"] for row in table):
        own = {row["form"]: row["l2"] for row in table if row["seed"] == seed}
        ratios.append(own["combined"] / min(value for form, value in own.items() if form != "combined"))
    return max(ratios)
