"""Lagged sums over origins, one for each group of the bootstrap, and the estimates of the theorem that they give."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import scipy.fft
import torch

from gfdt_tutorial.core.confidence_bands import bootstrap_error

COLLINEAR = 1e-6  # of the largest eigenvalue of the correlations among observables: smaller ones belong to observables that are redundant

Estimator = Callable[[torch.Tensor], torch.Tensor]  # from how often each group was drawn, (resample, group), to (resample, lag, n)


@dataclass(frozen=True)
class GroupSums:
    """Sums over origins, one for each group of the bootstrap.

    Args:
        counts: (group, ...), how many origins stand behind each sum.
    """

    counts: torch.Tensor

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.counts)

    @cached_property
    def one_each(self) -> torch.Tensor:
        """(1, group): every group once, the weights of the estimate itself."""
        return torch.ones(1, self.groups, dtype=torch.float64)

    def error(self, estimator: Estimator, resamples: int, seed: int) -> torch.Tensor:
        """Standard error of an estimator by the bootstrap over groups."""
        return bootstrap_error(estimator, self.groups, resamples=resamples, seed=seed)

    def mean(self, drawn: torch.Tensor, sums: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Mean of some sums (group, lag, ...) with counts (group, lag), each group taken `drawn` (resample, group) times."""
        drawn = drawn.to(sums)
        total, count = torch.tensordot(drawn, sums, 1), drawn @ counts
        return total / count.reshape(*count.shape, *[1] * (sums.ndim - 2))


