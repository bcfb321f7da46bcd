"""Standard errors and confidence bands: the bootstrap over groups and Student's t."""

import math
from collections.abc import Callable

import scipy.stats
import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.random_streams import Stream, generator


def bootstrap_error(
    estimate: Callable[[torch.Tensor], torch.Tensor], groups: int, *, resamples: int = 200, batch: int = 10, seed: int = 0
) -> torch.Tensor:
    """Standard error of an estimate by resampling groups with replacement.

    Args:
        estimate: maps weights (resample, group), the number of times that each group was drawn, to estimates (resample, ...).
        groups: their number; with fewer than two the standard error is unknown (NaN).

    Returns:
        The standard deviation over resamples times (G/(G − 1))^½, which makes it unbiased for a mean; shape of one estimate.
    """
    rng = generator(seed, Stream.BOOTSTRAP, groups)
    draws = torch.randint(groups, (resamples, groups), generator=rng)
    weights = torch.zeros(resamples, groups).scatter_add_(1, draws, torch.ones(resamples, groups))
    centre = estimate(torch.ones(1, groups))[0]
    if groups < 2:
        return torch.full_like(centre, math.nan)

    def moments(part: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        deviation = estimate(part) - centre
        return deviation.sum(0), deviation.square().sum(0)

    mean, square = (torch.zeros_like(centre, dtype=torch.float64) for _ in range(2))
    for first, second in threads.mapped(moments, weights.split(batch), device=centre.device):
        mean += first
        square += second
    variance = (square - mean.square() / resamples) / (resamples - 1)
    return (variance.clamp_min(0) * (groups / (groups - 1))).sqrt().to(centre)


def band_factor(confidence: float, dof: float) -> float:
    """Half-width of a two-sided confidence band in standard errors: the quantile of Student's t, or the normal one for infinite `dof`."""
    return float(scipy.stats.t.ppf(0.5 + confidence / 2, dof)) if dof > 0 else math.nan


def jackknife(without: torch.Tensor) -> torch.Tensor:
    """Jackknife standard error, (part, ...) → (...), of an estimate, from its values with each part left out in turn."""
    count = len(without)
    return ((count - 1) / count * (without - without.mean(0)).square().sum(0)).sqrt()
