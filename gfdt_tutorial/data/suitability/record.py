"""Quantities that several checks use, computed once."""

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch

from gfdt_tutorial.core.correlations import autocovariance, decorrelation_time
from gfdt_tutorial.core.numerics import mean_in_double
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import modes_of_shells

MANY = 8  # members or more, whose scatter gives the standard error


class Record:
    """Quantities that several checks use, computed once, for the standardised series v = (u − ⟨u⟩)/std u."""

    def __init__(self, data: TimeSeries):
        self.data, self.grid, self.every = data, data.grid, data.every
        self.mean = mean_in_double(data.u)
        self.spread = math.sqrt(sum(float((one.double() - self.mean).square().mean()) for one in data.u) / len(data.u))
        if not self.spread > 1e-6 * abs(self.mean):
            raise ValueError(
                f"all values are {self.mean:g} up to rounding: data that do not vary have no score; is it the right variable? "
                "(If it does vary, subtract the mean first: values are kept in single precision, seven digits.)"
            )

    @cached_property
    def memory(self) -> tuple[float, bool, float]:
        """Decorrelation time of the slowest shell with a hundredth of the variance or more; whether it is resolved; that of a pixel."""
        large = self.lagged[0] > 0.01 * self.lagged[0].sum()
        members, steps = self.data.u.shape[:2]
        shells = zip(self.lagged[:, large].T, (members * steps * modes_of_shells(self.grid)[large]).tolist(), strict=True)
        times = [decorrelation_time(shell / shell[0], self.every, samples) for shell, samples in shells]
        pixel = decorrelation_time(self.autocorrelation, self.every, self.data.u.numel())[0]
        return max(times)[0], all(known for _, known in times), pixel

    @cached_property
    def lagged(self) -> torch.Tensor:
        """Autocovariance by shell, (lag, shell)."""
        return autocovariance(self.grid, self.data.u, self.mean)

    @property
    def autocorrelation(self) -> torch.Tensor:
        """Autocorrelation of a pixel, (lag,)."""
        pixel = self.lagged.sum(1)
        return pixel / pixel[0]

    @property
    def independent(self) -> float:
        """Number of independent times of the slowest scale, in all members together."""
        return len(self.data.u) * self.length

    @property
    def cuts(self) -> int:
        """Number of pieces of each member, such that there are 8 or more in all: whole members, or parts of some decorrelation times."""
        return 1 if len(self.data.u) >= MANY else self.parts(len(self.data.u))

    def parts(self, members: int) -> int:
        """Number of pieces into which each of fewer than MANY members is cut."""
        wanted = min(32, max(8, members * self.length / 8))
        return min(math.ceil(wanted / members), len(self.data.times) // 2)

    @property
    def length(self) -> float:
        """Length of a member, in decorrelation times of the slowest scale."""
        return self.every * len(self.data.times) / self.memory[0]

    def members(self) -> Iterator[torch.Tensor]:
        """v of each member in turn, (time, *shape)."""
        return (((one - self.mean) / self.spread).cpu() for one in self.data.u)

    def pieces(self) -> Iterator[torch.Tensor]:
        """v of each nearly independent piece in turn, (time, *shape)."""
        return (part for one in self.members() for part in torch.tensor_split(one, self.cuts))

    @cached_property
    def most_frequent(self) -> tuple[float, float]:
        """The most frequent value and its relative frequency, among all values or a million chosen at random."""
        values = self.data.u.flatten()
        if len(values) > 10**6:
            values = values[torch.randint(len(values), (10**6,), generator=generator(0, Stream.SUBSAMPLE)).to(values.device)]
        levels, counts = values.unique(return_counts=True)
        return float(levels[counts.argmax()]), float(counts.max() / len(values))

    @cached_property
    def profiles(self) -> np.ndarray:
        """Time profiles of ⟨v⟩ and ⟨v²⟩, averaged over the box, (2, member, time)."""
        rows = [one.flatten(1) if self.grid.shape else one[:, None] for one in self.members()]
        return np.stack([[row.double().pow(power).mean(1).numpy() for row in rows] for power in (1, 2)])
