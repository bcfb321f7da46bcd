"""Whole experiments, composed: simulate → fit → respond → compare, and the views that widgets show."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import torch

from gfdt_tutorial import checks, statistics
from gfdt_tutorial.presets import ensemble
from gfdt_tutorial.responses.curves import Errors, Response, compare, exact_response, lag_times
from gfdt_tutorial.responses.gfdt import respond
from gfdt_tutorial.responses.twins import perturb
from gfdt_tutorial.scores.diagnostics import relative_error, stein
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import simulate

SYSTEMS = {OrnsteinUhlenbeck.name: OrnsteinUhlenbeck}


def make_system(name: str, changes: dict | None = None):
    """A system by its name, with some parameters changed.

    Raises:
        ValueError: no such system or parameter, or a value out of range.
    """
    system = SYSTEMS[checks.choice("system", name, SYSTEMS)]()
    known = {f.name for f in fields(system)} - {"grid"}
    for parameter in changes or {}:
        checks.choice(f"parameter of {name}", parameter, sorted(known))
    return replace(system, **(changes or {}))


def system_of(info: dict):
    """The system that made a series, from its `info`.

    Raises:
        ValueError: the series does not say.
    """
    if not {"system", "parameters"} <= set(info):
        raise ValueError(
            "these data do not say which system made them, so it has no closed form; use the Gaussian score, and a truth from perturb"
        )
    parameters = dict(info["parameters"])
    grid = parameters.pop("grid")
    made = make_system(info["system"], parameters)
    return replace(made, grid=PeriodicGrid(tuple(grid["shape"]), tuple(grid["lengths"])))


def truth_for(answer: Response) -> Response:
    """The closed-form response at the lags of an answer, for the system that made its data."""
    return exact_response(system_of(answer.info.get("data", {})), float(answer.times[-1]), float(answer.times[1]))


@dataclass
class Comparison:
    """What one experiment gave: responses and errors by method, the truth among the responses, seconds by stage."""

    system: object
    snapshot: torch.Tensor
    truth: Response
    device: str
    responses: dict[str, Response] = field(default_factory=dict)
    errors: dict[str, Errors] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)

    def add(self, response: Response) -> None:
        """File a response under its method, with its errors."""
        name = response.method + ("_normalised" if response.normalised else "")
        self.responses[name] = response
        self.errors[name] = compare(response, self.truth)


def compare_methods(system, preset: str = "quick", *, seed: int = 0, device: str = "auto") -> Comparison:
    """Every response this system has, against the truth: its closed form where there is one.

    The score is learned from one ensemble and averaged over another of the same size, independent of the first.

    Args:
        preset: ensemble sizes and training budget; see `presets` and `scores.budgets`.
        seed: of the data that responses are averaged over, and of training; the twins take seed + 1, the training data seed + 1000.
    """
    size = ensemble(system.name, preset)
    seconds: dict[str, float] = {}

    def run(ensemble_seed: int) -> TimeSeries:
        return simulate(system, size.members, None, size.duration, size.every, ensemble_seed, device)

    score = _timed(seconds, "fit", lambda: fit_score(run(seed + 1000), preset, seed, device=device))
    data = _timed(seconds, "simulate", lambda: run(seed))
    truth = exact_response(system, size.lags, size.every)
    found = Comparison(system, data.u[0, -1].clone(), truth, str(data.u.device), {"exact": truth}, seconds=seconds)
    found.add(respond(data, GaussianScore.fit(data), size.lags))
    found.add(respond(data, system.score, size.lags))
    found.add(_timed(seconds, "respond", lambda: respond(data, score, size.lags)))
    found.add(_timed(seconds, "perturb", lambda: perturb(system, size.lags, size.pairs, seed + 1, every=size.every, device=device)))
    for method in ("analytic", "generative"):
        found.add(found.responses[method].normalise())
    some = data.u[:, :: len(data.times) // 8].flatten(0, 1)
    found.checks["relative_error"] = relative_error(score(some), system.score(some))
    found.checks["l2_from_analytic"] = compare(found.responses["generative"], found.responses["analytic"]).quoted["l2"]
    return found


def metrics(found: list[Comparison], preset: str, seed: int) -> dict:
    """The public form of metrics.json."""
    versions = {name: version(name) for name in ("gfdt-tutorial", "torch", "numpy", "scipy")}
    about = {"preset": preset, "seed": seed, "device": found[0].device, "versions": versions, "peak_rss_mb": peak_memory_mb()}
    return about | {"systems": {one.system.name: _system_metrics(one) for one in found}}


def peak_memory_mb() -> float | None:
    """The largest resident size of this process so far, in MB; None where the system does not tell."""
    try:
        # not getrusage: on Linux its figure starts from that of the parent process
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except OSError:
        pass
    try:
        import resource  # absent on Windows
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def error_metrics(error: Errors) -> dict:
    """One method's entry in metrics.json."""
    return {name: getattr(error, name).tolist() for name in ("l2", "linf", "l2_sq_unbiased", "l2_sq_se")} | {"quoted": error.quoted}


