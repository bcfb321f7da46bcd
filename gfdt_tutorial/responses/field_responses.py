"""Responses of observables that are fields: the forms made from lagged products, their errors, and what they say of score and forecast.

With thinned origins R̂(t) and the G(t) in brackets of the controlled form (`kick_response`) are averaged over these, and the G(t) in front
over all.
"""

import warnings
from collections.abc import Callable
from functools import partial

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.confidence_bands import bootstrap_error, jackknife
from gfdt_tutorial.core.folds import Folds, check_folds, parts_of
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.core.resampling_groups import Groups, Origins
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.component_products import applied, departure_from_one, divided, smallest
from gfdt_tutorial.responses.estimation import Estimation, method_of
from gfdt_tutorial.responses.field_products import BATCH, AnyForecast, FieldSums, FoldedScore, Product, Products, group_sums, groups_of
from gfdt_tutorial.responses.lagged_sums import integrated
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.symmetries import symmetrise
from gfdt_tutorial.responses.theorem import Field, Perturbation

Estimate = Callable[..., torch.Tensor]  # from how often each group was drawn, (resample, group), and a slice of lags
REST, STEIN = "rest of the forecast", "identity of the score"  # two averages that vanish for a true forecast, for a true score


def field_responses(
    common: Estimation,
    score: FoldedScore,
    forms: tuple[str, ...],
    observable: Field | None,
    perturbation: Perturbation | None,
    *,
    integrate: bool = False,
    symmetries: tuple[str, ...] = (),
    thin: int = 1,
    forecast: AnyForecast | None = None,
) -> dict[str, Response]:
    """The responses of an observable that is a field, in several forms, all made from the same sums; see `respond` and `sensitivity_maps`.

    Args:
        observable: None for the field itself.
        perturbation: None for a unit kick at pixel (0, 0).
        forecast: for the form "combined", which is that of the field itself after a kick.
    """
    data, thin = common.data, checks.whole("thin", thin, minimum=1)
    _check_parts(data, score, forecast, common.steps)
    ahead = forecast if "combined" in forms else None
    products = Products(data, score, ahead, observable, perturbation, "sign" in symmetries, common.seed)
    groups = groups_of(products, common.steps)
    sums = group_sums(products, groups, common.steps, thin, "controlled" in forms)
    at_zero, count = sums.means(sums.one_each)[sums.kinds.index("raw"), 0, 0], products.plain.components
    if "normalised" in forms:
        _check_divisible(smallest(at_zero, count))
    groups.warn(stacklevel=4)
    first = parts_of(score)[0]
    is_kick = observable is None and perturbation is None
    tied = is_kick and getattr(first, "identity_on", None) == data.fingerprint and departure_from_one(at_zero, count) < 1e-3
    found = {}
    for form in forms:
        back = partial(_finish, kinds=sums.kinds, product=products.plain, every=data.every, integrate=integrate, symmetries=symmetries)
        finish = partial(back, form=form)
        resampled = partial(sums.estimate, finish=partial(finish, tie=tied and form == "raw"))
        plain = partial(sums.estimate, finish=partial(finish, tie=False))
        values, error, deviations = _by_lags(resampled, plain, sums, len(groups), common, whole=integrate)
        error, info = groups.widening * error, {"control": form == "controlled", "symmetries": list(symmetries), "thin": thin}
        if data.components is not None:
            info["spread"] = data.spread
        if form == "combined":
            between = _between_folds(plain, sums, products, groups, error)
            error = (error.square() + between.square()).sqrt()
            told = _checks(partial(_in_form, sums, back), _fold_of(groups, products.halves))
            info |= {"between_folds": between.reshape(len(between), -1)[:, 0].tolist(), "checks": told}
        found[form] = common.response(
            values,
            error,
            len(groups),
            method=method_of(first),
            info=info,
            grid=data.grid if perturbation is None else None,  # else there is no displacement from a kick
            form=form,
            deviations=deviations,
            components=data.components,
        )
    return found


