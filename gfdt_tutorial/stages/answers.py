"""Stage "respond": undisturbed data, and every response that a Gaussian, an analytic and the learned scores give on them."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from gfdt_tutorial import storage
from gfdt_tutorial.responses.curves import Response
from gfdt_tutorial.responses.gfdt import respond
from gfdt_tutorial.scores.diagnostics import relative_error
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.stages.recording import Recording


@dataclass(frozen=True)
class Answers:
    """Responses by key (the method, with "_normalised" where it is so), in order; the last field; seconds and checks by name."""

    responses: dict[str, Response]
    snapshot: torch.Tensor
    seconds: dict[str, float]
    checks: dict[str, float]

    def save(self, folder: Path) -> Path:
        """Write an .npz for each response, snapshot.npz and answers.json to an existing folder."""
        for key, response in self.responses.items():
            response.save(folder / f"{key}.npz")
        storage.save_npz(folder / "snapshot.npz", {"u": self.snapshot})
        return storage.save_json(folder / "answers.json", {"keys": list(self.responses), "seconds": self.seconds, "checks": self.checks})

    @classmethod
    def load(cls, folder: Path) -> "Answers":
        """Read what `save` wrote.

        Raises:
            ValueError, OSError: a file is damaged or missing.
        """
        about = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
        responses = {key: Response.load(folder / f"{key}.npz") for key in about["keys"]}
        snapshot = torch.as_tensor(storage.load_npz(folder / "snapshot.npz", ["u"])["u"])
        return cls(responses, snapshot, about["seconds"], about["checks"])


def answer(
    recording: Recording, scores: list[LearnedScore], lags: float, symmetries: tuple[str, ...], thin: int, normalised: bool
) -> Answers:
    """Raw responses with the Gaussian score, the analytic one where it is known, and the learned ones.

    Args:
        thin: of the origins at which the learned scores are evaluated.
        normalised: also R(t) R(0)⁻¹ with the Gaussian response as control variate, for every score but the Gaussian one.
    """
    system, seconds = recording.system, {}
    analytic = [system.score] if hasattr(system, "score") else []
    options = {"lags": lags, "symmetries": symmetries}
    start = time.perf_counter()
    data = recording.data
    seconds["simulate"] = time.perf_counter() - start
    found = [respond(data, score, **options) for score in [GaussianScore.fit(data), *analytic]]
    start = time.perf_counter()
    found += [respond(data, score, thin=thin, **options) for score in scores]
    seconds["respond"] = time.perf_counter() - start
    if normalised:
        found += [respond(data, score, normalise=True, control=True, thin=thin, **options) for score in [*analytic, *scores]]
    errors = {}
    if analytic:
        some = data.u[:, :: len(data.times) // 8].flatten(0, 1)
        errors["relative_error"] = relative_error(scores[0](some), system.score(some))
    return Answers(by_key(found), data.u[0, -1].clone(), seconds, errors)


def by_key(responses: Iterable[Response]) -> dict[str, Response]:
    """Responses under their method, with "_normalised" where they are so."""
    return {response.method + ("_normalised" if response.normalised else ""): response for response in responses}