def arrays(found: list[Comparison]) -> dict[str, torch.Tensor]:
    """The public form of responses.npz: <system>/times and <system>/<method>, each (lag, y, x)."""
    values = {f"{one.system.name}/{name}": response.values for one in found for name, response in one.responses.items()}
    return {f"{one.system.name}/times": one.truth.times for one in found} | values


def _system_metrics(one: Comparison) -> dict:
    twins = one.responses.get("dynamical")
    noise = [] if twins is None else twins.standard_error.square().sum((-2, -1)).sqrt().tolist()
    source = "closed form" if one.truth.method == "exact" else "computed"
    truth = {"source": source, "pairs": 0 if twins is None else twins.info["pairs"], "l2_se": noise}
    return {
        "seconds": one.seconds,
        "truth": truth,
        "checks": one.checks,
        "methods": {name: error_metrics(error) for name, error in one.errors.items()},
    }


def _timed(seconds: dict[str, float], stage: str, run: Callable):
    start = time.perf_counter()
    result = run()
    seconds[stage] = time.perf_counter() - start
    return result


@dataclass(frozen=True)
class Exploration:
    """An Ornstein-Uhlenbeck field at some parameters, and its mean answer to a kick, all in closed form.

    Args:
        system: the parameters.
        pattern: (*shape), the kick.
        lag: the time at which the answer is mapped; the nearest of `times` is taken.
        seed: of the white noise that is filtered to the snapshot, so that the same weather is seen under other parameters.
    """

    system: OrnsteinUhlenbeck
    pattern: torch.Tensor
    lag: float = 20.0
    lags: float = 90.0
    seed: int = 0

    @cached_property
    def times(self) -> torch.Tensor:
        """Lags 0, 1, 2, …"""
        return lag_times(self.lags, 1.0)

    @property
    def row(self) -> int:
        """Index of `lag` among `times`."""
        return int((self.times - self.lag).abs().argmin())

    @cached_property
    def snapshot(self) -> torch.Tensor:
        """(*shape): one draw from the stationary law."""
        return self.system.grid.irfft(self.system.initial(range(1), self.seed, torch.device("cpu")))[0]

    @cached_property
    def k(self) -> torch.Tensor:
        """Wavenumbers of the shells."""
        return statistics.shell_average(self.system.grid, self.system.grid.k_squared)[0]

    @cached_property
    def spectrum(self) -> torch.Tensor:
        """C_k by shell."""
        return statistics.shell_average(self.system.grid, self.system.mode_covariance)[1]

    @cached_property
    def reference(self) -> torch.Tensor:
        """C_k by shell at the letter's parameters, on this grid."""
        return statistics.shell_average(self.system.grid, OrnsteinUhlenbeck(grid=self.system.grid).mode_covariance)[1]

    @cached_property
    def answer(self) -> torch.Tensor:
        """(lag, *shape): the mean answer to the kick, in units of the field."""
        return exact_response(self.system, self.lags).to(self.pattern)

    def along(self, displacement: int) -> torch.Tensor:
        """(lag,): the answer `displacement` pixels downstream of the middle of the kick."""
        return self.answer[(slice(None), *(0,) * (len(self.system.grid.shape) - 1), displacement)]


@dataclass(frozen=True)
class TrainingView:
    """How a training stands, judged by a score that is known.

    Args:
        training: at any step.
        system: its `score` is the judge.
        fields: (field, *shape), clean data that the training does not see.
    """

    training: Training
    system: OrnsteinUhlenbeck
    fields: torch.Tensor

    @cached_property
    def learned(self) -> torch.Tensor:
        """The averaged network's score of the fields."""
        return self.training.current()(self.fields)

    @cached_property
    def known(self) -> torch.Tensor:
        """The exact score of the fields."""
        return self.system.score(self.fields)

    @cached_property
    def k(self) -> torch.Tensor:
        """Wavenumbers of the shells."""
        return statistics.shell_average(self.system.grid, self.system.grid.k_squared)[0]

    @property
    def stein(self) -> torch.Tensor:
        """−⟨û ŝ*⟩/N² by shell: 1 for a true score."""
        return statistics.shell_average(self.system.grid, stein(self.system.grid, self.fields, self.learned).real)[1]

    @property
    def gain(self) -> torch.Tensor:
        """Re ⟨ŝ ŝ_exact*⟩ / ⟨|ŝ_exact|²⟩ by shell: 1 where the learned score is as large as it should be."""
        grid = self.system.grid
        exact = grid.rfft(self.known)
        ratio = (grid.rfft(self.learned) * exact.conj()).mean(0).real / exact.abs().square().mean(0)
        return statistics.shell_average(grid, ratio)[1]

    @property
    def relative_error(self) -> float:
        """(⟨|s − s*|²⟩/⟨|s*|²⟩)^½."""
        return relative_error(self.learned, self.known)
