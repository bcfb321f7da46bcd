"""The ENSO triad against runs side by side: how the wind's variance answers a kick of the ocean, and all second moments all parameters."""

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.bench.vectors.true_changes import Change, true_changes
from gfdt_tutorial.bench.vectors.worst import SEEDS, relative, worst
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.diffusion_change import diffusion_change
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.responses.theorem import Perturbation
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.polynomial import PolynomialScore
from gfdt_tutorial.systems.enso_triad import enso_triad
from gfdt_tutorial.systems.simulate import simulate

MEMBERS, DURATION, EVERY, LAG = 300, 500.0, 0.1, 10.0  # 1.5·10⁵ time units
DEGREE = 4
TRUE_MEMBERS = 32_768
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
NOISES = ("sigma_1", "sigma_2", "sigma_3")
BOUNDS = {"τ² after a kick of u₁": 0.05, "Jacobian, all entries": 0.06, "Jacobian, worst column": 0.15}


def second_moments(u: torch.Tensor) -> torch.Tensor:
    """The six products of two variables, (..., 6)."""
    return torch.stack([u[..., i] * u[..., j] for i, j in PAIRS], -1)


def wind_squared(u: torch.Tensor) -> torch.Tensor:
    """τ², (..., 1)."""
    return u[..., 2:].square()


def triad() -> list[Row]:
    """Three seeds with three scores, in the form "projected" with products of two."""
    system = enso_triad()
    kick = true_changes(
        system, {"kick": Change("u1", 0.1)}, wind_squared, lags=LAG, every=EVERY, members=TRUE_MEMBERS, seed=0
    )["kick"]  # fmt: skip
    changes = {name: Change(name, 0.05 * value) for name, value in system.parameters.items()}
    jacobian = true_changes(system, changes, second_moments, lags=LAG, every=LAG, members=TRUE_MEMBERS, seed=1)
    columns = torch.stack([truth.values[-1] for truth in jacobian.values()], 1)  # (moment, parameter)
    what = "ENSO triad, 1.5·10⁵ time units"
    rows = [
        Row(f"{what}: relative error of the truth of τ²", kick.relative_error),
        Row("   of the worst column of the Jacobian", max(truth.error[-1].norm() / truth.values[-1].norm() for truth in jacobian.values())),
    ]
    found: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        data = simulate(system, members=MEMBERS, duration=DURATION, every=EVERY, seed=seed)
        fitted = {"network": fit_score(data, seed=seed), "polynomial": PolynomialScore.fit(data, degree=DEGREE)}
        for name, score in (fitted | {"Gaussian": GaussianScore.fit(data)}).items():
            found.setdefault(name, []).append(_measured(data, score, kick.values, columns))
    for name, table in found.items():
        fails = name == "Gaussian"
        rows += worst(f"{what}, {name}", table, None if fails else BOUNDS, BOUNDS if fails else None)
    return rows


def _measured(data: TimeSeries, score: Score, kick: torch.Tensor, columns: torch.Tensor) -> dict[str, float]:
    system = enso_triad()

    def raise_u1(u: torch.Tensor) -> torch.Tensor:
        return torch.tensor([1.0, 0.0, 0.0]).expand_as(u)

    constant = (raise_u1, lambda u: torch.zeros(u.shape[:2]))
    answer = sensitivities(data, score, wind_squared, {"kick": constant}, lags=LAG, integrate=False, form="projected")["kick"]
    changes: dict[str, Perturbation] = {
        name: diffusion_change(score, system.diffusion_derivative(name)) if name in NOISES else system.drift_derivative(name)
        for name in system.parameters
    }
    found = sensitivities(data, score, second_moments, changes, lags=LAG, form="projected")
    matrix = torch.stack([response.values[-1] for response in found.values()], 1)
    return {
        "τ² after a kick of u₁": relative(answer.values, kick),
        "Jacobian, all entries": relative(matrix, columns),
        "Jacobian, worst column": max(relative(a, b) for a, b in zip(matrix.T, columns.T, strict=True)),
    }
