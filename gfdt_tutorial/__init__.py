"""Response theory via generative score modelling: how a system responds to any small perturbation, from an unperturbed series alone.

Source: Giorgini, Deck, Bischoff and Souza, Phys. Rev. Lett. 133, 267302 (2024), arXiv:2402.01029, called "the letter" throughout.

Conventions:
    score       s = ∇ ln ρ, with respect to pixel values, per unit of the field; stochastic equations are in the sense of Itô
    fields      torch tensors, float32, (..., y, x) or (..., x); periodic; advection is along +x, the last axis
    Fourier     forward transforms unnormalised, real transforms over the space axes; wavenumbers are integers on a box of side 2π
    noise       ξ is white in space and time, with a delta function normalised on unit area: covariance N² ε² dt Σ between pixels
    response    to a unit kick at pixel (0, 0), indexed by displacement; lags are in time units
    σ           standard deviation of the noise, in units of the data unless a name says otherwise
    seeds       every stochastic function takes one; noise belongs to (seed, member)

    >>> import gfdt_tutorial as gfdt
    >>> system = gfdt.OrnsteinUhlenbeck()
    >>> data = gfdt.simulate(system, members=8, duration=60.0)
    >>> response = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=20.0)
    >>> truth = gfdt.perturb(system, lags=20.0, pairs=16)
    >>> gfdt.compare(response, truth).quoted["l2"] < 0.2
    True
"""

import os

# This must come before torch loads OpenMP: threads that wait should sleep. A spinning thread holds the core that others need as soon as
# anything else runs on the machine. Beside one busy process on two cores, simulating 49,152 snapshots took 18 s with spinning threads and
# 1.4 s with sleeping ones.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from gfdt_tutorial.core.folds import Folds
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.progress import run
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.principal_components import principal_components
from gfdt_tutorial.experiments.shipped import load_shipped, load_shipped_score
from gfdt_tutorial.generation.sampling import sample
from gfdt_tutorial.responses import observables
from gfdt_tutorial.responses.causal_map import CausalMap, causal_map, lagged_correlations
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.diffusion_change import diffusion_change
from gfdt_tutorial.responses.dynamic_modes import dynamic_modes
from gfdt_tutorial.responses.errors import Errors, compare, difference, wave_errors
from gfdt_tutorial.responses.kick_patterns import kick_pattern, localised_kick
from gfdt_tutorial.responses.kick_response import respond, respond_in_forms
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.kubo import kubo
from gfdt_tutorial.responses.noise_change import noise_derivative
from gfdt_tutorial.responses.observable_twins import Change, observable_twins
from gfdt_tutorial.responses.regression import regression
from gfdt_tutorial.responses.response import Response, exact_response
from gfdt_tutorial.responses.scale_errors import band_errors, kick_error
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.responses.sensitivity_maps import sensitivity_maps
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.scores.component_score import ComponentScore
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.forecast import FittedForecast
from gfdt_tutorial.scores.forecast_fit import fit_forecast
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.polynomial import PolynomialScore
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.base import DivergedError, NotKnownError, Parameter, System
from gfdt_tutorial.systems.charney_devore import charney_devore
from gfdt_tutorial.systems.cubic import cubic_number
from gfdt_tutorial.systems.double_well import DoubleWell
from gfdt_tutorial.systems.enso_triad import enso_triad
from gfdt_tutorial.systems.lorenz_63 import lorenz_63
from gfdt_tutorial.systems.lorenz_96 import lorenz_96
from gfdt_tutorial.systems.markov_chain import MarkovChain
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.sde import SDE
from gfdt_tutorial.systems.sheared_channel import ShearedChannel
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import Ensemble, Sampling
from gfdt_tutorial.systems.two_scale_lorenz_96 import TwoScaleLorenz96

__version__ = "0.2.0"

__all__ = [
    "SDE",
    "AllenCahn",
    "Budget",
    "CausalMap",
    "Change",
    "ChangedEnsemble",
    "ComponentScore",
    "DivergedError",
    "DoubleWell",
    "Ensemble",
    "Errors",
    "FittedForecast",
    "Folds",
    "GaussianScore",
    "LearnedScore",
    "MarkovChain",
    "NavierStokes",
    "NotKnownError",
    "OrnsteinUhlenbeck",
    "Parameter",
    "PeriodicGrid",
    "PolynomialScore",
    "Response",
    "Sampling",
    "ShearedChannel",
    "System",
    "TimeSeries",
    "Training",
    "TwoScaleLorenz96",
    "band_errors",
    "causal_map",
    "charney_devore",
    "compare",
    "cubic_number",
    "difference",
    "diffusion_change",
    "dynamic_modes",
    "enso_triad",
    "exact_response",
    "fit_forecast",
    "fit_score",
    "kick_error",
    "kick_pattern",
    "kubo",
    "lagged_correlations",
    "load_shipped",
    "load_shipped_score",
    "localised_kick",
    "lorenz_63",
    "lorenz_96",
    "noise_derivative",
    "observable_twins",
    "observables",
    "perturb",
    "principal_components",
    "regression",
    "respond",
    "respond_in_forms",
    "run",
    "sample",
    "sensitivities",
    "sensitivity_maps",
    "simulate",
    "wave_errors",
]
