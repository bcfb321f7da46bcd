"""Responses to changed parameters: predicted from unperturbed data, against closed forms and against simulations of changed systems."""

import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.experiments.parameter_responses import measures, predicted, resimulated, sliders, undisturbed
from gfdt_tutorial.experiments.shipped import load_shipped_score, ship
from gfdt_tutorial.responses.observables import moment
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.responses.theorem import Field
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck

COMMAND = "python -m gfdt_tutorial bench --only parameters"
CHANGE = 0.02
LOOK = {"allen-cahn": (1.0, 3.0, 10.0), "navier-stokes": (0.5, 1.0, 2.0)}  # lags at which both are compared


def parameter_responses(preset: str = "standard", members: int = 1024, systems: tuple[str, ...] = tuple(SYSTEMS)) -> list[Row]:
    """Responses of every system to its parameters; with the preset standard they are written to the assets.

    Args:
        members: of the changed systems that are simulated.
        systems: names.
    """
    rows: list[Row] = []
    for name in systems:
        system = SYSTEMS[name]()
        data = undisturbed(system, preset=preset)
        scores: dict[str, Field] = {"generative": load_shipped_score(name), "gaussian": GaussianScore.fit(data)}
        found = {method: predicted(system, data, score, preset=preset) for method, score in scores.items()}
        if preset == "standard":
            for method, response in found.items():
                ship(f"{name}-parameters-{method}", response, command=COMMAND, seed=0)
        if isinstance(system, OrnsteinUhlenbeck):
            rows += _against_closed_form(system, data, found["generative"])
        else:
            rows += _against_runs(system, found, preset, members)
    return rows


def closed_form(system: OrnsteinUhlenbeck, times: torch.Tensor) -> torch.Tensor:
    """λ ∂C_k(t)/∂λ and κ ∂C_k(t)/∂κ for parameters that change at t = 0, (parameter, lag, *spectral_shape).

    The drift stays linear, so C_k = N²ε²/(1 + k²)/2r_k with r_k = λ/(1 + k²) + κk² approaches its new value as e^(−2 r_k t), and
    p ∂C_k/∂p = −C_k (p ∂r_k/∂p)/r_k.
    """
    r, grid = -system.rates.real, system.grid
    fraction = torch.stack([system.lam * grid.inverse_helmholtz, system.kappa * grid.k_squared]) / r
    grown = -torch.expm1(-2 * r * times.reshape(-1, *[1] * r.ndim))
    return -fraction[:, None] * system.mode_covariance * grown


def _against_closed_form(system: OrnsteinUhlenbeck, data: TimeSeries, generative: Response) -> list[Row]:
    grid, what = system.grid, measures(system)
    exact = closed_form(system, generative.times)
    spectra = shell_average(grid, exact)[1]
    variance = float((exact[0, -1] * grid.multiplicity).sum()) / grid.size
    lags = float(generative.times[-1])
    score, change = load_shipped_score(system.name), system.drift_derivative("lam")
    power = sensitivities(data, score, moment(grid, 2), {"lam": change}, lags=lags)["lam"]
    row = list(generative.info["parameters"]).index("kappa")
    found, error = (part[:, row, what.spectrum] for part in (generative.values, present(generative.standard_error)))
    inside = ((found - spectra[1]).abs() <= 1.645 * error)[1:].double().mean()
    label = f"Ornstein-Uhlenbeck, to t = {lags:g}: "
    value, scatter = (float(part[-1, 0]) * system.lam / variance for part in (power.values, present(power.standard_error)))
    return [
        Row(label + "∂⟨u²⟩/∂λ, relative error", abs(value - 1), 0.03),
        Row(label + "its standard error by the bootstrap", abs(scatter)),
        Row(label + "∂C/∂κ, relative L2 error over shells", float((found - spectra[1])[-1].norm() / spectra[1, -1].norm()), 0.03),
        Row(label + "∂C/∂κ, fraction of shells and lags inside the 90 % band", float(inside)),
        Row(label + "∂C/∂κ, fraction kept of the departure from the regression hypothesis", generative.info["departure_kept"]["kappa"]),
    ]


def _against_runs(system: System, found: dict[str, Response], preset: str, members: int) -> list[Row]:
    """⟨u²⟩, ⟨u⁴⟩ and the spectrum at a few lags, their distance from the truth in combined standard errors."""
    rows: list[Row] = []
    what = measures(system)
    numbers = slice(0, what.spectrum.stop)
    for parameter in [name for name in sliders(system) if name not in ("advection", "epsilon")]:
        truth = resimulated(system, parameter, CHANGE, members=members, preset=preset)
        at = [round(lag / float(truth.times[1])) for lag in LOOK[system.name] if lag <= float(truth.times[-1])] or [-1]
        for method, response in found.items():
            row = list(response.info["parameters"]).index(parameter)
            value, error = (CHANGE * part[at, row, numbers] for part in (response.values, present(response.standard_error)))
            z = (value - truth.values[at][:, numbers]) / (error.square() + present(truth.standard_error)[at][:, numbers].square()).sqrt()
            label = f"{system.name}, {parameter} by {CHANGE:.0%}, {method}: "
            bound = 0.9 if method == "generative" else None
            moments = (value - truth.values[at][:, numbers])[:, :2].norm() / truth.values[at][:, :2].norm()
            scatter = float(error[:, :2].norm() / truth.values[at][:, :2].norm())
            rows += [
                Row(label + "fraction within 2 combined standard errors", float((z.abs() <= 2).double().mean()), bound, at_least=True),
                Row(label + "largest distance, in combined standard errors", float(z.abs().max())),
                Row(label + "⟨u²⟩, ⟨u⁴⟩: relative L2 error", float(moments)),
                Row(label + "⟨u²⟩, ⟨u⁴⟩: its standard error over their change", scatter),
            ]
    return rows
