"""One experiment in stages: a score is fitted, twins are kicked, responses are averaged; what they give is compared.

    fit        undisturbed data, and the score learned from them (fit_conditioned: a second one, given the hidden forcing)
    perturb    kicked twins
    respond    other undisturbed data, and every response that the scores give on them

The first three can be kept in a cache, each under a hash of just what it depends on; the comparison is made anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.experiments.averaging import StageResponses, answer, by_key
from gfdt_tutorial.experiments.cache import Cache, Serializer, Stage, StageResult, fetch
from gfdt_tutorial.experiments.learning import learn
from gfdt_tutorial.experiments.recording import Recording
from gfdt_tutorial.experiments.shipped import ASSETS, load_shipped
from gfdt_tutorial.responses.errors import Errors, compare
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import FORMS, Response, exact_response
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import parameters
from gfdt_tutorial.systems.sizes import Ensemble

HEADLINE = "normalised"  # the letter's form, R(t) R(0)⁻¹: what is shown for a method that has it

ANSWERS = Serializer(StageResponses.save, StageResponses.load)
TWINS = Serializer(lambda twins, folder: twins.save(folder / "twins.npz"), lambda folder: Response.load(folder / "twins.npz"))


def score_form(device: str) -> Serializer:
    """A learned score, read back to a device."""
    return Serializer(LearnedScore.save, lambda folder: LearnedScore.load(folder).to(device))


@dataclass
class Comparison:
    """What one experiment gave: responses and errors by method, the truth among the responses, scores by method, seconds by part.

    `stages` tells of each stage its seconds when it was computed, and whether it now came from a cache or was resumed.
    """

    system: System
    snapshot: torch.Tensor
    truth: Response
    device: str
    responses: dict[str, Response] = field(default_factory=dict)
    errors: dict[str, Errors] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)
    scores: dict[str, LearnedScore] = field(default_factory=dict)
    stages: dict[str, dict] = field(default_factory=dict)

    @property
    def headline(self) -> dict[str, str]:
        """Method → key of the response to show for it: in the letter's form where there is one, else raw."""
        found: dict[str, str] = {}
        for key, response in self.responses.items():
            if response.method not in found or response.form == HEADLINE:
                found[response.method] = key
        return found

    def add(self, response: Response) -> None:
        """File a response under its method, with its errors."""
        for key in by_key([response]):
            self.responses[key] = response
            self.errors[key] = compare(response, self.truth)


@dataclass(frozen=True)
class Plan:
    """An experiment laid out: what its stages take, before any of them runs.

    Attributes:
        fitted, data: the undisturbed runs that scores are fitted to and averaged over.
        training: arguments of `learn` by the name of its stage.
        twins, answers: arguments of `perturb` and `answer`.
    """

    system: System
    size: Ensemble
    device: str
    fitted: Recording
    data: Recording
    training: dict[str, dict]
    twins: dict
    answers: dict

    @cached_property
    def stages(self) -> list[Stage]:
        """In the order in which they run."""
        recorded = {"system": self.system.name, "parameters": parameters(self.system)}
        fits = [self._stage(name, learn, {"data": self.fitted.config, **arguments}) for name, arguments in self.training.items()]
        twins = self._stage("perturb", perturb, recorded | self.twins)
        return [*fits, twins, self._stage("respond", answer, {"data": self.data.config, **self.answers}, tuple(fits))]

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
        answers={"lags": size.lags, "symmetries": symmetries, "thin": size.thin, "forms": FORMS[:2] if closed else FORMS},
    )


def run(planned: Plan, cache: Cache | None = None, begin: Callable[[Stage], None] = lambda stage: None) -> Comparison:
    """The experiment: every stage from the cache or computed, and their comparison.

    Args:
        begin: called with each stage before it runs.

    Raises:
        KeyboardInterrupt: as it came; a cache keeps what is done and the checkpoint of what was under way.
    """
    *fits, twins, respond = planned.stages
    kept: dict[str, StageResult] = {}

    def staged(stage: Stage, make: Callable, form: Serializer):
        begin(stage)
        kept[stage.name] = fetch(cache, stage, make, form)
        return kept[stage.name].value

    reading = score_form(planned.device)
    scores = [staged(stage, partial(learn, planned.fitted, **planned.training[stage.name]), reading) for stage in fits]
    planned.fitted.let_go()
    staged(twins, partial(perturb, planned.system, **planned.twins, device=planned.device), TWINS)
    staged(respond, lambda checkpoint: answer(planned.data, scores, **planned.answers), ANSWERS)
    planned.data.let_go()
    return _compared(planned, kept, scores)


def _compared(planned: Plan, kept: dict[str, StageResult], scores: list[LearnedScore]) -> Comparison:
    system, size, twins, answers = planned.system, planned.size, kept["perturb"].value, kept["respond"].value
    closed = system.has("response")
    truth = truth_of(system, size.lags, size.every) or twins
    found = Comparison(
        system,
        answers.snapshot,
        truth,
        answers.responses["gaussian"].info["device"],
        {truth.method: truth},
        seconds={name: one.seconds for name, one in kept.items()} | answers.seconds,
        checks=dict(answers.checks),
        scores={score.method: score for score in scores},
        stages={name: {"seconds": one.seconds, "cached": one.cached, "resumed": one.resumed} for name, one in kept.items()},
    )
    for response in answers.responses.values():
        found.add(response)
    if closed:
        found.add(twins)
    else:
        found.checks["own_twins_l2"] = compare(twins, truth).quoted["l2"]
    if "analytic" in found.responses:
        found.checks["l2_from_analytic"] = compare(found.responses["generative"], found.responses["analytic"]).quoted["l2"]
    return found


def truth_of(system: System, lags: float, every: float = 1.0) -> Response | None:
    """The truth that needs no run: the closed form, else the shipped one if it was made for just this system."""
    return exact_response(system, lags=lags, every=every) if system.has("response") else shipped_truth(system, lags, every)


def shipped_truth(system: System, lags: float, every: float) -> Response | None:
    """The shipped reference truth, if it was made for just this system and has these lags."""
    name = f"{system.name}-truth"
    if system.reference is None or not (ASSETS / f"{name}.npz").exists():
        return None
    found = load_shipped(name)
    fits = found.info["parameters"] == parameters(system) and lags <= float(found.times[-1]) and every % float(found.times[1]) == 0
    return found if fits else None
