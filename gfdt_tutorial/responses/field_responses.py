"""Responses of observables that are fields: lagged products by wavevector and group of origins, and the forms made from them.

With thinned origins R̂(t) and the G(t) in brackets of the controlled form (`kick_response`) are averaged over these, and the G(t) in front
over all.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.confidence_bands import bootstrap_error
from gfdt_tutorial.core.correlations import count_products, lagged_sum, slowest_memory
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import nearest_power_of_two, pieces, room
from gfdt_tutorial.core.resampling_groups import MANY, Groups, Origins, origin_groups
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.estimation import Estimation, method_of
from gfdt_tutorial.responses.lagged_sums import integrated
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.symmetries import symmetrise
from gfdt_tutorial.responses.theorem import AnyScore, Field, Perturbation, drift_weight, force_of, kick_weights, observed, score_of

EVERY = slice(None)
BATCH = 10  # resamples at a time
LEAST_LAGS = 4  # in a block: lag 0 is estimated again for each block
RESAMPLED = 2**17  # values of all resamples of a batch, of a block of lags: they should stay in the cache

Estimate = Callable[..., torch.Tensor]  # from how often each group was drawn, (resample, group), and a slice of lags
Weight = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]  # of fields and their context


def field_responses(
    common: Estimation,
    score: AnyScore,
    forms: tuple[str, ...],
    observable: Field | None,
    perturbation: Perturbation | None,
    *,
    integrate: bool = False,
    symmetries: tuple[str, ...] = (),
    thin: int = 1,
) -> dict[str, Response]:
    """The responses of an observable that is a field, in several forms, all made from the same sums; see `respond` and `sensitivity_maps`.

    Args:
        observable: None for the field itself.
        perturbation: None for a unit kick at pixel (0, 0).
    """
    data, thin = common.data, checks.whole("thin", thin, minimum=1)
    _check_grid(score, data)
    product = _product(data, _odd_part(score, data.u.mean()) if "sign" in symmetries else score, observable, perturbation)
    groups = _groups(data, common.steps)
    sums = _group_sums(data, product, groups, common.steps, thin, "controlled" in forms)
    at_zero = sums.means(sums.one_each)[0, 0, 0]
    if "normalised" in forms:
        _check_divisible(at_zero)
    groups.warn(stacklevel=4)
    is_kick = observable is None and perturbation is None
    tied = is_kick and getattr(score, "identity_on", None) == data.fingerprint and bool(((at_zero - 1).abs() < 1e-3).all())
    found = {}
    for form in forms:
        finish = partial(_finish, product=product, every=data.every, form=form, integrate=integrate, symmetries=symmetries)
        resampled = partial(sums.estimate, finish=partial(finish, tie=tied and form == "raw"))
        plain = partial(sums.estimate, finish=partial(finish, tie=False))
        values, error, deviations = _by_lags(resampled, plain, sums, len(groups), common, whole=integrate)
        found[form] = common.response(
            values,
            groups.widening * error,
            len(groups),
            method=method_of(score),
            info={"control": form == "controlled", "symmetries": list(symmetries), "thin": thin},
            grid=data.grid if perturbation is None else None,  # else there is no displacement from a kick
            form=form,
            deviations=deviations,
        )
    return found


def _by_lags(
    resampled: Estimate, plain: Estimate, sums: "_ProductSums", groups: int, common: Estimation, *, whole: bool
) -> tuple[torch.Tensor, ...]:
    """Values, bootstrap errors, and deviations without each group, block by block of lags: (lag, *shape), the last with groups in front."""

    def of(lags: slice) -> tuple[torch.Tensor, ...]:
        estimate = partial(resampled, lags=lags)
        error = bootstrap_error(estimate, groups, resamples=common.resamples, batch=BATCH, seed=common.seed)
        values = plain(sums.one_each, lags=lags)[0]
        return values, error, _without_each(estimate, groups, values)

    values, error, deviations = zip(*threads.mapped(of, sums.blocks(whole), device=sums.sums.device), strict=True)
    return torch.cat(values), torch.cat(error), torch.cat(deviations, 1)


def _check_grid(score: AnyScore, data: TimeSeries) -> None:
    known = getattr(score, "grid", None)
    if isinstance(known, PeriodicGrid) and known.shape != data.grid.shape:
        raise ValueError(f"the score is of fields of shape {known.shape}, the data have {data.grid.shape}: fit one to data like these")


def _odd_part(score: AnyScore, centre: torch.Tensor) -> AnyScore:
    """½[s(u) − s(2⟨u⟩ − u)], the score of a density that does not change under u → −u about its mean."""
    plain = threads.in_turn(cast(Score, score))

    def odd(u: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        if context is not None:
            raise ValueError('the symmetry "sign" says nothing about a context; leave it out')
        return 0.5 * (plain(u) - plain(2 * centre - u))

    return odd


@dataclass(frozen=True)
class _Product:
    """The two factors, `later(u)` at τ + t and `earlier(u, context)` at τ, both (member, time, mode), and the way back from modes."""

    later: Field
    earlier: Weight
    back: Field


def _product(data: TimeSeries, score: AnyScore, observable: Field | None, perturbation: Perturbation | None) -> _Product:
    """In units of the data, so that neither very large nor very small numbers leave the range of single precision."""
    grid, centre = data.grid, data.u.mean()
    mean = 0.0 if observable is None else _mean_of(observable, data.u)
    unit = nearest_power_of_two(data.u - centre) if observable is None and perturbation is None else 1.0

    def fields(u: torch.Tensor) -> torch.Tensor:
        return (u - centre) / unit if observable is None else observed(observable, u) - mean

    if perturbation is None:
        return _Product(
            later=lambda u: _rows(grid.rfft(fields(u))),
            earlier=lambda u, context: _rows(grid.rfft(kick_weights(score_of(score, u, context), unit / grid.size))),
            back=lambda modes: grid.irfft(modes.reshape(*modes.shape[:-1], *grid.spectral_shape)),
        )

    def weight(u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        return drift_weight(perturbation, u, force_of(perturbation, u, context), score_of(score, u, context))[..., None]

    return _Product(
        later=lambda u: _rows(fields(u)),
        earlier=weight,
        back=lambda modes: modes.real.reshape(*modes.shape[:-1], *grid.shape),
    )


def _mean_of(observable: Field, u: torch.Tensor) -> torch.Tensor:
    """⟨A⟩ over members, times and pixels, piece by piece."""
    where = pieces(u.shape[0], u.shape[1], 32 * max(1, u[0, 0].numel()))
    sums = threads.mapped(lambda piece: observed(observable, u[piece]).double().sum((0, 1)), where, device=u.device)
    total = sum(sums, torch.zeros((), dtype=torch.float64, device=u.device))
    return (total / (u.shape[0] * u.shape[1])).mean().to(u.dtype)


def _rows(values: torch.Tensor) -> torch.Tensor:
    """(member, time, ...) → (member, time, mode); plain numbers have one mode."""
    return values.reshape(*values.shape[:2], -1)


def _groups(data: TimeSeries, steps: int) -> Groups:
    """The blocks of the bootstrap; the memory of the data matters where members are cut in time."""
    memory = slowest_memory(data.grid, data.runs, float(data.u.mean())) if len(data.runs) < MANY else 0.0
    return origin_groups(len(data.u), len(data.times), steps, step_bytes=32 * data.grid.size, paired=data.paired, memory=memory)


@dataclass(frozen=True)
class _ProductSums:
    """Lagged sums by kind and group of origins.

    Args:
        sums: (kind, group, lag, mode), Σ later(τ + m) earlier(τ)*. The kinds are the product itself and, for a control variate, later
            with itself, over the same origins and over all.
        counts: (kind, group, lag), how many products each holds.
    """

    sums: torch.Tensor
    counts: torch.Tensor

    @property
    def one_each(self) -> torch.Tensor:
        """(1, group): every group once, the weights of the estimate itself."""
        return torch.ones(1, self.sums.shape[1])

    def means(self, drawn: torch.Tensor, lags: slice = EVERY) -> torch.Tensor:
        """Mean products, (kind, resample, lag, mode), with each group taken `drawn` (resample, group) times."""
        some = torch.view_as_real(self.sums[:, :, lags])
        total = (drawn.to(some) @ some.flatten(2)).unflatten(2, some.shape[2:])
        count = drawn.to(self.counts) @ self.counts[:, :, lags]
        return torch.view_as_complex(total) / count[..., None].to(some)

    def estimate(self, drawn: torch.Tensor, lags: slice = EVERY, *, finish: Callable[..., torch.Tensor]) -> torch.Tensor:
        """Response values at some lags, (resample, lag, *shape), likewise."""
        return finish(self.means(drawn, lags), self.means(drawn, slice(0, 1)))

    def blocks(self, whole: bool) -> list[slice]:
        """Blocks of lags, each of which is resampled on its own and so passes through the memory once; all in one if `whole`."""
        lags = self.sums.shape[2]
        size = lags if whole else max(LEAST_LAGS, RESAMPLED // (self.sums.shape[3] * BATCH))
        return [slice(first, min(first + size, lags)) for first in range(0, lags, size)]


def _group_sums(data: TimeSeries, product: _Product, groups: Groups, steps: int, thin: int, control: bool) -> _ProductSums:
    """The sums of each group, whose windows are added one after the other, in double precision."""
    kinds = (3 if thin > 1 else 2) if control else 1
    spacings = [thin if kind < 2 else 1 for kind in range(kinds)]
    modes = product.later(data.u[:1, :1]).shape[-1]
    sums = room((kinds, len(groups), steps + 1, modes), data.u.device, torch.complex64)
    counts = torch.zeros(kinds, len(groups), steps + 1, dtype=torch.float64, device=data.u.device)

    def add_up(group: int) -> None:
        several = len(groups.windows[group]) > 1
        total = [torch.zeros((), dtype=torch.complex128 if several else torch.complex64, device=sums.device)] * kinds
        for window in groups.windows[group]:
            later, earliers = _factors(data, product, window, steps, thin, kinds)
            for kind, earlier in enumerate(earliers):
                total[kind] = lagged_sum(later, earlier, steps) + total[kind]
                width = window.stop - window.start
                counts[kind, group] += len(later) * count_products(later.shape[1], width, steps, spacings[kind]).to(counts)
        for kind in range(kinds):
            sums[kind, group] = total[kind]

    for _ in threads.mapped(add_up, range(len(groups)), device=data.u.device):
        pass
    return _ProductSums(sums, counts)


def _factors(
    data: TimeSeries, product: _Product, window: Origins, steps: int, thin: int, kinds: int
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The factors of the lagged products in one window: the later one, and the earlier one of each kind."""
    width = window.stop - window.start
    u = data.u[window.members, window.start : min(window.stop + steps, len(data.times))]
    origins = torch.arange(0, width, thin, device=u.device)
    context = None if data.context is None else data.context[window.members, window.start : window.stop : thin]
    later = product.later(u)
    earliers = [_spread(product.earlier(u[:, origins], context), origins)] + [later[:, :width]] * (kinds - 1)
    if kinds == 3:
        earliers[1] = _spread(later[:, origins], origins)
    return later, earliers


