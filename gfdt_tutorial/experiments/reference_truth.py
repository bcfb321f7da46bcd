"""The truth of a system: its closed form, or the long run of kicked twins."""

from pathlib import Path

from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response, exact_response
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import system_of


def truth_for(answer: Response) -> Response:
    """The closed-form response at the lags of an answer, for the system that made its data."""
    return exact_response(system_of(answer.info.get("data", {})), lags=float(answer.times[-1]), every=float(answer.times[1]))


def reference_truth(
    system: System,
    *,
    pairs: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    cluster: str | None = None,
) -> Response:
    """The long truth of a system: minutes to an hour of one core, resumable from its checkpoint; see `perturb` for a `cluster`.

    Raises:
        ValueError: a system whose truth is a closed form; no such cluster.
        ConnectionError: the cluster went away.
    """
    size = system.reference
    if size is None:
        raise ValueError(f"{system.name} names no size of a long reference truth: its truth is a closed form, or comes from perturb")
    restarts = size.restarts if pairs is None else 1
    return perturb(
        system,
        lags=size.lags,
        pairs=size.pairs if pairs is None else pairs,
        seed=size.seed if seed is None else seed,
        every=size.every,
        kick=size.kick,
        amplitude=size.amplitude,
        spinup=size.spinup,
        restarts=restarts,
        symmetries=tuple(name for name in system.symmetries if name != "sign"),
        device=device,
        checkpoint=checkpoint,
        cluster=cluster,
    )
