"""Whole experiments, composed: simulate → fit → respond → compare."""

import contextlib
import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path

import torch

from gfdt_tutorial import checks
from gfdt_tutorial.presets import TRUTHS, ensemble
from gfdt_tutorial.responses.curves import Errors, Response, compare, exact_response
from gfdt_tutorial.responses.gfdt import respond
from gfdt_tutorial.responses.twins import perturb
from gfdt_tutorial.scores.diagnostics import relative_error
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.shipped import ASSETS, load_shipped
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import parameters, simulate

SYSTEMS = {system.name: system for system in (OrnsteinUhlenbeck, AllenCahn, NavierStokes)}
NORMALISED = {AllenCahn.name}  # where R(t) R(0)⁻¹ is the headline form, as in the letter


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

    @property
    def headline(self) -> dict[str, str]:
        """Method → key of the response to show for it: normalised where the system's headline form is so and there is one."""
        normalised = self.system.name in NORMALISED
        found = {}
        for key, response in self.responses.items():
            if not response.normalised or normalised:
                found[response.method] = key
        return found

    def add(self, response: Response) -> None:
        """File a response under its method, with its errors."""
        name = response.method + ("_normalised" if response.normalised else "")
        self.responses[name] = response
        self.errors[name] = compare(response, self.truth)


def compare_methods(system, preset: str = "quick", *, seed: int = 0, device: str = "auto", conditioned: bool = False) -> Comparison:
    """Every response this system has, against the truth: its closed form, else the shipped truth, else its own twins.

    The score is learned from one ensemble and averaged over another, independent of the first. Normalised responses take the Gaussian
    one as a control variate; where there is no closed form to judge the raw methods by, all average over the system's symmetries.

    Args:
        preset: ensemble sizes and training budget; see `presets` and `scores.budgets`.
        seed: of the data that responses are averaged over, and of training; the twins take seed + 1, the training data seed + 1000.
        conditioned: learn a second score that is given the hidden forcing, with the same budget.
    """
    size = ensemble(system.name, preset)
    closed, known = hasattr(system, "response"), hasattr(system, "score")
    symmetries = () if closed else tuple(name for name in system.symmetries if name != "sign")
    seconds: dict[str, float] = {}

    def recording() -> TimeSeries:
        members, duration, every = size.fit_members or size.members, size.fit_duration or size.duration, size.fit_every or size.every
        return simulate(system, members, size.spinup, duration, every, seed + 1000, device, conditioned)

    def learn(stage: str, fitted: TimeSeries, context: bool) -> LearnedScore:
        return _timed(seconds, stage, lambda: fit_score(fitted, preset, seed, context, device=device))

    series = _timed(seconds, "fit", recording)
    scores = [learn("fit", series, False)] + ([learn("fit_conditioned", series, True)] if conditioned else [])
    del series  # the room is needed for the next
    data = _timed(
        seconds, "simulate", lambda: simulate(system, size.members, size.spinup, size.duration, size.every, seed, device, conditioned)
    )
    kick = {"kick": "pixel" if closed or not known else "random signs", "amplitude": size.amplitude, "spinup": size.twin_spinup}
    kick |= {"symmetries": symmetries, "every": size.every, "device": device}
    twins = _timed(seconds, "perturb", lambda: perturb(system, size.lags, size.pairs, seed + 1, **kick))
    truth = exact_response(system, size.lags, size.every) if closed else shipped_truth(system, size.lags, size.every) or twins
    found = Comparison(system, data.u[0, -1].clone(), truth, str(data.u.device), {truth.method: truth}, seconds=seconds)
    options = {"lags": size.lags, "symmetries": symmetries}
    found.add(respond(data, GaussianScore.fit(data), **options))
    if known:
        found.add(respond(data, system.score, **options))
    learned = _timed(seconds, "respond", lambda: [respond(data, score, thin=size.thin, **options) for score in scores])
    for response in learned:
        found.add(response)
    if closed:
        found.add(twins)
        for method in ("analytic", "generative"):
            found.add(found.responses[method].normalise())
    else:
        for score in [*([system.score] if known else []), *scores]:
            found.add(respond(data, score, normalise=True, control=True, thin=size.thin, **options))
        found.checks["own_twins_l2"] = compare(twins, truth).quoted["l2"]
    if known:
        some = data.u[:, :: len(data.times) // 8].flatten(0, 1)
        found.checks["relative_error"] = relative_error(scores[0](some), system.score(some))
        found.checks["l2_from_analytic"] = compare(found.responses["generative"], found.responses["analytic"]).quoted["l2"]
    return found


def shipped_truth(system, lags: float, every: float) -> Response | None:
    """The shipped reference truth, if it was made for just this system and has these lags."""
    name = f"{system.name}-truth"
    if system.name not in TRUTHS or not (ASSETS / f"{name}.npz").exists():
        return None
    found = load_shipped(name)
    fits = found.info["parameters"] == parameters(system) and lags <= float(found.times[-1]) and every % float(found.times[1]) == 0
    return found if fits else None


def reference_truth(
    system, *, pairs: int | None = None, seed: int | None = None, device: str = "auto", checkpoint=None, cluster: str | None = None
) -> Response:
    """The long truth of a system: minutes to an hour of one core, resumable from its checkpoint; see `perturb` for a `cluster`.

    Raises:
        ValueError: a system whose truth is a closed form; no such cluster.
        ConnectionError: the cluster went away.
    """
    size = TRUTHS[checks.choice("system with a reference truth", system.name, TRUTHS)]
    restarts = size.restarts if pairs is None else 1
    return perturb(
        system,
        size.lags,
        pairs or size.pairs,
        size.seed if seed is None else seed,
        every=size.every,
        kick=size.kick,
        amplitude=size.amplitude,
        spinup=size.spinup,
        restarts=restarts,
        symmetries=tuple(name for name in system.symmetries if name != "sign"),
        device=device,
        checkpoint=checkpoint,
        cluster=cluster,
    )


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


def free_memory() -> None:
    """Hand memory that was let go back to the machine, which the C library of Linux would keep for later."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


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
    source = "closed form" if one.truth.method == "exact" else "shipped" if "shipped" in one.truth.info else "computed"
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
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - start
    return result