def _spread(values: torch.Tensor, origins: torch.Tensor) -> torch.Tensor:
    """Values at some origins, (member, origin, mode), with zeros at the origins between."""
    if len(origins) == int(origins[-1]) + 1:
        return values
    out = values.new_zeros(len(values), int(origins[-1]) + 1, values.shape[-1])
    out[:, origins] = values
    return out


def _finish(
    means: torch.Tensor, at_zero: torch.Tensor, *, product: _Product, every: float, form: str, integrate: bool, symmetries: tuple[str, ...],
    tie: bool,
) -> torch.Tensor:  # fmt: skip
    """From mean products (kind, ..., lag, mode), and those at lag 0, to response values (..., lag, *shape)."""
    mean, start = means[0], at_zero[0]
    if form == "controlled":
        some, every_origin = (means[kind] / at_zero[kind].real.clamp_min(1e-30) for kind in (1, -1))
        mean = every_origin + mean - start * some
    if form == "normalised" or tie:
        mean = mean / start
    if integrate:
        mean = integrated(mean, every)
    return symmetrise(product.back(mean), symmetries)


def _without_each(estimate: Field, groups: int, values: torch.Tensor) -> torch.Tensor:
    """By how much the values differ without each group in turn, (group, lag, *shape); three digits are enough for their scatter."""
    drawn = torch.ones(groups, groups) - torch.eye(groups) if groups > 1 else torch.ones(1, 1)
    return torch.cat([(estimate(part) - values).bfloat16().cpu() for part in drawn.split(4)])


def _check_divisible(at_zero: torch.Tensor) -> None:
    smallest = float(at_zero.abs().min())
    if not smallest > 1e-6:
        raise ValueError("R(0) vanishes for some wavevector, so R(t) R(0)⁻¹ does not exist; use another form, or fit a better score")
    if smallest < 0.2:
        warnings.warn(
            f"R(0) is as small as {smallest:.2g} for some wavevector: normalising multiplies its noise by {1 / smallest:.0f}", stacklevel=4
        )
