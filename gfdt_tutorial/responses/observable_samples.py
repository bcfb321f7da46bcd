"""Samples of A, B and ∇A·f, which the theorem needs of a series for observables that are numbers, and their lagged sums."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.correlations import count_products
from gfdt_tutorial.core.numerics import assembled, pieces
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.resampling_groups import Groups, Origins, groups_of_numbers
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.lagged_sums import LaggedSums, lagged_products
from gfdt_tutorial.responses.theorem import (
    AnyScore,
    Field,
    Perturbation,
    drift_weight,
    force_of,
    mean_kick_weight,
    observed,
    score_of,
    slope_of,
)

NUDGE = 0.003  # of the standard deviation of the fields: the step along which a jump of an observable is looked for
VALUES = 2**16  # on which it is looked for: 64 fields of 32 × 32, or as many single numbers
ROUNDING = 1e-6  # relative, of an observable in single precision
SPARSE = 4  # ∇A·f, whose mean has little noise, is evaluated at every fourth snapshot


def tail_of(observable: Field, data: TimeSeries) -> tuple[int, ...] | None:
    """The axes that an observable adds to those of the series, () or (n,); None if it returns fields.

    Raises:
        ValueError: it does neither.
    """
    sample = data.u[:1, :2]
    shape = observed(observable, sample).shape
    numbers = data.components is not None and not data.grid.shape  # the components themselves are numbers
    if shape == sample.shape and not numbers:
        return None
    if shape[:2] != sample.shape[:2] or len(shape) > 3:
        raise ValueError(
            f"observable returned {tuple(shape)} for fields of {tuple(sample.shape)}; expected (...), (..., n) or fields again"
        )
    return tuple(shape[2:])


def tail_of_numbers(observable: Field, data: TimeSeries, name: str = "the observable") -> tuple[int, ...]:
    """The same for an observable that returns numbers; in a series of plain numbers these are the fields.

    Raises:
        ValueError: it returns fields, or neither.
    """
    tail = tail_of(observable, data)
    if tail is None and data.grid.shape:
        raise ValueError(f"{name} returns fields; here it must return numbers, (...,) or (..., n), such as gfdt.observables do")
    return tail or ()


def check_smooth(observable: Field, data: TimeSeries) -> None:
    """Raises ValueError if an observable jumps: torch's derivative of it is then wrong, and the control variate would start from it.

    Half the difference between the values at both ends of a small step equals the derivative along it if there is no jump between, up to
    an error that vanishes with the step. Where there are jumps, they make up most of the difference. The test runs in double precision
    where the observable accepts it, because the rounding of a number that hardly moves would look like a jump.
    """
    fields = data.u.flatten(0, 1)
    some = max(1, VALUES // math.prod(data.shape))
    u = fields[:: max(1, len(fields) // some)][:some, None]
    with contextlib.suppress(RuntimeError, ValueError):
        observed(observable, u.double())
        u = u.double()
    spread = u.std() if data.components is None else u.std((0, 1), keepdim=True)  # of each component in its own unit
    nudge = NUDGE * spread * torch.randn(u.shape, generator=generator(0, Stream.NUDGE)).to(u)
    slope = _rows(slope_of(observable, u, nudge)).double()
    ends = [_rows(observed(observable, u + sign * nudge)).double() for sign in (1, -1)]
    moved = (ends[0] - ends[1]) / 2
    unseen = (moved - slope).square().mean((0, 1)) - (ROUNDING * ends[0]).square().mean((0, 1))
    jumps = unseen > 0.25 * moved.square().mean((0, 1))
    if jumps.any():
        raise ValueError(
            f"number {int(jumps.nonzero()[0])} of the observable jumps, as counts of pixels do: its derivative does not describe how it "
            "moves; smooth it, as gfdt.observables.exceedance does, or use form='raw'"
        )


@dataclass(frozen=True)
class Samples:
    """What the theorem needs of a series, for n observables and p perturbations.

    Args:
        observed: (member, time, n), A less its mean, double precision.
        weights: (member, origin, p), B less its mean.
        slopes: (member, some, m, p), ∇A·f of the last m of the observables, or None.
        origins: (origin,), steps at which B is known.
    """

    observed: torch.Tensor
    weights: torch.Tensor
    slopes: torch.Tensor | None
    origins: torch.Tensor

    def groups(self, steps: int, paired: bool = False) -> Groups:
        """The blocks of the bootstrap."""
        return groups_of_numbers(self.observed, steps, step_bytes=32 * self.observed.shape[-1], paired=paired)

    def sums(self, groups: Groups, steps: int) -> LaggedSums:
        """Lagged sums by groups of origins, at lags up to `steps`."""
        found = threads.mapped(partial(self._of, steps=steps), groups.windows, device=self.observed.device)
        return LaggedSums(*(torch.stack(sums) for sums in zip(*found, strict=True)))

    def _of(self, windows: list[Origins], steps: int) -> tuple[torch.Tensor, ...]:
        """The fields of `LaggedSums` for one group."""
        found = [self._of_window(window, steps) for window in windows]
        return tuple(sum(kind, start=torch.zeros_like(kind[0])) for kind in zip(*found, strict=True))

    def _of_window(self, window: Origins, steps: int) -> tuple[torch.Tensor, ...]:
        later = self.observed[window.members, window.start : min(window.stop + steps, self.observed.shape[1])]
        inside, wide = (self.origins >= window.start) & (self.origins < window.stop), window.stop - window.start
        known = self.origins[inside] - window.start
        earlier = later.new_zeros(len(later), wide, self.weights.shape[-1])
        earlier[:, known] = self.weights[window.members][:, inside]
        thin = int(self.origins[1] - self.origins[0]) if len(self.origins) > 1 else 1
        first = int(known[0]) if len(known) else wide
        starts = [count_products(later.shape[1], wide, steps, *origins) for origins in ((thin, first), (1, 0))]
        counts = len(later) * torch.stack(starts).to(later.device)
        products = lagged_products(later, earlier, steps), lagged_products(later, later[:, :wide], steps)
        return counts, *products, *self._slopes_of(window)

    def _slopes_of(self, window: Origins) -> tuple[torch.Tensor, torch.Tensor]:
        """Σ ∇A·f over a window, (n, p), and over how many snapshots."""
        if self.slopes is None:
            return self.observed.new_zeros(self.observed.shape[-1], self.weights.shape[-1]), self.observed.new_zeros(())
        found = self.slopes[window.members, -(-window.start // SPARSE) : -(-window.stop // SPARSE)]
        return found.sum((0, 1)), found.new_tensor(found.shape[0] * found.shape[1])


def sampled(
    data: TimeSeries, score: AnyScore, observable: Field, perturbations: Mapping[str, Perturbation | None], thin: int, smooth: Field | None
) -> Samples:
    """A, B and ∇A·f at every snapshot, in pieces that bound the memory.

    Args:
        smooth: what is differentiated, the observables or the last of them; None for nothing.
    """
    wanted = torch.arange(0, data.u.shape[1], thin, device=data.u.device)
    where = pieces(data.u.shape[0], data.u.shape[1], 32 * data.grid.size)

    def of_part(piece: tuple[slice, slice]) -> _Part:
        return _of_part(data, score, observable, perturbations, *piece, wanted, smooth)

    parts = list(threads.mapped(of_part, where, device=data.u.device))
    observed, weights = (assembled([part[kind] for part in parts], where).double() for kind in (0, 1))
    slopes = assembled([part.slopes for part in parts], where).double() if smooth is not None else None
    return Samples(observed - observed.mean((0, 1)), _less_that_of_others(weights, data.paired), slopes, wanted)


class _Part(NamedTuple):
    """Of some snapshots: A (member, time, n), B (member, origin, p) and ∇A·f (member, some, n, p), or an empty one if it is not needed."""

    observed: torch.Tensor
    weights: torch.Tensor
    slopes: torch.Tensor


def _of_part(
    data: TimeSeries, score: AnyScore, observable: Field, perturbations: Mapping[str, Perturbation | None], members: slice, cut: slice,
    wanted: torch.Tensor, smooth: Field | None,
) -> _Part:  # fmt: skip
    u = data.u[members, cut]
    context = None if data.context is None else data.context[members, cut]
    here = wanted[(wanted >= cut.start) & (wanted < cut.start + u.shape[1])] - cut.start
    fields, hidden = u[:, here], None if context is None else context[:, here]
    s = score_of(score, fields, hidden)
    weights, slopes, some = [], [], slice(-cut.start % SPARSE, None, SPARSE)
    for perturbation in perturbations.values():
        force = torch.full_like(u, 1 / data.grid.size) if perturbation is None else force_of(perturbation, u, context)
        weights.append(mean_kick_weight(s) if perturbation is None else drift_weight(perturbation, fields, force[:, here], s))
        if smooth is not None:
            own = None if perturbation is None else getattr(perturbation[0], "slope", None)  # a change of the noise has one of its own
            found = slope_of(smooth, u[:, some], force[:, some]) if own is None else own(smooth, u[:, some])
            slopes.append(_rows(found))
    return _Part(_rows(observed(observable, u)), torch.stack(weights, -1), torch.stack(slopes, -1) if slopes else u.new_zeros(()))


def _less_that_of_others(weights: torch.Tensor, paired: bool = False) -> torch.Tensor:
    """B less its mean over the *other* members, (member, origin, p); a run and its reverse are one member.

    If a member's own mean were subtracted, every lag would be biased by the covariance between time means of A and B, and the response to a
    lasting change by twice its length over that of the whole series.
    """
    together = 2 if paired else 1
    runs, mean = len(weights) // together, weights.mean((0, 1))
    own = weights.unflatten(0, (runs, together)).mean((1, 2)).repeat_interleave(together, 0)[:, None]
    return weights - (mean if runs == 1 else (runs * mean - own) / (runs - 1))


def _rows(values: torch.Tensor) -> torch.Tensor:
    """(member, time) or (member, time, n) → (member, time, n)."""
    return values.reshape(*values.shape[:2], -1)
