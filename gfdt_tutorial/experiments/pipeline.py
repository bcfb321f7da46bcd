"""One experiment in stages: a score is fitted, twins are kicked, responses are averaged and compared.

    fit        unperturbed data, and the score learned from them (fit_conditioned: a second score, given the hidden forcing)
    perturb    kicked twins
    forecast   other unperturbed data, and a forecast learned from each half of them (given what the last score is given)
    respond    all responses that the scores give on these data; the last score together with the forecasts

Each stage can be cached under a hash of exactly what it depends on; the comparison is computed each time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.experiments.averaging import StageResponses, average_responses, key_of
from gfdt_tutorial.experiments.cache import Cache, Serializer, Stage, StageResult, fetch
from gfdt_tutorial.experiments.learning import learn, learn_forecast
from gfdt_tutorial.experiments.recording import Recording
from gfdt_tutorial.experiments.shipped import ASSETS, load_shipped
from gfdt_tutorial.responses.errors import Errors, compare
from gfdt_tutorial.responses.kick_patterns import kick_pattern
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import FORMS, Response, exact_response
from gfdt_tutorial.responses.scale_errors import KickError, band_errors, kick_error
from gfdt_tutorial.scores.forecast_files import load_forecast, save_forecast
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import parameters
from gfdt_tutorial.systems.sizes import Ensemble

COMBINED = "combined"  # a method of its own in figures: the score together with a forecast
HEADLINE = "normalised"  # the letter's form, R(t) R(0)⁻¹, which is quoted for a method that has it

FORECASTS = Serializer(save_forecast, load_forecast)
RESPONSES = Serializer(StageResponses.save, StageResponses.load)
TWINS = Serializer(lambda twins, folder: twins.save(folder / "twins.npz"), lambda folder: Response.load(folder / "twins.npz"))


def score_form(device: str) -> Serializer:
    """A learned score, read back to a device."""
    return Serializer(LearnedScore.save, lambda folder: LearnedScore.load(folder).to(device))


@dataclass
class Comparison:
    """The result of an experiment: responses (the truth among them) and errors by key, scores by method, seconds by part.

    Beside the errors of a response over the whole field stand those by band of wavenumbers, `bands`, and that of the response to a bump,
    `bumps`, against `smooth`, the truth of smooth kicks, where there is one.

    `stages` gives for each stage the seconds of its computation, and whether it was read from a cache or resumed.
    """

    system: System
    snapshot: torch.Tensor
    truth: Response
    device: str
    responses: dict[str, Response] = field(default_factory=dict)
    errors: dict[str, Errors] = field(default_factory=dict)
    smooth: Response | None = None
    bands: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    bumps: dict[str, KickError] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)
    scores: dict[str, LearnedScore] = field(default_factory=dict)
    stages: dict[str, dict[str, float | bool]] = field(default_factory=dict)

    @property
    def headline(self) -> dict[str, str]:
        """Method → key of the response to quote for it: in the letter's form if there is one, otherwise raw; and "combined" → our own."""
        found: dict[str, str] = {}
        for key, response in self.responses.items():
            if response.form == COMBINED:
                found[COMBINED] = key
                continue
            if response.method not in found or response.form == HEADLINE:
                found[response.method] = key
        return found

    def add(self, response: Response) -> None:
        """Add a response under its key, with its errors."""
        key = key_of(response)
        self.responses[key] = response
        self.errors[key] = compare(response, self.truth)
        if response.grid is not None and response.grid.shape:
            self.bands[key] = band_errors(response, self.truth)
            if self.smooth is not None:
                self.bumps[key] = kick_error(response, self.smooth, kick_pattern(response.grid, "bump"))


@dataclass(frozen=True)
class Plan:
    """The plan of an experiment: the arguments of its stages, before any of them runs.

    Attributes:
        fitted, data: the unperturbed runs that the scores are fitted to and averaged over.
        training: arguments of `learn` by the name of the stage.
        forecast, twins, averages: arguments of `learn_forecast`, `perturb` and `average_responses`.
    """

    system: System
    size: Ensemble
    device: str
    fitted: Recording
    data: Recording
    training: dict[str, dict]
    forecast: dict
    twins: dict
    averages: dict

    @cached_property
    def stages(self) -> list[Stage]:
        """In the order in which they run."""
        recorded = {"system": self.system.name, "parameters": parameters(self.system)}
        fits = [self._stage(name, learn, {"data": self.fitted.config, **arguments}) for name, arguments in self.training.items()]
        twins = self._stage("perturb", perturb, recorded | self.twins)
        forecast = self._stage("forecast", learn_forecast, {"data": self.data.config, **self.forecast})
        averages = {"data": self.data.config, **self.averages}
        return [*fits, twins, forecast, self._stage("respond", average_responses, averages, (*fits, forecast))]

    def _stage(self, name: str, work: Callable, config: dict, upstream: tuple[Stage, ...] = ()) -> Stage:
        modules = (work.__module__, type(self.system).__module__)
        return Stage(self.system.name, name, config, modules, torch.device(self.device).type, upstream)


