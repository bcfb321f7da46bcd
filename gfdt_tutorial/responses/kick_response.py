"""The generalized fluctuation-dissipation theorem: a response from an unperturbed series and a score.

R(d, t) = −⟨ u(x + d, τ + t) s(x, τ) ⟩                         letter, eqs. (3), (4): kicks
R_A(t)  =  ⟨ A(u(τ + t)) B(u(τ)) ⟩,   B = −∇·f − f·s           any observable A, any small change f of the drift

The response to a kick comes in three forms, which `Response.form` names:

    raw           R̂(t) = −⟨ u(τ + t) s(τ) ⟩
    normalised    R̂(t) R̂(0)⁻¹, per wavevector: the letter's. It mends a score of wrong amplitude, and hides one
    controlled    G(t) + [R̂(t) − R̂(0) G(t)],  G(t) = C(t) C(0)⁻¹ the Gaussian response: a control variate

A true score obeys ⟨u s⟩ = −1, so the bracket has the mean R(t) − G(t), and the controlled form has the mean of the raw one and less
scatter: what s has in common with u is averaged where it costs nothing. It also takes out any error of the score that is linear in the
field, to which the long lags of slow modes are most sensitive. With thinned origins R̂(t) and the G(t) in brackets are averaged over
these, and the G(t) in front over all.
"""

from collections.abc import Callable

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.responses.field_responses import field_responses
from gfdt_tutorial.responses.response import FORMS, Response
from gfdt_tutorial.responses.symmetries import check_symmetries


def respond(
    data: TimeSeries,
    score: Callable,
    *,
    lags: float = 90.0,
    form: str = "raw",
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
    (`TimeSeries.both_ways`) are resampled together. Where the score was made to obey R(0) = 1 exactly on these very data, and says so
    (a Gaussian score fitted to them), every resample is tied to R(0) = 1 again.

    For observables other than the field, and for changes other than a kick, use `sensitivities` or `sensitivity_maps`.

    Args:
        data: the series; its translation-invariant mean is removed.
        score: ∇ ln ρ with respect to pixel values, any callable (..., *shape) → the same; called as score(u, context=...) where the data
            have a context, unless it has an attribute `needs_context` that is False.
        lags: the largest lag, in time units; at most half the series.
        form: "raw"; "normalised", R(t) R(0)⁻¹ per wavevector, as in the letter; or "controlled", with the Gaussian response as control
            variate. See this module's page.
        confidence: of the band.
        symmetries: of the system, to average over: "reflect x", "reflect y", "transpose", "sign" (which evaluates the score twice). Name
            only those that it really has: advection along x breaks the first and the third.
        thin: evaluate the score at every `thin`-th origin only, and the field at all lags. This pays where the score is costly and the
            sampling interval is shorter than its memory.
        resamples, seed: of the bootstrap.

    Returns:
        Response with values (lag, *shape), by displacement, on the CPU wherever the data are.

    Raises:
        ValueError: no series, lags beyond half of it, an unknown form, a score of another grid, a score that returns a wrong shape or NaN,
            a symmetry that the grid does not have, or R(0) that vanishes for some wavevector of the normalised form.

    >>> from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=8, duration=40.0)
    >>> respond(data, GaussianScore.fit(data), lags=10.0).values.shape
    torch.Size([11, 32, 32])
    """
    check_series(data)
    checks.choice("form", form, FORMS)
    options = {"symmetries": check_symmetries(symmetries, data.grid), "thin": thin, "resamples": resamples, "seed": seed}
    return field_responses(data, score, lags, (form,), confidence, None, None, integrate=False, **options)[form]


def respond_in_forms(
    data: TimeSeries,
    score: Callable,
    *,
    lags: float = 90.0,
    forms: tuple[str, ...] = FORMS,
    confidence: float = 0.90,
    symmetries: tuple[str, ...] = (),
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """The response of the field to a kick in several forms, the score being evaluated once: form → Response.

    Arguments are those of `respond`; `forms` are some of "raw", "normalised" and "controlled".

    Raises:
        ValueError: as `respond`; an unknown form, or none.

    >>> from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=8, duration=40.0)
    >>> list(respond_in_forms(data, GaussianScore.fit(data), lags=10.0))
    ['raw', 'normalised', 'controlled']
    """
    check_series(data)
    if isinstance(forms, str) or not forms:
        raise ValueError(f"forms is {forms!r}; expected a tuple of one form or more, of {', '.join(FORMS)}")
    forms = tuple(checks.choice("form", form, FORMS) for form in forms)
    options = {"symmetries": check_symmetries(symmetries, data.grid), "thin": thin, "resamples": resamples, "seed": seed}
    return field_responses(data, score, lags, forms, confidence, None, None, integrate=False, **options)
