"""Calibration: parameters estimated from statistics by Gauss-Newton steps whose Jacobian comes from the theorem, at one run per step.

The mean statistics A(θ) of a system are fitted to those of a target, min_θ Σ_i [(A_i(θ) − y_i)/e_i]², by scipy.optimize.least_squares.
Finite differences need one more run for every parameter and step; the theorem gives ∂A/∂θ from the unperturbed run that is available
already, with a score learned from its data (Giorgini, Bischoff, Souza, arXiv:2509.19660).

These slopes have sampling errors. Along the last step a better slope costs nothing, because both ends were simulated: with δθ the step
and δA the change that it caused, the theorem's J is replaced by J + (δA − J δθ) δθᵀ/|δθ|² (Broyden's update), which is exact along δθ and
unchanged across it, provided that δθ is short enough for a linear change.

Wrong slopes J̃ cost more than time. With r = A − y and W = 1/e² the steps end where J̃ᵀWr = 0, whereas the least-squares solution has
JᵀWr = 0 with the true slopes J. To first order the two differ by −(J̃ᵀWJ)⁻¹J̃ᵀWr, with r at the least-squares solution. This vanishes only
if the target can be met, r = 0. `Calibration.estimate` returns the parameters with their standard errors and, given better slopes, this
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
from gfdt_tutorial.responses.theorem import Field, Perturbation, observed
from gfdt_tutorial.systems.simulate import System, simulate
from gfdt_tutorial.systems.sizes import Sampling

Learn = Callable[[System, TimeSeries], Callable[..., torch.Tensor]]  # (system, its series) → a score of that series

STEP = 0.05
# relative step of a finite difference; it can be small because both runs have the same noise
SHORT = 0.3  # largest |δ ln θ| of a step that still determines the slope at its end


@dataclass(frozen=True)
class Target:
    """The statistics to be matched: their means and standard errors, (n,), and the covariance of these means, (n, n), if it is known."""

    values: torch.Tensor
    errors: torch.Tensor
    covariance: torch.Tensor | None = None

    @property
    def sampling_covariance(self) -> torch.Tensor:
        """`covariance`, or that of independent errors where it is not known."""
        return self.errors.square().diag() if self.covariance is None else self.covariance

    @classmethod
    def of(cls, data: TimeSeries, observable: Field) -> "Target":
        """The statistics of a series of eight members or more, whose scatter determines the standard errors.

        Raises:
            ValueError: fewer members, or an observable that does not return (n,) numbers for each field.
        """
        checks.whole("members", len(data.u), minimum=8)
        each = torch.stack([observed(observable, member[None])[0].double().mean(0).cpu() for member in data.u])
        if each.ndim != 2:
            raise ValueError(f"the observable gives {tuple(each.shape[1:])} for each field; expected (n,) numbers, as gfdt.observables do")
        return cls(each.mean(0), each.std(0) / len(each) ** 0.5, torch.cov(each.T).reshape(2 * each.shape[1:]) / len(each))


@dataclass(frozen=True)
class Update:
    """The state of a calibration after an evaluation.

    Args:
        parameters: the values that were tried.
        values: (n,), the statistics at these parameters.
        misfit: ½ Σ_i [(A_i − y_i)/e_i]².
        simulations: number of runs so far, this one included.
        seconds: processor time so far, including the training of scores.
        covariance: (n, n), of the statistics, from the scatter of the members of the run.
        jacobian: (n, p), ∂A/∂ ln θ, if it was evaluated here.
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
    """Calibrated parameters and their uncertainty, each by the name of its parameter and in its units.

    Args:
        parameters: those with the least misfit.
        standard_errors: from the sampling of the target and of the run at these parameters.
        shifts: the distance of the parameters from the least-squares solution because of wrong slopes; None if no better slopes were given.
    """

    parameters: dict[str, float]
    standard_errors: dict[str, float]
    shifts: dict[str, float] | None = None


