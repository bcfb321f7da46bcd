"""Rivals on Lorenz 63, 10⁴ time units: ⟨z⟩ after a step in ρ, by clusters, a linear inverse model, dynamic modes, Gauss, and ours."""

from collections.abc import Callable

import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.bench.vectors.worst import SEEDS, relative, relative_error, worst
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.dynamic_modes import dynamic_modes
from gfdt_tutorial.responses.observable_twins import Change, observable_twins
from gfdt_tutorial.responses.observables import products
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.scores.component_clusters import ComponentClusterScore
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.lorenz_63 import lorenz_63
from gfdt_tutorial.systems.simulate import simulate

MEMBERS, DURATION, EVERY, LAG = 100, 100.0, 0.05, 2.0  # 10⁴ time units
TRUE_MEMBERS = 65_536
DEGREE = 6  # of the dictionaries, of dynamic modes and of ours
OURS = "score and forecast combined"


def height(u: torch.Tensor) -> torch.Tensor:
    """z, (..., 1)."""
    return u[..., 2:]


def rivals() -> list[Row]:
    """Three seeds; of each method the error and the share of lags at which its 90 % band holds the truth."""
    step = observable_twins(lorenz_63(), {"step": Change("rho", 0.5)}, height, lags=LAG, every=EVERY, members=TRUE_MEMBERS, seed=1)["step"]
    what = "Lorenz 63, η = 2, 10⁴ time units, ⟨z⟩ after a step in ρ"
    rows = [Row(f"{what}: relative error of the truth", relative_error(step))]
    errors: dict[str, list[float]] = {}
    covered: dict[str, list[float]] = {}
    for seed in SEEDS:
        data = simulate(lorenz_63(), members=MEMBERS, duration=DURATION, every=EVERY, seed=seed)
        for name, method in _methods(seed).items():
            answer = method(data)
            low, high = present(answer.band)[:, 1:]
            inside = (low <= step.values[1:]) & (step.values[1:] <= high)
            errors.setdefault(name, []).append(relative(answer.values, step.values))
            covered.setdefault(name, []).append(float(inside.double().mean()))
    best = [min(found[number] for name, found in errors.items() if name != OURS) for number in range(len(SEEDS))]
    for name in errors:
        table = [
            {"relative error": one, "share of lags outside the 90 % band": 1 - other}
            for one, other in zip(errors[name], covered[name], strict=True)
        ]
        rows += worst(f"{what}, {name}", table)
    ratios = [{"ours over the best rival": ours / theirs} for ours, theirs in zip(errors[OURS], best, strict=True)]
    return [*rows, *worst(what, ratios, {"ours over the best rival": 1.0})]


def _methods(seed: int) -> dict[str, Callable[[TimeSeries], Response]]:
    change = {"rho": lorenz_63().drift_derivative("rho")}

    def ours(data: TimeSeries) -> Response:
        score = fit_score(data, seed=seed)
        return sensitivities(data, score, height, change, form="combined", dictionary=products(data, DEGREE), lags=LAG, seed=seed)["rho"]

    def clusters(data: TimeSeries) -> Response:
        return sensitivities(data, ComponentClusterScore.fit(data, seed=seed), height, change, form="raw", lags=LAG, seed=seed)["rho"]

    def gaussian(data: TimeSeries) -> Response:
        return sensitivities(data, GaussianScore.fit(data), height, change, form="raw", lags=LAG, seed=seed)["rho"]

    def inverse_model(data: TimeSeries) -> Response:
        return dynamic_modes(data, height, change, lags=LAG, seed=seed)["rho"]

    def modes(data: TimeSeries) -> Response:
        return dynamic_modes(data, height, change, dictionary=products(data, DEGREE), lags=LAG, seed=seed)["rho"]

    return {
        OURS: ours,
        "clusters (KGMM)": clusters,
        "dynamic modes (EDMD)": modes,
        "linear inverse model": inverse_model,
        "Gaussian score": gaussian,
    }