def _by_lags(
    resampled: Estimate, plain: Estimate, sums: FieldSums, groups: int, common: Estimation, *, whole: bool
) -> tuple[torch.Tensor, ...]:
    """Values, bootstrap errors, and deviations without each group, block by block of lags: (lag, *shape), the last with groups in front."""

    def of(lags: slice) -> tuple[torch.Tensor, ...]:
        estimate = partial(resampled, lags=lags)
        error = bootstrap_error(estimate, groups, resamples=common.resamples, batch=BATCH, seed=common.seed)
        values = plain(sums.one_each, lags=lags)[0]
        return values, error, _without_each(estimate, groups, values)

    values, error, deviations = zip(*threads.mapped(of, sums.blocks(whole), device=sums.sums.device), strict=True)
    return torch.cat(values), torch.cat(error), torch.cat(deviations, 1)


def _between_folds(plain: Estimate, sums: FieldSums, products: Products, groups: Groups, error: torch.Tensor) -> torch.Tensor:
    """The error from fitting score and forecast, (lag, *shape), by which the two folds differ beyond sampling; 0 without folds.

    The means over both halves differ by Δ, with ⟨Δ²⟩ = 4 (e² + v), e the standard error of sampling of the mean of both and v the variance
    that another fit adds to it. So v is the mean of Δ²/4 − e² over the places of the field; a lone number, which has one place, takes the
    mean over lags too.
    """
    halves = products.halves
    if halves is None:
        return torch.zeros_like(error)
    first = (_fold_of(groups, halves) == 1).float()
    if not 0 < float(first.sum()) < len(first):
        return torch.zeros_like(error)
    gap = plain(torch.stack([first, 1 - first]))
    excess = ((gap[0] - gap[1]).square() / 4 - error.square()).reshape(len(error), -1)
    excess = excess.mean(1) if excess.shape[1] > 1 else excess.mean().expand(len(excess))
    return excess.clamp_min(0).sqrt().reshape(-1, *[1] * (error.ndim - 1)).expand_as(error)


def _in_first(window: Origins, halves: Folds) -> bool:
    return (window.start if halves.in_time else window.members.start) < halves.cut


def _checks(estimate: Estimate, fold: torch.Tensor) -> dict[str, dict[str, float]]:
    """Two averages that vanish for a true forecast, or for a true score; each is an error of the response that one part alone would give.

    "forecast" is ⟨(u(t) − m̂) ŝ⟩, "score" is ⟨∇m̂ + m̂ ŝ⟩. Of each "l2" is the root of the mean over lags of its squared norm, which
    is freed of noise by products of different groups and may be negative, and "sigmas" that mean in standard errors, by the jackknife. The
    two groups of a product belong to one fold: a forecast knows the noise of the other.
    """
    found, count = {}, len(fold)
    apart = (fold[:, None] == fold).double() - torch.eye(count, dtype=torch.float64)
    for name, form in (("forecast", REST), ("score", STEIN)):
        each = estimate(torch.eye(count), finish_form=form)[:, 1:].double()
        each = each.reshape(*each.shape[:2], -1)
        products = apart * torch.einsum("glp,hlp->gh", each, each) / each.shape[1]
        square = products.sum() / apart.sum().clamp_min(1)
        without = [(products.sum() - 2 * products[g].sum()) / (apart.sum() - 2 * apart[g].sum()).clamp_min(1) for g in range(count)]
        error = float(jackknife(torch.stack(without)))
        found[name] = {"l2": signed_root(float(square)), "sigmas": float(square) / error if error else 0.0}
    return found


def _fold_of(groups: Groups, halves: Folds | None) -> torch.Tensor:
    """(group,): 1 for a group of the first half, 2 for one of the second, 0 without folds, and a number of its own for one across both."""
    if halves is None:
        return torch.zeros(len(groups))
    sides = [{1 if _in_first(one, halves) else 2 for one in windows} for windows in groups.windows]
    return torch.tensor([side.pop() if len(side) == 1 else 3 + number for number, side in enumerate(sides)])


