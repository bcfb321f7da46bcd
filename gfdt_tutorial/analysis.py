"""One series, from the file to the response: checks before trust, a score learned, its diagnostics, the response with bands."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import torch

from gfdt_tutorial import checks, storage
from gfdt_tutorial.responses.curves import Response, signed_root
from gfdt_tutorial.responses.gfdt import respond
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.suitability import Suitability, examine

FARTHEST = 100  # steps of lag, by default
IDENTITY_FIELDS = 8192  # at which identities are averaged, of each half
FILES = ("report.html", "responses.npz", "analysis.json")
CLOSE, FAINT = 0.05, 0.2  # by which identities may be missed whatever the sampling error


@dataclass(frozen=True)
class Identity:
    """Averages that are known for the true score, on data that the score was not fitted to; v = (u − ⟨u⟩)/std u, s per unit of v.

    Attributes:
        linear: −⟨v s⟩, 1.
        cubic: −⟨v³ s⟩/3, 1; for the Gaussian score a third of the kurtosis.
        pairs: (Σ_d ⟨v_i v_j s_{i+d}⟩²)^½ over all displacements d, with j one or two pixels from i along each axis (of a lone number, i),
            0; what sampling adds is taken off, so that it can fall below. It shows what a score overlooks of how neighbours hang together.
        Each is (value, standard error).
    """

    linear: tuple[float, float]
    cubic: tuple[float, float]
    pairs: tuple[float, float]

    @property
    def holds(self) -> bool:
        """Whether `cubic` is 1 within three standard errors or 5 %, and `pairs` is 0 within three or a fifth."""
        (cubic, error), (pairs, noise) = self.cubic, self.pairs
        return abs(cubic - 1) < max(3 * error, CLOSE) and pairs < max(3 * noise, FAINT)


@dataclass(frozen=True)
class Analysis:
    """What `analyse` found.

    Attributes:
        data: the series.
        suitability: the checks.
        scores: learned from the first and from the second half of the data.
        identities: by method, "gaussian" and "generative".
        responses: by method, with bands.
        halves: distance of the generative answers of both halves, over what sampling alone makes it: near 1 if the two scores agree.
        forced: whether it went on although a check refuses.
        notes: warnings that came up.
        about: how it was made, as plain JSON values.
    """

    data: TimeSeries
    suitability: Suitability
    scores: tuple[LearnedScore, LearnedScore]
    identities: dict[str, Identity]
    responses: dict[str, Response]
    halves: float
    forced: bool
    notes: tuple[str, ...]
    about: dict = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Which answer to believe, by the identities."""
        gaussian, generative = (self.identities[name].holds for name in ("gaussian", "generative"))
        if generative and gaussian:
            return "Both scores pass: where the two answers differ by more than their bands, take the generative one."
        if generative:
            return "The learned score passes and the Gaussian one does not: take the generative answer."
        if gaussian:
            return "The Gaussian score passes and the learned one does not: take the Gaussian answer, or train longer (a larger preset)."
        if self.suitability.stepped:
            return "Neither score passes, and none can: these data have no smooth density. Believe neither answer."
        return "Neither score passes: train longer (a larger preset), bring more data, and believe neither answer for now."

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
            "identities": {name: asdict(found) for name, found in self.identities.items()},
            "verdict": self.verdict,
            "halves": self.halves,
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
    preset: str = "quick",
    *,
    lags: float | None = None,
    seed: int = 0,
    level: float = 0.90,
    force: bool = False,
    device: str = "auto",
    tell: Callable[[str], None] = lambda stage: None,
) -> Analysis:
    """Checks, score, diagnostics and response of a series.

    Each half of the data is averaged with the score learned from the other half, so that no score meets what it was fitted to, and no data
    are lost; the two answers are then averaged. The generative response takes the Gaussian one as control variate.

    Args:
        preset: of the training; see `fit_score`.
        lags: the largest, in time units; twice the decorrelation time by default, up to 100 steps and half of either half.
        seed: of the two trainings, seed and seed + 1.
        level: of the bands.
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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        found = clock("checks", lambda: examine(data))
        if found.refused and not force:
            said = " ".join(f"{check.name}: {check.finding} {check.advice}" for check in found.refused)
            raise ValueError(f"these data are refused. {said} (Or force it: the report will say so.)")
        lags, halves = _lags(data, lags, found), data.split(0.5)
        gaussian = clock("Gaussian response", lambda: respond(data, GaussianScore.fit(data), lags, level=level))
        scores = [clock(f"score of half {i + 1}", lambda i=i: _learn(halves[i], preset, seed + i, where)) for i in (0, 1)]
        answers = [
            clock(f"response of half {i + 1}", lambda i=i: respond(halves[i], scores[1 - i], lags, level=level, control=True))
            for i in (0, 1)
        ]
        identities = {
            "gaussian": _identity(halves, [GaussianScore.fit(half) for half in halves]),
            "generative": clock("identities", lambda: _identity(halves, scores)),
        }
    about = {"preset": preset, "seed": seed, "lags": lags, "level": level, "device": where, "data": data.info, "seconds": clock.seconds}
    about |= {"shape": list(data.u.shape), "every": data.every, "versions": {n: version(n) for n in ("gfdt-tutorial", "torch", "numpy")}}
    return Analysis(
        data,
        found,
        tuple(scores),
        identities,
        {"gaussian": gaussian, "generative": _average(*answers)},
        _distance(*answers),
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
        steps = min(FARTHEST, max(2, round(2 * found.decorrelation / data.every)), (len(shortest.times) - 1) // 2)
        lags = steps * data.every
    shortest.steps(lags)
    return lags


def _learn(half: TimeSeries, preset: str, seed: int, device: str) -> LearnedScore:
    score = fit_score(half, preset, seed, device=device)
    if score.metrics["interrupted"]:
        raise KeyboardInterrupt
    return score


def _average(one: Response, other: Response) -> Response:
    """Of answers from independent data."""
    error = (one.standard_error.square() + other.standard_error.square()).sqrt() / 2
    return replace(one, values=(one.values + other.values) / 2, standard_error=error, freedom=one.freedom + other.freedom)


def _distance(one: Response, other: Response) -> float:
    expected = one.standard_error[1:].square() + other.standard_error[1:].square()
    return float(((one.values - other.values)[1:].square().sum() / expected.sum()).sqrt())


def _identity(halves: tuple[TimeSeries, TimeSeries], scores: list) -> Identity:
    """Of each score on the half that it was not fitted to, with errors from the scatter of nearly independent pieces."""
    linear, cubic, pairs = [], [], []
    for half, score in zip(halves, reversed(scores), strict=True):
        thin = -(-half.snapshots // IDENTITY_FIELDS)
        fields, spread = half.u[:, ::thin], half.u.double().std()
        for u in fields.chunk(8, dim=0 if len(fields) >= 8 else 1):
            v, s = (u - half.u.mean()).double() / spread, score(u).double() * spread
            linear.append(-(v * s).mean())
            cubic.append(-(v.pow(3) * s).mean() / 3)
            pairs.append(torch.stack([_crossed(half.grid, v * other, s) for other in _neighbours(half.grid, v)]))
    return Identity(_mean_and_error(torch.stack(linear)), _mean_and_error(torch.stack(cubic)), _size(torch.stack(pairs)))


def _neighbours(grid: PeriodicGrid, v: torch.Tensor) -> list[torch.Tensor]:
    return [v.roll(-step, axis) for axis in grid.axes for step in (1, 2)] or [v]


def _crossed(grid: PeriodicGrid, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """⟨one_i other_{i+d}⟩ at every displacement d, (*shape)."""
    return grid.irfft((grid.rfft(other) * grid.rfft(one).conj()).mean((0, 1))) / grid.size


def _mean_and_error(values: torch.Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def _size(values: torch.Tensor) -> tuple[float, float]:
    """Of the mean over pieces, (piece, ...), as a vector: its length, freed of what sampling adds and signed, and that."""
    noise = float((values.var(0) / len(values)).sum())
    return signed_root(float(values.mean(0).square().sum()) - noise), math.sqrt(noise)
