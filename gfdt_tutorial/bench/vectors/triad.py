"""The ENSO triad: how the wind's variance answers a kick of the ocean, and how all second moments answer all parameters.

The drift is linear, so the second moments M obey a closed equation but for one average,

    dM/dt = A M + M Aᵀ + D,    D = diag(σ₁², σ₂², σ₃² g),    g = ⟨(tanh u₁ + 1)²⟩

The truth takes the response of g, a bounded number, from twins, and solves the equation for that of M. Twins of M itself would scatter
several times as much.
"""

from collections.abc import Mapping
from functools import cache
from itertools import pairwise

import scipy.linalg
import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.bench.vectors.worst import SEEDS, relative, worst
from gfdt_tutorial.core.random_streams import Stream, derived
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.diffusion_change import diffusion_change
from gfdt_tutorial.responses.observable_twins import Change, observable_twins
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.responses.theorem import Perturbation
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.enso_triad import enso_triad
from gfdt_tutorial.systems.simulate import simulate

MEMBERS, DURATION, EVERY, LAG = 300, 500.0, 0.1, 10.0  # 1.5·10⁵ time units
TRUE_MEMBERS, FINE = 32_768, 0.05  # of the twins, and their step
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
NOISES = ("sigma_1", "sigma_2", "sigma_3")
BOUNDS = {"τ² after a kick of u₁": 0.05, "Jacobian, all entries": 0.06, "Jacobian, worst column": 0.15}
KICK = "u1"


def second_moments(u: torch.Tensor) -> torch.Tensor:
    """The six products of two variables, (..., 6)."""
    return torch.stack([u[..., i] * u[..., j] for i, j in PAIRS], -1)


def wind_squared(u: torch.Tensor) -> torch.Tensor:
    """τ², (..., 1)."""
    return u[..., 2:].square()


def bursts(u: torch.Tensor) -> torch.Tensor:
    """(tanh u₁ + 1)², (..., 1)."""
    return (torch.tanh(u[..., :1]) + 1).square()


def triad() -> list[Row]:
    """Three seeds: the network in the form "projected" with products of two, and the Gaussian score as it is, which fails."""
    system, what = enso_triad(), "ENSO triad, 1.5·10⁵ time units"
    changes = {KICK: Change(KICK, 0.2)} | {name: Change(name, 0.1 * value) for name, value in system.parameters.items()}
    twins = observable_twins(system, changes, bursts, lags=LAG, every=FINE, members=TRUE_MEMBERS)
    truths = {name: _moments(name, response.values[:, 0]) for name, response in twins.items()}
    parts = {name: torch.stack([_moments(name, part[:, 0]) for part in present(response.parts)]) for name, response in twins.items()}
    kick = truths[KICK][:: round(EVERY / FINE), -1:]
    columns = torch.stack([truths[name][-1] for name in system.parameters], 1)  # (moment, parameter)
    rows = [Row(f"{what}: relative error of the truth of τ²", _relative_error(parts[KICK][..., -1:]))]
    rows.append(Row("   of the worst column of the Jacobian", max(_relative_error(parts[name][:, -1:]) for name in system.parameters)))
    found: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        data = simulate(system, members=MEMBERS, duration=DURATION, every=EVERY, seed=seed)
        gaussian, network = GaussianScore.fit(data), fit_score(data, seed=seed)
        ways = {"network": (network, "projected"), "Gaussian": (gaussian, "raw"), "Gaussian, projected": (gaussian, "projected")}
        for name, (score, form) in ways.items():
            found.setdefault(name, []).append(_measured(data, score, form, kick, columns))
    rows += worst(f"{what}, network", found["network"], BOUNDS)
    rows += worst(f"{what}, Gaussian", found["Gaussian"], fails=BOUNDS)
    return [*rows, *worst(f"{what}, Gaussian, projected", found["Gaussian, projected"])]


def _measured(data: TimeSeries, score: Score, form: str, kick: torch.Tensor, columns: torch.Tensor) -> dict[str, float]:
    system = enso_triad()
    constant = (lambda u: torch.tensor([1.0, 0.0, 0.0]).expand_as(u)), (lambda u: torch.zeros(u.shape[:2]))
    answer = sensitivities(data, score, wind_squared, {"kick": constant}, integrate=False, lags=LAG, form=form)["kick"]
    changes: dict[str, Perturbation] = {
        name: diffusion_change(score, system.diffusion_derivative(name)) if name in NOISES else system.drift_derivative(name)
        for name in system.parameters
    }
    found = sensitivities(data, score, second_moments, changes, lags=LAG, form=form)
    matrix = torch.stack([response.values[-1] for response in found.values()], 1)
    return {
        "τ² after a kick of u₁": relative(answer.values, kick),
        "Jacobian, all entries": relative(matrix, columns),
        "Jacobian, worst column": max(relative(a, b) for a, b in zip(matrix.T, columns.T, strict=True)),
    }


def _moments(change: str, bursting: torch.Tensor) -> torch.Tensor:
    """The response of the six second moments, (lag, 6), from that of g, (lag,), by the trapezoid rule between exact propagators."""
    p = enso_triad().parameters
    drift, noise = _matrices(p)
    one = torch.eye(3, dtype=torch.float64)
    start = torch.from_numpy(scipy.linalg.solve_continuous_lyapunov(drift.numpy(), -noise.numpy()))
    source = torch.zeros(3, 3, dtype=torch.float64)
    if change in p:
        step = 1e-6 * abs(p[change])
        up, down = (_matrices({**p, change: p[change] + sign * step}) for sign in (1, -1))
        by_drift = (up[0] - down[0]) / (2 * step) @ start
        source = by_drift + by_drift.T + (up[1] - down[1]) / (2 * step)
    bursts_of_tau = torch.zeros(3, 3, dtype=torch.float64)
    bursts_of_tau[2, 2] = p["sigma_3"] ** 2
    rate = torch.kron(drift, one) + torch.kron(one, drift)
    propagator = torch.linalg.matrix_exp(FINE * rate)
    sources = (source + bursting.double()[:, None, None] * bursts_of_tau).flatten(1)
    rows = [torch.zeros(9, dtype=torch.float64)]
    for before, after in pairwise(sources):
        rows.append(propagator @ (rows[-1] + 0.5 * FINE * before) + 0.5 * FINE * after)
    return torch.stack(rows)[:, [3 * i + j for i, j in PAIRS]]


@cache
def _bursting() -> float:
    """g, unperturbed."""
    data = simulate(enso_triad(), members=512, duration=200.0, every=1.0, seed=derived(0, Stream.BENCH))
    return float(bursts(data.u).double().mean())


def _matrices(p: Mapping[str, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """A and D, at the unperturbed g."""
    drift = [[-p["d_u"], -p["omega"], 1.0], [p["omega"], -p["d_u"], 0.0], [0.0, 0.0, -p["d_tau"]]]
    noise = [p["sigma_1"] ** 2, p["sigma_2"] ** 2, p["sigma_3"] ** 2 * _bursting()]
    return torch.tensor(drift, dtype=torch.float64), torch.tensor(noise, dtype=torch.float64).diag()


def _relative_error(parts: torch.Tensor) -> float:
    """|standard error| / |mean|, from independent parts."""
    return float(parts.std(0).norm() / len(parts) ** 0.5 / parts.mean(0).norm())
