"""Whether a series meets the assumptions of the theorem, before anything that is computed from it is believed.

The theorem gives the response of a *stationary* system, averaged over a *homogeneous* periodic box, from the *density* of the measured
variables. A response shows none of these assumptions: if one is violated, it comes out smooth and wrong. Each check here measures a
violation against its own sampling error.

    stationarity    mean and variance in time: trends, level shifts and seasons
        trend           a straight line or a level shift
        season          a cycle that is phase-locked to a clock; calendar: the periods at which one is likely
        spectral_lines  lines in a periodogram against their background
        change          the result of these tests
    members         whether all members have the same mean, variance and memory (exchangeability)
    homogeneity     whether all places of the box have the same statistics, and whether the box is periodic
    memory          the decorrelation time, the number of independent times in the record, random walks
    density         smoothness of the paths, Gaussianity, values that are discrete

    record          quantities that several checks use, computed once
    autoregression  the autoregressive model that whitens a series before a test
    check           the result of a check, and the common significance level
"""

import textwrap
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.data.suitability.check import Check
from gfdt_tutorial.data.suitability.density import DISCRETE, gaussianity_check, smoothness_check
from gfdt_tutorial.data.suitability.homogeneity import homogeneity_check
from gfdt_tutorial.data.suitability.members import members_check
from gfdt_tutorial.data.suitability.memory import memory_check
from gfdt_tutorial.data.suitability.record import Record
from gfdt_tutorial.data.suitability.stationarity import stationarity_check

SHORTEST = 16  # samples


@dataclass(frozen=True)
class Suitability:
    """All checks of one series.

    Attributes:
        checks: in the order in which they are made.
        decorrelation: decorrelation time of the slowest scale, in time units.
        independent: number of independent times of that scale in the whole record.
        autocorrelation: of a pixel, (lag,), at every lag up to half the series.
        mean, spread: mean and standard deviation of all values, in units of the data.
        discrete: whether one value makes up more than a tenth of all, as in on-off data: then there is no smooth density and no score.
    """

    checks: tuple[Check, ...]
    decorrelation: float
    independent: float
    autocorrelation: torch.Tensor
    mean: float
    spread: float
    discrete: bool

    @property
    def refused(self) -> tuple[Check, ...]:
        """The checks that refuse the series."""
        return tuple(check for check in self.checks if check.verdict == "refused")

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    def __str__(self) -> str:
        lines = [f"{check.name:13} {check.verdict:8} {check.finding} {check.advice}" for check in self.checks]
        return "\n".join(textwrap.fill(line, 110, subsequent_indent=23 * " ") for line in lines)


def examine(data: TimeSeries, periods: tuple[float, ...] = ()) -> Suitability:
    """Check stationarity, exchangeability of members, homogeneity, memory, smoothness and Gaussianity, each against its sampling error.

    The function itself refuses nothing: `Suitability.refused` lists the checks that do. Each check has a significance level of one false
    alarm in a thousand series, for all that it tests taken together. A cause is reported before its consequence: a season, a trend or
    unlike members before the memory that they lengthen.

    Args:
        periods: of likely seasons, in time units, such as 12 for months; those of the calendar and all others are tested as well.

    Raises:
        ValueError: fewer than 16 samples in time, values that do not vary, or a period that is not positive.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, simulate
    >>> print(examine(simulate(OrnsteinUhlenbeck(), members=16, duration=400.0))["homogeneity"].verdict)
    fine
    """
    check_series(data)
    if len(data.times) < SHORTEST:
        raise ValueError(f"the series has {len(data.times)} samples in time, too short for any check; expected at least {SHORTEST}")
    record = Record(data)
    causes = [stationarity_check(record, tuple(checks.positive("periods", period) for period in periods))]
    causes += [members_check(record)] if len(data.u) > 1 else []
    refused = tuple(check for check in causes if check.verdict == "refused")
    places = [homogeneity_check(record)] if data.grid.shape else []
    made = [*causes, *places, memory_check(record, refused), smoothness_check(record), gaussianity_check(record)]
    return Suitability(
        tuple(made),
        record.memory[0],
        record.independent,
        record.autocorrelation,
        record.mean,
        record.spread,
        record.most_frequent[1] > DISCRETE,
    )