class Calibration:
    """The calibration of a system; `run` performs it.

    Args:
        system: the system to calibrate; it defines the parameters that are held fixed and the initial values of the others.
        names: of the parameters to calibrate; they are positive and belong to the drift.
        target: the statistics to be matched.
        observable: fields (..., *shape) → (..., n) numbers, smooth.
        learn: (system, its series) → a score of that series; None for finite differences.
        sampling: sizes of each unperturbed run, and the largest lag of the responses.
        updates: the largest number of updates of the parameters.
        seed: the same for every run, so that the statistics change smoothly with the parameters.
        device: "auto", "cpu" or "cuda".
        tell: called with each Update when it is complete.

    Attributes:
        path: the Updates so far.

    Raises:
        ValueError: an unknown parameter, or one that acts through a hidden forcing; fewer statistics than parameters; a value that is
            not positive; in `run`, an observable that does not match the target.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, observables, simulate
    >>> truth, size = OrnsteinUhlenbeck(), Sampling(16, 100.0, 1.0, 30.0)
    >>> power = observables.spectrum(truth.grid)
    >>> target = Target.of(simulate(truth, members=16, duration=100.0, seed=1), power)
    >>> found = Calibration(replace(truth, lam=0.05), ("lam",), target, power, lambda system, data: system.score, size, updates=2).run()
    >>> len(found.path)
    3
    """

    def __init__(
        self, system: System, names: tuple[str, ...], target: Target, observable: Field, learn: Learn | None, sampling: Sampling, *,
        updates: int = 6, seed: int = 0, device: str = "auto", tell: Callable[[Update], None] | None = None,
    ) -> None:  # fmt: skip
        for name in names:
            if getattr(system.drift_derivative(name)[0], "needs_context", False):
                raise ValueError(f"{name} acts through a hidden forcing, which the statistics of the field do not determine; leave it out")
            checks.positive(name, getattr(system, name))
        if len(target.values) < len(names) or not names:
            raise ValueError(
                f"{len(target.values)} statistics cannot determine {len(names)} parameters; give more statistics or fewer parameters"
            )
        self.system, self.names, self.target, self.observable, self.learn = system, tuple(names), target, observable, learn
        self.sampling, self.updates, self.seed, self.device = sampling, checks.whole("updates", updates, minimum=1), seed, device
        self.tell = tell or (lambda update: None)
        self.simulations, self._start = 0, 0.0
        self.path: list[Update] = []
        self._last: tuple[System, TimeSeries]  # of the last evaluation; scipy evaluates a residual before it asks for a Jacobian

    def run(self) -> "Calibration":
        """Minimise the misfit; `path` grows meanwhile, and remains available after an interruption."""
        # not an iterable whose caller asks for the next step, as other long work is here: scipy's loop calls back, and cannot be suspended
        start, self._start = np.zeros(len(self.names)), time.process_time()
        scipy.optimize.least_squares(self._residual, start, self._jacobian, method="trf", max_nfev=self.updates + 1, xtol=1e-4, ftol=1e-4)
        return self

    @property
    def best(self) -> Update:
        """The evaluation with the least misfit."""
        return min(self.path, key=lambda update: update.misfit)

    def estimate(self, slopes: torch.Tensor | None = None) -> Estimate:
        """The best parameters with their standard errors, and the shift from the least-squares solution that wrong slopes caused.

        With H = JᵀWJ the covariance of ln θ is H⁻¹JᵀW (C_y + C_A) WJ H⁻¹, with C_y and C_A the sampling covariances of the target and of
        the statistics of the run; it would be H⁻¹ if only the target had sampling errors, independent of one another. One Gauss-Newton
        step with the given slopes leads to the least-squares solution, so the shift is (JᵀWJ)⁻¹JᵀWr.

        Args:
            slopes: (n, p), ∂A/∂ ln θ at the best parameters, more accurate than those that were used, such as those of `differences`.

        Raises:
            ValueError: `run` was not called, or slopes of another shape.
        """
        known = [(self._distance(update, self.best), update.jacobian) for update in self.path if update.jacobian is not None]
        if not known:
            raise ValueError("there is no slope yet; call run() first")
        best, used = self.best, min(known, key=lambda one: one[0])[1]
        jacobian = used if slopes is None else torch.as_tensor(slopes, dtype=torch.float64)
        if jacobian.shape != used.shape:
            raise ValueError(f"slopes has shape {tuple(jacobian.shape)}; expected {tuple(used.shape)}, ∂A/∂ ln θ for each statistic")
        target = self.target.sampling_covariance
        step = torch.linalg.pinv(jacobian / self.target.errors[:, None]) / self.target.errors  # H⁻¹JᵀW
        errors = (step @ (target + best.covariance) @ step.T).diagonal().sqrt()
        shifts = None if slopes is None else self._in_units(best, step @ (best.values - self.target.values))
        return Estimate(best.parameters, self._in_units(best, errors), shifts)

    def slopes(self, system: System, data: TimeSeries) -> torch.Tensor:
        """∂A/∂ ln θ by the theorem, (n, p), from an unperturbed run of a system and a score learned from it.

        Raises:
            ValueError: this calibration has no `learn`.
        """
        if self.learn is None:
            raise ValueError("slopes by the theorem need a score; give Calibration a function `learn`, or call differences()")
        size = self.sampling
        changes: dict[str, Perturbation | None] = {name: system.drift_derivative(name) for name in self.names}
        found = sensitivities(
            data, self.learn(system, data), self.observable, changes, lags=size.lags, resolved=size.resolved, thin=size.thin, resamples=2
        )
        return torch.stack([found[name].values[-1].double().cpu() * getattr(system, name) for name in self.names], 1)

    def differences(self) -> torch.Tensor:
        """∂A/∂ ln θ at the best parameters by finite differences, (n, p); it takes one more run for each parameter."""
        x = np.array([math.log(self.best.parameters[name] / getattr(self.system, name)) for name in self.names])
        return self._by_differences(x, self.best.values)

    def _in_units(self, update: Update, relative: torch.Tensor) -> dict[str, float]:
        return {name: update.parameters[name] * float(part) for name, part in zip(self.names, relative, strict=True)}

    def _distance(self, one: Update, other: Update) -> float:
        """The distance of the parameters of two updates in ln θ."""
        return math.hypot(*(math.log(one.parameters[name] / other.parameters[name]) for name in self.names))

    def _system(self, x: np.ndarray) -> System:
        """The system at x = ln(θ/θ_start)."""
        return self.system.changed(**{name: getattr(self.system, name) * float(np.exp(s)) for name, s in zip(self.names, x, strict=True)})

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
        self.path.append(Update(parameters, found.values, misfit, self.simulations, seconds, found.sampling_covariance))

        self._last = (system, data)
        self.tell(self.path[-1])
        return residual.numpy()

    def _jacobian(self, x: np.ndarray) -> np.ndarray:
        found = self._by_differences(x, self.path[-1].values) if self.learn is None else self._by_theorem(*self._last)
        self.path[-1] = replace(self.path[-1], jacobian=found)
        return (found / self.target.errors[:, None]).numpy()

    def _by_theorem(self, system: System, data: TimeSeries) -> torch.Tensor:
        found = self.slopes(system, data)
        before = [update for update in self.path[:-1] if update.jacobian is not None]
        return self._broyden_update(found, before[-1], self.path[-1]) if before else found

    def _broyden_update(self, jacobian: torch.Tensor, start: Update, end: Update) -> torch.Tensor:
        step = torch.tensor([math.log(end.parameters[name] / start.parameters[name]) for name in self.names], dtype=torch.float64)
        if float(step.norm()) > SHORT:
            return jacobian
        return jacobian + torch.outer(end.values - start.values - jacobian @ step, step) / (step @ step)

    def _by_differences(self, x: np.ndarray, here: torch.Tensor) -> torch.Tensor:
        moved = [self._statistics(self._simulated(self._system(x + STEP * unit))).values for unit in np.eye(len(x))]
        return torch.stack([(there - here) / STEP for there in moved], 1)
