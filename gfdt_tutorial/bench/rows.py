"""One row of a measurement, and how times are taken: in turn, so that a busy machine slows both sides, and on one thread."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gfdt_tutorial.core import threads

MEMBERS = 64

Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One measured number.

    Attributes:
        what: what was measured; a row that begins with spaces belongs to the row above it.
        value: the number.
        bound: the number that the project promises; None where the value is only reported.
        unit: of both.
        at_least: whether the bound is a lower one.
        group, date, machine: how the number was obtained; `bench.run` fills them in.
    """

    what: str
    value: float
    bound: float | None = None
    unit: str = ""
    at_least: bool = False
    group: str = ""
    date: str = ""
    machine: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value keeps its bound; None without a bound."""
        if self.bound is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def limit(self) -> str:
        """The bound in words, such as "≤ 0.02"; empty without one."""
        return "" if self.bound is None else f"{'≥' if self.at_least else '≤'} {self.bound:g}"

    @property
    def verdict(self) -> str:
        """The bound and whether it is kept; empty without a bound."""
        return "" if self.met is None else f"{self.limit}  {'yes' if self.met else 'NO'}"


def present(value: Result | None) -> Result:
    """A value that every response of these measurements has, such as a standard error.

    Raises:
        ValueError: it is missing.
    """
    if value is None:
        raise ValueError("this response lacks a field, parts or a standard error; expected one that was averaged over members")
    return value


def mean_and_scatter(what: str, values: list[float], bound: float | None = None) -> list[Row]:
    """The mean over seeds and the standard deviation between them, each as one row."""
    scatter = statistics.stdev(values) if len(values) > 1 else math.nan
    return [Row(f"{what}, mean of {len(values)} seeds", statistics.fmean(values), bound), Row("   scatter between seeds", scatter)]


def batch(side: int) -> int:
    """Members on a grid of this side: as many values as 64 fields of 32 × 32, which bounds time and memory and stays in the cache."""
    return max(1, MEMBERS * 32**2 // side**2)


def ratio(work: Callable[[], object], floor: Callable[[], object], repeats: int) -> float:
    """Median of the time of `work` over that of `floor`, measured in turn so that a busy machine slows both."""
    work()
    floor()
    return one_thread(lambda: statistics.median(elapsed(work) / elapsed(floor) for _ in range(repeats)))


def one_thread(measure: Callable[[], Result]) -> Result:
    """What `measure` returns when everything runs on one thread."""
    with threads.one_thread():
        return measure()


def elapsed(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
