"""Responses of observables that are fields: lagged products by wavevector and group of origins, and the forms made from them.

With thinned origins R̂(t) and the G(t) in brackets of the controlled form (`kick_response`) are averaged over these, and the G(t) in front
over all.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.confidence_bands import bootstrap_error
from gfdt_tutorial.core.correlations import count_products, lagged_sum, slowest_memory
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import blocks, nearest_power_of_two
from gfdt_tutorial.core.resampling_groups import MANY, Groups, origin_groups
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.observable_samples import integrated
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.symmetries import symmetrise
from gfdt_tutorial.responses.theorem import Field, Perturbation, drift_weight, force_of, observed, score_of


@dataclass(frozen=True)
class _Product:
    """What is correlated: `later(u)` at τ + t with `earlier(u, context)` at τ, both (member, time, mode), and the way back from modes."""

    later: Field
    earlier: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    back: Field


def field_responses(
    data: TimeSeries, score: Callable, lags: float, forms: tuple[str, ...], confidence: float, observable: Field | None,
    perturbation: Perturbation | None, *, integrate: bool, symmetries: tuple[str, ...], thin: int, resamples: int, seed: int,
) -> dict[str, Response]:  # fmt: skip
    """The responses of an observable that is a field, in several forms, all made from the same sums; see `respond` and `sensitivity_maps`.

    Args:
        observable: None for the field itself.
        perturbation: None for a unit kick at pixel (0, 0).
    """
    _check_grid(score, data)
    steps = data.steps(lags)
    checks.probability("confidence", confidence)
    resamples, thin = checks.whole("resamples", resamples, minimum=2), checks.whole("thin", thin, minimum=1)
    is_kick = observable is None and perturbation is None
    evaluated = _odd_part(score, data.u.mean()) if "sign" in symmetries else score
    product = _product(data, evaluated, observable, perturbation)
    groups = _groups(data, steps)
    sums, counts = _group_sums(data, product, groups, steps, thin, "controlled" in forms)
    once = torch.ones(1, len(groups))
    raw = _means(sums, counts, once)[0, 0]
    if "normalised" in forms:
        _check_divisible(raw[0])
    tied = is_kick and getattr(score, "identity_on", None) == data.fingerprint and bool(((raw[0] - 1).abs() < 1e-3).all())
    groups.warn(stacklevel=4)
    info = {"device": str(data.u.device), "snapshots": data.snapshots, "groups": len(groups), "data": data.info}
    found = {}
    for form in forms:
        finish = partial(_finish, product=product, every=data.every, form=form, integrate=integrate, symmetries=symmetries)
        resampled = partial(_resampled, sums, counts, finish=partial(finish, tie=tied and form == "raw"))
        error = groups.widening * bootstrap_error(resampled, len(groups), resamples=resamples, seed=seed)
        values = _resampled(sums, counts, once, finish=partial(finish, tie=False))[0].cpu()
        found[form] = Response(
            times=data.every * torch.arange(steps + 1, dtype=torch.float64),
            values=values,
            method=getattr(score, "method", "score"),
            standard_error=error.cpu(),
            dof=max(len(groups) - 1, 0),
            confidence=confidence,
            grid=data.grid if perturbation is None else None,  # else there is no displacement from a kick
            form=form,
            info=info | {"control": form == "controlled", "symmetries": list(symmetries), "thin": thin},
            deviations=_without_each(resampled, len(groups), values),
        )
    return found


def _check_grid(score: Callable, data: TimeSeries) -> None:
    known = getattr(score, "grid", None)
    if isinstance(known, PeriodicGrid) and known.shape != data.grid.shape:
        raise ValueError(f"the score is of fields of shape {known.shape}, the data have {data.grid.shape}: fit one to data like these")


def _groups(data: TimeSeries, steps: int) -> Groups:
    """The blocks of the bootstrap; the memory of the data matters where members are cut in time."""
    memory = slowest_memory(data.grid, data.runs, float(data.u.mean())) if len(data.runs) < MANY else 0.0
    sizes = {"step_bytes": 32 * data.grid.size, "paired": data.paired, "memory": memory}
    return origin_groups(len(data.u), len(data.times), steps, **sizes)


def _product(data: TimeSeries, score: Callable, observable: Field | None, perturbation: Perturbation | None) -> _Product:
    """In units of the data, so that neither very large nor very small numbers leave the range of single precision."""
    grid, centre = data.grid, data.u.mean()
    mean = 0.0 if observable is None else _mean_of(observable, data.u)
    unit = nearest_power_of_two(data.u - centre) if perturbation is None else 1.0

    def fields(u):
        return (u - centre) / unit if observable is None else observed(observable, u) - mean

    if perturbation is None:
        scale = -(unit if observable is None else 1.0) / grid.size
        return _Product(
            later=lambda u: _rows(grid.rfft(fields(u))),
            earlier=lambda u, context: _rows(grid.rfft(scale * score_of(score, u, context))),
            back=lambda modes: grid.irfft(modes.reshape(*modes.shape[:-1], *grid.spectral_shape)),
        )

    def weight(u, context):
        return drift_weight(perturbation, u, force_of(perturbation, u, context), score_of(score, u, context))[..., None]

    return _Product(
        later=lambda u: _rows((u - centre) if observable is None else fields(u)),
        earlier=weight,
        back=lambda modes: modes.real.reshape(*modes.shape[:-1], *grid.shape),
    )


def _rows(values: torch.Tensor) -> torch.Tensor:
    """(member, time, ...) → (member, time, mode); plain numbers have one mode."""
    return values.reshape(*values.shape[:2], -1)


def _mean_of(observable: Field, u: torch.Tensor) -> torch.Tensor:
    """⟨A⟩ over members, times and pixels, block by block."""
    total = 0.0
    for member in u:
        for part in blocks(len(member), 32 * max(1, member[0].numel())):
            total = total + observed(observable, member[None, part]).double().sum((0, 1))
    return (total / (u.shape[0] * u.shape[1])).mean().to(u.dtype)


def _group_sums(
    data: TimeSeries, product: _Product, groups: Groups, steps: int, thin: int, control: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ later(τ + m) earlier(τ)* by group of origins, (kind, group, lag, mode), and how many products each holds, (kind, group, lag).

    The kinds are the product itself and, for a control variate, later with itself, over the same origins and over all.
    """
    length = len(data.times)
    kinds = (3 if thin > 1 else 2) if control else 1
    sums, counts = [], []
    for windows in groups.windows:
        total, count = [0.0] * kinds, torch.zeros(kinds, steps + 1, device=data.u.device)
        for window in windows:
            u = data.u[window.members, window.start : min(window.stop + steps, length)]
            width = window.stop - window.start
            origins = torch.arange(0, width, thin, device=u.device)
            context = None if data.context is None else data.context[window.members, window.start : window.stop : thin]
            later = product.later(u)
            pairs = [_spread(product.earlier(u[:, origins], context), origins)]
            pairs += [later[:, :width]] * (kinds - 1)
            if thin > 1 and control:
                pairs[1] = _spread(later[:, origins], origins)
            for kind, earlier in enumerate(pairs):
                total[kind] = total[kind] + lagged_sum(later, earlier, steps)
                spacing = thin if kind < 2 else 1
                count[kind] += len(u) * count_products(u.shape[1], width, steps, spacing).to(count)
        sums.append(torch.stack(total))
        counts.append(count)
    return torch.stack(sums, 1), torch.stack(counts, 1)


