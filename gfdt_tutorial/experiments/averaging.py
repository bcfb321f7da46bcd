"""Stage "respond": undisturbed data, and every response that a Gaussian, an analytic and the learned scores give on them."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from gfdt_tutorial.core import storage
from gfdt_tutorial.experiments.recording import Recording
from gfdt_tutorial.responses.kick_response import respond, respond_in_forms
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.diagnostics import relative_error
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore


@dataclass(frozen=True)
class StageResponses:
    """Responses by key (the method, with the form after it where that is not raw), in order; the last field; seconds and checks by name."""

    responses: dict[str, Response]
    snapshot: torch.Tensor
    seconds: dict[str, float]
    checks: dict[str, float]

    def save(self, folder: Path) -> Path:
        """Write an .npz for each response, snapshot.npz and answers.json to an existing folder."""
        for key, response in self.responses.items():
            response.save(folder / f"{key}.npz", deviations=True)
        storage.save_npz(folder / "snapshot.npz", {"u": self.snapshot})
        return storage.save_json(folder / "answers.json", {"keys": list(self.responses), "seconds": self.seconds, "checks": self.checks})

    @classmethod
    def load(cls, folder: Path) -> "StageResponses":
        """Read what `save` wrote.

        Raises:
            ValueError, OSError: a file is damaged or missing.
        """
        about = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
        responses = {key: Response.load(folder / f"{key}.npz") for key in about["keys"]}
        snapshot = torch.as_tensor(storage.load_npz(folder / "snapshot.npz", ["u"])["u"])
        return cls(responses, snapshot, about["seconds"], about["checks"])


def answer(
    recording: Recording, scores: list[LearnedScore], lags: float, symmetries: tuple[str, ...], thin: int, forms: tuple[str, ...]
) -> StageResponses:
    """Raw responses with the Gaussian score, the analytic one where it is known, and the learned ones.

    Args:
        thin: of the origins at which the learned scores are evaluated.
        forms: of the responses, for every score but the Gaussian one, which has R(0) = 1 on its own data.
    """
    system, seconds = recording.system, {}
    analytic = [system.score] if system.has("score") else []
    options = {"lags": lags, "symmetries": symmetries}
    start = time.perf_counter()
    data = recording.data
    seconds["simulate"] = time.perf_counter() - start
    found = [respond(data, GaussianScore.fit(data), **options)]
    for score in analytic:
        found += respond_in_forms(data, score, forms=forms, **options).values()
    start = time.perf_counter()
    for score in scores:
        found += respond_in_forms(data, score, forms=forms, thin=thin, **options).values()
    seconds["respond"] = time.perf_counter() - start
    errors = {}
    if analytic:
        some = data.u[:, :: len(data.times) // 8].flatten(0, 1)
        errors["relative_error"] = relative_error(scores[0](some), system.score(some))
    return StageResponses(by_key(found), data.u[0, -1].clone(), seconds, errors)


def by_key(responses: Iterable[Response]) -> dict[str, Response]:
    """Responses under their method, with "_normalised" or "_controlled" where they are so."""
    return {key_of(response): response for response in responses}


def key_of(response: Response) -> str:
    """Of a response in metrics.json and responses.npz: <method>, <method>_normalised or <method>_controlled."""
    return response.method + ("" if response.form == "raw" else f"_{response.form}")
