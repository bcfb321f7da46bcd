"""Lagged products of fields by wavevector and group of origins: what the responses of observables that are fields are made from.

    raw          u(τ + t) B(τ)*, at thinned origins
    some, every  u(τ + t) u(τ)*, at the same origins and at all, for the Gaussian control variate
    predicted    m̂_t(u(τ)) B(τ)*, at the same origins as the raw product, for a forecast m̂
    jacobian     ∇m̂_t, at some of the origins

With a forecast, whose coefficients are known beforehand, the sums over its features are combined to those of the forecast group by group.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.correlations import count_products, lagged_sum, slowest_memory
from gfdt_tutorial.core.folds import Folds, part_for
from gfdt_tutorial.core.forecast import Forecast
from gfdt_tutorial.core.numerics import nearest_power_of_two, pieces, room
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.resampling_groups import MANY, Groups, Origins, origin_groups
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.component_products import ComponentProduct
from gfdt_tutorial.responses.theorem import AnyScore, Field, Perturbation, drift_weight, force_of, kick_weights, observed, score_of

EVERY = slice(None)
BATCH = 10  # resamples at a time
LEAST_LAGS = 4  # in a block: lag 0 is estimated again for each block
RESAMPLED = 2**17  # values of all resamples of a batch, of a block of lags: they should stay in the cache
PROBED = 4  # every fourth origin is probed for the mean Jacobian, which costs twice an evaluation of the forecast

Weight = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]  # of fields and their context
AnyForecast = Forecast | Folds[Forecast]
FoldedScore = AnyScore | Folds[AnyScore]


@dataclass(frozen=True)
class Products:
    """The products of one estimate: of a series with a score, and with a forecast if there is one.

    Args:
        data: the series.
        score: one, or two folds.
        forecast: likewise, or None.
        observable: None for the field itself.
        perturbation: None for a unit kick.
        odd: whether to take the odd part of the score.
        seed: of the directions along which the forecast is probed.
    """

    data: TimeSeries
    score: FoldedScore
    forecast: AnyForecast | None
    observable: Field | None
    perturbation: Perturbation | None
    odd: bool
    seed: int

    @cached_property
    def plain(self) -> "Product":
        """The factors, with the first score where there are two."""
        return self.at(0, 0)

    def at(self, member: int, sample: int) -> "Product":
        """The factors, with the score that has not seen a sample."""
        return part_for(self._products, member, sample)

    def forecast_at(self, member: int, sample: int) -> Forecast | None:
        """The forecast that has not seen a sample."""
        return None if self.forecast is None else part_for(self.forecast, member, sample)

    @property
    def halves(self) -> "Folds | None":
        """The folds, if there are any."""
        return next((one for one in (self.forecast, self.score) if isinstance(one, Folds)), None)

    @cached_property
    def _products(self) -> "Folds[Product] | Product":
        return self.score.mapped(self._product) if isinstance(self.score, Folds) else self._product(self.score)

    def _product(self, score: AnyScore) -> "Product":
        used = _odd_part(score, self.data.u.mean()) if self.odd else score
        return _product(self.data, used, self.observable, self.perturbation)


@dataclass(frozen=True)
class Product:
    """The two factors, `later(u)` at τ + t and `earlier(u, context)` at τ, both (member, time, mode), the way back from modes, and the
    unit and the centre of the fields; for `components` unlike variables also the factor at τ of their covariance."""

    later: Field
    earlier: Weight
    back: Field
    unit: float = 1.0
    centre: float = 0.0
    components: int = 0
    own: Field | None = None


def _product(data: TimeSeries, score: AnyScore, observable: Field | None, perturbation: Perturbation | None) -> Product:
    """In units of the data, so that neither very large nor very small numbers leave the range of single precision."""
    if data.components is not None:
        found = ComponentProduct(data, score)
        return Product(found.later, found.earlier, found.back, components=found.count, own=found.own)
    grid, centre = data.grid, data.u.mean()
    mean = 0.0 if observable is None else _mean_of(observable, data.u)
    unit = nearest_power_of_two(data.u - centre) if observable is None and perturbation is None else 1.0

    def fields(u: torch.Tensor) -> torch.Tensor:
        return (u - centre) / unit if observable is None else observed(observable, u) - mean

    if perturbation is None:
        return Product(
            later=lambda u: _rows(grid.rfft(fields(u))),
            earlier=lambda u, context: _rows(grid.rfft(kick_weights(score_of(score, u, context), unit / grid.size))),
            back=lambda modes: grid.irfft(modes.reshape(*modes.shape[:-1], *grid.spectral_shape)),
            unit=unit,
            centre=float(centre),
        )

    def weight(u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        return drift_weight(perturbation, u, force_of(perturbation, u, context), score_of(score, u, context))[..., None]

    return Product(
        later=lambda u: _rows(fields(u)),
        earlier=weight,
        back=lambda modes: modes.real.reshape(*modes.shape[:-1], *grid.shape),
        unit=unit,
        centre=float(centre),
    )


def _odd_part(score: AnyScore, centre: torch.Tensor) -> AnyScore:
    """½[s(u) − s(2⟨u⟩ − u)], the score of a density that does not change under u → −u about its mean."""
    plain = threads.in_turn(cast(Score, score))

    def odd(u: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        if context is not None:
            raise ValueError('the symmetry "sign" says nothing about a context; leave it out')
        return 0.5 * (plain(u) - plain(2 * centre - u))

    return odd


def _mean_of(observable: Field, u: torch.Tensor) -> torch.Tensor:
    """⟨A⟩ over members, times and pixels, piece by piece."""
    where = pieces(u.shape[0], u.shape[1], 32 * max(1, u[0, 0].numel()))
    sums = threads.mapped(lambda piece: observed(observable, u[piece]).double().sum((0, 1)), where, device=u.device)
    total = sum(sums, torch.zeros((), dtype=torch.float64, device=u.device))
    return (total / (u.shape[0] * u.shape[1])).mean().to(u.dtype)


def _rows(values: torch.Tensor) -> torch.Tensor:
    """(member, time, ...) → (member, time, mode); plain numbers have one mode."""
    return values.reshape(*values.shape[:2], -1)


def groups_of(products: Products, steps: int) -> Groups:
    """The blocks of the bootstrap; the memory of the data matters where members are cut in time."""
    data = products.data
    memory = _memory(data) if len(data.runs) < MANY else 0.0
    found = origin_groups(
        len(data.u),
        len(data.times),
        steps,
        step_bytes=32 * data.grid.size * (data.shape[0] ** 2 if data.components else 1),
        paired=data.paired,
        memory=memory,
    )
    halves = products.halves
    if halves is None:
        return found
    return replace(found, windows=[[part for one in windows for part in _cut(one, halves)] for windows in found.windows])


def _memory(data: TimeSeries) -> float:
    """The decorrelation time, in sampling steps; that of the slowest of unlike variables."""
    if data.components is None:
        return slowest_memory(data.grid, data.runs, float(data.u.mean()))
    return max(slowest_memory(data.grid, data.runs[:, :, i], float(data.centre[i].mean())) for i in range(len(data.components)))


def _cut(window: Origins, halves: Folds) -> list[Origins]:
    """A window, cut where the halves of the folds meet."""
    members, cut = window.members, halves.cut
    if halves.in_time and window.start < cut < window.stop:
        return [Origins(members, window.start, cut), Origins(members, cut, window.stop)]
    if not halves.in_time and members.start < cut < members.stop:
        return [Origins(part, window.start, window.stop) for part in (slice(members.start, cut), slice(cut, members.stop))]
    return [window]


@dataclass(frozen=True)
class FieldSums:
    """Lagged sums by kind and group of origins.

    Args:
        sums: (kind, group, lag, mode); the kinds are those of this module's page.
        counts: (kind, group, lag), how many products each holds.
        kinds: their names.
    """

    sums: torch.Tensor
    counts: torch.Tensor
    kinds: tuple[str, ...]

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


def group_sums(products: Products, groups: Groups, steps: int, thin: int, control: bool) -> "FieldSums":
    """The sums of each group, whose windows are added one after the other, in double precision."""
    data = products.data
    kinds = ["raw", *((["some"] if thin > 1 else []) + ["every"] if control else [])]
    kinds += ["predicted", "jacobian"] if products.forecast is not None else []
    spacings = {"raw": thin, "some": thin, "every": 1, "predicted": thin}
    modes = products.plain.later(data.u[:1, :1]).shape[-1]
    sums = room((len(kinds), len(groups), steps + 1, modes), data.u.device, torch.complex64)
    counts = torch.zeros(len(kinds), len(groups), steps + 1, dtype=torch.float64, device=data.u.device)

    def add_up(group: int) -> None:
        several = len(groups.windows[group]) > 1
        zero = torch.zeros((), dtype=torch.complex128 if several else torch.complex64, device=sums.device)
        total = dict.fromkeys(kinds, zero)
        for window in groups.windows[group]:
            factors = _factors(products, window, steps, thin, kinds)
            width = window.stop - window.start
            for kind, name in enumerate(kinds):
                if name in factors.earlier:
                    total[name] = lagged_sum(factors.later, factors.earlier[name], steps) + total[name]
                if name != "jacobian":
                    counts[kind, group] += len(factors.later) * count_products(factors.later.shape[1], width, steps, spacings[name]).to(
                        counts
                    )
            if products.forecast is not None:
                predicted, jacobian, probes = _of_forecast(products, window, factors, steps, thin)
                total["predicted"], total["jacobian"] = total["predicted"] + predicted, total["jacobian"] + jacobian
                counts[kinds.index("jacobian"), group] += probes
        for kind, name in enumerate(kinds):
            sums[kind, group] = total[name]

    for _ in threads.mapped(add_up, range(len(groups)), device=data.u.device):
        pass
    return FieldSums(sums, counts, tuple(kinds))


@dataclass(frozen=True)
class _Factors:
    """The factors of the lagged products in one window: the later one, the earlier one by kind, and B at the origins where it is known."""

    later: torch.Tensor
    earlier: dict[str, torch.Tensor]
    weights: torch.Tensor
    origins: torch.Tensor


def _factors(products: Products, window: Origins, steps: int, thin: int, kinds: list[str]) -> _Factors:
    data, width = products.data, window.stop - window.start
    product = products.at(window.members.start, window.start)
    u = data.u[window.members, window.start : min(window.stop + steps, len(data.times))]
    origins = torch.arange(0, width, thin, device=u.device)
    context = None if data.context is None else data.context[window.members, window.start : window.stop : thin]
    later, weights = product.later(u), product.earlier(u[:, origins], context)
    earlier = {"raw": _spread(weights, origins)}
    if "some" in kinds:
        earlier["some"] = _spread((later if product.own is None else product.own(u))[:, origins], origins)
    if "every" in kinds:
        earlier["every"] = (later if product.own is None else product.own(u))[:, :width]
    return _Factors(later, earlier, weights, origins)


def _of_forecast(products: Products, window: Origins, factors: _Factors, steps: int, thin: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Σ m̂_t(u(τ)) B(τ)* over the origins that have a sample a lag t later, (lag, mode); Σ ∇m̂_t likewise; and how many gave the latter."""
    data, forecast = products.data, products.forecast_at(window.members.start, window.start)
    assert forecast is not None
    grid, unit = data.grid, products.plain.unit
    coefficients = _by_mode(forecast.coefficients[: steps + 1]).to(data.u.device)
    centre = (forecast.centre - products.plain.centre) / unit * grid.size  # what the two means differ by, which belongs to m̂
    reach = factors.later.shape[1] - torch.arange(steps + 1)  # at each lag, the origins below have a later sample
    counts = torch.searchsorted(factors.origins.cpu(), reach)
    ahead = torch.zeros(steps + 1, coefficients.shape[-1], dtype=torch.complex128, device=data.u.device)
    slopes = torch.zeros_like(ahead)
    probes = 0
    for row, member in enumerate(range(window.members.start, window.members.stop)):
        u = data.u[member, window.start : window.stop : thin]
        context = None if data.context is None else data.context[member, window.start : window.stop : thin]
        given, weights = context if forecast.needs_context else None, factors.weights[row].conj()
        found = _by_mode(grid.rfft(forecast.features(u, given) / unit)) * weights[:, None]  # (origin, feature, mode)
        ahead[:, :1] += centre * _up_to(weights[:, None, :1], counts, coefficients.new_ones(steps + 1, 1, 1))
        ahead += _up_to(found, counts, coefficients)
        some = slice(member % PROBED if len(u) > PROBED else 0, None, PROBED)
        rng = generator(products.seed, Stream.PROBE, member, window.start)
        slope = _by_mode(forecast.jacobians(u[some], None if given is None else given[some], rng))
        slopes += (coefficients * slope.sum(0)).sum(1)
        probes += len(slope)
    return ahead, slopes, probes


def _by_mode(values: torch.Tensor) -> torch.Tensor:
    """(..., feature, *spectral_shape) → (..., feature, mode), from two axes in front."""
    return values.reshape(*values.shape[:2], -1)


def _up_to(products: torch.Tensor, counts: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Σ_c a_c(t) Σ_τ of products (origin, feature, mode), at each lag over the first `counts` (lag,) origins: (lag, mode)."""
    counts = counts.clamp(0, len(products))
    least = int(counts.min())
    sums = products[:least].sum(0, dtype=torch.complex128)
    if least == len(products):
        return (coefficients * sums).sum(1)
    rest = torch.cat([sums[None], sums + products[least:].to(torch.complex128).cumsum(0)])  # (origins beyond the least, feature, mode)
    return (coefficients * rest[counts - least]).sum(1)


def _spread(values: torch.Tensor, origins: torch.Tensor) -> torch.Tensor:
    """Values at some origins, (member, origin, mode), with zeros at the origins between."""
    if len(origins) == int(origins[-1]) + 1:
        return values
    out = values.new_zeros(len(values), int(origins[-1]) + 1, values.shape[-1])
    out[:, origins] = values
    return out
