"""Parameters found from statistics: Gauss-Newton steps whose Jacobian is the theorem's, so that each costs one undisturbed run.

The mean statistics A(θ) of a system are brought to those of a target, min_θ Σ_i [(A_i(θ) − y_i)/e_i]², by scipy.optimize.least_squares.
Finite differences need a run more for every parameter and step; the theorem reads ∂A/∂θ off the run that is there already, with a
score of its own data (Giorgini, Bischoff, Souza, arXiv:2509.19660).

Such slopes scatter. Along the last step a better one costs nothing, as both of its ends were run: with δθ the step and δA what it did,
the theorem's J becomes J + (δA − J δθ) δθᵀ/|δθ|², which is right along δθ and the theorem's across it (Broyden's update), if δθ is
short enough for a straight line.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
import torch

from gfdt_tutorial import checks
from gfdt_tutorial.parameters import Sampling
from gfdt_tutorial.responses.numbers import sensitivities
from gfdt_tutorial.responses.weights import Field, observed
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.systems.simulate import System, simulate

STEP = 0.05  # relative, of a finite difference: members under the same noise take a small one
SHORT = 0.3  # |δ ln θ| of a step that tells the slope at its end


@dataclass(frozen=True)
class Target:
    """Statistics to be met: their means and standard errors, (n,)."""

    values: torch.Tensor
    errors: torch.Tensor

    @classmethod
    def of(cls, data: TimeSeries, observable: Field) -> "Target":
        """Those of a series of eight members or more, whose scatter gives the errors."""
        checks.whole("members", len(data.u), minimum=8)
        each = torch.stack([observed(observable, member[None])[0].double().mean(0) for member in data.u])
        if each.ndim != 2:
            raise ValueError(f"the observable gives {tuple(each.shape[1:])} for each field; expected (n,) numbers, as gfdt.observables do")
        return cls(each.mean(0), each.std(0) / len(each) ** 0.5)


@dataclass(frozen=True)
class Update:
    """Where a calibration stands after an evaluation.

    Args:
        parameters: tried.
        values: (n,), the statistics there.
        misfit: ½ Σ_i [(A_i − y_i)/e_i]².
        simulations: runs that it took to get there, this one included.
        jacobian: (n, p), ∂A/∂ ln θ, where it was asked for.
    """

    parameters: dict[str, float]
    values: torch.Tensor
    misfit: float
    simulations: int
    jacobian: torch.Tensor | None = None


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
        self.simulations = 0
        self.path: list[Update] = []
        self._at: tuple[System, TimeSeries] | None = None

    def run(self) -> "Calibration":
        """Let scipy take its steps; `path` grows meanwhile, and is kept if it is interrupted."""
        start = np.zeros(len(self.names))
        scipy.optimize.least_squares(self._residual, start, self._jacobian, method="trf", max_nfev=self.updates + 1, xtol=1e-4, ftol=1e-4)
        return self

    @property
    def best(self) -> Update:
        """The evaluation with the least misfit."""
        return min(self.path, key=lambda update: update.misfit)

    def _system(self, x: np.ndarray) -> System:
        """The system at x = ln(θ/θ_start)."""
        return replace(self.system, **{name: getattr(self.system, name) * float(np.exp(s)) for name, s in zip(self.names, x, strict=True)})

    def _simulated(self, system: System) -> TimeSeries:
        size = self.sampling
        self.simulations += 1
        return simulate(system, size.members, size.spinup, size.duration, size.every, self.seed, self.device)

    def _statistics(self, data: TimeSeries) -> torch.Tensor:
        values = Target.of(data, self.observable).values
        if values.shape != self.target.values.shape:
            raise ValueError(
                f"the observable gives {len(values)} numbers, and the target has {len(self.target.values)}; use the same for both"
            )
        return values

    def _residual(self, x: np.ndarray) -> np.ndarray:
        system = self._system(x)
        data = self._simulated(system)
        values = self._statistics(data)
        residual = (values - self.target.values) / self.target.errors
        parameters = {name: float(getattr(system, name)) for name in self.names}
        self.path.append(Update(parameters, values, 0.5 * float(residual.square().sum()), self.simulations))
        self._at = (system, data)
        self.tell(self.path[-1])
        return residual.numpy()

    def _jacobian(self, x: np.ndarray) -> np.ndarray:
        system, data = self._at
        found = self._by_differences(x) if self.learn is None else self._by_theorem(system, data)
        self.path[-1] = replace(self.path[-1], jacobian=found)
        return (found / self.target.errors[:, None]).numpy()

    def _by_theorem(self, system: System, data: TimeSeries) -> torch.Tensor:
        changes = {name: system.drift_derivative(name) for name in self.names}
        size = self.sampling
        answers = sensitivities(
            data, self.learn(system, data), self.observable, changes, size.lags, resolved=size.resolved, thin=size.thin, resamples=2
        )
        found = torch.stack([answers[name].values[-1].double() * getattr(system, name) for name in self.names], 1)
        before = [update for update in self.path[:-1] if update.jacobian is not None]
        return self._right_along_the_step(found, before[-1], self.path[-1]) if before else found

    def _right_along_the_step(self, jacobian: torch.Tensor, start: Update, end: Update) -> torch.Tensor:
        step = torch.tensor([math.log(end.parameters[name] / start.parameters[name]) for name in self.names], dtype=torch.float64)
        if float(step.norm()) > SHORT:
            return jacobian
        return jacobian + torch.outer(end.values - start.values - jacobian @ step, step) / (step @ step)

    def _by_differences(self, x: np.ndarray) -> torch.Tensor:
        here = self.path[-1].values
        moved = [self._statistics(self._simulated(self._system(x + STEP * unit))) for unit in np.eye(len(x))]
        return torch.stack([(there - here) / STEP for there in moved], 1)
