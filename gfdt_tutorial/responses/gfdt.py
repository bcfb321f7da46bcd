"""The generalized fluctuation-dissipation theorem: a response from an unperturbed series and a score.

R(d, t) = −⟨ u(x + d, τ + t) s(x, τ) ⟩                         letter, eqs. (3), (4): kicks
R_A(t)  =  ⟨ A(u(τ + t)) B(u(τ)) ⟩,   B = −∇·f − f·s           any observable A, any small change f of the drift

Less noise from the same data (`control`, `symmetries`, `thin`). A true score obeys ⟨u s⟩ = −1, so with G(t) = C(t) C(0)⁻¹ the Gaussian
response, per wavevector,

    R(t) = G(t) + [R̂(t) − R̂(0) G(t)],    R̂(t) = −⟨ u(τ + t) s(τ) ⟩

has the same mean and less scatter: what s has in common with u is averaged where it costs nothing. It also takes out any error of the
score that is linear in the field, to which the long lags of slow modes are most sensitive. With thinned origins R̂(t) and the G(t) in
brackets are averaged over these, and the G(t) in front over all.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from gfdt_tutorial import checks, statistics
from gfdt_tutorial.responses.curves import Response
from gfdt_tutorial.responses.numbers import integrated, sensitivities, tail_of
from gfdt_tutorial.responses.symmetries import check_symmetries, symmetrise
from gfdt_tutorial.responses.weights import Field, Perturbation, check_perturbation, drift_weight, force_of, observed, score_of
from gfdt_tutorial.series import TimeSeries, check_series
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.statistics import blocks


@dataclass(frozen=True)
class _Product:
    """What is correlated: `later(u)` at τ + t with `earlier(u, context)` at τ, both (member, time, mode), and the way back from modes."""

    later: Field
    earlier: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    back: Field


def respond(
    data: TimeSeries,
    score: Callable,
    lags: float = 90.0,
    normalise: bool = False,
    level: float = 0.90,
    observable: Field | None = None,
    perturbation: Perturbation | None = None,
    *,
    integrate: bool = False,
    control: bool = False,
    shrink: bool = False,
    symmetries: tuple[str, ...] = (),
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> Response:
    """The response of a stationary system to a small change, from its unperturbed series alone.

    Averages run over members, origins and, by translation invariance, over pixels; for fields they are taken per wavevector. The band
    comes from a bootstrap over whole members, or over time blocks where there are fewer than 8 members. Where the score was fitted
    to these very data so that R(0) = I exactly (a Gaussian score on its own data), every resample is tied to R(0) = I again.

    Args:
        data: the series; its translation-invariant mean is removed.
        score: ∇ ln ρ with respect to pixel values: (..., *shape) → the same; called as score(u, context=...) where data has context.
        lags: the largest lag, in time units; at most half the series.
        normalise: R(t) R(0)⁻¹ per wavevector: mends a score of wrong amplitude, and hides one.
        level: of the band.
        observable: A, a function of fields (..., *shape). It returns fields too, or (...,) or (..., n) numbers that do not change when
            the field is shifted; on one space axis n must not be the number of pixels. The field itself by default.
        perturbation: (f, ∇·f), two functions of fields (see `system.drift_derivative`). By default a unit kick at pixel (0, 0).
        integrate: the answer to a *lasting* change switched on at t = 0 instead of an impulse: ∫₀ᵗ R_A by the trapezoid rule.
        control: a control variate takes out noise. For kicks of the field it is the Gaussian response, which ties R(0) to the identity;
            for observables that are numbers, what `responses.numbers` says.
        shrink: for numbers, see `responses.numbers.sensitivities`, which also answers several perturbations in one pass.
        symmetries: of the system, to average over: "reflect x", "reflect y", "transpose", "sign" (which evaluates the score twice). Name
            only those that it really has: advection along x breaks the first and the third.
        thin: evaluate the score at every `thin`-th origin only, the field at all lags: worth it where the score is costly and the
            sampling interval is shorter than its memory.
        resamples, seed: of the bootstrap.

    Returns:
        Response, on the CPU wherever the data are, with values (lag, *shape) for fields, by displacement where the kick is at one pixel,
        else (lag, ...).

    Raises:
        ValueError: no series, lags beyond half of it, a score of another grid, a score, observable or perturbation that returns a wrong
            shape or NaN, a symmetry that the grid has not, `control` for fields that are not kicked but changed otherwise, `shrink` for
            fields, or `normalise` for other than kicks of the field.

    >>> from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=8, duration=40.0)
    >>> respond(data, GaussianScore.fit(data), lags=10.0).values.shape
    torch.Size([11, 32, 32])
    """
    check_series(data)
    known = getattr(score, "grid", None)
    if isinstance(known, PeriodicGrid) and known.shape != data.grid.shape:
        raise ValueError(f"the score is of fields of shape {known.shape}, the data have {data.grid.shape}: fit one to data like these")
    steps = data.steps(lags)
    checks.probability("level", level)
    if perturbation is not None:
        check_perturbation(perturbation)
    checks.whole("resamples", resamples, minimum=2)
    if normalise and (observable is not None or perturbation is not None):
        raise ValueError("normalise=True divides by R(0), which is the identity for kicks of the field only; leave it False here")
    symmetries = check_symmetries(symmetries, data.grid)
    is_kick = observable is None and perturbation is None
    if symmetries and (perturbation is not None or not (observable is None or tail_of(observable, data) is None)):
        raise ValueError("symmetries are averaged over displacements from a kick; for another observable or perturbation leave them out")
    if observable is not None and tail_of(observable, data) is not None:
        options = {"integrate": integrate, "control": control, "shrink": shrink, "thin": thin, "resamples": resamples, "seed": seed}
        return sensitivities(data, score, observable, {"it": perturbation}, lags, level, **options)["it"]
    if (control and not is_kick) or shrink:
        raise ValueError(
            "control=True is for kicks of the field and for observables that are numbers, shrink=True for the latter; leave them False here"
        )
    thin = checks.whole("thin", thin, minimum=1)
    if "sign" in symmetries:
        score = _odd_part(score, data.u.mean())
    product = _product(data, score, observable, perturbation)
    sums, counts = _group_sums(data, product, steps, thin, control)
    finish = partial(_finish, product=product, every=data.every, normalise=normalise, integrate=integrate, symmetries=symmetries, tie=False)
    raw = _means(sums.sum(1), counts.sum(1))[0]
    if normalise and not control:  # with the control variate R(0) = 1
        _check_divisible(raw[0])
    tied = is_kick and not control and bool(((raw[0] - 1).abs() < 1e-3).all())

    def resampled(weights):
        means = _means(torch.einsum("rg,kglm->krlm", weights.to(sums), sums), torch.einsum("rg,kgl->krl", weights.to(counts), counts))
        return finish(means, tie=tied)

    error = statistics.bootstrap_error(resampled, sums.shape[1], resamples=resamples, seed=seed)
    groups = sums.shape[1]
    if groups < 8:
        warnings.warn(f"the band rests on {groups} blocks of data only; a longer series makes it narrower and surer", stacklevel=2)
    info = {"device": str(data.u.device), "snapshots": data.snapshots, "groups": groups, "data": data.info}
    info |= {"control": control, "symmetries": list(symmetries), "thin": thin}
    return Response(
        times=data.every * torch.arange(steps + 1, dtype=torch.float64),
        values=finish(_means(sums.sum(1), counts.sum(1))).cpu(),
        method=getattr(score, "method", "score"),
        standard_error=error.cpu(),
        freedom=max(groups - 1, 0),
        level=level,
        grid=data.grid if perturbation is None else None,  # else there is no displacement from a kick
        normalised=normalise,
        info=info,
    )


def _product(data: TimeSeries, score: Callable, observable: Field | None, perturbation: Perturbation | None) -> _Product:
    grid, centre = data.grid, data.u.mean()
    mean = 0.0 if observable is None else _mean_of(observable, data.u)

    def fields(u):
        return u - centre if observable is None else observed(observable, u) - mean

    if perturbation is None:
        return _Product(
            later=lambda u: _rows(grid.rfft(fields(u))),
            earlier=lambda u, context: -_rows(grid.rfft(score_of(score, u, context))) / grid.size,
            back=lambda modes: grid.irfft(modes.reshape(*modes.shape[:-1], *grid.half)),
        )

    def weight(u, context):
        return drift_weight(perturbation, u, force_of(perturbation, u, context), score_of(score, u, context))[..., None]

    return _Product(
        later=lambda u: _rows(fields(u)),
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


def _group_sums(data: TimeSeries, product: _Product, steps: int, thin: int, control: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ later(τ + m) earlier(τ)* by group of origins, (kind, group, lag, mode), and how many products each holds, (kind, group, lag).

    The kinds are the product itself and, for a control variate, later with itself, over the same origins and over all.
    """
    length = len(data.times)
    groups = statistics.origin_groups(len(data.u), length, steps, step_bytes=32 * data.grid.size)
    reach = torch.arange(steps + 1, device=data.u.device)
    kinds = (3 if thin > 1 else 2) if control else 1
    sums, counts = [], []
    for windows in groups:
        total, count = [0.0] * kinds, torch.zeros(kinds, steps + 1, device=data.u.device)
        for window in windows:
            u = data.u[window.members, window.start : min(window.stop + steps, length)]
            origins = torch.arange(0, window.stop - window.start, thin, device=u.device)
            context = None if data.context is None else data.context[window.members, window.start : window.stop : thin]
            later = product.later(u)
            pairs = [_spread(product.earlier(u[:, origins], context), origins)]
            pairs += [later[:, : window.stop - window.start]] * (kinds - 1)
            if thin > 1 and control:
                pairs[1] = _spread(later[:, origins], origins)
            for kind, earlier in enumerate(pairs):
                total[kind] = total[kind] + statistics.lagged_sum(later, earlier, steps)
                used = origins if kind < 2 else torch.arange(window.stop - window.start, device=u.device)
                count[kind] += len(u) * (used[None] + reach[:, None] < u.shape[1]).sum(1)
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

    odd.method = getattr(score, "method", "score")
    return odd


