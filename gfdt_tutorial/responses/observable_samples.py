"""What the theorem needs of a series for observables that are numbers: samples of A, B and ∇A·f, and their lagged sums."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import scipy.fft
import torch

from gfdt_tutorial.core.correlations import count_products
from gfdt_tutorial.core.numerics import blocks
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.resampling_groups import Groups, Origins, groups_of_numbers
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.theorem import (
    Field,
    drift_weight,
    force_of,
    kick_weight,
    observed,
    score_of,
    slope_of,
)

NUDGE = 0.003  # of the standard deviation of the fields, and
SOME = 64  # snapshots, by which a jump of an observable is found
ROUNDING = 1e-6  # relative, of an observable in single precision
SPARSE = 4  # ∇A·f, whose mean has little noise, is taken at every fourth snapshot
COLLINEAR = 1e-6  # of the largest eigenvalue of the correlations among observables: what is below is one observable said twice


def tail_of(observable: Field, data: TimeSeries) -> tuple[int, ...] | None:
    """What an observable adds to the shape of a series, () or (n,); None if it returns fields.

    Raises:
        ValueError: it does neither.
    """
    sample = data.u[:1, :2]
    shape = observed(observable, sample).shape
    if shape == sample.shape:
        return None
    if shape[:2] != sample.shape[:2] or len(shape) > 3:
        raise ValueError(
            f"observable returned {tuple(shape)} for fields of {tuple(sample.shape)}; expected (...), (..., n) or fields again"
        )
    return tuple(shape[2:])


def sampled(data, score, observable, perturbations, thin: int, with_slopes: bool) -> "Samples":
    """A, B and ∇A·f at every snapshot, member by member and in blocks that bound the memory."""
    members, length = data.u.shape[:2]
    wanted = torch.arange(0, length, thin, device=data.u.device)
    cuts = list(blocks(length, 32 * data.grid.size))
    parts = [[_of_part(data, score, observable, perturbations, m, cut, wanted, with_slopes) for cut in cuts] for m in range(members)]
    observed, weights, slopes = (
        torch.cat([torch.cat([part[kind] for part in member], 1) for member in parts]).double() if with_slopes or kind < 2 else None
        for kind in range(3)
    )
    return Samples(observed - observed.mean((0, 1)), _less_that_of_others(weights, data.paired), slopes, wanted)


def _less_that_of_others(weights: torch.Tensor, paired: bool = False) -> torch.Tensor:
    """B less its mean over the *other* members, (member, origin, p); a run and its reverse are one member.

    Less its own mean, every lag would be off by the covariance between time means of A and B, and the response to a lasting change by
    twice its length over that of the whole series.
    """
    together = 2 if paired else 1
    runs, mean = len(weights) // together, weights.mean((0, 1))
    own = weights.unflatten(0, (runs, together)).mean((1, 2)).repeat_interleave(together, 0)[:, None]
    return weights - (mean if runs == 1 else (runs * mean - own) / (runs - 1))


def check_smooth(observable: Field, data: TimeSeries) -> None:
    """What jumps has another derivative than torch's wherever it does, and the control variate would take that for its answer at t = 0.

    Half the difference between both ends of a small nudge is the derivative along it if there is no jump between; the more so, the
    smaller the nudge. Where there are jumps they are most of the difference. In double precision, where the observable takes it, as the
    rounding of a number that hardly moves would look like jumps.
    """
    fields = data.u.flatten(0, 1)
    u = fields[:: max(1, len(fields) // SOME)][:SOME, None]
    with contextlib.suppress(RuntimeError, ValueError):
        observed(observable, u.double())
        u = u.double()
    nudge = NUDGE * u.std() * torch.randn(u.shape, generator=generator(0, Stream.NUDGE)).to(u)
    slope = _rows(slope_of(observable, u, nudge)).double()
    ends = [_rows(observed(observable, u + sign * nudge)).double() for sign in (1, -1)]
    moved = (ends[0] - ends[1]) / 2
    unseen = (moved - slope).square().mean((0, 1)) - (ROUNDING * ends[0]).square().mean((0, 1))
    jumps = unseen > 0.25 * moved.square().mean((0, 1))
    if jumps.any():
        raise ValueError(
            f"number {int(jumps.nonzero()[0])} of the observable jumps, as counts of pixels do: its derivative does not tell how it moves; "
            "smooth it, as gfdt.observables.exceedance does, or use form='raw'"
        )


def _of_part(data, score, observable, perturbations, member: int, cut: slice, wanted: torch.Tensor, with_slopes: bool) -> tuple:
    """Of some snapshots of a member: A, B of each change and ∇A·f along each."""
    u = data.u[member : member + 1, cut]
    context = None if data.context is None else data.context[member : member + 1, cut]
    here = wanted[(wanted >= cut.start) & (wanted < cut.start + u.shape[1])] - cut.start
    fields, hidden = u[:, here], None if context is None else context[:, here]
    s = score_of(score, fields, hidden)
    weights, slopes, some = [], [], slice(-cut.start % SPARSE, None, SPARSE)
    for perturbation in perturbations.values():
        force = torch.full_like(u, 1 / data.grid.size) if perturbation is None else force_of(perturbation, u, context)
        weights.append(kick_weight(s) if perturbation is None else drift_weight(perturbation, fields, force[:, here], s))
        if with_slopes:
            slopes.append(_rows(slope_of(observable, u[:, some], force[:, some])))
    return _rows(observed(observable, u)), torch.stack(weights, -1), torch.stack(slopes, -1) if slopes else None


def _rows(values: torch.Tensor) -> torch.Tensor:
    """(member, time) or (member, time, n) → (member, time, n)."""
    return values.reshape(*values.shape[:2], -1)


def integrated(values: torch.Tensor, every: float) -> torch.Tensor:
    """∫₀ᵗ by the trapezoid rule, (..., lag, n)."""
    return torch.cat([torch.zeros_like(values[..., :1, :]), torch.cumulative_trapezoid(values, dx=every, dim=-2)], -2)


Estimator = Callable[[torch.Tensor], torch.Tensor]  # from how often each group was drawn to responses (resample, lag, n)


@dataclass(frozen=True)
class Samples:
    """What the theorem needs of a series.

    Args:
        observed: (member, time, n), A less its mean, double precision.
        weights: (member, origin, p), B less its mean, for each of p changes of the drift.
        slopes: (member, some, n, p), ∇A·f, or None.
        origins: (origin,), steps at which B is known.
    """

    observed: torch.Tensor
    weights: torch.Tensor
    slopes: torch.Tensor | None
    origins: torch.Tensor

    def groups(self, steps: int, paired: bool = False) -> Groups:
        """The blocks of the bootstrap."""
        return groups_of_numbers(self.observed, steps, step_bytes=32 * self.observed.shape[-1], paired=paired)

    def sums(self, groups: Groups, steps: int) -> "LaggedSums":
        """LaggedSums by groups of origins."""
        return LaggedSums(*(torch.stack(sums) for sums in zip(*(self._of(windows, steps) for windows in groups.windows), strict=True)))

    def _of(self, windows: list[Origins], steps: int) -> tuple[torch.Tensor, ...]:
        """Of one group: products with each B and with A, slopes, and how many products each lag has."""
        thin = int(self.origins[1] - self.origins[0]) if len(self.origins) > 1 else 1
        weighted = among = slopes = counts = seen = 0.0
        for window in windows:
            later = self.observed[window.members, window.start : min(window.stop + steps, self.observed.shape[1])]
            inside, wide = (self.origins >= window.start) & (self.origins < window.stop), window.stop - window.start
            known = self.origins[inside] - window.start
            earlier = later.new_zeros(len(later), wide, self.weights.shape[-1])
            earlier[:, known] = self.weights[window.members][:, inside]
            weighted = weighted + lagged_products(later, earlier, steps)
            among = among + lagged_products(later, later[:, :wide], steps)
            if self.slopes is not None:
                some = slice(-(-window.start // SPARSE), -(-window.stop // SPARSE))
                found = self.slopes[window.members, some]
                slopes, seen = slopes + found.sum((0, 1)), seen + found.shape[0] * found.shape[1]
            first = int(known[0]) if len(known) else wide
            starts = [count_products(later.shape[1], wide, steps, *grid) for grid in ((thin, first), (1, 0))]
            counts = counts + len(later) * torch.stack(starts).to(later.device)
        return weighted, among, torch.as_tensor(slopes, dtype=torch.float64), torch.as_tensor(seen, dtype=torch.float64), counts


def lagged_products(later: torch.Tensor, earlier: torch.Tensor, steps: int) -> torch.Tensor:
    """Σ_τ later_i(τ + m) earlier_j(τ), (lag, i, j), over members too; lags do not fold back, as `lagged_sum` explains."""
    length = scipy.fft.next_fast_len(max(later.shape[1], earlier.shape[1] + steps))
    late, early = (torch.fft.rfft(values, length, dim=1) for values in (later, earlier))
    return torch.fft.irfft(torch.einsum("mfi,mfj->fij", late, early.conj()), length, dim=0)[: steps + 1]


@dataclass(frozen=True)
class LaggedSums:
    """LaggedSums over origins, by group.

    Args:
        weighted: (group, lag, n, p), Σ A(τ + t) B(τ) for each of p changes of the drift; (group, lag, n) for one.
        among: (group, lag, n, n), Σ A(τ + t) A(τ)ᵀ.
        slopes: (group, n, p) or (group, n), Σ ∇A·f over some origins, `seen` in number.
        counts: (group, 2, lag), how many products the first two hold.
    """

    weighted: torch.Tensor
    among: torch.Tensor
    slopes: torch.Tensor
    seen: torch.Tensor
    counts: torch.Tensor

    def of(self, change: int) -> "LaggedSums":
        """Those of one change of the drift."""
        return replace(self, weighted=self.weighted[..., change], slopes=self.slopes[..., change])

    @property
    def groups(self) -> int:
        """How many."""
        return len(self.weighted)

    @cached_property
    def one_each(self) -> torch.Tensor:
        """(1, group): every group once, the weights of the estimate itself."""
        return torch.ones(1, self.groups, dtype=torch.float64)

    def plain(self, drawn: torch.Tensor) -> torch.Tensor:
        """R̂_A, (resample, lag, n), each group taken `drawn` (resample, group) times."""
        return self._mean(drawn, self.weighted, 0)

    def controlled(self, drawn: torch.Tensor) -> torch.Tensor:
        """R̂_A(t) + K(t) [⟨∇A·f⟩ − R̂_A(0)]."""
        plain = self.plain(drawn)
        return plain + self._relaxed(drawn, self._slope(drawn) - plain[:, 0])

    def relaxing(self, form: Estimator, step: int) -> Estimator:
        """Another form of the answer: the same up to a step, from which on it relaxes as K(t)."""

        def relaxed(drawn: torch.Tensor) -> torch.Tensor:
            found = form(drawn)
            return torch.cat([found[:, :step], self._relaxed(drawn, found[:, step])[:, : found.shape[1] - step]], 1)

        return relaxed

    def together(self, drawn: torch.Tensor) -> torch.Tensor:
        """K(t) ⟨∇A·f⟩, the regression hypothesis for all observables together."""
        return self._relaxed(drawn, self._slope(drawn))

    def alone(self, drawn: torch.Tensor) -> torch.Tensor:
        """ρ_A(t) ⟨∇A·f⟩, the regression hypothesis for each observable by itself."""
        own = self._mean(drawn, self.among.diagonal(dim1=-2, dim2=-1), 1)
        return own / own[:, :1].clamp_min(1e-300) * self._slope(drawn)[:, None]

    def _relaxed(self, drawn: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """K(t) applied to a change of the observables, (resample, n) → (resample, lag, n)."""
        covariance = self._mean(drawn, self.among, 1)
        scale = covariance[:, 0].diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).sqrt()
        inverse = torch.linalg.pinv(covariance[:, 0] / (scale[:, :, None] * scale[:, None]), rtol=COLLINEAR, hermitian=True)
        coefficients = torch.einsum("rij,rj->ri", inverse, start / scale) / scale
        return torch.einsum("rlij,rj->rli", covariance, coefficients)

    def _slope(self, drawn: torch.Tensor) -> torch.Tensor:
        drawn = drawn.to(self.slopes)
        return (drawn @ self.slopes) / (drawn @ self.seen)[:, None].clamp_min(1)

    def _mean(self, drawn: torch.Tensor, sums: torch.Tensor, kind: int) -> torch.Tensor:
        drawn = drawn.to(sums)
        total, count = torch.tensordot(drawn, sums, 1), drawn @ self.counts[:, kind]
        return total / count.reshape(*count.shape, *[1] * (sums.ndim - 2))
