"""One row of a bench, and how times are taken: in turn, so that a busy machine slows both, and on one thread."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

MEMBERS = 64


@dataclass(frozen=True)
class Row:
    """One measured figure, and the bound it is held to (None where it is only reported): from above, or from below with `at_least`."""

    what: str
    value: float
    bound: float | None = None
    unit: str = ""
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Bound, and whether it is kept; empty where there is none."""
        if self.bound is None:
            return ""
        kept = self.value >= self.bound if self.at_least else self.value <= self.bound
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}  {'yes' if kept else 'NO'}"


def mean_and_scatter(what: str, values: list[float], bound: float | None = None) -> list[Row]:
    """The mean over seeds and the standard deviation between them, each a row."""
    scatter = statistics.stdev(values) if len(values) > 1 else math.nan
    return [Row(f"{what}, mean of {len(values)} seeds", statistics.fmean(values), bound), Row("   scatter between seeds", scatter)]


def batch(side: int) -> int:
    """Members on a grid of this side: as many values as 64 fields of 32 × 32, which bounds time and memory and stays in the cache."""
    return max(1, MEMBERS * 32**2 // side**2)


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
