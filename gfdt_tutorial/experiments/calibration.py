"""Parameters found from statistics: Gauss-Newton steps whose Jacobian is the theorem's, so that each costs one undisturbed run.

The mean statistics A(θ) of a system are brought to those of a target, min_θ Σ_i [(A_i(θ) − y_i)/e_i]², by scipy.optimize.least_squares.
Finite differences need a run more for every parameter and step; the theorem reads ∂A/∂θ off the run that is there already, with a
score of its own data (Giorgini, Bischoff, Souza, arXiv:2509.19660).

Such slopes scatter. Along the last step a better one costs nothing, as both of its ends were run: with δθ the step and δA what it did,
the theorem's J becomes J + (δA − J δθ) δθᵀ/|δθ|², which is right along δθ and the theorem's across it (Broyden's update), if δθ is
short enough for a straight line.

Slopes J̃ that are wrong cost more than time. With r = A − y and W = 1/e² the steps end where J̃ᵀWr = 0, and the least squares lie where
JᵀWr = 0 with the true slopes J. To first order the two are apart by −(J̃ᵀWJ)⁻¹J̃ᵀWr, with r that of the least squares. This vanishes only
where the target can be met, r = 0. `Calibration.estimate` gives the parameters with their standard errors and, told better slopes, this
shift.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.responses.theorem import Field, observed
from gfdt_tutorial.systems.simulate import System, simulate
from gfdt_tutorial.systems.sizes import Sampling

STEP = 0.05  # relative, of a finite difference: members under the same noise take a small one
SHORT = 0.3  # |δ ln θ| of a step that tells the slope at its end


@dataclass(frozen=True)
class Target:
    """Statistics to be met: their means and standard errors, (n,), and the covariance of these means, (n, n), where it is known."""

    values: torch.Tensor
    errors: torch.Tensor
    covariance: torch.Tensor | None = None

    @classmethod
    def of(cls, data: TimeSeries, observable: Field) -> "Target":
        """Those of a series of eight members or more, whose scatter gives the errors."""
        checks.whole("members", len(data.u), minimum=8)
        each = torch.stack([observed(observable, member[None])[0].double().mean(0) for member in data.u])
        if each.ndim != 2:
            raise ValueError(f"the observable gives {tuple(each.shape[1:])} for each field; expected (n,) numbers, as gfdt.observables do")
        return cls(each.mean(0), each.std(0) / len(each) ** 0.5, torch.cov(each.T).reshape(2 * each.shape[1:]) / len(each))


@dataclass(frozen=True)
class Update:
    """Where a calibration stands after an evaluation.

    Args:
        parameters: tried.
        values: (n,), the statistics there.
        misfit: ½ Σ_i [(A_i − y_i)/e_i]².
        simulations: runs that it took to get there, this one included.
        seconds: of processor time that it took to get there, with the training of scores and everything else.
        covariance: (n, n), of the statistics, from the scatter of the members of the run.
        jacobian: (n, p), ∂A/∂ ln θ, where it was asked for.
    """

    parameters: dict[str, float]
    values: torch.Tensor
    misfit: float
    simulations: int
    seconds: float
    covariance: torch.Tensor
    jacobian: torch.Tensor | None = None


@dataclass(frozen=True)
class Estimate:
    """Calibrated parameters and how well they are known, each by the name of its parameter and in its units.

    Args:
        parameters: the best that were tried.
        standard_errors: from the sampling of the target and of the run at these parameters.
        shifts: how far the parameters lie from the least squares because of wrong slopes; None where no better slopes were given.
    """

    parameters: dict[str, float]
    standard_errors: dict[str, float]
    shifts: dict[str, float] | None = None


class Calibration:
    """A calibration, evaluation by evaluation; `run` does it.

    Args:
        system: whose parameters are sought; it gives those that are held, and where the sought ones start.
        names: of the parameters sought, all positive and of the drift.
        target: what is to be met.
        observable: fields (..., *shape) → (..., n) numbers, smooth.
        learn: from (system, its series) to a score of that series; None for finite differences.
        sampling: of each undisturbed run, and how far the theorem follows answers.
        updates: at most, of the parameters.
        seed: of every run; the same, so that statistics move smoothly with the parameters.
        tell: called with each Update as it comes.

    Attributes:
        path: the Updates so far.

    Raises:
        ValueError: an unknown parameter, or one that acts through a hidden forcing; fewer statistics than parameters; a value that is
            not positive; in `run`, an observable that is not the target's.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, observables, simulate
    >>> truth, size = OrnsteinUhlenbeck(), Sampling(16, 100.0, 1.0, 30.0)
    >>> power = observables.spectrum(truth.grid)
    >>> target = Target.of(simulate(truth, members=16, duration=100.0, seed=1), power)
    >>> found = Calibration(replace(truth, lam=0.05), ("lam",), target, power, lambda system, data: system.score, size, updates=2).run()
    >>> len(found.path)
    3
    """

    def __init__(
        self, system: System, names: tuple[str, ...], target: Target, observable: Field, learn: Callable | None, sampling: Sampling, *,
        updates: int = 6, seed: int = 0, device: str = "cpu", tell: Callable[[Update], None] | None = None,
    ):  # fmt: skip
        for name in names:
            if getattr(system.drift_derivative(name)[0], "needs_context", False):
                raise ValueError(f"{name} acts through a hidden forcing, which the statistics of the field do not hold; leave it out")
            checks.positive(name, getattr(system, name))
        if len(target.values) < len(names) or not names:
            raise ValueError(f"{len(target.values)} statistics cannot tell {len(names)} parameters; measure more, or seek fewer")
        self.system, self.names, self.target, self.observable, self.learn = system, tuple(names), target, observable, learn
        self.sampling, self.updates, self.seed, self.device = sampling, checks.whole("updates", updates, minimum=1), seed, device
        self.tell = tell or (lambda update: None)
        self.simulations, self._start = 0, 0.0
        self.path: list[Update] = []
        self._at: tuple[System, TimeSeries] | None = None

    def run(self) -> "Calibration":
        """Let scipy take its steps; `path` grows meanwhile, and is kept if it is interrupted."""
        start, self._start = np.zeros(len(self.names)), time.process_time()
        scipy.optimize.least_squares(self._residual, start, self._jacobian, method="trf", max_nfev=self.updates + 1, xtol=1e-4, ftol=1e-4)
        return self

    @property
    def best(self) -> Update:
        """The evaluation with the least misfit."""
        return min(self.path, key=lambda update: update.misfit)

    def estimate(self, slopes: torch.Tensor | None = None) -> Estimate:
        """The best parameters with their standard errors, and how far wrong slopes have kept them from the least squares.

        With H = JᵀWJ the covariance of ln θ is H⁻¹JᵀW (C_y + C_A) WJ H⁻¹, with C_y and C_A the sampling covariances of the target and of
        the statistics of the run; it would be H⁻¹ if only the target scattered, and its statistics independently. One Gauss-Newton step
        with the slopes given leads to the least squares, so the shift is (JᵀWJ)⁻¹JᵀWr.

        Args:
            slopes: (n, p), ∂A/∂ ln θ at the best parameters, better than those that were used, such as `differences` measures.

        Raises:
            ValueError: nothing has been run, or slopes of another shape.
        """
        known = [update for update in self.path if update.jacobian is not None]
        if not known:
            raise ValueError("there is no slope yet; call run() first")
        best, used = self.best, min(known, key=lambda update: self._apart(update, self.best)).jacobian
        jacobian = used if slopes is None else torch.as_tensor(slopes, dtype=torch.float64)
        if jacobian.shape != used.shape:
            raise ValueError(f"slopes has shape {tuple(jacobian.shape)}; expected {tuple(used.shape)}, ∂A/∂ ln θ for each statistic")
        target = self.target.errors.square().diag() if self.target.covariance is None else self.target.covariance
        step = torch.linalg.pinv(jacobian / self.target.errors[:, None]) / self.target.errors  # H⁻¹JᵀW
        errors = (step @ (target + best.covariance) @ step.T).diagonal().sqrt()
        shifts = None if slopes is None else self._in_units(best, step @ (best.values - self.target.values))
        return Estimate(best.parameters, self._in_units(best, errors), shifts)

    def slopes(self, system: System, data: TimeSeries) -> torch.Tensor:
        """∂A/∂ ln θ by the theorem, (n, p), from an undisturbed run of a system and a score that is learned from it."""
        changes = {name: system.drift_derivative(name) for name in self.names}
        options = {"resolved": self.sampling.resolved, "thin": self.sampling.thin, "resamples": 2}
        found = sensitivities(data, self.learn(system, data), self.observable, changes, lags=self.sampling.lags, **options)
        return torch.stack([found[name].values[-1].double() * getattr(system, name) for name in self.names], 1)

    def differences(self) -> torch.Tensor:
        """∂A/∂ ln θ at the best parameters by finite differences, (n, p): one run more for each parameter."""
        x = np.array([math.log(self.best.parameters[name] / getattr(self.system, name)) for name in self.names])
        return self._by_differences(x, self.best.values)

    def _in_units(self, update: Update, relative: torch.Tensor) -> dict[str, float]:
        return {name: update.parameters[name] * float(part) for name, part in zip(self.names, relative, strict=True)}

    def _apart(self, one: Update, other: Update) -> float:
        """The distance of their parameters in ln θ."""
        return math.hypot(*(math.log(one.parameters[name] / other.parameters[name]) for name in self.names))

    def _system(self, x: np.ndarray) -> System:
        """The system at x = ln(θ/θ_start)."""
        return replace(self.system, **{name: getattr(self.system, name) * float(np.exp(s)) for name, s in zip(self.names, x, strict=True)})

    def _simulated(self, system: System) -> TimeSeries:
        size = self.sampling
        self.simulations += 1
        return simulate(
            system, members=size.members, spinup=size.spinup, duration=size.duration, every=size.every, seed=self.seed, device=self.device
        )

    def _statistics(self, data: TimeSeries) -> Target:
        found = Target.of(data, self.observable)
        if found.values.shape != self.target.values.shape:
            raise ValueError(
                f"the observable gives {len(found.values)} numbers, and the target has {len(self.target.values)}; use the same for both"
            )
        return found

    def _residual(self, x: np.ndarray) -> np.ndarray:
        system = self._system(x)
        data = self._simulated(system)
        found = self._statistics(data)
        residual = (found.values - self.target.values) / self.target.errors
        parameters = {name: float(getattr(system, name)) for name in self.names}
        misfit, seconds = 0.5 * float(residual.square().sum()), time.process_time() - self._start
        self.path.append(Update(parameters, found.values, misfit, self.simulations, seconds, found.covariance))
        self._at = (system, data)
        self.tell(self.path[-1])
        return residual.numpy()

    def _jacobian(self, x: np.ndarray) -> np.ndarray:
        system, data = self._at
        found = self._by_differences(x, self.path[-1].values) if self.learn is None else self._by_theorem(system, data)
        self.path[-1] = replace(self.path[-1], jacobian=found)
        return (found / self.target.errors[:, None]).numpy()

    def _by_theorem(self, system: System, data: TimeSeries) -> torch.Tensor:
        found = self.slopes(system, data)
        before = [update for update in self.path[:-1] if update.jacobian is not None]
        return self._right_along_the_step(found, before[-1], self.path[-1]) if before else found

    def _right_along_the_step(self, jacobian: torch.Tensor, start: Update, end: Update) -> torch.Tensor:
        step = torch.tensor([math.log(end.parameters[name] / start.parameters[name]) for name in self.names], dtype=torch.float64)
        if float(step.norm()) > SHORT:
            return jacobian
        return jacobian + torch.outer(end.values - start.values - jacobian @ step, step) / (step @ step)

    def _by_differences(self, x: np.ndarray, here: torch.Tensor) -> torch.Tensor:
        moved = [self._statistics(self._simulated(self._system(x + STEP * unit))).values for unit in np.eye(len(x))]
        return torch.stack([(there - here) / STEP for there in moved], 1)
