"""Cross-fitting: what is learned from one half of a series is averaged over the other half only.

A score or a forecast that was fitted to the data over which it is averaged agrees with their noise, and the average is biased by it. Two
of them, each fitted to one half and each used on the half that it has not seen, use all of the data without that bias.

Source: Chernozhukov et al., Econometrics Journal 21, C1 (2018), where the practice has its name.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.correlations import slowest_memory
from gfdt_tutorial.core.series import TimeSeries

Part = TypeVar("Part", covariant=True)
Other = TypeVar("Other")


@dataclass(frozen=True)
class Folds(Generic[Part]):
    """Two scores, or two forecasts, of one series.

    Attributes:
        parts: the first fitted to the first half, the second to the second half.
        cut: the first member of the second half; of a lone member, its first sample.
        in_time: whether a lone member was cut, in time.
        fitted_to: fingerprint of the whole series.
    """

    parts: tuple[Part, Part]
    cut: int
    in_time: bool
    fitted_to: str

    def unseen(self, first: int) -> Part:
        """The part that has not seen the member, or the sample of a lone member, number `first`."""
        return self.parts[0] if first >= self.cut else self.parts[1]

    def mapped(self, function: Callable[[Part], Other]) -> "Folds[Other]":
        """The folds of what a function makes of each part."""
        first, second = self.parts
        return Folds((function(first), function(second)), self.cut, self.in_time, self.fitted_to)


def parts_of(given: "Folds[Part] | Part") -> tuple[Part, ...]:
    """Both parts of two folds, or the only one there is."""
    return given.parts if isinstance(given, Folds) else (given,)


def part_for(given: "Folds[Part] | Part", member: int, sample: int) -> Part:
    """What is to be used at a sample of a member: one of two folds, or the only one there is."""
    return given.unseen(sample if given.in_time else member) if isinstance(given, Folds) else given


def cross_fitted(data: TimeSeries, fit: Callable[[TimeSeries, int], Part], *, gap: int = 0) -> Folds[Part]:
    """`fit(half, number)` for both halves of a series.

    Args:
        fit: given a half and its number, 0 or 1.
        gap: of a lone member, how many samples on either side of the cut are left out of both halves, beside three decorrelation times:
            the largest lag, in sampling steps.

    Raises:
        ValueError: a series too short to halve.
    """
    alone = len(data.u) == 1
    if not alone:
        first, second = data.split(0.5)
        return Folds((fit(first, 0), fit(second, 1)), len(first.u), False, data.fingerprint)
    steps = len(data.times)
    gap += math.ceil(3 * slowest_memory(data.grid, data.u, float(data.u.mean())))
    cut = steps // 2
    if cut - gap < steps // 4:
        raise ValueError(
            f"the record of {steps} samples is too short to be halved with a gap of {gap} samples, the largest lag and three decorrelation "
            "times: ask for shorter lags, take a longer record, or use folds=1 and average over other data"
        )
    return Folds((fit(data.cut(0, cut - gap), 0), fit(data.cut(cut + gap, steps), 1)), cut, True, data.fingerprint)


def check_folds(name: str, given: object, data: TimeSeries) -> None:
    """Raises ValueError if folds were fitted to another series: which of its samples they have seen is then unknown."""
    if isinstance(given, Folds) and data.paired:
        raise ValueError(f"the two folds of this {name} know the runs and not their reverses: average over the series before both_ways()")
    if isinstance(given, Folds) and given.fitted_to != data.fingerprint:
        raise ValueError(
            f"the two folds of this {name} belong to another series; average over the series that they were fitted to, or, over other "
            f"data, use one of them: {name}.parts[0]"
        )


def check_number(folds: int) -> int:
    """1 or 2.

    Raises:
        ValueError: anything else.
    """
    if checks.whole("folds", folds, minimum=1) > 2:
        raise ValueError(f"folds is {folds}; expected 1, or 2 for two halves that are used crosswise")
    return folds
