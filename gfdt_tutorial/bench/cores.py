"""All cores: how many times as fast two workers are as one, on the same work, timed in turn."""

import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice

from gfdt_tutorial.bench.rows import Row, elapsed
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.kick_response import respond, respond_in_forms
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.scores.fit import suited
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import simulate

WORKERS = 2
STEPS = 20  # of training


def cores(repeats: int = 7, scale: float = 1.0) -> list[Row]:
    """Two workers over one: simulation, twins, responses, evaluation of a score, and training, at the sizes of the preset quick.

    Args:
        scale: of durations and numbers of pairs; smaller for a quick look.
    """
    letter, phases, flow = OrnsteinUhlenbeck(), AllenCahn(), NavierStokes()
    fields = simulate(phases, members=64, duration=float(round(200 * scale)), spinup=5.0)
    stirred = simulate(flow, members=64, duration=float(round(8 * scale)), every=1 / 8, spinup=5.0)
    learned = _training(fields, steps=2).score()
    stirred_score = _training(stirred, steps=2).score()
    twins = partial(perturb, phases, lags=float(round(8 * scale)), pairs=512, kick="random signs", spinup=4.0 * scale)
    work: dict[str, tuple[Callable[[], object], float]] = {
        "simulate, Ornstein-Uhlenbeck": (partial(simulate, letter, members=128, duration=float(round(767 * scale))), 1.7),
        "simulate, Allen-Cahn": (partial(simulate, phases, members=64, duration=float(round(40 * scale)), spinup=2.0), 1.7),
        "simulate, Navier-Stokes": (partial(simulate, flow, members=64, duration=float(round(8 * scale)), every=1 / 16, spinup=2.0), 1.7),
        "perturb, Allen-Cahn": (twins, 1.7),
        "respond, analytic score": (partial(respond, fields, phases.score, lags=float(round(90 * scale)), form="controlled"), 1.7),
        "respond, learned score, three forms": (partial(respond_in_forms, fields, learned, lags=float(round(90 * scale))), 1.7),
        "evaluate a learned score, Allen-Cahn": (partial(learned, fields.u), 1.7),
        "evaluate a learned score, Navier-Stokes": (partial(stirred_score, stirred.u[:16]), 1.7),
        "training, Allen-Cahn": (partial(_training, fields, STEPS), 1.5),
        "training, Navier-Stokes": (partial(_training, stirred, STEPS), 1.5),
    }
    return [Row(f"two workers over one: {name}", _ratio(task, repeats), bound, at_least=True) for name, (task, bound) in work.items()]


def _training(data: TimeSeries, steps: int) -> Training:
    training = Training(data, suited(data, preset="quick"))
    for _ in islice(training, steps):
        pass
    return training


def _ratio(task: Callable[[], object], repeats: int) -> float:
    seconds: dict[int, list[float]] = {}
    for number in (1, WORKERS) * (repeats + 1):  # the first of each starts the pool
        with _workers(number):
            seconds.setdefault(number, []).append(elapsed(task))
    return statistics.median(one / two for one, two in zip(seconds[1][1:], seconds[WORKERS][1:], strict=True))


@contextmanager
def _workers(number: int) -> Iterator[None]:
    before = os.environ.get("GFDT_WORKERS")
    os.environ["GFDT_WORKERS"] = str(number)
    try:
        yield
    finally:
        del os.environ["GFDT_WORKERS"]
        if before is not None:
            os.environ["GFDT_WORKERS"] = before
