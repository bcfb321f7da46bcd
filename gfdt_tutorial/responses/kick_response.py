"""The response of the field to a kick, from an unperturbed series and a score.

R(d, t) = −⟨ u(x + d, τ + t) s(x, τ) ⟩                     letter, eqs. (3), (4); `theorem`

It comes in four forms, which `Response.form` names:

    raw           R̂(t) = −⟨ u(τ + t) s(τ) ⟩
    normalised    R̂(t) R̂(0)⁻¹, per wavevector: the letter's. It mends a score of wrong amplitude, and hides one
    controlled    G(t) + [R̂(t) − R̂(0) G(t)],  G(t) = C(t) C(0)⁻¹ the Gaussian response: a control variate
    combined      ⟨∇m̂_t⟩ − ⟨ [u(τ + t) − m̂_t(u(τ))] s(τ) ⟩, with a forecast m̂_t(u) of E[u(τ + t) | u(τ) = u]

A true score obeys ⟨u s⟩ = −1, so the bracket has the mean R(t) − G(t), and the controlled form has the mean of the raw one and less
scatter: the part of s that is correlated with u is averaged without noise. The controlled form also removes any error of the score that is
linear in the field, to which the long lags of slow modes are most sensitive. With thinned origins R̂(t) and the G(t) in brackets are
averaged over these, and the G(t) in front over all.

The combined form has the error −⟨(m_t − m̂_t)(ŝ − s)⟩, beside that of sampling: *the errors of forecast and score multiply*. For
⟨u(τ + t) ŝ⟩ = ⟨m_t ŝ⟩ by the definition of m_t, and ⟨∇m̂_t⟩ = −⟨m̂_t s⟩ by parts, so that R̂ − R = −⟨m̂_t s⟩ − ⟨(m_t − m̂_t) ŝ⟩ + ⟨m_t s⟩.
If either is right, so is the answer. No forecast gives the raw form, and the linear forecast G(t) u of the same data the controlled one. In
econometrics this is the average derivative of a regression in its doubly robust form, with the score as Riesz representer.

Its standard error describes sampling, and the spread between two folds where there are two. It contains the truth if the product of the two
errors is small against it: a forecast and a score that are blind to the same thing leave an error that no band shows.

Source: Newey and Stoker, Econometrica 61, 1199 (1993), for average derivatives; Chernozhukov et al., Econometrics Journal 21, C1 (2018),
for cross-fitting and the product of errors.
"""

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.folds import Folds
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.component_field_forecasts import combined_fields
from gfdt_tutorial.responses.component_forecasts import combined_components
from gfdt_tutorial.responses.estimation import Estimation
from gfdt_tutorial.responses.field_products import AnyForecast, FoldedScore
from gfdt_tutorial.responses.field_responses import field_responses
from gfdt_tutorial.responses.response import FORMS, Response
from gfdt_tutorial.responses.symmetries import check_symmetries
from gfdt_tutorial.responses.theorem import Field


