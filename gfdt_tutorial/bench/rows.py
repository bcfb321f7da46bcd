"""One row of a bench, and how times are taken: in turn, so that a busy machine slows both, and on one thread."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

MEMBERS = 64


@dataclass(frozen=True)
class Row:
    """One measured figure, and the bound it is held to (None where it is only reported)."""

    what: str
    value: float
    bound: float | None = None
    unit: str = ""


def ratio(work: Callable, floor: Callable, repeats: int) -> float:
    """Median of work over floor, timed in turn so that a busy machine slows both."""
    work()
    floor()
    return one_thread(lambda: statistics.median(elapsed(work) / elapsed(floor) for _ in range(repeats)))


def one_thread(measure: Callable):
    """What `measure` returns, run on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure()
    finally:
        torch.set_num_threads(threads)


def elapsed(work: Callable) -> float:
    """Time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