@dataclass(frozen=True)
class LaggedSums(GroupSums):
    """What the theorem needs of n observables A and p perturbations.

    Args:
        counts: (group, 2, lag), how many products `weighted` and `among` hold.
        weighted: (group, lag, n, p), Σ A(τ + t) B(τ) for each perturbation; (group, lag, n) for one.
        among: (group, lag, n, n), Σ A(τ + t) A(τ)ᵀ.
        slopes: (group, m, p) or (group, m), Σ ∇A·f over some snapshots, `seen` (group,) in number, of the last m of the observables.
    """

    weighted: torch.Tensor
    among: torch.Tensor
    slopes: torch.Tensor
    seen: torch.Tensor

    def of(self, perturbation: int) -> "LaggedSums":
        """The sums of one perturbation."""
        return replace(self, weighted=self.weighted[..., perturbation], slopes=self.slopes[..., perturbation])

    def plain(self, drawn: torch.Tensor) -> torch.Tensor:
        """R̂_A = ⟨A(t) B(0)⟩, (resample, lag, n), each group taken `drawn` (resample, group) times."""
        return self.mean(drawn, self.weighted, self.counts[:, 0])

    def controlled(self, drawn: torch.Tensor) -> torch.Tensor:
        """R̂_A(t) + K(t) [⟨∇A·f⟩ − R̂_A(0)]."""
        plain = self.plain(drawn)
        return plain + self._relaxed(drawn, self._slope(drawn) - plain[:, 0])

    def projected(self, drawn: torch.Tensor, *, wanted: int) -> torch.Tensor:
        """⟨A(t) B(0)⟩ + ⟨A(t)φᵀ⟩ ⟨φφᵀ⟩⁻¹ (⟨∇φ·f⟩ − ⟨φB⟩) of the first `wanted` observables, the others being φ: (resample, lag, wanted)."""
        plain, among = self.plain(drawn), self.mean(drawn, self.among, self.counts[:, 1])
        gram, later = among[:, 0, wanted:, wanted:], among[:, :, :wanted, wanted:]
        missing = _solved(gram, self._slope(drawn) - plain[:, 0, wanted:])
        return plain[..., :wanted] + torch.einsum("rlij,rj->rli", later, missing)

    def propagated(self, drawn: torch.Tensor, steps: int, *, wanted: int) -> torch.Tensor:
        """⟨Aψᵀ⟩⟨ψψᵀ⟩⁻¹ Kⁿ ⟨∇ψ·f⟩, K = ⟨ψ(1) ψᵀ⟩⟨ψψᵀ⟩⁻¹, of the first `wanted` observables A, the others being ψ: (resample, n, wanted)."""
        among = self.mean(drawn, self.among, self.counts[:, 1])
        gram, next_step = (among[:, lag, wanted:, wanted:] for lag in (0, 1))
        state, rows = self._slope(drawn), []
        for _ in range(steps + 1):
            weights = _solved(gram, state)
            rows.append(torch.einsum("rij,rj->ri", among[:, 0, :wanted, wanted:], weights))
            state = torch.einsum("rij,rj->ri", next_step, weights)
        return torch.stack(rows, 1)

    def combined(self, drawn: torch.Tensor) -> torch.Tensor:
        """⟨A(t) B(0)⟩ + K(t) [⟨∇ψ·f⟩ − ⟨ψ B(0)⟩], K from the other half of the groups: a cross-fitted forecast of A by a dictionary ψ.

        The observables are the dictionary, and each is forecast from all. The group next to the other half leaves no mark on K, as it is
        correlated with what lies beyond the cut.
        """
        half = self.groups // 2
        if half < 2:
            raise ValueError(f'the form "combined" needs four groups of data or more, and has {self.groups}: take a longer series')
        number, counts = torch.arange(self.groups), self.counts[:, 0]
        total = torch.zeros((), dtype=self.weighted.dtype, device=self.weighted.device)
        for own, other in ((number < half, number > half), (number >= half, number < half - 1)):
            mine = drawn.to(counts) * own.to(counts)
            share = ((mine @ counts) / (drawn.to(counts) @ counts))[..., None].to(self.weighted)
            plain = self.plain(mine)
            start = (self._slope(mine) - plain[:, 0]).nan_to_num()
            learned = self.mean(other[None].to(counts), self.among, self.counts[:, 1])
            forecast = _regressed(learned.expand(len(start), *learned.shape[1:]), start)
            total = total + torch.where(share > 0, share * (plain + forecast), 0)
        return total

    def relaxing(self, form: Estimator, step: int) -> Estimator:
        """An estimator that agrees with another up to a step, and from there on relaxes as K(t)."""

        def relaxed(drawn: torch.Tensor) -> torch.Tensor:
            found = form(drawn)
            return torch.cat([found[:, :step], self._relaxed(drawn, found[:, step])[:, : found.shape[1] - step]], 1)

        return relaxed

    def together(self, drawn: torch.Tensor) -> torch.Tensor:
        """K(t) ⟨∇A·f⟩, the regression hypothesis for all observables together."""
        return self._relaxed(drawn, self._slope(drawn))

    def alone(self, drawn: torch.Tensor) -> torch.Tensor:
        """ρ_A(t) ⟨∇A·f⟩, the regression hypothesis for each observable by itself."""
        own = self.mean(drawn, self.among.diagonal(dim1=-2, dim2=-1), self.counts[:, 1])
        return own / own[:, :1].clamp_min(1e-300) * self._slope(drawn)[:, None]

    def _relaxed(self, drawn: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """K(t) applied to a change of the observables, (resample, n) → (resample, lag, n)."""
        return _regressed(self.mean(drawn, self.among, self.counts[:, 1]), start)

    def _slope(self, drawn: torch.Tensor) -> torch.Tensor:
        """⟨∇A·f⟩, (resample, n)."""
        drawn = drawn.to(self.slopes)
        return (drawn @ self.slopes) / (drawn @ self.seen)[:, None].clamp_min(1)


def _regressed(covariance: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """⟨A(t) Aᵀ⟩ ⟨A Aᵀ⟩⁻¹ applied to a change of the observables, from (resample, lag, n, n) and (resample, n): (resample, lag, n)."""
    return torch.einsum("rlij,rj->rli", covariance, _solved(covariance[:, 0], start))


def _solved(gram: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """⟨A Aᵀ⟩⁻¹ applied to a vector, (resample, n, n) and (resample, n): (resample, n); redundant observables are left out."""
    scale = gram.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).sqrt()
    inverse = torch.linalg.pinv(gram / (scale[:, :, None] * scale[:, None]), rtol=COLLINEAR, hermitian=True)
    return torch.einsum("rij,rj->ri", inverse, start / scale) / scale


def lagged_products(later: torch.Tensor, earlier: torch.Tensor, steps: int) -> torch.Tensor:
    """Σ_τ later_i(τ + m) earlier_j(τ), (lag, i, j), over members too; lags do not fold back, as `lagged_sum` explains."""
    length = scipy.fft.next_fast_len(max(later.shape[1], earlier.shape[1] + steps))
    late, early = (torch.fft.rfft(values, length, dim=1) for values in (later, earlier))
    return torch.fft.irfft(torch.einsum("mfi,mfj->fij", late, early.conj()), length, dim=0)[: steps + 1]


def integrated(values: torch.Tensor, every: float) -> torch.Tensor:
    """∫₀ᵗ by the trapezoid rule, (..., lag, n)."""
    return torch.cat([torch.zeros_like(values[..., :1, :]), torch.cumulative_trapezoid(values, dx=every, dim=-2)], -2)
