"""Whether a series is what the theorem asks for, before anything is believed that is computed from it.

The response of a *stationary* system, averaged over a *homogeneous* periodic box, from the *density* of what was measured: none of the
three can be seen in the answer, which comes out smooth and wrong. Each is measured here against its own sampling error.
"""

import textwrap
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.suitability.check import Check
from gfdt_tutorial.data.suitability.density import LEVEL, gaussianity_check, smoothness_check
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
        decorrelation: time after which the slowest scale has forgotten itself, in time units.
        effective: independent times of that scale in the whole record.
        autocorrelation: of a pixel, (lag,), at every lag up to half the series.
        mean, spread: of all values, in units of the data.
        stepped: whether one value makes up more than a tenth of all, as where something is on or off: no smooth density, so no score.
    """

    checks: tuple[Check, ...]
    decorrelation: float
    effective: float
    autocorrelation: torch.Tensor
    mean: float
    spread: float
    stepped: bool

    @property
    def refused(self) -> tuple[Check, ...]:
        """Those that say stop."""
        return tuple(check for check in self.checks if check.verdict == "refused")

    def __getitem__(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    def __str__(self) -> str:
        lines = [f"{check.name:13} {check.verdict:8} {check.finding} {check.advice}" for check in self.checks]
        return "\n".join(textwrap.fill(line, 110, subsequent_indent=23 * " ") for line in lines)


def examine(data: TimeSeries, periods: tuple[float, ...] = ()) -> Suitability:
    """Stationarity, likeness of members, homogeneity, memory, smoothness and Gaussianity of a series, each against its sampling error.

    Nothing is refused here: `Suitability.refused` says what should be. A check is significant below one false alarm in a thousand
    series, all that it tests counted. A cause comes before what follows from it: a season, a trend or unlike members before the memory
    that they lengthen.

    Args:
        periods: of likely seasons, in time units, such as 12 for months; others, of the calendar and beyond, are searched for anyway.

    Raises:
        ValueError: fewer than 16 samples in time, values that do not vary, or a period that is not positive.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, simulate
    >>> print(examine(simulate(OrnsteinUhlenbeck(), members=16, duration=400.0))["homogeneity"].verdict)
    fine
    """
    if len(data.times) < SHORTEST:
        raise ValueError(f"the series has {len(data.times)} samples in time, too short to judge; expected {SHORTEST} at least")
    record = Record(data)
    causes = [stationarity_check(record, tuple(checks.positive("periods", period) for period in periods))]
    causes += [members_check(record)] if len(data.u) > 1 else []
    refused = tuple(check for check in causes if check.verdict == "refused")
    places = [homogeneity_check(record)] if data.grid.shape else []
    made = [*causes, *places, memory_check(record, refused), smoothness_check(record), gaussianity_check(record)]
    return Suitability(
        tuple(made), record.memory[0], record.effective, record.autocorrelation, record.mean, record.spread, record.commonest[1] > LEVEL
    )
