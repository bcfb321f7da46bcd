"""The theorem for observables that are numbers: A, B and ∇A·f once a snapshot, and all the rest from these.

R_A(t) = ⟨A(u(τ + t)) B(u(τ))⟩,   B = −∇·f − f·s

At t = 0 an integration by parts takes the score out: ⟨φ B⟩ = ⟨∇φ·f⟩ for any smooth φ. So with the vector A of all observables that are
asked for, and the regression of A(t) on A(0),

    K(t) = ⟨A(t) Aᵀ⟩ ⟨A Aᵀ⟩⁻¹,    R_A(t) = R̂_A(t) + K(t) [⟨∇A·f⟩ − R̂_A(0)]

has the same mean and less scatter (`control`). It is to observables what the Gaussian control variate is to kicks, where A = u, f = e_j,
and K(t) = C(t) C(0)⁻¹. Its first term alone, K(t) ⟨∇A·f⟩, needs no score: a change relaxes as fluctuations do, which is Onsager's
regression hypothesis (`responses.regression`). What the score contributes is the rest,

    R_A(t) = K(t) ⟨∇A·f⟩ + ⟨[A(t) − K(t) A(0)] B(0)⟩

Some changes raise so much noise in B, of scales that the observable hardly sees, that nothing is left of the answer: the diffusivity of
a fine field is one. `shrink` then holds to the regression hypothesis for each observable by itself, T_A(t) = ρ_A(t) ⟨∇A·f⟩ with ρ_A
the autocorrelation, and departs from it as far as the data tell the difference:

    R_A(t) = T_A(t) + w [R_A(t) − T_A(t)],    w = max(0, 1 − 2/χ²),    χ² the mean of [(R_A − T_A)/error]² over lags and observables

after James and Stein. This costs less than (2/χ) standard errors where the departure is real. What is left out is not ruled out, so
(1 − w) times its standard error counts in the band or, at lags where the departure alone is significant, (1 − w) times the departure
itself, freed of noise. The weight w is itself an estimate: every resample of the bootstrap makes its own.

The error of a lasting answer grows with the time that it is followed, as the whole memory of a slow field comes in. `resolved` = t₁ keeps
the part that has a shape of its own and lets the rest relax as fluctuations do,

    R_A(t) = K(t − t₁) R_A(t₁),    t > t₁

which is the regression hypothesis again, for what is left after t₁, and no better: with `shrink` the answer departs from this too as far as
the data tell, by another w. Without, what it gets wrong is not in the band.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import scipy.fft
import torch

from gfdt_tutorial import checks, statistics
from gfdt_tutorial.randomness import Stream, generator
from gfdt_tutorial.responses.curves import Response
from gfdt_tutorial.responses.weights import (
    Field,
    Perturbation,
    check_perturbation,
    drift_weight,
    force_of,
    kick_weight,
    observed,
    score_of,
    slope_of,
)
from gfdt_tutorial.series import TimeSeries

DOUBT = 2.0  # χ² below which no departure from the regression hypothesis is believed; 1 is what noise gives
NUDGE = 0.003  # of the standard deviation of the fields, and
SOME = 64  # snapshots, by which a jump of an observable is found
ROUNDING = 1e-6  # relative, of an observable in single precision
SPARSE = 4  # ∇A·f, whose mean has little noise, is taken at every fourth snapshot
COLLINEAR = 1e-6  # of the largest eigenvalue of the correlations among observables: what is below is one observable said twice


def sensitivities(
    data: TimeSeries,
    score: Callable,
    observable: Field,
    perturbations: dict[str, Perturbation | None],
    lags: float = 90.0,
    level: float = 0.90,
    *,
    integrate: bool = True,
    control: bool = True,
    shrink: bool = False,
    resolved: float | None = None,
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """How observables answer each of several changes of the drift, the score being evaluated once for all.

    Args:
        data, score, lags, level, thin, resamples, seed: as in `respond`.
        observable: A, from fields (..., *shape) to (...,) or (..., n) numbers that do not change when the field is shifted; with
            `control` smooth, and in torch (`gfdt.observables` has such).
        perturbations: name → (f, ∇·f), such as {"alpha": system.drift_derivative("alpha")}; None stands for a kick at one pixel.
        integrate: the answer to a *lasting* change, switched on at t = 0; its last value is, up to memories longer than `lags`, the
            derivative of the stationary mean. Otherwise to an impulse. The trapezoid rule that integrates wants a series sampled as
            finely as the fastest answer.
        control: see this module's page; True unless the observable cannot be differentiated.
        shrink: towards the regression hypothesis, as far as the data do not tell the difference, which `info` reports as `departure_chi2`
            and `departure_kept`, w. Ask for twenty numbers or more, such as a spectrum. It takes the control variate too.
        resolved: lag from which on answers are taken to relax as the fluctuations of the observables do, which has less error; with
            `shrink` only as far as the data do not tell the difference, `tail_chi2` and `tail_kept`. See this module's page.

    Returns:
        name → Response with values (lag, ...), per unit of what the perturbation is the derivative by.

    Raises:
        ValueError: as `respond`; no perturbation at all; `resolved` beyond `lags`; an observable that returns fields, or that
            jumps or cannot be differentiated where `control` or `shrink` asks for it.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, observables, simulate
    >>> system = OrnsteinUhlenbeck()
    >>> data = simulate(system, members=8, duration=60.0)
    >>> changes = {name: system.drift_derivative(name) for name in ("lam", "kappa")}
    >>> sensitivities(data, system.score, observables.spectrum(system.grid), changes, lags=20.0)["lam"].values.shape
    torch.Size([21, 17])
    """
    steps = data.steps(lags)
    measured = None if resolved is None else _steps_resolved(resolved, data.every, steps)
    checks.probability("level", level)
    checks.whole("resamples", resamples, minimum=2)
    thin = checks.whole("thin", thin, minimum=1)
    if not isinstance(perturbations, dict) or not perturbations:
        raise ValueError("perturbations names changes of the drift, one or more: {'alpha': system.drift_derivative('alpha')}")
    for perturbation in perturbations.values():
        if perturbation is not None:
            check_perturbation(perturbation)
    tail = tail_of(observable, data)
    if tail is None:
        raise ValueError("the observable returns fields; here it must return numbers, (...,) or (..., n), such as gfdt.observables do")
    if control or shrink:
        check_smooth(observable, data)
    samples = sampled(data, score, observable, perturbations, thin, control or shrink)
    groups = samples.groups(steps, data.paired)
    sums = samples.sums(groups, steps)
    finish = partial(integrated, every=data.every) if integrate else (lambda values: values)
    info = {"device": str(data.u.device), "snapshots": data.snapshots, "groups": sums.groups, "data": data.info}
    info |= {"control": control or shrink, "symmetries": [], "thin": thin, "resolved": resolved}
    found = {}
    for change, name in enumerate(perturbations):
        options = {"control": control, "shrink": shrink, "measured": measured, "finish": finish, "resamples": resamples, "seed": seed}
        values, error, kept = _estimate(sums.of(change), **options)
        error = groups.widening * error
        found[name] = Response(
            times=data.every * torch.arange(steps + 1, dtype=torch.float64),
            values=values.reshape(-1, *tail).float().cpu(),
            method=getattr(score, "method", "score"),
            standard_error=error.reshape(-1, *tail).float().cpu(),
            freedom=max(sums.groups - 1, 0),
            level=level,
            info=info | kept,
        )
    groups.warn(stacklevel=3)
    return found


def _steps_resolved(resolved: float, every: float, steps: int) -> int:
    count = round(checks.positive("resolved", resolved) / every)
    if not 1 <= count <= steps:
        raise ValueError(f"resolved must be a lag from {every:g}, the sampling step, to {steps * every:g}, the last; got {resolved:g}")
    return count


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
    cuts = list(statistics.blocks(length, 32 * data.grid.size))
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
            "smooth it, as gfdt.observables.exceedance does, or use control=False, shrink=False"
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


Form = Callable[[torch.Tensor], torch.Tensor]  # from how often each group was drawn to responses (resample, lag, n)


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

    def groups(self, steps: int, paired: bool = False) -> statistics.Groups:
        """The blocks of the bootstrap."""
        return statistics.groups_of_numbers(self.observed, steps, step_bytes=32 * self.observed.shape[-1], paired=paired)

    def sums(self, groups: statistics.Groups, steps: int) -> "Sums":
        """Sums by groups of origins."""
        return Sums(*(torch.stack(sums) for sums in zip(*(self._of(windows, steps) for windows in groups.windows), strict=True)))

    def _of(self, windows: list[statistics.Origins], steps: int) -> tuple[torch.Tensor, ...]:
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
            starts = [statistics.count_products(later.shape[1], wide, steps, *grid) for grid in ((thin, first), (1, 0))]
            counts = counts + len(later) * torch.stack(starts).to(later.device)
        return weighted, among, torch.as_tensor(slopes, dtype=torch.float64), torch.as_tensor(seen, dtype=torch.float64), counts


def lagged_products(later: torch.Tensor, earlier: torch.Tensor, steps: int) -> torch.Tensor:
    """Σ_τ later_i(τ + m) earlier_j(τ), (lag, i, j), over members too; lags do not fold back, as `statistics.lagged_sum` explains."""
    length = scipy.fft.next_fast_len(max(later.shape[1], earlier.shape[1] + steps))
    late, early = (torch.fft.rfft(values, length, dim=1) for values in (later, earlier))
    return torch.fft.irfft(torch.einsum("mfi,mfj->fij", late, early.conj()), length, dim=0)[: steps + 1]


@dataclass(frozen=True)
class Sums:
    """Sums over origins, by group.

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

    def of(self, change: int) -> "Sums":
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

    def relaxing(self, form: Form, step: int) -> Form:
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


