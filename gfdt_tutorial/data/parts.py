"""What the analyses of one field and of unlike variables have in common: stages with a clock, lags, averages over halves, and files."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from gfdt_tutorial.core import storage
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.suitability import Suitability
from gfdt_tutorial.responses.response import Response

FIELD_LAGS = 100  # largest default lag of a field, in sampling steps
NUMBER_LAGS = 20_000  # the same for a number
COMPONENT_LAGS = 500  # the same for unlike variables, of which every pair has a product at every lag
FILES = ("report.html", "responses.npz", "analysis.json")

Found = TypeVar("Found")


class Saved(Protocol):
    """A score that can be saved."""

    def save(self, folder: str | Path) -> Path:
        """Write its files to a folder."""
        ...


class Clock:
    """Runs a stage, announces its name, and records its wall-clock seconds."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.tell = tell
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, work: Callable[[], Found]) -> Found:
        self.tell(name)
        start = time.perf_counter()
        found = work()
        self.seconds[name] = round(time.perf_counter() - start, 2)
        return found


def refusal(found: Suitability) -> str:
    """Why a series is refused, and what to do."""
    reasons = " ".join(f"{check.name}: {check.finding} {check.advice}" for check in found.refused)
    return f"these data are refused. {reasons} (To analyse them nevertheless, force it; the report will say so.)"


def checked_lags(data: TimeSeries, lags: float | None, found: Suitability) -> float:
    """The lags that the caller wants, if both halves of the data are long enough for them, or lags that suit the memory."""
    shortest = min(data.split(0.5), key=lambda half: len(half.times))
    if lags is None:
        wanted = max(2, round(2 * found.decorrelation / data.every))
        most = FIELD_LAGS if data.grid.shape else NUMBER_LAGS if data.components is None else COMPONENT_LAGS
        if wanted > most:
            warnings.warn(
                f"the memory of {found.decorrelation:.3g} spans {wanted // 2} samples, and the lags end at {most}, long before it: take "
                f"one sample in {-(-wanted // most)} to follow it to its end, or ask for a larger lag",
                stacklevel=3,
            )
        lags = min(wanted, most, (len(shortest.times) - 1) // 2) * data.every
    shortest.steps(lags)
    return lags


def averaged(one: Response, other: Response) -> Response:
    """Average of two responses from independent data."""
    if one.standard_error is None or other.standard_error is None:
        raise TypeError("responses without standard errors cannot be averaged")
    error = (one.standard_error.square() + other.standard_error.square()).sqrt() / 2
    apart = None if one.deviations is None or other.deviations is None else torch.cat([one.deviations, other.deviations]) / 2
    return replace(one, values=(one.values + other.values) / 2, standard_error=error, dof=one.dof + other.dof, deviations=apart)


def response_arrays(responses: Mapping[str, Response]) -> dict[str, torch.Tensor]:
    """The times, and the values and the confidence band of each method."""
    found = {"times": next(iter(responses.values())).times}
    for name, response in responses.items():
        found[name] = response.values
        if response.band is not None:
            found[f"{name}/band"] = response.band
    return found


def saved(
    folder: str | Path, page: bytes, arrays: Mapping[str, torch.Tensor], summary: Mapping[str, Any], scores: Sequence[Saved]
) -> list[Path]:
    """Write report.html, responses.npz and analysis.json, all three or none, and each score in a folder of its own."""
    folder, about = storage.check_folder(folder, FILES), storage.json_bytes(summary)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in FILES]
    for index, score in enumerate(scores, start=1):
        score.save(folder / f"score-{index}")
    with storage.atomic(*paths) as [report, values, told]:
        report.write(page)
        storage.write_npz(values, arrays)
        told.write(about)
    return paths
