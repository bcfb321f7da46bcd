"""Lorenz 63 with noise against twins: the matrix of responses, and the mean of z after a step in ρ."""

import warnings

import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.bench.vectors.worst import SEEDS, relative, relative_error, worst
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.observable_twins import Change, observable_twins
from gfdt_tutorial.responses.observables import products
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.scores.component_training import MISSED
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.lorenz_63 import lorenz_63
from gfdt_tutorial.systems.simulate import simulate

MEMBERS, DURATION, EVERY, LAG, HALF = 800, 100.0, 0.05, 2.0, 20  # 8·10⁴ time units; lag 1 is the twentieth
PAIRS, RESTARTS, KICK = 640_000, 40, 0.1  # of the true kicks
TRUE_MEMBERS = 65_536  # of the true step
DEGREE = 6  # of the dictionary from which the combined form forecasts, the largest that takes less than two minutes
COMBINED = {"R, t ≤ 1": 0.08, "R, t ≤ 2": 0.12, "⟨z⟩ after a step in ρ, t ≤ 2": 0.07}
BOUNDS = {"R, t ≤ 1": 0.13, "R, t ≤ 2": 0.17, "⟨z⟩ after a step in ρ, t ≤ 2": 0.10}


def lorenz() -> list[Row]:
    """Three seeds, η = 2."""
    system = lorenz_63()
    kicks = perturb(system, lags=LAG, every=EVERY, pairs=PAIRS, restarts=RESTARTS, amplitude=KICK)
    matrix, noise = kicks.values, present(kicks.standard_error)
    step = observable_twins(
        system, {"step": Change("rho", 0.5)}, lambda u: u[:, 2:], lags=LAG, every=EVERY, members=TRUE_MEMBERS, seed=1
    )["step"]  # fmt: skip
    what = "Lorenz 63, η = 2, 8·10⁴ time units"
    rows = [
        Row(f"{what}: relative error of the truth of R, t ≤ 1", float(noise[: HALF + 1].norm() / matrix[: HALF + 1].norm())),
        Row("   t ≤ 2", relative_error(kicks)),
        Row("   of ⟨z⟩ after a step", relative_error(step)),
    ]
    found: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        data = simulate(system, members=MEMBERS, duration=DURATION, every=EVERY, seed=seed)
        scores = {"network": fit_score(data, seed=seed), "Gaussian": GaussianScore.fit(data)}
        for name, score in scores.items():
            if name == "network":
                found.setdefault("combined", []).append(_combined(data, score, matrix, step.values))
            found.setdefault(name, []).append(_measured(data, score, "raw" if name == "Gaussian" else "projected", matrix, step.values))
    rows += worst(f"{what}, network", found["network"], BOUNDS)
    rows += worst(f"{what}, combined", found["combined"], COMBINED)
    return [*rows, *worst(f"{what}, Gaussian", found["Gaussian"], fails=BOUNDS)]


def nearly_deterministic() -> list[Row]:
    """η = 0.3, where no score is thin enough: by how much the identity is missed, and by how much two ways to the response differ."""
    table = []
    for seed in SEEDS:
        data = simulate(lorenz_63(eta=0.3), members=MEMBERS, duration=DURATION, every=EVERY, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it is what this row counts
            score = fit_score(data, seed=seed)
        controlled, combined = (respond(data, score, lags=LAG, form=form).values for form in ("controlled", "combined"))
        table.append(
            {"⟨u sᵀ⟩ + 1 before calibration": score.metrics["missed"], "controlled against combined": relative(controlled, combined)}
        )
    return worst(
        "Lorenz 63, η = 0.3, cannot tell", table, fails={"⟨u sᵀ⟩ + 1 before calibration": MISSED, "controlled against combined": 0.2}
    )


def _combined(data: TimeSeries, score: Score, matrix: torch.Tensor, step: torch.Tensor) -> dict[str, float]:
    dictionary = products(data, DEGREE)
    answer = respond(data, score, lags=LAG, form="combined", dictionary=dictionary).values
    change = {"rho": lorenz_63().drift_derivative("rho")}
    height = sensitivities(data, score, lambda u: u[..., 2:], change, lags=LAG, form="combined", dictionary=dictionary)["rho"]
    return _errors(answer, height.values, matrix, step)


def _measured(data: TimeSeries, score: Score, form: str, matrix: torch.Tensor, step: torch.Tensor) -> dict[str, float]:
    answer = respond(data, score, lags=LAG, form="controlled").values
    change = {"rho": lorenz_63().drift_derivative("rho")}
    height = sensitivities(data, score, lambda u: u[..., 2:], change, lags=LAG, form=form)["rho"]
    return _errors(answer, height.values, matrix, step)


def _errors(answer: torch.Tensor, height: torch.Tensor, matrix: torch.Tensor, step: torch.Tensor) -> dict[str, float]:
    return {
        "R, t ≤ 1": relative(answer[: HALF + 1], matrix[: HALF + 1]),
        "R, t ≤ 2": relative(answer, matrix),
        "⟨z⟩ after a step in ρ, t ≤ 2": relative(height, step),
    }
