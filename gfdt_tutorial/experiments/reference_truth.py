"""The truth of a system: its closed form, or a long run of kicked twins."""

from pathlib import Path

from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response, exact_response
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import system_of


def truth_for(response: Response) -> Response:
    """The closed-form response at the lags of another response, for the system that generated its data.

    Raises:
        ValueError: the data do not name their system, or this has no closed form.
    """
    return exact_response(system_of(response.info.get("data", {})), lags=float(response.times[-1]), every=float(response.times[1]))


def reference_truth(
    system: System,
    *,
    smooth: bool = False,
    pairs: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    cluster: str | None = None,
) -> Response:
    """The long reference truth of a system, of the size that its class defines; it takes one core minutes to an hour.

    Args:
        smooth: the truth of smooth kicks instead of that of a kick of one pixel.
        pairs: number of kicked twins, with one kick each; by default those of the system, with its restarts.
        seed: that of the system by default.
        checkpoint: a file from which an interrupted run continues.
        cluster: see `perturb`.

    Raises:
        ValueError: a system that defines no size of a reference truth; no such cluster.
        ConnectionError: the connection to the cluster was lost.
    """
    size = system.smooth_reference if smooth else system.reference
    if size is None:
        raise ValueError(f"{system.name} names no size of a long reference truth; its truth is a closed form, or comes from perturb")

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