def _spread(values: torch.Tensor, origins: torch.Tensor) -> torch.Tensor:
    """Values at some origins, (member, origin, mode), with zeros at the origins between."""
    if len(origins) == int(origins[-1]) + 1:
        return values
    out = values.new_zeros(len(values), int(origins[-1]) + 1, values.shape[-1])
    out[:, origins] = values
    return out


def _odd_part(score: Callable, centre: torch.Tensor) -> Callable:
    """½[s(u) − s(2⟨u⟩ − u)], the score of a density that does not change under u → −u about its mean."""

    def odd(u, context=None):
        if context is not None:
            raise ValueError('the symmetry "sign" says nothing about a context; leave it out')
        return 0.5 * (score(u) - score(2 * centre - u))

    return odd


def _means(sums: torch.Tensor, counts: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Mean products, (kind, resample, lag, mode), with each group taken `drawn` (resample, group) times."""
    total, count = (torch.einsum(f"rg,kgl{rest}->krl{rest}", drawn.to(of), of) for of, rest in ((sums, "m"), (counts, "")))
    return total / count[..., None]


def _resampled(sums: torch.Tensor, counts: torch.Tensor, drawn: torch.Tensor, *, finish: Callable) -> torch.Tensor:
    """Response values, (resample, lag, *shape), with each group taken `drawn` (resample, group) times."""
    return finish(_means(sums, counts, drawn))


def _without_each(resampled: Callable, groups: int, values: torch.Tensor) -> torch.Tensor:
    """By how much the values differ without each group in turn, (group, lag, *shape); three digits are plenty for their scatter."""
    drawn = torch.ones(groups, groups) - torch.eye(groups) if groups > 1 else torch.ones(1, 1)
    return torch.cat([(resampled(part).cpu() - values).bfloat16() for part in drawn.split(4)])


def _finish(
    means: torch.Tensor, *, product: _Product, every: float, form: str, integrate: bool, symmetries: tuple[str, ...], tie: bool
) -> torch.Tensor:
    """From mean products (kind, ..., lag, mode) to response values (..., lag, *shape)."""
    mean = means[0]
    if form == "controlled":
        some, every_origin = (covariance / covariance[..., :1, :].real.clamp_min(1e-30) for covariance in (means[1], means[-1]))
        mean = every_origin + mean - mean[..., :1, :] * some
    if form == "normalised" or tie:
        mean = mean / mean[..., :1, :]
    if integrate:
        mean = integrated(mean, every)
    return symmetrise(product.back(mean), symmetries)


def _check_divisible(at_zero: torch.Tensor) -> None:
    smallest = float(at_zero.abs().min())
    if not smallest > 1e-6:
        raise ValueError("R(0) vanishes for some wavevector, so R(t) R(0)⁻¹ does not exist; use another form, or fit a better score")
    if smallest < 0.2:
        warnings.warn(
            f"R(0) is as small as {smallest:.2g} for some wavevector: normalising multiplies its noise by {1 / smallest:.0f}", stacklevel=5
        )
