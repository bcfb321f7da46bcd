"""The theorem for observables that are numbers.

R_A(t) = ⟨ A(u(τ + t)) B(u(τ)) ⟩,   B = −∇·f − f·s                (`theorem`)

At t = 0 an integration by parts takes the score out, ⟨A B⟩ = ⟨∇A·f⟩. So with the vector A of all observables that are asked for, and the
regression of A(t) on A(0),

    K(t) = ⟨A(t) Aᵀ⟩ ⟨A Aᵀ⟩⁻¹,    R_A(t) = R̂_A(t) + K(t) [⟨∇A·f⟩ − R̂_A(0)]

has the same mean as R̂_A and less scatter: the form "controlled". For observables K(t) plays the role that the Gaussian control variate
C(t) C(0)⁻¹ plays for kicks, where A = u and f = e_j. Its first term alone, K(t) ⟨∇A·f⟩, needs no score: a change relaxes as fluctuations
do, which is the regression hypothesis (`regression`). With further numbers ψ beside A this is the projection of B on all of them,
B + ψᵀ⟨ψψᵀ⟩⁻¹(⟨∇ψ·f⟩ − ⟨ψB⟩), whose averages with them are exact whatever the score: every moment of degree two, for instance. The score
contributes the rest,

    R_A(t) = K(t) ⟨∇A·f⟩ + ⟨[A(t) − K(t) A(0)] B(0)⟩

Some changes raise so much noise in B, from scales that the observable hardly sees, that noise drowns the response: the diffusivity of a
fine field is one. The form "shrunk" then holds to the regression hypothesis for each observable by itself, T_A(t) = ρ_A(t) ⟨∇A·f⟩ with ρ_A
the autocorrelation, and departs from it to the extent that the data show a difference (`shrinkage`).

The form "projected" is this projection by itself: B is replaced by

    B + φᵀ⟨φφᵀ⟩⁻¹(⟨∇φ·f⟩ − ⟨φB⟩),    R_A(t) = R̂_A(t) + ⟨A(t)φᵀ⟩ ⟨φφᵀ⟩⁻¹ (⟨∇φ·f⟩ − ⟨φB⟩)

with the functions φ of a dictionary alone, so that A need not be smooth: it may be the fraction of time beyond a threshold. The averages
⟨φB⟩ are then exact whatever the score, and so is R_A(0) for every A that is a sum of the φ. By default these are the products of whitened
variables up to a degree (`observables.products`). For a change of the noise ⟨½ δD:∇∇φ⟩ stands in the place of ⟨∇φ·f⟩. The relatives of this
form, all of which use ⟨φs⟩ = −⟨∇φ⟩: with φ = u it is the calibration of a score (`scores.component_score`, `scores.linear_correction`) and
the Gaussian control variate of kicks (`kick_response`); with φ = A it is the form "controlled"; and a score that is a sum of the φ
(`scores.polynomial`) has ⟨φB⟩ exact from the start. The coefficients are refitted in every bootstrap resample.

The form "combined" is the controlled one with a forecast that has not seen the data over which it is averaged: K(t) is computed from the
other half of them, and regresses A(t) on a *dictionary* ψ, the observables and whatever other numbers the caller names,

    R_A(t) = ⟨∇m̂_t·f⟩ + ⟨[A(t) − m̂_t] B(0)⟩,    m̂_t = ⟨A(t) ψᵀ⟩ ⟨ψ ψᵀ⟩⁻¹ ψ(u(0))

As for kicks (`kick_response`) the errors of forecast and score multiply: B̂ may be wrong where the dictionary forecasts A, and the forecast
where B̂ is right.

The error of the response to a lasting change grows with the lag, as the whole memory of a slow field comes in. `resolved` = t₁ keeps the
part that has a shape of its own and lets the rest relax as fluctuations do,

    R_A(t) = K(t − t₁) R_A(t₁),    t > t₁

which is the regression hypothesis again, for what is left after t₁, and no better than it. In the form "shrunk" the response departs from
this, too, to the extent that the data show it, by a second weight w. In the other forms the band leaves out the error of this assumption.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.estimation import Estimation, method_of
from gfdt_tutorial.responses.lagged_sums import Estimator, LaggedSums, integrated
from gfdt_tutorial.responses.observable_samples import check_smooth, sampled, tail_of_numbers
from gfdt_tutorial.responses.observables import products
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.shrinkage import shrunk
from gfdt_tutorial.responses.theorem import AnyScore, Field, Perturbation, check_perturbations

SENSITIVITY_FORMS = ("raw", "controlled", "projected", "shrunk", "combined")
FEW = 8  # components, up to which the form "projected" takes products of two by itself


def sensitivities(
    data: TimeSeries,
    score: AnyScore,
    observable: Field,
    perturbations: Mapping[str, Perturbation | None],
    *,
    lags: float = 90.0,
    confidence: float = 0.90,
    integrate: bool = True,
    form: str = "controlled",
    dictionary: Field | None = None,
    resolved: float | None = None,
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """How observables respond to each of several changes of the drift, the score being evaluated once for all of them.

    Args:
        data, score, lags, confidence, thin, resamples, seed: as in `respond`.
        observable: A, from fields (..., *shape) to (...,) or (..., n) numbers that do not change when the field is shifted; smooth and
            written in torch unless the form is "raw" (`gfdt.observables` has such).
        perturbations: name → (f, ∇·f), such as {"alpha": system.drift_derivative("alpha")}; None stands for a kick at one pixel.
        integrate: the response to a *lasting* change, switched on at t = 0; its last value is, up to memories longer than `lags`, the
            derivative of the stationary mean. Otherwise the response to an impulse. The integral is taken by the trapezoid rule, for which
            the series must be sampled as finely as the fastest response.
        form: "raw"; "controlled", with the control variate of this module's page, for which the observable is differentiated; "projected",
            for which the dictionary alone is differentiated, so that the observable may jump; "combined", with a cross-fitted forecast;
            or "shrunk", controlled and then shrunk towards the regression hypothesis, from which it departs to the extent that the data
            show a difference. `info` then reports χ² and w as `departure_chi2` and `departure_kept`. Ask for twenty numbers or more, such
            as a spectrum, before you shrink.
        dictionary: ψ, from fields (..., *shape) to further numbers (...,) or (..., m), smooth and written in torch: for the form
            "combined" those from which the observables are forecast beside themselves, for the form "controlled" those on which B is
            projected beside them, by ⟨ψ B⟩ = ⟨∇ψ·f⟩. For the form "projected" those on which B is projected alone; by default all products
            of the components up to degree 2 where they are few (8 at most), and of degree 1 for a plain number or many components.
        resolved: lag from which on responses are taken to relax as the fluctuations of the observables do, which has less error; where
            the form is "shrunk" only as far as the data show no difference, `tail_chi2` and `tail_kept`. See this module's page.

    Returns:
        name → Response with values (lag, ...), per unit of the parameter that the perturbation is the derivative by.

    Raises:
        ValueError: as `respond`; no perturbation at all; `resolved` beyond `lags`; an observable that returns fields; or, unless the form
            is "raw", an observable that jumps or cannot be differentiated.

    Warns:
        UserWarning: as `respond`; or `resolved` is not a multiple of the sampling interval.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, observables, simulate
    >>> system = OrnsteinUhlenbeck()
    >>> data = simulate(system, members=8, duration=60.0)
    >>> changes = {name: system.drift_derivative(name) for name in ("lam", "kappa")}
    >>> sensitivities(data, system.score, observables.spectrum(system.grid), changes, lags=20.0)["lam"].values.shape
    torch.Size([21, 17])
    """
    common = Estimation(data, lags, confidence, resamples, seed, components=True)
    first_relaxed = None if resolved is None else _steps_resolved(resolved, common)
    thin = checks.whole("thin", thin, minimum=1)
    checks.choice("form", form, SENSITIVITY_FORMS)
    if form == "projected" and resolved is not None:
        raise ValueError('resolved is for forms that regress the observables on themselves; leave it out with the form "projected"')
    check_perturbations(perturbations)
    _check_components(data, perturbations)
    tail = tail_of_numbers(observable, data)
    wanted, observed = math.prod(tail), observable
    if form == "projected" and dictionary is None:
        dictionary = _products_of(data)
    if dictionary is not None:
        if form not in ("combined", "controlled", "projected"):
            raise ValueError(f'a dictionary enters the forms "controlled", "projected" and "combined", not {form!r}; leave one of them out')
        tail_of_numbers(dictionary, data, "the dictionary")
        observed = _beside(observable, dictionary)
    smooth = {"raw": None, "projected": dictionary}.get(form, observed)
    if smooth is not None:
        check_smooth(smooth, data)
    with threads.steady():
        samples = sampled(data, score, observed, perturbations, thin, smooth)
        groups = samples.groups(common.steps, data.paired)
        sums = samples.sums(groups, common.steps)
    found = {}
    for number, name in enumerate(perturbations):
        with threads.steady():
            own = sums.of(number)
            projected = partial(own.projected, wanted=wanted)
            values, error, kept = _estimate(own, projected if form == "projected" else None, common, form, first_relaxed, integrate)
        found[name] = common.response(
            values[:, :wanted].reshape(-1, *tail).float(),
            (groups.widening * error)[:, :wanted].reshape(-1, *tail).float(),
            len(groups),
            method=method_of(score),
            info={"form": form, "thin": thin, "resolved": resolved} | kept,
        )
    groups.warn(stacklevel=3)
    return found


def _check_components(data: TimeSeries, perturbations: Mapping[str, Perturbation | None]) -> None:
    if data.components is not None and None in perturbations.values():
        raise ValueError(
            "None stands for a kick at one pixel of a field, which components do not have: give (f, ∇·f), with f constant for a "
            "kick, or use respond, which kicks each component"
        )


def _products_of(data: TimeSeries) -> Field:
    """The default dictionary of the form "projected"."""
    if data.grid.shape:
        raise ValueError('the form "projected" has no dictionary of its own for fields: give one, from fields to numbers')
    return products(data, 2 if 1 <= len(data.components or ()) <= FEW else 1)


def _beside(observable: Field, dictionary: Field) -> Field:
    """The observables, and the numbers of the dictionary after them, (..., n + m)."""

    def both(u: torch.Tensor) -> torch.Tensor:
        found = [torch.as_tensor(one(u)) for one in (observable, dictionary)]
        return torch.cat([one.reshape(*u.shape[:2], -1).to(u.dtype) for one in found], -1)

    return both


def _steps_resolved(resolved: float, common: Estimation) -> int:
    every = common.data.every
    count = checks.steps("resolved", resolved, every)
    if not 1 <= count <= common.steps:
        raise ValueError(
            f"resolved must be a lag from {every:g}, the sampling step, to {common.steps * every:g}, the last; got {resolved:g}"
        )
    return count


def _estimate(
    sums: LaggedSums, projected: Estimator | None, common: Estimation, form: str, first_relaxed: int | None, integrate: bool
) -> tuple[torch.Tensor, torch.Tensor, dict[str, float]]:
    """The response (lag, n), its standard error, and how far it was shrunk.

    Args:
        projected: the estimator of the form "projected", where that is asked for.
        first_relaxed: step from which on responses relax as K(t), or None.
        integrate: estimate the integral over lags.
    """
    finish: Callable[[torch.Tensor], torch.Tensor] = partial(integrated, every=common.data.every) if integrate else _unchanged
    bootstrap = partial(sums.error, resamples=common.resamples, seed=common.seed)
    estimator: Estimator = projected or {"raw": sums.plain, "combined": sums.combined}.get(form, sums.controlled)
    relaxing = None if first_relaxed is None else sums.relaxing(estimator, first_relaxed)
    if form != "shrunk":
        estimator = estimator if relaxing is None else relaxing
        return finish(estimator(sums.one_each))[0], bootstrap(lambda drawn: finish(estimator(drawn))), {}
    info: dict[str, float] = {}
    left_out = torch.zeros(())
    for name, target in (("tail", relaxing), ("departure", sums.alone)):
        if target is not None:
            one = shrunk(estimator, target, sums.one_each, finish, bootstrap)
            estimator, info[f"{name}_chi2"], info[f"{name}_kept"] = one.estimator, one.chi2, one.kept
            left_out = left_out + one.left_out.square()
    return finish(estimator(sums.one_each))[0], (bootstrap(lambda drawn: finish(estimator(drawn))).square() + left_out).sqrt(), info


def _unchanged(values: torch.Tensor) -> torch.Tensor:
    return values