def _check_parts(data: TimeSeries, score: FoldedScore, forecast: AnyForecast | None, steps: int) -> None:
    for name, part in (("score", score), ("forecast", forecast)):
        check_folds(name, part, data)
        for one in parts_of(part):
            _check_grid(name, one, data)
    for one in () if forecast is None else parts_of(forecast):
        if abs(one.every - data.every) > 1e-6 * data.every or one.steps < steps:
            raise ValueError(
                f"the forecast is for lags up to {one.steps * one.every:g} in steps of {one.every:g}; these data are sampled every "
                f"{data.every:g}, and the largest lag asked for is {steps * data.every:g}: fit_forecast(data, lags={steps * data.every:g})"
            )
        if not isinstance(forecast, Folds) and one.fitted_to == data.fingerprint:
            warnings.warn(
                "the forecast was fitted to the very data that it is averaged over, whose noise it knows: use folds=2, or other data",
                stacklevel=5,
            )


def _check_grid(name: str, given: object, data: TimeSeries) -> None:
    known = getattr(given, "grid", None)
    if isinstance(known, PeriodicGrid) and known.shape != data.grid.shape:
        raise ValueError(f"the {name} is of fields of shape {known.shape}, the data have {data.grid.shape}: fit one to data like these")


def _in_form(sums: FieldSums, finish: Callable[..., torch.Tensor], drawn: torch.Tensor, *, finish_form: str) -> torch.Tensor:
    return sums.estimate(drawn, finish=partial(finish, form=finish_form, tie=False))


def _finish(
    means: torch.Tensor, at_zero: torch.Tensor, *, kinds: tuple[str, ...], product: Product, every: float, form: str, integrate: bool,
    symmetries: tuple[str, ...], tie: bool,
) -> torch.Tensor:  # fmt: skip
    """From mean products (kind, ..., lag, mode), and those at lag 0, to response values (..., lag, *shape).

    The controlled form is the combined one with the linear forecast m̂ = G(t) u of these very data, whose mean Jacobian is G(t).
    """
    mean, start = means[0], at_zero[0]
    kind = {name: means[number] for number, name in enumerate(kinds)}
    count = product.components
    if form == "controlled":
        own = {name: at_zero[number] for number, name in enumerate(kinds) if name in ("some", "every")}
        if not count:
            own = {name: values.real.clamp_min(1e-30) for name, values in own.items()}
        every_origin = divided(kind["every"], own["every"], count)
        at_some = divided(kind["some"], own["some"], count) if "some" in kind else every_origin
        mean = _combined(mean, applied(at_some, start, count), every_origin)
    if form == "combined":
        mean = _combined(mean, kind["predicted"], kind["jacobian"])
    if form == REST:
        mean = mean - kind["predicted"]
    if form == STEIN:
        mean = kind["jacobian"] - kind["predicted"]
    if form == "normalised" or tie:
        mean = divided(mean, start, count)
    if integrate:
        mean = integrated(mean, every)
    return symmetrise(product.back(mean), symmetries)


def _combined(raw: torch.Tensor, predicted: torch.Tensor, jacobian: torch.Tensor) -> torch.Tensor:
    """R̂ = ⟨∇m̂⟩ − ⟨(u(t) − m̂) ŝ⟩, from −⟨u(t) ŝ⟩, −⟨m̂ ŝ⟩ and ⟨∇m̂⟩."""
    return jacobian + (raw - predicted)


def _without_each(estimate: Field, groups: int, values: torch.Tensor) -> torch.Tensor:
    """By how much the values differ without each group in turn, (group, lag, *shape); three digits are enough for their scatter."""
    drawn = torch.ones(groups, groups) - torch.eye(groups) if groups > 1 else torch.ones(1, 1)
    return torch.cat([(estimate(part) - values).bfloat16().cpu() for part in drawn.split(4)])


def _check_divisible(least: float) -> None:
    if not least > 1e-6:
        raise ValueError("R(0) vanishes for some wavevector, so R(t) R(0)⁻¹ does not exist; use another form, or fit a better score")
    if least < 0.2:
        warnings.warn(
            f"R(0) is as small as {least:.2g} for some wavevector: normalising multiplies its noise by {1 / least:.0f}", stacklevel=4
        )