def _estimate(
    sums: Sums, *, control: bool, shrink: bool, measured: int | None, finish: Callable, resamples: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, dict]:
    """The answer (lag, n), its standard error, and how far it was shrunk.

    Args:
        measured: step from which on answers relax as K(t), or None.
        finish: from responses (..., lag, n) to what is asked for, such as their integral over lags.
    """
    bootstrap = partial(statistics.bootstrap_error, groups=sums.groups, resamples=resamples, seed=seed)
    form = sums.controlled if control or shrink else sums.plain
    if not shrink:
        form = form if measured is None else sums.relaxing(form, measured)
        return finish(form(sums.one_each))[0], bootstrap(lambda drawn: finish(form(drawn))), {}
    info, left_out = {}, 0.0
    for name, target in (("tail", None if measured is None else sums.relaxing(form, measured)), ("departure", sums.alone)):
        if target is not None:
            form, error, info[f"{name}_chi2"], info[f"{name}_kept"] = _shrunk(form, target, sums.one_each, finish, bootstrap)
            left_out = left_out + error.square()
    return finish(form(sums.one_each))[0], (bootstrap(lambda drawn: finish(form(drawn))).square() + left_out).sqrt(), info


def _shrunk(
    form: Form, target: Form, one_each: torch.Tensor, finish: Callable, bootstrap: Callable
) -> tuple[Form, torch.Tensor, float, float]:
    """T + w (R − T), the error of what is left out of it, χ² and w. Each resample has a w of its own."""

    def apart(drawn: torch.Tensor) -> torch.Tensor:
        return finish(form(drawn)) - finish(target(drawn))

    found, error = apart(one_each), bootstrap(apart)
    known = error > ROUNDING * found.abs().amax()

    def chi_squared(departure: torch.Tensor) -> torch.Tensor:
        """(resample,)."""
        if not known.any():
            return departure.new_zeros(len(departure))
        return (departure[:, known] / error[known]).square().mean(1)

    def shrunk(drawn: torch.Tensor) -> torch.Tensor:
        weight = _kept(chi_squared(apart(drawn)))[:, None, None]
        return (1 - weight) * target(drawn) + weight * form(drawn)

    chi2 = chi_squared(found)
    kept = float(_kept(chi2))
    left_out = torch.maximum(error.square(), found[0].square() - error.square()).sqrt()
    return shrunk, (1 - kept) * left_out, float(chi2), kept


def _kept(chi2: torch.Tensor) -> torch.Tensor:
    """w = max(0, 1 − 2/χ²)."""
    return (1 - DOUBT / chi2.clamp_min(1e-30)).clamp_min(0.0)