def plan(system: System, preset: str, *, seed: int, device: str, conditioned: bool) -> Plan:
    """The stages of `compare_methods`.

    Raises:
        ValueError: an unknown preset or device, or `conditioned` for a system without hidden forcing.
    """
    if conditioned and not system.hidden_forcing:
        raise ValueError(f"a conditioned score is given the hidden forcing, and {system.name} has none; leave it out")
    size, where = system.ensemble(preset), str(checks.resolve_device(device))
    closed = system.has("response")
    symmetries = () if closed else tuple(name for name in system.symmetries if name != "sign")
    spinup = system.spinup if size.spinup is None else size.spinup
    fit = (size.fit_members or size.members, spinup, size.fit_duration or size.duration, size.fit_every or size.every)
    contexts = {"fit": False} | ({"fit_conditioned": True} if conditioned else {})
    return Plan(
        system,
        size,
        where,
        fitted=Recording(system, *fit, seed + 1000, where, conditioned),
        data=Recording(system, size.members, spinup, size.duration, size.every, seed, where, conditioned),
        training={name: {"preset": preset, "seed": seed, "context": context} for name, context in contexts.items()},
        forecast={"lags": size.lags, "preset": preset, "seed": seed, "context": conditioned},
        twins={
            "lags": size.lags,
            "pairs": size.pairs,
            "seed": seed + 1,
            "every": size.every,
            "kick": system.kick,
            "amplitude": size.amplitude,
            "spinup": system.spinup if size.twin_spinup is None else size.twin_spinup,
            "symmetries": symmetries,
        },
        averages={"lags": size.lags, "symmetries": symmetries, "thin": size.thin, "forms": FORMS[:2] if closed else FORMS[:3]},
    )


def run(planned: Plan, cache: Cache | None = None, begin: Callable[[Stage], None] = lambda stage: None) -> Comparison:
    """Run an experiment: read every stage from the cache or compute it, and compare the responses.

    Args:
        planned: from `plan`.
        cache: None to compute every stage.
        begin: called with each stage before it runs.

    Raises:
        KeyboardInterrupt: re-raised; a cache keeps the completed stages and the checkpoint of the interrupted one.
    """
    *fits, twins, forecast, respond = planned.stages
    kept: dict[str, StageResult] = {}

    def staged(stage: Stage, make: Callable[..., Any], form: Serializer) -> Any:
        begin(stage)
        kept[stage.name] = fetch(cache, stage, make, form)
        return kept[stage.name].value

    reading = score_form(planned.device)
    scores = [staged(stage, partial(learn, planned.fitted, **planned.training[stage.name]), reading) for stage in fits]
    planned.fitted.release()
    staged(twins, partial(perturb, planned.system, **planned.twins, device=planned.device), TWINS)
    ahead = staged(forecast, partial(learn_forecast, planned.data, **planned.forecast), FORECASTS)
    staged(respond, lambda checkpoint: average_responses(planned.data, scores, ahead, **planned.averages), RESPONSES)
    planned.data.release()
    return _compared(planned, kept, scores)


def _compared(planned: Plan, kept: dict[str, StageResult], scores: list[LearnedScore]) -> Comparison:
    system, size, twins, averaged = planned.system, planned.size, kept["perturb"].value, kept["respond"].value
    closed = system.has("response")
    truth = truth_of(system, size.lags, size.every) or twins
    found = Comparison(
        system,
        averaged.snapshot,
        truth,
        averaged.responses["gaussian"].info["device"],
        {truth.method: truth},
        smooth=truth if closed else shipped_smooth_truth(system, size.lags, size.every),
        seconds={name: one.seconds for name, one in kept.items()} | averaged.seconds,
        checks=dict(averaged.checks),
        scores={score.method: score for score in scores},
        stages={name: {"seconds": one.seconds, "cached": one.cached, "resumed": one.resumed} for name, one in kept.items()},
    )
    for response in averaged.responses.values():
        found.add(response)
    if closed:
        found.add(twins)
    else:
        found.checks["own_twins_l2"] = compare(twins, truth).quoted["l2"]
    if "analytic" in found.responses:
        found.checks["l2_from_analytic"] = compare(found.responses["generative"], found.responses["analytic"]).quoted["l2"]
    return found


def truth_of(system: System, lags: float, every: float = 1.0) -> Response | None:
    """The truth that needs no run: the closed form, otherwise the shipped truth if it was computed for exactly this system."""
    return exact_response(system, lags=lags, every=every) if system.has("response") else shipped_truth(system, lags, every)


def shipped_truth(system: System, lags: float, every: float) -> Response | None:
    """The shipped reference truth, if it was computed for exactly this system and contains these lags."""
    found = None if system.reference is None else _shipped_for(system, f"{system.name}-truth", every)
    return found if found is not None and lags <= float(found.times[-1]) else None


def shipped_smooth_truth(system: System, lags: float, every: float) -> Response | None:
    """The shipped truth of smooth kicks, likewise, at those of its lags that are asked for."""
    found = None if system.smooth_reference is None else _shipped_for(system, f"{system.name}-truth-smooth", every)
    if found is None:
        return None
    stride = round(every / float(found.times[1]))
    rows = torch.arange(0, len(found.times), stride)
    rows = rows[found.times[rows] <= lags * (1 + 1e-9)]
    parts = None if found.parts is None else found.parts[:, rows]
    error = None if found.standard_error is None else found.standard_error[rows]
    return replace(found, times=found.times[rows], values=found.values[rows], standard_error=error, parts=parts)


def _shipped_for(system: System, name: str, every: float) -> Response | None:
    """A shipped truth, if it was computed for this very system at lags that include these."""
    if not (ASSETS / f"{name}.npz").exists():
        return None
    found = load_shipped(name)
    return found if found.info["parameters"] == parameters(system) and every % float(found.times[1]) == 0 else None
