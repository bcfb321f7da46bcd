"""Nearly independent groups of time origins: the blocks of the block bootstrap."""

import math
import warnings
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import numerics
from gfdt_tutorial.core.correlations import slowest_memory
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import blocks, equal_parts


@dataclass(frozen=True)
class Origins:
    """A window of origins τ = start … stop − 1 for a range of members."""

    members: slice
    start: int
    stop: int


MANY = 8  # independent runs or more are the groups themselves; fewer are cut into about this many pieces in all
BLOCK = 3.0  # minimum length of a piece of a run, in decorrelation times
SHORT = 25.0  # length of a whole record that is cut in time, in decorrelation times, below which a band is too narrow


@dataclass(frozen=True)
class Groups:
    """Nearly independent groups of time origins: the blocks of the block bootstrap.

    Attributes:
        windows: the list of `Origins` of each group.
        widening: factor by which to multiply the standard error from the scatter of the groups, because pieces of one run are correlated.
        short: length of the whole record in decorrelation times, where it is cut in time and shorter than SHORT; else None.
    """

    windows: list[list[Origins]]
    widening: float = 1.0
    short: float | None = None

    def __len__(self) -> int:
        return len(self.windows)

    def warn(self, stacklevel: int) -> None:
        """Warn if the data are too few for the band to have its stated coverage."""
        if self.short is not None:
            warnings.warn(
                f"the band is too narrow: the whole record lasts {self.short:.2g} decorrelation times, and its {len(self)} blocks are "
                "too few to measure their scatter. In tests, 90 % bands from records of 4 to 10 decorrelation times covered the truth in "
                f"70 to 85 % of cases; take a longer series, or more members, until the record lasts {SHORT:g}",
                stacklevel=stacklevel,
            )
        elif len(self) < MANY:
            warnings.warn(
                f"the band rests on {len(self)} blocks of data only; a longer series makes it narrower and more reliable",
                stacklevel=stacklevel,
            )


def origin_groups(
    members: int, steps: int, max_lag: int, *, step_bytes: int, groups: int = 32, paired: bool = False, memory: float = 0.0
) -> Groups:
    """Cut an ensemble into nearly independent groups of time origins: the blocks of the block bootstrap.

    If there are 8 members or more, the groups are whole members. Fewer members are cut in time, into some 8 pieces in all with equal
    numbers of products at the largest lag. No piece is shorter than half of that lag or than three decorrelation times τ, because shorter
    pieces would be correlated and the band too narrow. Pieces of n steps are still correlated: the variance between them is too small by
    the factor 1 − τ/2n, to first order in τ/n, which `widening` corrects. The last piece takes the origins that are too late for the
    largest lag. A group is a list of windows, each small enough to transform at once (`step_bytes` for one member and step).

    Args:
        groups: the maximum number.
        paired: members 2i and 2i + 1 are a run and its reverse (`TimeSeries.both_ways`); a run and its reverse, and likewise a piece of
            the run and the same instants of the reverse, stay in one group.
        memory: τ, in steps; 0 if there are 8 members or more, where it is not needed.
    """
    twice = 2 if paired else 1
    runs = members // twice
    if runs >= MANY:
        cuts = [(twice * first, twice * last) for first, last in equal_parts(runs, min(groups, runs))]
        return Groups([_blocked(slice(first, last), 0, steps, max_lag, step_bytes) for first, last in cuts])
    wanted, room = -(-MANY // runs), steps - max_lag
    longest = max(2, int(room / (BLOCK * memory))) if memory else wanted
    count = max(1, min(wanted, steps // max(max_lag, 1), longest))
    pieces = equal_parts(room, count)
    length = room / count
    pieces[-1] = (pieces[-1][0], steps)
    found = []
    for run in range(runs):
        for first, last in pieces:
            windows = _blocked(slice(twice * run, twice * run + 1), first, last, max_lag, step_bytes)
            if paired:
                windows += _blocked(slice(2 * run + 1, 2 * run + 2), steps - last, steps - first, max_lag, step_bytes)
            found.append(windows)
    times = runs * steps / memory if memory else math.inf
    return Groups(found, max(0.4, 1 - memory / max(2 * length, 1)) ** -0.5, times if times < SHORT else None)


def groups_of_numbers(observed: torch.Tensor, max_lag: int, *, step_bytes: int, paired: bool = False) -> Groups:
    """`origin_groups` for n numbers less their means, (member, time, n): the slowest of them determines the length of a piece."""
    members, steps, _ = observed.shape
    runs = observed[::2] if paired else observed
    grid = PeriodicGrid(())
    memory = max(slowest_memory(grid, one) for one in runs.unbind(-1)) if len(runs) < MANY else 0.0
    return origin_groups(members, steps, max_lag, step_bytes=step_bytes, paired=paired, memory=memory)


def _blocked(members: slice, first: int, last: int, max_lag: int, step_bytes: int) -> list[Origins]:
    """Windows that cover origins first … last − 1 of some members, each small enough to transform at once."""
    return [
        Origins(some, start, stop)
        for start, stop in _windows(first, last, max_lag, step_bytes)
        for some in _members((members.start, members.stop), stop - start + max_lag, step_bytes)
    ]


def _windows(first: int, last: int, max_lag: int, step_bytes: int) -> list[tuple[int, int]]:
    # windows overlap by max_lag: with short ones, much of the data would be transformed twice
    width = max(4 * max_lag, numerics.BLOCK_BYTES // step_bytes, 1)
    return _equal_parts_from(first, last, -(-(last - first) // width))


def _equal_parts_from(first: int, last: int, pieces: int) -> list[tuple[int, int]]:
    return [(first + a, first + b) for a, b in equal_parts(last - first, pieces)]


def _members(group: tuple[int, int], steps: int, step_bytes: int) -> list[slice]:
    return [slice(group[0] + part.start, group[0] + part.stop) for part in blocks(group[1] - group[0], steps * step_bytes)]
