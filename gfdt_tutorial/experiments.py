"""Whole experiments, composed: simulate → fit → respond → compare."""

import contextlib
import ctypes
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path

import torch

from gfdt_tutorial import checks
from gfdt_tutorial.cache import Cache, Stage
from gfdt_tutorial.pipeline import Comparison, plan, run, truth_of
from gfdt_tutorial.presets import TRUTHS
from gfdt_tutorial.progress import note
from gfdt_tutorial.responses.curves import FORMAT, Errors, Response, exact_response
from gfdt_tutorial.responses.gfdt import respond
from gfdt_tutorial.responses.twins import perturb
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.shipped import ASSETS, load_shipped, manifest, ship, ship_score
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.double_well import DoubleWell, Moments
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import parameters, simulate

SHIPPED = ("gaussian", "analytic", "generative")  # methods
SYSTEMS = {system.name: system for system in (OrnsteinUhlenbeck, AllenCahn, NavierStokes)}


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
    if "system" not in info or "grid" not in info.get("parameters", {}):
        raise ValueError(
            "these data do not say which system made them, so it has no closed form; use the Gaussian score, and a truth from perturb"
        )
    changes = dict(info["parameters"])
    grid = changes.pop("grid")
    made = make_system(info["system"], changes)
    return replace(made, grid=PeriodicGrid(tuple(grid["shape"]), tuple(grid["lengths"])))


def truth_for(answer: Response) -> Response:
    """The closed-form response at the lags of an answer, for the system that made its data."""
    return exact_response(system_of(answer.info.get("data", {})), float(answer.times[-1]), float(answer.times[1]))


def compare_methods(
    system, preset: str = "quick", *, seed: int = 0, device: str = "auto", conditioned: bool = False, cache: Cache | None = None
) -> Comparison:
    """Every response this system has, against the truth: its closed form, else the shipped truth, else its own twins.

    The score is learned from one ensemble and averaged over another, independent of the first. Responses with a score other than the
    Gaussian one come raw, normalised as in the letter and, where there is no closed form to judge by, controlled; there all average over
    the system's symmetries, too.

    Args:
        preset: ensemble sizes and training budget; see `presets` and `scores.budgets`.
        seed: of the data that responses are averaged over, and of training; the twins take seed + 1, the training data seed + 1000.
        conditioned: learn a second score that is given the hidden forcing, with the same budget.
        cache: where stages that are done are looked for and kept; by default all is computed.

    Raises:
        ValueError: an unknown preset or device, or `conditioned` for a system without hidden forcing.
        KeyboardInterrupt: as it came; a cache keeps what is done, and the same call goes on from there.
    """
    return run(plan(system, preset, seed=seed, device=device, conditioned=conditioned), cache)


def compare_systems(
    systems: Sequence, preset: str = "quick", *, seed: int = 0, device: str = "auto", conditioned: bool = False, cache: Cache | None = None
) -> list[Comparison]:
    """`compare_methods` for one system after the other, telling on standard error which stage is under way.

    Args:
        conditioned: as there, for those systems that have a hidden forcing.

    Raises:
        ValueError: as there; `conditioned`, and no system has a hidden forcing.
    """
    hidden = [conditioned and getattr(system, "hidden_forcing", False) for system in systems]
    if conditioned and not any(hidden):
        names = " and ".join(system.name for system in systems)
        raise ValueError(f"a conditioned score is given the hidden forcing, and {names} has none; leave it out")
    plans = [plan(system, preset, seed=seed, device=device, conditioned=given) for system, given in zip(systems, hidden, strict=True)]
    tell = _teller([stage for each in plans for stage in each.stages], cache)
    found = []
    for each in plans:
        found.append(run(each, cache, tell))
        free_memory()
    return found


def _teller(stages: list[Stage], cache: Cache | None) -> Callable[[Stage], None]:
    """Says "stage 3 of 9: allen-cahn, fit" and, if every stage still to come was timed here before, how long they will take."""
    waiting = list(stages)

    def tell(stage: Stage) -> None:
        times = [None if cache is None else cache.expected_seconds(one) for one in waiting]
        left = "" if None in times else f"; some {sum(times):.0f} s left in all, by the last run of each stage"
        state = "; kept from before" if times[0] == 0 else left
        note(f"stage {len(stages) - len(waiting) + 1} of {len(stages)}: {stage.subject}, {stage.name}{state}")
        waiting.pop(0)

    return tell


def ship_results(found: Sequence[Comparison], preset: str, seed: int, *, command: str, folder: str | Path = ASSETS) -> list[Path]:
    """Ship what lessons show instead of computing it: of each system the learned score and its responses.

    As <system>-<method> a response comes controlled where there is such a form, else raw; and beside that, as <system>-<method>-normalised,
    in the letter's form.

    Raises:
        ValueError: a file would be larger than 2 MB.
    """
    paths = []
    for one in found:
        name, about = one.system.name, {"command": command, "folder": folder, "seed": seed}
        config = {"preset": preset, "system": name, "parameters": parameters(one.system)}
        spent = {stage: told["seconds"] for stage, told in one.stages.items()}
        paths.append(ship_score(name, one.scores["generative"], **about, seconds=spent["fit"], config=config))
        for method in [method for method in SHIPPED if method in one.responses]:
            seconds = spent["respond"] + (spent["fit"] if method == "generative" else 0.0)
            best = one.responses.get(f"{method}_controlled", one.responses[method])
            for suffix, response in (("", best), ("-normalised", one.responses.get(f"{method}_normalised"))):
                if response is not None:
                    paths.append(ship(f"{name}-{method}{suffix}", response, **about, seconds=seconds))
    return paths


