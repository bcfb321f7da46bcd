"""Answers to parameters: predicted from undisturbed data, against closed forms and against systems that are really changed."""

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.experiments.parameter_responses import predict, resimulate, sliders, statistics, unperturbed
from gfdt_tutorial.experiments.shipped import load_shipped_score, ship
from gfdt_tutorial.responses.observables import moment
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck

COMMAND = "python -m gfdt_tutorial bench --only parameters"
CHANGE = 0.02
LOOK = {"allen-cahn": (1.0, 3.0, 10.0), "navier-stokes": (0.5, 1.0, 2.0)}  # lags at which both are compared


def answers(preset: str = "standard", members: int = 1024, systems: tuple[str, ...] = tuple(SYSTEMS)) -> list[Row]:
    """Every system at this preset, seed 0; with the preset standard the answers are shipped."""
    rows = []
    for name in systems:
        system = SYSTEMS[name]()
        data = unperturbed(system, preset=preset)
        scores = {"generative": load_shipped_score(name), "gaussian": GaussianScore.fit(data)}
        found = {method: predict(system, data, score, preset=preset) for method, score in scores.items()}
        if preset == "standard":
            for method, response in found.items():
                ship(f"{name}-parameters-{method}", response, command=COMMAND, seed=0)
        if name == "ornstein-uhlenbeck":
            rows += _against_closed_form(system, data, found["generative"])
        else:
            rows += _against_runs(system, found, preset, members)
    return rows


def closed_form(system: OrnsteinUhlenbeck, times: torch.Tensor) -> torch.Tensor:
    """λ ∂C_k(t)/∂λ and κ ∂C_k(t)/∂κ for parameters that move at t = 0, (parameter, lag, *spectral_shape).

    The drift stays linear, so C_k = N²ε²/(1 + k²)/2r_k with r_k = λ/(1 + k²) + κk² goes to its new value as e^(−2 r_k t), and
    p ∂C_k/∂p = −C_k (p ∂r_k/∂p)/r_k.
    """
    r, grid = -system.rates.real, system.grid
    share = torch.stack([system.lam * grid.inverse_helmholtz, system.kappa * grid.k_squared]) / r
    grown = -torch.expm1(-2 * r * times.reshape(-1, *[1] * r.ndim))
    return -share[:, None] * system.mode_covariance * grown


def _against_closed_form(system: OrnsteinUhlenbeck, data, generative: Response) -> list[Row]:
    grid, what = system.grid, statistics(system)
    exact = closed_form(system, generative.times)
    spectra = shell_average(grid, exact)[1]
    variance = float((exact[0, -1] * grid.multiplicity).sum()) / grid.size
    change = {"lam": system.drift_derivative("lam")}
    lags = float(generative.times[-1])
    power = sensitivities(data, load_shipped_score(system.name), moment(grid, 2), change, lags=lags)["lam"]
    row = list(generative.info["parameters"]).index("kappa")
    found, error = (getattr(generative, which)[:, row, what.spectrum] for which in ("values", "standard_error"))
    inside = ((found - spectra[1]).abs() <= 1.645 * error)[1:].double().mean()
    label = f"Ornstein-Uhlenbeck, to t = {lags:g}: "
    value, scatter = (float(getattr(power, which)[-1, 0]) * system.lam / variance for which in ("values", "standard_error"))
    return [
        Row(label + "∂⟨u²⟩/∂λ, relative error", abs(value - 1), 0.03),
        Row(label + "its standard error by the bootstrap", abs(scatter)),
        Row(label + "∂C/∂κ, relative L2 error over shells", float((found - spectra[1])[-1].norm() / spectra[1, -1].norm()), 0.03),
        Row(label + "∂C/∂κ, share of shells and lags inside the 90 % band", float(inside)),
        Row(label + "∂C/∂κ, what was kept of a departure from the regression hypothesis", generative.info["departure_kept"]["kappa"]),
    ]


def _against_runs(system, found: dict[str, Response], preset: str, members: int) -> list[Row]:
    """⟨u²⟩, ⟨u⁴⟩ and the spectrum at a few lags, by how many combined standard errors they are off."""
    rows, what = [], statistics(system)
    numbers = slice(0, what.spectrum.stop)
    for parameter in [name for name in sliders(system) if name not in ("advection", "epsilon")]:
        truth = resimulate(system, parameter, CHANGE, members=members, preset=preset)
        at = [round(lag / float(truth.times[1])) for lag in LOOK[system.name] if lag <= float(truth.times[-1])] or [-1]
        for method, response in found.items():
            row = list(response.info["parameters"]).index(parameter)
            value, error = (CHANGE * getattr(response, which)[at, row, numbers] for which in ("values", "standard_error"))
            z = (value - truth.values[at][:, numbers]) / (error.square() + truth.standard_error[at][:, numbers].square()).sqrt()
            label = f"{system.name}, {parameter} by {CHANGE:.0%}, {method}: "
            bound = {"bound": 0.9, "at_least": True} if method == "generative" else {}
            moments = (value - truth.values[at][:, numbers])[:, :2].norm() / truth.values[at][:, :2].norm()
            rows += [
                Row(label + "share within 2 combined standard errors", float((z.abs() <= 2).double().mean()), **bound),
                Row(label + "the farthest, in combined standard errors", float(z.abs().max())),
                Row(label + "⟨u²⟩, ⟨u⁴⟩: relative L2 error", float(moments)),
                Row(
                    label + "⟨u²⟩, ⟨u⁴⟩: its standard error over their change", float(error[:, :2].norm() / truth.values[at][:, :2].norm())
                ),
            ]
    return rows
