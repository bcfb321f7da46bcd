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

after James and Stein. This costs less than (2/χ) standard errors where the departure is real. The weight w is itself an estimate, so every
resample of the bootstrap makes its own; and at lags where the departure is significant by itself, (1 − w) times the departure, freed of
noise, is left out and counts in the band.

The error of a lasting answer grows with the time that it is followed, as the whole memory of a slow field comes in. `resolved` = t₁ keeps
the part that has a shape of its own and lets the rest relax as fluctuations do,

    R_A(t) = K(t − t₁) R_A(t₁),    t > t₁

which is the regression hypothesis again, for what is left after t₁, and no better: with `shrink` the answer departs from this too as far as
the data tell, by another w. Without, what it gets wrong is not in the band.
"""

from collections.abc import Callable
from functools import partial

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.confidence_bands import bootstrap_error
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.observable_samples import ROUNDING, Estimator, LaggedSums, check_smooth, integrated, sampled, tail_of
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import Field, Perturbation, check_perturbations

SENSITIVITY_FORMS = ("raw", "controlled", "shrunk")
DOUBT = 2.0  # χ² below which no departure from the regression hypothesis is believed; 1 is what noise gives


def sensitivities(
    data: TimeSeries,
    score: Callable,
    observable: Field,
    perturbations: dict[str, Perturbation | None],
    *,
    lags: float = 90.0,
    confidence: float = 0.90,
    integrate: bool = True,
    form: str = "controlled",
    resolved: float | None = None,
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """How observables answer each of several changes of the drift, the score being evaluated once for all.

    Args:
        data, score, lags, confidence, thin, resamples, seed: as in `respond`.
        observable: A, from fields (..., *shape) to (...,) or (..., n) numbers that do not change when the field is shifted; with
            `control` smooth, and in torch (`gfdt.observables` has such).
        perturbations: name → (f, ∇·f), such as {"alpha": system.drift_derivative("alpha")}; None stands for a kick at one pixel.
        integrate: the answer to a *lasting* change, switched on at t = 0; its last value is, up to memories longer than `lags`, the
            derivative of the stationary mean. Otherwise to an impulse. The trapezoid rule that integrates wants a series sampled as
            finely as the fastest answer.
        form: "raw"; "controlled", with the control variate of this module's page, for which the observable is differentiated; or "shrunk",
            controlled and then drawn towards the regression hypothesis as far as the data do not tell the difference, which `info` reports
            as `departure_chi2` and `departure_kept`, w. Ask for twenty numbers or more, such as a spectrum, before you shrink.
        resolved: lag from which on answers are taken to relax as the fluctuations of the observables do, which has less error; where
            the form is "shrunk" only as far as the data do not tell the difference, `tail_chi2` and `tail_kept`. See this module's page.

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
    checks.probability("confidence", confidence)
    checks.whole("resamples", resamples, minimum=2)
    thin = checks.whole("thin", thin, minimum=1)
    checks.choice("form", form, SENSITIVITY_FORMS)
    check_perturbations(perturbations)
    tail = tail_of(observable, data)
    if tail is None:
        raise ValueError("the observable returns fields; here it must return numbers, (...,) or (..., n), such as gfdt.observables do")
    with_slopes = form != "raw"
    if with_slopes:
        check_smooth(observable, data)
    samples = sampled(data, score, observable, perturbations, thin, with_slopes)
    groups = samples.groups(steps, data.paired)
    sums = samples.sums(groups, steps)
    finish = partial(integrated, every=data.every) if integrate else (lambda values: values)
    info = {"device": str(data.u.device), "snapshots": data.snapshots, "groups": sums.groups, "data": data.info}
    info |= {"form": form, "thin": thin, "resolved": resolved}
    found = {}
    for change, name in enumerate(perturbations):
        options = {"form": form, "measured": measured, "finish": finish, "resamples": resamples, "seed": seed}
        values, error, kept = _estimate(sums.of(change), **options)
        error = groups.widening * error
        found[name] = Response(
            times=data.every * torch.arange(steps + 1, dtype=torch.float64),
            values=values.reshape(-1, *tail).float().cpu(),
            method=getattr(score, "method", "score"),
            standard_error=error.reshape(-1, *tail).float().cpu(),
            dof=max(sums.groups - 1, 0),
            confidence=confidence,
            info=info | kept,
        )
    groups.warn(stacklevel=3)
    return found


def _steps_resolved(resolved: float, every: float, steps: int) -> int:
    count = round(checks.positive("resolved", resolved) / every)
    if not 1 <= count <= steps:
        raise ValueError(f"resolved must be a lag from {every:g}, the sampling step, to {steps * every:g}, the last; got {resolved:g}")
    return count


def _estimate(
    sums: LaggedSums, *, form: str, measured: int | None, finish: Callable, resamples: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, dict]:
    """The answer (lag, n), its standard error, and how far it was shrunk.

    Args:
        measured: step from which on answers relax as K(t), or None.
        finish: from responses (..., lag, n) to what is asked for, such as their integral over lags.
    """
    bootstrap = partial(bootstrap_error, groups=sums.groups, resamples=resamples, seed=seed)
    estimator = sums.plain if form == "raw" else sums.controlled
    if form != "shrunk":
        estimator = estimator if measured is None else sums.relaxing(estimator, measured)
        return finish(estimator(sums.one_each))[0], bootstrap(lambda drawn: finish(estimator(drawn))), {}
    info, left_out = {}, 0.0
    for name, target in (("tail", None if measured is None else sums.relaxing(estimator, measured)), ("departure", sums.alone)):
        if target is not None:
            estimator, error, info[f"{name}_chi2"], info[f"{name}_kept"] = _shrunk(estimator, target, sums.one_each, finish, bootstrap)
            left_out = left_out + error.square()
    return finish(estimator(sums.one_each))[0], (bootstrap(lambda drawn: finish(estimator(drawn))).square() + left_out).sqrt(), info


def _shrunk(
    estimator: Estimator, target: Estimator, one_each: torch.Tensor, finish: Callable, bootstrap: Callable
) -> tuple[Estimator, torch.Tensor, float, float]:
    """T + w (R − T), the error of what is left out of it, χ² and w. Each resample has a w of its own."""

    def apart(drawn: torch.Tensor) -> torch.Tensor:
        return finish(estimator(drawn)) - finish(target(drawn))

    found, error = apart(one_each), bootstrap(apart)
    known = error > ROUNDING * found.abs().amax()

    def chi_squared(departure: torch.Tensor) -> torch.Tensor:
        """(resample,)."""
        if not known.any():
            return departure.new_zeros(len(departure))
        return (departure[:, known] / error[known]).square().mean(1)

    def shrunk(drawn: torch.Tensor) -> torch.Tensor:
        weight = _kept(chi_squared(apart(drawn)))[:, None, None]
        return (1 - weight) * target(drawn) + weight * estimator(drawn)

    chi2 = chi_squared(found)
    kept = float(_kept(chi2))
    left_out = (found[0].square() - error.square()).clamp_min(0).sqrt()
    return shrunk, (1 - kept) * left_out, float(chi2), kept


def _kept(chi2: torch.Tensor) -> torch.Tensor:
    """w = max(0, 1 − 2/χ²)."""
    return (1 - DOUBT / chi2.clamp_min(1e-30)).clamp_min(0.0)
