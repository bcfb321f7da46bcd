"""The three forms of the Allen-Cahn response, with the learned and the analytic score: errors over seeds, and differences."""

import itertools
from collections.abc import Sequence

import torch

from gfdt_tutorial.bench.rows import Row, mean_and_scatter, present
from gfdt_tutorial.experiments.learning import learn
from gfdt_tutorial.experiments.pipeline import plan
from gfdt_tutorial.experiments.shipped import load_shipped, ship_table
from gfdt_tutorial.responses.errors import compare, difference
from gfdt_tutorial.responses.kick_patterns import kick_pattern
from gfdt_tutorial.responses.kick_response import respond, respond_in_forms
from gfdt_tutorial.responses.response import FORMS, Response
from gfdt_tutorial.responses.scale_errors import kick_error
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.allen_cahn import AllenCahn

COMMAND = "python -m gfdt_tutorial bench --only allen-cahn-forms"
BUMP_LAGS = (5.0, 15.0, 30.0)
PAIRS = [
    *((("generative", form), ("analytic", form)) for form in FORMS),
    *(((score, one), (score, other)) for score in ("generative", "analytic") for one, other in itertools.pairwise(FORMS)),
]


def forms(seeds: Sequence[int] = (0, 1, 2, 3, 4), preset: str = "quick") -> list[Row]:
    """The Allen-Cahn field: L2 against the shipped truth of every form and score, and the differences on the same data.

    The experiment is that of `compare_methods`: a score learned from one ensemble and averaged over another. Beside each L2 stands the
    error of the response to a bump, which has the large scales that the L2 after a kick of one pixel hardly sees. The tables
    `allen-cahn-forms` and `allen-cahn-differences`, which lesson 04 shows, are written to the assets. Two minutes per seed.
    """
    found = {seed: _responses(seed, preset) for seed in seeds}
    truth = load_shipped("allen-cahn-truth")
    table = [{"seed": seed, **_numbers(response, truth)} for seed, each in found.items() for response in each.values()]
    gaps = [{"seed": seed, **_gap(each[one], each[other], truth)} for seed, each in found.items() for one, other in PAIRS]
    ship_table("allen-cahn-forms", table, command=COMMAND)
    ship_table("allen-cahn-differences", gaps, command=COMMAND)
    return [*_of_table(table), *_of_gaps(gaps)]


def _responses(seed: int, preset: str) -> dict[tuple[str, str], Response]:
    system = AllenCahn()
    planned = plan(system, preset, seed=seed, device="cpu", conditioned=False)
    score = learn(planned.fitted, **planned.training["fit"])
    planned.fitted.release()
    data, lags, symmetries = planned.data.data, planned.size.lags, planned.averages["symmetries"]
    found = [respond(data, GaussianScore.fit(data), lags=lags, symmetries=symmetries)]
    for one, thin in ((score, planned.size.thin), (system.score, 1)):
        found += respond_in_forms(data, one, thin=thin, lags=lags, symmetries=symmetries).values()
    return {(response.method, response.form): response for response in found}


def _numbers(response: Response, truth: Response) -> dict:
    quoted = compare(response, truth).quoted
    bump = kick_error(response, truth, kick_pattern(present(response.grid), "bump"))
    bumps = {f"bump_{lag:g}": float(bump.relative[int((bump.times - lag).abs().argmin())]) for lag in BUMP_LAGS}
    return {"score": response.method, "form": response.form} | {name: float(f"{value:.4g}") for name, value in (quoted | bumps).items()}


def _gap(one: Response, other: Response, truth: Response) -> dict:
    found = difference(one, other, truth)
    names = {"first": f"{one.method}, {one.form}", "second": f"{other.method}, {other.form}"}
    return names | {"difference": float(f"{found.value:.4g}"), "standard_error": float(f"{found.standard_error:.4g}")}


def _of_table(table: list[dict]) -> list[Row]:
    rows: list[Row] = []
    for score, form in dict.fromkeys((row["score"], row["form"]) for row in table):
        chosen = [row for row in table if (row["score"], row["form"]) == (score, form)]
        for key in ("l2", "l2_se_truth", "l2_se_data", "linf", *(f"bump_{lag:g}" for lag in BUMP_LAGS)):
            rows += mean_and_scatter(f"Allen-Cahn, {score}, {form}: {key}", [row[key] for row in chosen])
    return rows


def _of_gaps(gaps: list[dict]) -> list[Row]:
    rows: list[Row] = []
    for first, second in dict.fromkeys((row["first"], row["second"]) for row in gaps):
        chosen = [row for row in gaps if (row["first"], row["second"]) == (first, second)]
        label = f"Allen-Cahn, L2 of {first} less that of {second}"
        rows += mean_and_scatter(label, [row["difference"] for row in chosen])
        rows.append(Row("   its standard error on one data set, root mean square", _rms([row["standard_error"] for row in chosen])))
    return rows


def _rms(values: list[float]) -> float:
    return float(torch.tensor(values).square().mean().sqrt())