def _means(sums: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean products, (kind, ..., lag, mode)."""
    return sums / counts[..., None]


def _finish(
    means: torch.Tensor, *, product: _Product, every: float, normalise: bool, integrate: bool, symmetries: tuple[str, ...], tie: bool
) -> torch.Tensor:
    """From mean products (kind, ..., lag, mode) to response values (..., lag, *shape)."""
    mean = means[0]
    if len(means) > 1:
        some, every_origin = (covariance / covariance[..., :1, :].real.clamp_min(1e-30) for covariance in (means[1], means[-1]))
        mean = every_origin + mean - mean[..., :1, :] * some
    if normalise or tie:
        mean = mean / mean[..., :1, :]
    if integrate:
        mean = integrated(mean, every)
    return symmetrise(product.back(mean), symmetries)


def _check_divisible(at_zero: torch.Tensor) -> None:
    smallest = float(at_zero.abs().min())
    if not smallest > 1e-6:
        raise ValueError("R(0) vanishes for some wavevector, so R(t) R(0)⁻¹ does not exist; use normalise=False, or fit a better score")
    if smallest < 0.2:
        warnings.warn(
            f"R(0) is as small as {smallest:.2g} for some wavevector: normalising multiplies its noise by {1 / smallest:.0f}", stacklevel=3
        )
