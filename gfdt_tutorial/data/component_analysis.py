"""The whole analysis of unlike variables: checks of each, a learned score, the matrix of responses in three ways, and what to believe.

It is the analysis of one field (`analysis`), with the tests that unlike variables have: the score is compared with simpler ones on held-out
data (`scores.rungs`), its noise with the thickness of the data, and the response by the score with that by score and forecast together.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.parts import Clock, averaged, checked_lags, refusal, response_arrays, saved
from gfdt_tutorial.data.suitability import Suitability, examine
from gfdt_tutorial.data.verdicts import Agreement
from gfdt_tutorial.responses.causal_map import CausalMap, causal_map, lagged_correlations
from gfdt_tutorial.responses.errors import in_common_units
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.component_score import ComponentScore
from gfdt_tutorial.scores.component_training import MISSED
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.steins_identity import WRONG

DISAGREE = WRONG  # relative, between the response by the score alone and that by score and forecast


@dataclass(frozen=True)
class ComponentAnalysis:
    """The result of `analyse` for unlike variables.

    Attributes:
        data: the series.
        suitability: component → results of the checks of it alone.
        scores: learned from the first and from the second half of the data.
        responses: matrices with bands: "gaussian", "generative" (in the controlled form) and "combined".
        correlations: lagged correlations with bands, for comparison.
        halves: whether the generative responses of the two halves agree, in units of standard deviations.
        forced: whether the analysis continued although a check refuses the series.
        notes: the warnings that were raised.
        about: settings and provenance, as plain JSON values.
    """

    data: TimeSeries
    suitability: Mapping[str, Suitability]
    scores: tuple[ComponentScore, ComponentScore]
    responses: dict[str, Response]
    correlations: Response
    halves: Agreement
    forced: bool
    notes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def findings(self) -> str:
        """The results of the checks in words, variable by variable."""
        return "\n".join(f"{name}\n{one}" for name, one in self.suitability.items())

    @property
    def missed(self) -> float:
        """The largest entry of |⟨u sᵀ⟩ + 1| of either score before its calibration, on data that it has not seen."""
        return max(score.metrics["missed"] for score in self.scores)

    @property
    def disagreement(self) -> float:
        """|R_generative − R_combined| / |R_combined| over all lags and entries, in units of standard deviations."""
        generative, combined = in_common_units(self.responses["combined"], self.responses["generative"], self.responses["combined"])
        return float((generative.values - combined.values).norm() / combined.values.norm().clamp_min(1e-300))

    @cached_property
    def links(self) -> dict[str, CausalMap]:
        """Who drives whom at the first lag, by the combined response and, for comparison, by lagged correlation."""
        return {"response": causal_map(self.responses["combined"]), "lagged correlation": causal_map(self.correlations)}

    @property
    def recommended(self) -> tuple[str, str]:
        """For each half, the simplest score that does as well as the best on held-out data."""
        return self.scores[0].recommended, self.scores[1].recommended

    @property
    def grade(self) -> str:
        """ "passes", "cannot tell" or "fails"."""
        if any(one.discrete for one in self.suitability.values()) or self.halves.grade == "fails":
            return "fails"
        if self.missed > MISSED or self.disagreement > DISAGREE or self.halves.grade == "cannot tell":
            return "cannot tell"
        return "passes"

    @property
    def verdict(self) -> str:
        """Which response to believe, and why."""
        discrete = [name for name, one in self.suitability.items() if one.discrete]
        if discrete:
            return f"Fails: {', '.join(discrete)} has no smooth density, so that no score exists. Leave it out."
        words = [f"{self.grade.capitalize()}: {self._advice()}"]
        if set(self.recommended) == {"gaussian"}:
            words.append(
                "On held-out data no score does better than the Gaussian one: its response is the simplest that these data support."
            )
        words.append(self.halves.finding)
        return " ".join(words)

    def _advice(self) -> str:
        if self.halves.grade == "fails":
            return "the scores of the two halves give different responses. Train longer (a larger preset), or bring more data."
        if self.missed > MISSED:
            return (
                f"before its calibration the score misses ⟨u sᵀ⟩ = −1 by {self.missed:.2f}, so that the data are thinner in some direction "
                "than the noise of training. Believe a response only where score, forecast and both agree; noise on the system would help."
            )
        if self.disagreement > DISAGREE:
            return (
                f"the response by the score and that by score and forecast differ by {self.disagreement:.0%}. Train longer (a larger "
                "preset), or bring more data."
            )
        if self.grade == "cannot tell":
            return "the record is too short to compare its halves. Bring more data."
        return (
            f"the halves agree, and the responses by the score and by score and forecast differ by {self.disagreement:.0%}. Take the "
            "combined one: it is right if either of its parts is."
        )

    @property
    def kicked(self) -> str:
        """What the kick changes, and what it leaves open."""
        return (
            "What is kicked: one variable is raised by one, in its own unit, and the other recorded ones stay as they are. Whatever acts "
            "on them and was not recorded is not held fixed: it has its usual distribution, given the raised value."
        )

    def summary(self) -> dict[str, Any]:
        """All results but the arrays, as plain JSON values; a number that could not be computed is null."""
        found: dict[str, Any] = {
            **self.about,
            "forced": self.forced,
            "checks": {name: {one.name: asdict(one) for one in each.checks} for name, each in self.suitability.items()},
            "rungs": [{name: asdict(rung) for name, rung in score.rungs.items()} for score in self.scores],
            "recommended": list(self.recommended),
            "missed": self.missed,
            "disagreement": self.disagreement,
            "grade": self.grade,
            "verdict": self.verdict,
            "kicked": self.kicked,
            "halves": asdict(self.halves) | {"grade": self.halves.grade},
            "links": {name: [list(link) for link in one.links] for name, one in self.links.items()},
            "notes": list(self.notes),
        }
        return storage.nulls(found)

    def arrays(self) -> dict[str, torch.Tensor]:
        """The times, and the values and the band of each method, (lag, to, from)."""
        return response_arrays(self.responses)

    def save(self, folder: str | Path, page: bytes) -> list[Path]:
        """Write report.html (`page`), responses.npz and analysis.json, all three or none, and the scores in folders score-1 and score-2."""
        return saved(folder, page, self.arrays(), self.summary(), self.scores)


def analyse_components(
    data: TimeSeries,
    *,
    preset: str,
    lags: float | None,
    seed: int,
    confidence: float,
    force: bool,
    device: str,
    periods: tuple[float, ...],
    tell: Callable[[str], object],
) -> ComponentAnalysis:
    """Check each variable, learn a score from each half, and average over the other half; arguments as in `analyse`.

    Raises:
        ValueError: a check refuses one of the variables; components with space; data that are too short.
        KeyboardInterrupt: is re-raised.
    """
    if data.grid.shape:
        raise ValueError("these data are several fields; analyse takes one field, or unlike variables without space")
    where, clock = str(checks.resolve_device(device)), Clock(tell)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        found = clock("checks", lambda: {name: examine(_alone(data, i), periods) for i, name in enumerate(data.components or ())})
        refused = [(name, one) for name, one in found.items() if one.refused]
        if refused and not force:
            raise ValueError(" ".join(f"{name}: {refusal(one)}" for name, one in refused))
        slowest = max(found.values(), key=lambda one: one.decorrelation)
        lags, halves = checked_lags(data, lags, slowest), data.split(0.5)
        scores = [clock(f"score of half {i + 1}", partial(_learn, halves[i], preset, seed + i, where)) for i in (0, 1)]
        pairs = list(zip(halves, reversed(scores), strict=True))  # each half with the score of the other
        forms = {
            form: [
                clock(f"{form} response of half {i}", partial(respond, half, score, lags=lags, confidence=confidence, form=form))
                for i, (half, score) in enumerate(pairs, start=1)
            ]
            for form in ("controlled", "combined")
        }
        correlations = clock("lagged correlations", lambda: lagged_correlations(data, lags=lags, confidence=confidence))
        gaussian = clock("Gaussian response", lambda: respond(data, GaussianScore.fit(data), lags=lags, confidence=confidence))
    both = forms["controlled"]
    about = {"preset": preset, "seed": seed, "lags": lags, "level": confidence, "device": where, "data": data.info}
    about |= {"components": list(data.components or ()), "shape": list(data.u.shape), "every": data.every, "seconds": clock.seconds}
    about |= {"versions": {name: version(name) for name in ("gfdt-tutorial", "torch", "numpy")}}
    return ComponentAnalysis(
        data,
        found,
        (scores[0], scores[1]),
        {"gaussian": gaussian, "generative": averaged(*both), "combined": averaged(*forms["combined"])},
        correlations,
        Agreement.of(*in_common_units(both[0], *both)),
        bool(refused),
        tuple(dict.fromkeys(str(one.message) for one in caught)),
        about,
    )


def _alone(data: TimeSeries, number: int) -> TimeSeries:
    return TimeSeries(data.u[:, :, number], data.times, data.axes.replace("c", ""), info=data.info, copy=False)


def _learn(half: TimeSeries, preset: str, seed: int, device: str) -> ComponentScore:
    score = fit_score(half, preset=preset, seed=seed, device=device)
    if score.metrics["interrupted"]:
        raise KeyboardInterrupt
    assert isinstance(score, ComponentScore)
    return score
