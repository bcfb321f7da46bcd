"""One series, from the file to the response: checks before trust, a score learned, its diagnostics, the response with bands."""

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.hidden_memory import HiddenMemory, hidden_memory
from gfdt_tutorial.data.hidden_memory_of_fields import hidden_memory_of_fields
from gfdt_tutorial.data.preparation import prepare
from gfdt_tutorial.data.suitability import Suitability, examine
from gfdt_tutorial.data.verdicts import Agreement, kicked, verdict
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.steins_identity import GRADES, TOLERANCES, Identity, identity

FARTHEST = 100  # steps of lag of a field, by default
LONGEST = 20_000  # the same of a number
TESTED = ("tiny", "quick")  # presets with which fields are tested for hidden memory, which doubles the training
FILES = ("report.html", "responses.npz", "analysis.json")


@dataclass(frozen=True)
class Analysis:
    """What `analyse` found.

    Attributes:
        data: the series.
        suitability: the checks.
        scores: learned from the first and from the second half of the data.
        identities: by method, "gaussian" and "generative".
        responses: by method, with bands.
        halves: whether the generative responses of both halves agree.
        hidden: whether the series remembers more than it shows; None where that was not tested.
        forced: whether it went on although a check refuses.
        notes: warnings that came up.
        about: how it was made, as plain JSON values.
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
    about: dict = field(default_factory=dict)

    @property
    def grades(self) -> dict[str, str]:
        """ "passes", "cannot tell" or "fails" by method: of the identities, and of the halves for the learned scores."""
        gaussian, generative = (self.identities[name].grade for name in ("gaussian", "generative"))
        return {"gaussian": gaussian, "generative": max(generative, self.halves.grade, key=GRADES.index)}

    @property
    def grade(self) -> str:
        """That of the better method; but "cannot tell" at best if hidden memory was found, and "fails" without a smooth density."""
        best = "fails" if self.suitability.stepped else min(self.grades.values(), key=GRADES.index)
        return "cannot tell" if best == "passes" and self.remembers else best

    @property
    def remembers(self) -> bool:
        """Whether hidden memory was found."""
        return self.hidden is not None and self.hidden.verdict == "found"

    @property
    def verdict(self) -> str:
        """Which response to believe, and how far."""
        return verdict(self.grades, self.grade, self.identities, self.hidden, self.suitability.stepped)

    @property
    def kicked(self) -> str:
        """What the kick does, and what it leaves open."""
        return kicked(bool(self.data.grid.shape))

    def summary(self) -> dict:
        """All but the arrays, as plain JSON values; a number that could not be had is null."""
        found = {
            **self.about,
            "forced": self.forced,
            "checks": {check.name: asdict(check) for check in self.suitability.checks},
            "decorrelation_time": self.suitability.decorrelation,
            "independent_times": self.suitability.effective,
            "mean": self.suitability.mean,
            "spread": self.suitability.spread,
            "identities": {name: asdict(found) | {"grades": found.grades} for name, found in self.identities.items()},
            "grade": self.grade,
            "grades": self.grades,
            "verdict": self.verdict,
            "kicked": self.kicked,
            "tolerances": TOLERANCES,
            "halves": asdict(self.halves) | {"grade": self.halves.grade},
            "hidden_memory": None if self.hidden is None else self.hidden.plain(),
            "notes": list(self.notes),
        }
        return storage.nulls(found)

    def arrays(self) -> dict[str, torch.Tensor]:
        """times, and of each method its values and band, by displacement."""
        found = {"times": next(iter(self.responses.values())).times}
        for name, response in self.responses.items():
            found |= {name: response.values, f"{name}/band": response.band}
        return found

    def save(self, folder: str | Path, page: bytes) -> list[Path]:
        """Write report.html (`page`), responses.npz and analysis.json, all three or none, and the learned scores in score-1 and score-2."""
        folder, about = storage.check_folder(folder, FILES), storage.json_bytes(self.summary())
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / name for name in FILES]
        for index, score in enumerate(self.scores, start=1):
            score.save(folder / f"score-{index}")
        with storage.atomic(*paths) as [report, arrays, summary]:
            report.write(page)
            storage.write_npz(arrays, self.arrays())
            summary.write(about)
        return paths


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
    tell: Callable[[str], None] = lambda stage: None,
) -> Analysis:
    """Checks, score, diagnostics and response of a series.

    Each half of the data is averaged with the score learned from the other half, so that no score meets what it was fitted to, and no data
    are lost; the two answers are then averaged. The generative response takes the Gaussian one as control variate.

    Args:
        preset: of the training; see `fit_score`.
        lags: the largest, in time units; twice the decorrelation time by default, up to half of either half. The default of a field ends
            at 100 steps, that of a number at 20,000, and a note says so.
        seed: of the two trainings, seed and seed + 1.
        confidence: level of the bands.
        periods: of likely seasons, in time units, for which the series is tested before all others are searched.
        deseasonalise: the period of a season to take off before the checks, in time units; see `preparation.deseasonalise`.
        detrend, centre_members: whether to take off a straight line, and the differences between the means of members, before the checks.
            The report lists what was done.
        tell: called with the name of each stage before it runs.
        force: go on although a check refuses the data. The answer is then that of an average time and an average place, if of anything.

    Raises:
        ValueError: a check refuses; data too short or without variance; an unknown preset or device.
        KeyboardInterrupt: as it came.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, simulate
    >>> found = analyse(simulate(OrnsteinUhlenbeck(), members=16, duration=300.0), preset="tiny", lags=10.0)
    >>> sorted(found.responses), found.responses["generative"].values.shape
    (['gaussian', 'generative'], torch.Size([11, 32, 32]))
    """
    checks.choice("preset", preset, ("tiny", "quick", "standard", "paper"))
    where, clock = str(checks.resolve_device(device)), _Clock(tell)
    data = prepare(data, detrended=detrend, season=deseasonalise, centred=centre_members)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        found = clock("checks", lambda: examine(data, periods))
        if found.refused and not force:
            said = " ".join(f"{check.name}: {check.finding} {check.advice}" for check in found.refused)
            raise ValueError(f"these data are refused. {said} (Or force it: the report will say so.)")
        lags, halves = _lags(data, lags, found), data.split(0.5)
        gaussian = clock("Gaussian response", lambda: respond(data, GaussianScore.fit(data), lags=lags, confidence=confidence))
        scores = [clock(f"score of half {i + 1}", lambda i=i: _learn(halves[i], preset, seed + i, where)) for i in (0, 1)]
        answers = [
            clock(
                f"response of half {i + 1}",
                lambda i=i: respond(halves[i], scores[1 - i], lags=lags, confidence=confidence, form="controlled"),
            )
            for i in (0, 1)
        ]
        identities = {
            "gaussian": identity(halves, [GaussianScore.fit(half) for half in halves], lags),
            "generative": clock("identities", lambda: identity(halves, scores, lags)),
        }
        hidden = clock("hidden memory", lambda: _hidden(data, halves, scores, found, preset, seed, where))
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
        tuple(scores),
        identities,
        {"gaussian": gaussian, "generative": _average(*answers)},
        Agreement.of(*answers),
        hidden,
        bool(found.refused),
        tuple(dict.fromkeys(str(one.message) for one in caught)),
        about,
    )


class _Clock:
    """Runs one stage after the other, says which, and keeps its seconds."""

    def __init__(self, tell: Callable[[str], None]):
        self.tell, self.seconds = tell, {}

    def __call__(self, name: str, work: Callable):
        self.tell(name)
        start = time.perf_counter()
        found = work()
        self.seconds[name] = round(time.perf_counter() - start, 2)
        return found


def _lags(data: TimeSeries, lags: float | None, found: Suitability) -> float:
    """Those asked for, if either half of the data has them, or those that suit the memory."""
    shortest = min(data.split(0.5), key=lambda half: len(half.times))
    if lags is None:
        wanted = max(2, round(2 * found.decorrelation / data.every))
        most = FARTHEST if data.grid.shape else LONGEST
        if wanted > most:
            warnings.warn(
                f"the memory of {found.decorrelation:.3g} spans {wanted // 2} samples, and the lags end at {most}, long before it: take "
                f"one sample in {-(-wanted // most)} to follow it to its end, or ask for more lags",
                stacklevel=3,
            )
        lags = min(wanted, most, (len(shortest.times) - 1) // 2) * data.every
    shortest.steps(lags)
    return lags


def _hidden(data, halves, scores, found: Suitability, preset: str, seed: int, device: str) -> HiddenMemory | None:
    """The test for hidden memory, where it is cheap and means something: of fields that do not run smoothly, by the presets of minutes."""
    if not data.grid.shape:
        return hidden_memory(data, seed=seed)
    if preset not in TESTED or data.context is not None or found["smoothness"].verdict == "warning":
        return None
    return hidden_memory_of_fields(halves, scores, found.autocorrelation, preset, seed=seed, device=device)


def _learn(half: TimeSeries, preset: str, seed: int, device: str) -> LearnedScore:
    score = fit_score(half, preset=preset, seed=seed, device=device)
    if score.metrics["interrupted"]:
        raise KeyboardInterrupt
    return score


def _average(one: Response, other: Response) -> Response:
    """Of responses from independent data."""
    error = (one.standard_error.square() + other.standard_error.square()).sqrt() / 2
    return replace(one, values=(one.values + other.values) / 2, standard_error=error, dof=one.dof + other.dof)
