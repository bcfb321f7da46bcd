"""The common part of all estimators: the series, the options that each of them takes, and the Response that they make."""

from dataclasses import dataclass, field

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.responses.response import Response


@dataclass(frozen=True)
class Estimation:
    """A series, and the options that all estimators share, checked once.

    Args:
        data: the series.
        lags: the largest lag, in time units; at most half the series.
        confidence: of the band.
        resamples, seed: of the bootstrap.
        components: whether the estimator takes a series of unlike variables.

    Attributes:
        steps: the largest lag, in sampling intervals.

    Raises:
        ValueError: no series, lags beyond half of it, or an option out of range.

    Warns:
        UserWarning: `lags` is not a multiple of the sampling interval.
    """

    data: TimeSeries
    lags: float
    confidence: float
    resamples: int
    seed: int
    components: bool = False
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        check_series(self.data, self.components)
        checks.probability("confidence", self.confidence)
        checks.whole("seed", self.seed)
        object.__setattr__(self, "resamples", checks.whole("resamples", self.resamples, minimum=2))
        object.__setattr__(self, "steps", self.data.steps(self.lags))

    def response(
        self,
        values: torch.Tensor,
        standard_error: torch.Tensor,
        groups: int,
        *,
        method: str,
        info: dict[str, object],
        grid: PeriodicGrid | None = None,
        form: str = "raw",
        deviations: torch.Tensor | None = None,
        components: tuple[str, ...] | None = None,
    ) -> Response:
        """A Response on the CPU, with values and a standard error from a number of groups of origins; `info` is added to the common one."""
        common = {"device": str(self.data.u.device), "snapshots": self.data.snapshots, "groups": groups, "data": self.data.info}
        return Response(
            times=self.data.every * torch.arange(self.steps + 1, dtype=torch.float64),
            values=values.cpu(),
            method=method,
            standard_error=standard_error.cpu(),
            dof=max(groups - 1, 0),
            confidence=self.confidence,
            grid=grid,
            form=form,
            info=common | info,
            deviations=deviations,
            components=components,
        )


def method_of(score: object) -> str:
    """The attribute `method` of a score, such as "gaussian"; "score" if it has none."""
    return getattr(score, "method", "score")