def respond(
    data: TimeSeries,
    score: FoldedScore,
    *,
    lags: float = 90.0,
    form: str | None = None,
    forecast: AnyForecast | None = None,
    dictionary: Field | None = None,
    confidence: float = 0.90,
    symmetries: tuple[str, ...] = (),
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> Response:
    """The response of a stationary field to a unit kick at one pixel, from its unperturbed series and a score.

        R(d, t) = −⟨ u(x + d, τ + t) s(x, τ) ⟩                     letter, eq. (3)

    Averages run over members, origins and, by translation invariance, over pixels; they are taken per wavevector. The band comes from a
    bootstrap over whole members, or over blocks in time where there are fewer than 8 members; a member and its reverse
    (`TimeSeries.both_ways`) are resampled together. Where the score obeys R(0) = 1 exactly on these very data by construction
    (`identity_on`, as of a Gaussian score fitted to them), every resample is tied to R(0) = 1 again.

    A series of unlike variables (axis c) gives the matrix of their responses, with values (lag, to, from, *shape): component `to` after
    component `from` was raised by one, in units of the one per unit of the other; `Response.between` picks one. All others are held at the
    instant of the kick.

    For observables other than the field, and for changes other than a kick, use `sensitivities` or `sensitivity_maps`.

    Args:
        data: the series; its translation-invariant mean is removed.
        score: ∇ ln ρ with respect to pixel values, any callable (..., *shape) → the same; called as score(u, context=...) where the data
            have a context, unless it has an attribute `needs_context` that is False.
        lags: the largest lag, in time units; at most half the series.
        form: "raw"; "normalised", R(t) R(0)⁻¹ per wavevector, as in the letter; "controlled", with the Gaussian response as control
            variate; or "combined", with a forecast. By default "combined" if there is a forecast, otherwise "raw". See this module's page.
        forecast: E[u(τ + t) | u(τ)], from `fit_forecast`, for the form "combined". Like the score it should not have seen the samples over
            which it is averaged: give it fitted to other data, or as two folds of these. `info["checks"]` then tests each of the two
            without a truth, and `info["between_folds"]` is the part of the standard error by which two folds differ beyond sampling.
        dictionary: for a series of unlike variables, which has no `forecast`: functions of the state, (..., component) → (..., m), from
            which the form "combined" forecasts every variable by regression, cross-fitted; smooth and written in torch. By default all
            products of the variables up to degree 4. Of several fields it makes further fields, (..., component, *shape) → (..., m,
            *shape), by default the products of neighbours (`observables.neighbour_products`).
        confidence: of the band.
        symmetries: of the system, to average over: "reflect x", "reflect y", "transpose", "sign" (which evaluates the score twice). Name
            only those that the system really has: advection along x breaks the first and the third.
        thin: evaluate the score at every `thin`-th origin only, and the field at all lags. This saves time where the score is costly
            and the sampling interval is shorter than the memory of the field.
        resamples, seed: of the bootstrap.

    Returns:
        Response with values (lag, *shape), by displacement, or (lag, to, from, *shape), on the CPU wherever the data are.

    Raises:
        ValueError: no series, lags beyond half of it, an unknown form, a score of another grid, a score that returns a wrong shape or NaN,
            a symmetry that the grid does not have, or R(0) that vanishes for some wavevector of the normalised form.

    Warns:
        UserWarning: `lags` is not a multiple of the sampling interval; the band rests on few blocks or a short record; or R(0) is small
            for some wavevector of the normalised form.

    >>> from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=8, duration=40.0)
    >>> respond(data, GaussianScore.fit(data), lags=10.0).values.shape
    torch.Size([11, 32, 32])
    """
    form = checks.choice("form", form or ("raw" if forecast is None and dictionary is None else "combined"), FORMS)
    common = Estimation(data, lags, confidence, resamples, seed, components=True)
    checked = _check_components(data, symmetries, forecast)
    if form == "combined" and data.components is not None:
        return _combined_components(common, score, dictionary, thin)
    if dictionary is not None:
        raise ValueError('a dictionary is for the form "combined" of unlike variables; leave it out, or see fit_forecast(dictionary=...)')
    _check_forecast((form,), forecast)
    with threads.steady():
        return field_responses(common, score, (form,), None, None, symmetries=checked, thin=thin, forecast=forecast)[form]


def respond_in_forms(
    data: TimeSeries,
    score: FoldedScore,
    *,
    lags: float = 90.0,
    forms: tuple[str, ...] | None = None,
    forecast: AnyForecast | None = None,
    confidence: float = 0.90,
    symmetries: tuple[str, ...] = (),
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """The response of the field to a kick in several forms, the score being evaluated once: form → Response.

    The arguments are those of `respond`; `forms` are one or more of "raw", "normalised", "controlled" and, with a forecast, "combined"; by
    default all of them.

    Raises:
        ValueError: as `respond`; an unknown form, or none.

    >>> from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=8, duration=40.0)
    >>> list(respond_in_forms(data, GaussianScore.fit(data), lags=10.0))
    ['raw', 'normalised', 'controlled']
    """
    forms = (FORMS if forecast is not None else FORMS[:-1]) if forms is None else forms
    if isinstance(forms, str) or not forms:
        raise ValueError(f"forms is {forms!r}; expected a tuple of one form or more, of {', '.join(FORMS)}")
    forms = tuple(checks.choice("form", form, FORMS) for form in forms)
    _check_forecast(forms, forecast)
    common = Estimation(data, lags, confidence, resamples, seed, components=True)
    checked = _check_components(data, symmetries, forecast)
    with threads.steady():
        return field_responses(common, score, forms, None, None, symmetries=checked, thin=thin, forecast=forecast)


def _combined_components(common: Estimation, score: FoldedScore, dictionary: Field | None, thin: int) -> Response:
    if isinstance(score, Folds):
        raise ValueError('the form "combined" of unlike variables takes one score, fitted to other data or to these, and not two folds')
    combined = combined_fields if common.data.grid.shape else combined_components
    return combined(common, score, dictionary, checks.whole("thin", thin, minimum=1))


def _check_components(data: TimeSeries, symmetries: tuple[str, ...], forecast: AnyForecast | None) -> tuple[str, ...]:
    """The symmetries, which unlike variables do not have: each may behave differently under a reflection."""
    if data.components is not None and symmetries:
        raise ValueError(f"symmetries {symmetries} are those of one field; leave them out for a series of components")
    if data.components is not None and forecast is not None:
        raise ValueError('forecasts are of one field; for a series of components take form="combined" without one, or with a dictionary')
    return check_symmetries(symmetries, data.grid)


def _check_forecast(forms: tuple[str, ...], forecast: AnyForecast | None) -> None:
    if "combined" in forms and forecast is None:
        raise ValueError('the form "combined" needs a forecast: respond(data, score, forecast=fit_forecast(data, lags))')
    if "combined" not in forms and forecast is not None:
        raise ValueError(f'a forecast enters the form "combined" only, not {" or ".join(map(repr, forms))}; leave one of them out')
