"""The whole analysis of a series: checks, a learned score, its diagnostics, and the response with confidence bands."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.folds import Folds
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.component_analysis import ComponentAnalysis, analyse_components
from gfdt_tutorial.data.hidden_memory import HiddenMemory, hidden_memory
from gfdt_tutorial.data.hidden_memory_of_fields import hidden_memory_of_fields
from gfdt_tutorial.data.parts import Clock, averaged, checked_lags, refusal, response_arrays, saved
from gfdt_tutorial.data.preparation import prepare
from gfdt_tutorial.data.suitability import Suitability, examine
from gfdt_tutorial.data.verdicts import Agreement, CrossCheck, kicked, verdict
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.forecast import FittedForecast
from gfdt_tutorial.scores.forecast_fit import fit_forecast
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.steins_identity import GRADES, TOLERANCES, Identity, identity

TESTED = ("tiny", "quick")  # presets with which fields are tested for hidden memory; the test doubles the training


@dataclass(frozen=True)
class Analysis:
    """The result of `analyse`.

    Attributes:
        data: the prepared series.
        suitability: the results of the checks.
        scores: learned from the first and from the second half of the data.
        identities: Stein's identities of each method, "gaussian" and "generative".
        responses: of each method, with confidence bands: "gaussian", "generative" (in the controlled form) and, where the record is long
            enough to learn forecasts from its halves, "combined".
        halves: whether the generative responses of the two halves agree.
        hidden: the test for hidden memory; None where it was not made.
        forced: whether the analysis continued although a check refuses the series.
        notes: the warnings that were raised.
        about: settings and provenance, as plain JSON values.
    """

    data: TimeSeries
    suitability: Suitability
    scores: tuple[LearnedScore, LearnedScore]
    identities: dict[str, Identity]
    responses: dict[str, Response]
    halves: Agreement
    hidden: HiddenMemory | None
    forced: bool
    notes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def grades(self) -> dict[str, str]:
        """The grade of each method, "passes", "cannot tell" or "fails": of its identities, and for the learned scores of the halves too."""
        gaussian, generative = (self.identities[name].grade for name in ("gaussian", "generative"))
        return {"gaussian": gaussian, "generative": max(generative, self.halves.grade, key=GRADES.index)}

    @property
    def grade(self) -> str:
        """The grade of the better method; at best "cannot tell" if hidden memory was found, and "fails" if there is no smooth density."""
        best = "fails" if self.suitability.discrete else min(self.grades.values(), key=GRADES.index)
        return "cannot tell" if best == "passes" and self.remembers else best

    @property
    def findings(self) -> str:
        """The results of the checks in words."""
        return str(self.suitability)

    @property
    def remembers(self) -> bool:
        """Whether hidden memory was found."""
        return self.hidden is not None and self.hidden.verdict == "found"

    @property
    def verdict(self) -> str:
        """Which response to believe, and how far."""
        return verdict(self.grades, self.grade, self.identities, self.hidden, self.suitability.discrete, self.crossed)

    @property
    def crossed(self) -> CrossCheck | None:
        """What the combined response tells of its forecast and of its score; None where there is none."""
        return CrossCheck.of(self.responses["combined"]) if "combined" in self.responses else None

    @property
    def kicked(self) -> str:
        """What the kick changes, and what it leaves open."""
        return kicked(bool(self.data.grid.shape))

    def summary(self) -> dict[str, Any]:
        """All results but the arrays, as plain JSON values; a number that could not be computed is null."""
        found: dict[str, Any] = {
            **self.about,
            "forced": self.forced,
            "checks": {check.name: asdict(check) for check in self.suitability.checks},
            "decorrelation_time": self.suitability.decorrelation,
            "independent_times": self.suitability.independent,
            "mean": self.suitability.mean,
            "spread": self.suitability.spread,
            "identities": {name: asdict(one) | {"grades": one.grades} for name, one in self.identities.items()},
            "grade": self.grade,
            "grades": self.grades,
            "verdict": self.verdict,
            "kicked": self.kicked,
            "tolerances": TOLERANCES,
            "halves": asdict(self.halves) | {"grade": self.halves.grade},
            "combined": None if self.crossed is None else asdict(self.crossed) | {"grade": self.crossed.grade},
            "hidden_memory": None if self.hidden is None else self.hidden.plain(),
            "notes": list(self.notes),
        }
        return storage.nulls(found)

    def arrays(self) -> dict[str, torch.Tensor]:
        """The times, and the values and the confidence band of each method, by displacement."""
        return response_arrays(self.responses)

    def save(self, folder: str | Path, page: bytes) -> list[Path]:
        """Write report.html (`page`), responses.npz and analysis.json, all three or none, and the scores in folders score-1 and score-2."""
        return saved(folder, page, self.arrays(), self.summary(), self.scores)


def analyse(
    data: TimeSeries,
    *,
    preset: str = "quick",
    lags: float | None = None,
    seed: int = 0,
    confidence: float = 0.90,
    force: bool = False,
    device: str = "auto",
    periods: tuple[float, ...] = (),
    deseasonalise: float | None = None,
    detrend: bool = False,
    centre_members: bool = False,
    tell: Callable[[str], object] = lambda stage: None,
) -> Analysis | ComponentAnalysis:
    """Check a series, learn its score, test the score, and compute the response.

    Each half of the data is averaged with the score learned from the other half, so that no score is averaged over the data to which it
    was fitted, and no data are lost; the two responses are then averaged. The generative response has the Gaussian one as control variate.
    The combined response has a forecast beside the score, learned from the same halves; its error is the product of both errors. Unlike
    variables without space get a `ComponentAnalysis`, with matrices of responses.

    Args:
        preset: of the training; see `fit_score`.
        lags: the largest lag, in time units; by default twice the decorrelation time, up to half of either half. The default ends at 100
            sampling steps for a field and at 20,000 for a number, and a note then says so.
        seed: the two trainings have the seeds `seed` and `seed` + 1.
        confidence: level of the confidence bands.
        force: continue although a check refuses the data. The response is then, at best, that of an average time and an average place.
        device: of the training; "auto" is CUDA if available, else the CPU.
        periods: of likely seasons, in time units, which are tested in addition to those of the calendar.
        deseasonalise: period of a season that is removed before the checks, in time units; see `preparation.deseasonalise`.
        detrend, centre_members: whether to remove a straight line, and the differences between the means of members, before the checks.
            The report lists these steps.
        tell: called with the name of each stage before it runs.

    Raises:
        ValueError: a check refuses the data; they are too short or have no variance; the preset or the device is unknown.
        KeyboardInterrupt: is re-raised.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, PeriodicGrid, simulate
    >>> system = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
    >>> found = analyse(simulate(system, members=16, duration=300.0), preset="tiny", lags=10.0)
    >>> sorted(found.responses), found.responses["generative"].values.shape
    (['combined', 'gaussian', 'generative'], torch.Size([11, 8, 8]))
    """
    checks.choice("preset", preset, ("tiny", "quick", "standard", "paper"))
    data = prepare(data, detrended=detrend, season=deseasonalise, centred=centre_members)
    if isinstance(data, TimeSeries) and data.components is not None:
        return analyse_components(
            data, preset=preset, lags=lags, seed=seed, confidence=confidence, force=force, device=device, periods=periods, tell=tell
        )
    where, clock = str(checks.resolve_device(device)), Clock(tell)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        found = clock("checks", lambda: examine(data, periods))
        if found.refused and not force:
            raise ValueError(refusal(found))
        lags, halves = checked_lags(data, lags, found), data.split(0.5)
        gaussian = clock("Gaussian response", lambda: respond(data, GaussianScore.fit(data), lags=lags, confidence=confidence))
        scores = [clock(f"score of half {i + 1}", partial(_learn, halves[i], preset, seed + i, where)) for i in (0, 1)]
        both = [
            clock(
                f"response of half {i + 1}",
                partial(respond, halves[i], scores[1 - i], lags=lags, confidence=confidence, form="controlled"),
            )
            for i in (0, 1)
        ]
        identities = {
            "gaussian": identity(halves, [GaussianScore.fit(half) for half in halves], lags),
            "generative": clock("identities", lambda: identity(halves, scores, lags)),
        }
        ahead = clock("forecasts", partial(_forecasts, data, lags, preset, seed, where))
        responses = {"gaussian": gaussian, "generative": averaged(*both)}
        if ahead is not None:
            cut, alone = len(halves[0].times if len(data.u) == 1 else halves[0].u), len(data.u) == 1
            pair = Folds((scores[0], scores[1]), cut, alone, data.fingerprint)
            together = partial(respond, data, pair, lags=lags, confidence=confidence, forecast=ahead)
            responses["combined"] = clock("combined response", together)
        hidden = clock("hidden memory", lambda: _hidden(data, halves, (scores[0], scores[1]), found, preset, seed, where))
    about = {
        "preset": preset,
        "seed": seed,
        "lags": lags,
        "level": confidence,
        "device": where,
        "data": data.info,
        "seconds": clock.seconds,
    }
    about |= {"shape": list(data.u.shape), "every": data.every, "versions": {n: version(n) for n in ("gfdt-tutorial", "torch", "numpy")}}
    return Analysis(
        data,
        found,
        (scores[0], scores[1]),
        identities,
        responses,
        Agreement.of(*both),
        hidden,
        bool(found.refused),
        tuple(dict.fromkeys(str(one.message) for one in caught)),
        about,
    )


def _hidden(
    data: TimeSeries,
    halves: tuple[TimeSeries, TimeSeries],
    scores: tuple[LearnedScore, LearnedScore],
    found: Suitability,
    preset: str,
    seed: int,
    device: str,
) -> HiddenMemory | None:
    """The test for hidden memory, where it is cheap and meaningful: for numbers, and for fields with rough paths and a short training."""
    if not data.grid.shape:
        return hidden_memory(data, seed=seed)
    if preset not in TESTED or data.context is not None or found["smoothness"].verdict == "warning":
        return None
    return hidden_memory_of_fields(halves, scores, found.autocorrelation, preset, seed=seed, device=device)


def _learn(half: TimeSeries, preset: str, seed: int, device: str) -> LearnedScore:
    score = cast(LearnedScore, fit_score(half, preset=preset, seed=seed, device=device))  # of one field
    if score.metrics["interrupted"]:
        raise KeyboardInterrupt
    return score


def _forecasts(data: TimeSeries, lags: float, preset: str, seed: int, device: str) -> Folds[FittedForecast] | None:
    """A forecast from each half; None, with a warning, where the halves are too short for one."""
    try:
        found = fit_forecast(data, lags, preset=preset, seed=seed, device=device)
    except ValueError as error:
        warnings.warn(f"no forecast could be learned, and so there is no combined response: {error}", stacklevel=2)
        return None
    assert isinstance(found, Folds)
    if any(part.metrics.get("interrupted") for part in found.parts):
        raise KeyboardInterrupt
    return found
