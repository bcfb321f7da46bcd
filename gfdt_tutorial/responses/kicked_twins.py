"""The true response to a kick: pairs of runs that feel the same noise, one kicked up and one kicked down."""

from pathlib import Path

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.cluster import workers
from gfdt_tutorial.core.progress import progress
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.twin_runs import KICK_KINDS
from gfdt_tutorial.responses.twins import Twins
from gfdt_tutorial.systems.base import System

__all__ = ["KICK_KINDS", "SAVE_EVERY", "Twins", "perturb"]  # what others use of the experiment stands here, too

SAVE_EVERY = 512  # pairs, about, between two checkpoints


def perturb(
    system: System,
    *,
    lags: float = 90.0,
    pairs: int = 512,
    seed: int = 0,
    every: float = 1.0,
    kick: str = "pixel",
    amplitude: float = 1 / 16,
    spinup: float | None = None,
    restarts: int = 1,
    control: bool = True,
    symmetries: tuple[str, ...] = (),
    device: str = "auto",
    confidence: float = 0.90,
    checkpoint: str | Path | None = None,
    cluster: str | None = None,
) -> Response:
    """The dynamical response: (u₊ − u₋)/2δ for twins kicked by ±δ, with the same noise, averaged over pairs.

    The central difference removes the quadratic term of the kick. In a linear system the common noise cancels exactly, and a single
    pair gives the response to rounding; in a chaotic one the pairs scatter, and `standard_error` is the size of that scatter in the mean.

    Args:
        system: to be kicked.
        lags: the largest lag, in time units; a multiple of `every`.
        pairs: how many; 16 or more, so that the truth can be split in as many parts.
        seed: of start and noise, which are independent of those of `simulate` with the same seed.
        every: spacing of the lags.
        kick: "pixel", ±δ at pixel (0, 0); or "random signs", ±δ with an independent sign at every pixel, correlated out afterwards:
            every pixel then serves as the kicked one. With J one column of the propagator, the L2 error is ((⟨|J|²⟩ − |R|²)/n)^½ for
            one pixel and (⟨|J|²⟩/n)^½ for random signs, or that of one pixel again with `control`.
        amplitude: δ, in units of the field; the letter's 1/16.
        spinup: time before the kick; the system's own by default.
        restarts: kicks that follow one another in each run, each from where the last pair ended, so that the spin-up is paid once.
            `pairs` must be a multiple; the kicks of one run count as one in the standard error.
        control: for random signs: subtract from each part the response that R predicts for these very signs, and add the mean of that
            prediction back. R is taken from the other parts, so nothing is biased.
        symmetries: of the system, to average over; see `responses.symmetries`. `system.symmetries` names its own.
        device: "auto", "cpu" or "cuda".
        confidence: of the band.
        checkpoint: a file from which the experiment is resumed, if it exists, and which is written at intervals and on an interrupt.
        cluster: address of a dask.distributed scheduler, such as "tcp://host:8786", whose workers run the batches; see `cluster.workers`.
            The response has the bits that this process gives.

    Returns:
        Response, on the CPU, with method "dynamical", a standard error, and 16 independent parts. `info["growth"]` describes how
        the pairs diverge: mean, median and 95 % quantile of |J|² at each lag.

    Raises:
        ValueError: too few pairs, an unknown kick, a size out of range, a checkpoint that is damaged or of another experiment, no such
            cluster.
        DivergedError: a twin left the finite numbers.
        ConnectionError: the cluster went away; it is re-raised once the checkpoint is written.
        KeyboardInterrupt: it is re-raised once the checkpoint is written.

    Warns:
        UserWarning: `lags` is not a multiple of `every`.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck
    >>> perturb(OrnsteinUhlenbeck(), lags=10.0, pairs=16).values.shape
    torch.Size([11, 32, 32])
    """
    experiment = Twins(
        system, lags=lags, pairs=pairs, seed=seed, every=every, kick=kick, amplitude=amplitude, spinup=spinup, restarts=restarts,
        control=control,
        symmetries=symmetries, device=device, confidence=confidence,
    )  # fmt: skip
    with threads.steady(), workers(cluster, device=experiment.device) as run:
        if checkpoint is not None and Path(checkpoint).exists():
            experiment.resume(checkpoint)
        elif checkpoint is not None:
            experiment.save(checkpoint)  # a path that cannot be written fails now, and not after an hour
        try:
            for done in progress(experiment.work(run), total=len(experiment.batches) - experiment.done, label=f"twins {system.name}"):
                if checkpoint is not None and done % max(1, SAVE_EVERY // experiment.batch_pairs) == 0:
                    experiment.save(checkpoint)
        except (KeyboardInterrupt, ConnectionError):
            if checkpoint is not None:
                experiment.save(checkpoint)
            raise
    return experiment.response()