def shipped_comparison(name: str) -> Comparison:
    """What `ship_results` shipped of a system, with a field drawn now and the truth that needs no run.

    Raises:
        ValueError: an unknown system, or one of which no responses are shipped.
    """
    system = make_system(name)
    known = manifest()
    names = [f"{name}-{method}{suffix}" for method in SHIPPED for suffix in ("", "-normalised")]
    answers = [load_shipped(each) for each in names if each in known]
    if not answers:
        raise ValueError(f"no responses of {name} are shipped; `python -m gfdt_tutorial assets` makes them")
    times = answers[0].times
    truth = truth_of(system, float(times[-1]), float(times[1]))
    snapshot = simulate(system, members=1, duration=1.0, device="cpu").u[0, -1]
    found = Comparison(system, snapshot, truth, "cpu", {truth.method: truth})
    for answer in answers:
        found.add(answer)
    return found


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
        size.pairs if pairs is None else pairs,
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


@dataclass(frozen=True)
class ScoreCheck:
    """How good a score of the double well is, and the responses of mean and variance that it gives; errors are relative, root mean square.

    Attributes:
        answer: from the data, (lag, 2).
        score: (⟨|s − s*|²⟩/⟨|s*|²⟩)^½ under the exact density.
        mean, variance: of that response, over lags > 0.
        both: of the two as one vector, the L2 of `compare` over that of the truth.
        endless: `both` with the average over endless data, so that what is left is the fault of the score.
    """

    answer: Response
    score: float
    mean: float
    variance: float
    both: float
    endless: float


def check_score(system: DoubleWell, score: Callable, data: TimeSeries, lags: float = 2.0) -> ScoreCheck:
    """The impulse response of mean and variance by one score, against the exact one.

    The average runs over the data both ways in time, as one variable in a potential is reversible. The observable is centred on the mean
    of the data for the answer, on the exact mean for the truth.

    Raises:
        ValueError: as `respond`.
    """
    answer = respond(data.both_ways(), score, lags, observable=Moments(float(data.u.mean())))
    moments = Moments(float(system.average(torch.clone)))
    truth, endless = (system.response(answer.times, moments, one) for one in (system.score, score))
    off = score(system.points) - system.score(system.points)
    squares = [system.average(lambda x, f=field: f.square()) for field in (off, system.score(system.points))]
    return ScoreCheck(
        answer,
        float((squares[0] / squares[1]).sqrt()),
        *(_relative(answer.values[:, part], truth[:, part]) for part in (0, 1)),
        _relative(answer.values, truth),
        _relative(endless, truth),
    )


def _relative(values: torch.Tensor, truth: torch.Tensor) -> float:
    return float((values - truth)[1:].norm() / truth[1:].norm())


def metrics(found: list[Comparison], preset: str, seed: int) -> dict:
    """The public form of metrics.json."""
    versions = {name: version(name) for name in ("gfdt-tutorial", "torch", "numpy", "scipy")}
    about = {"format": FORMAT, "preset": preset, "seed": seed, "device": found[0].device, "versions": versions}
    about |= {"peak_rss_mb": peak_memory_mb()}
    return about | {"systems": {one.system.name: _system_metrics(one) for one in found}}


def peak_memory_mb() -> float | None:
    """The largest resident size of this process so far, in MB; None where the system does not tell."""
    try:
        # not getrusage: on Linux its figure starts from that of the parent process
        status = Path("/proc/self/status").read_text(encoding="utf-8")
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
    """The public form of responses.npz: format, <system>/times, and <system>/<method>, <method>_normalised and <method>_controlled, each
    (lag, y, x)."""
    values = {f"{one.system.name}/{name}": response.values for one in found for name, response in one.responses.items()}
    return {"format": torch.tensor(FORMAT)} | {f"{one.system.name}/times": one.truth.times for one in found} | values


def _system_metrics(one: Comparison) -> dict:
    twins = one.responses.get("dynamical")
    noise = [] if twins is None else twins.standard_error.flatten(1).norm(dim=1).tolist()
    source = "closed form" if one.truth.method == "exact" else "shipped" if "shipped" in one.truth.info else "computed"
    truth = {"source": source, "pairs": 0 if twins is None else twins.info["pairs"], "l2_se": noise}
    return {
        "seconds": one.seconds,
        "stages": one.stages,
        "truth": truth,
        "checks": one.checks,
        "methods": {name: error_metrics(error) for name, error in one.errors.items()},
    }
