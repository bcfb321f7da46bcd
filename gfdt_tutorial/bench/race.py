"""Several programs raced on one core: each in a process of its own, and timed in turn, so that a busy machine slows all of them."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection

import numpy as np

from gfdt_tutorial.bench.rows import elapsed
from gfdt_tutorial.core import threads

Run = Callable[[], np.ndarray]
Runs = Mapping[str, Run]  # the runs of one process, by name


def race(contestants: Mapping[str, Callable[[], Runs]], repeats: int) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Time runs in turn; each process holds the runs that one function builds.

    Args:
        contestants: name → function that builds runs.

    Returns:
        The seconds of each run, and what it returned, by the names that the functions gave.
    """
    with ExitStack() as stack:
        pipes: dict[str, Connection] = {}
        found: dict[str, np.ndarray] = {}
        for build in contestants.values():
            pipe = stack.enter_context(_process(build))
            for name, result in pipe.recv().items():
                pipes[name], found[name] = pipe, result
        seconds: dict[str, list[float]] = {name: [] for name in pipes}
        for _ in range(repeats):
            for name, pipe in pipes.items():
                pipe.send(name)
                seconds[name].append(pipe.recv())
    return seconds, found


@contextmanager
def _process(build: Callable[[], Runs]) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, build), daemon=True)
    process.start()
    its.close()
    try:
        yield mine
    finally:
        mine.close()
        process.join()


def _serve(pipe: Connection, build: Callable[[], Runs]) -> None:
    """Send what the runs return; then repeat the run that is asked for and send its seconds, as often as asked."""
    _one_core()
    with threads.one_thread(), suppress(EOFError):
        runs = build()
        pipe.send({name: run() for name, run in runs.items()})
        while True:
            pipe.send(elapsed(runs[pipe.recv()]))


def _one_core() -> None:
    """Allow no threads, and the same core for all where the operating system permits a choice; before a peer is imported."""
    os.environ |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", "NUMBA_NUM_THREADS": "1"}
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
