"""Stage "respond": unperturbed data, and the responses that the Gaussian, the analytic and the learned scores give on them."""

import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from gfdt_tutorial.core import storage
from gfdt_tutorial.core.folds import Folds
from gfdt_tutorial.experiments.recording import Recording
from gfdt_tutorial.responses.kick_response import respond, respond_in_forms
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.diagnostics import relative_error
from gfdt_tutorial.scores.forecast import FittedForecast
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore


@dataclass(frozen=True)
class StageResponses:
    """Responses by key (see `key_of`), in order; one field; seconds and checks by name."""

    responses: dict[str, Response]
    snapshot: torch.Tensor
    seconds: dict[str, float]
    checks: dict[str, float]

    def save(self, folder: Path) -> Path:
        """Write an .npz for each response, snapshot.npz and responses.json to an existing folder."""
        for key, response in self.responses.items():
            response.save(folder / f"{key}.npz", deviations=True)
        storage.save_npz(folder / "snapshot.npz", {"u": self.snapshot})
        about = {"keys": list(self.responses), "seconds": self.seconds, "checks": self.checks}
        return storage.save_json(folder / "responses.json", about)

    @classmethod
    def load(cls, folder: Path) -> "StageResponses":
        """Read what `save` wrote.

        Raises:
            ValueError, OSError: a file is damaged or missing.
        """
        about = json.loads((folder / "responses.json").read_text(encoding="utf-8"))
        responses = {key: Response.load(folder / f"{key}.npz") for key in about["keys"]}
        snapshot = torch.as_tensor(storage.load_npz(folder / "snapshot.npz", ["u"])["u"])
        return cls(responses, snapshot, about["seconds"], about["checks"])


def average_responses(
    recording: Recording,
    scores: list[LearnedScore],
    forecast: Folds[FittedForecast],
    lags: float,
    symmetries: tuple[str, ...],
    thin: int,
    forms: tuple[str, ...],
) -> StageResponses:
    """Responses with the Gaussian score, with the analytic score if it is known, and with the learned scores.

    Args:
        forecast: for the combined form, with the last of the learned scores.
        thin: the learned scores are evaluated at every `thin`-th origin.
        forms: of the responses, for every score but the Gaussian one, which has R(0) = 1 on its own data and comes raw only.
    """
    system, seconds = recording.system, {}
    start = time.perf_counter()
    data = recording.data
    seconds["simulate"] = time.perf_counter() - start
    found = [respond(data, GaussianScore.fit(data), lags=lags, symmetries=symmetries)]
    in_forms = partial(respond_in_forms, data, lags=lags, forms=forms, symmetries=symmetries)
    if system.has("score"):
        found += in_forms(system.score).values()
    start = time.perf_counter()
    for score in scores[:-1]:
        found += in_forms(score, thin=thin).values()
    found += in_forms(scores[-1], thin=thin, forms=(*forms, "combined"), forecast=forecast).values()
    seconds["respond"] = time.perf_counter() - start
    errors = {}
    if system.has("score"):
        some = data.u[:, :: len(data.times) // 8].flatten(0, 1)
        errors["relative_error"] = relative_error(scores[0](some), system.score(some))
    return StageResponses({key_of(response): response for response in found}, data.u[0, -1].clone(), seconds, errors)


def key_of(response: Response) -> str:
    """The key of a response in metrics.json and responses.npz: <method>, <method>_normalised, <method>_controlled or <method>_combined."""
    return response.method + ("" if response.form == "raw" else f"_{response.form}")
