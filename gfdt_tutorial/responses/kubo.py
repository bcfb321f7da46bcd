"""Kubo's formula: the response of reversible dynamics to a lasting change, from unperturbed data and without a score.

Let the drift be ½ D ∇ ln ρ, with D the covariance of the noise per unit time, and let the change of the drift be the gradient of a
potential in the same metric, f = ½ D ∇φ. With the generator ℒ = ½ D ∇ ln ρ·∇ + ½ ∇·D∇ the weight of the theorem becomes

    B = −∇·f − f·s = −½ ∇·(D∇φ) − ½ s·D∇φ = −ℒφ.

Reversibility, ⟨A(t) ℒφ(0)⟩ = ⟨A(0) ℒφ(t)⟩ = d/dt ⟨A(0) φ(t)⟩, turns the response to an impulse into −d/dt ⟨A(t) φ(0)⟩. Its integral, the
response to a change that is switched on at t = 0 and lasts, is

    δ⟨A⟩(t) = ⟨A φ⟩ − ⟨A(t) φ(0)⟩ = ½ ⟨[A(t) − A(0)] [φ(t) − φ(0)]⟩.

The last form is free of the means of A and φ, vanishes at t = 0 in any sample, and uses both directions of time. Where the parameter p
shapes the density and not the noise, φ = ∂ ln ρ/∂p up to a constant: `potential` of a system gives it.

A field that is carried along by advection is reversible in the frame that moves with it. Quantities that do not change when the field
is shifted do not depend on the frame, so the formula holds for them, and `kubo` refuses others. It holds as far as advection on the grid
is a shift: where products are aliased it is biased (see `AllenCahn.potential`). Reversibility can be tested on the data, because it
implies ⟨A(t) φ(0)⟩ = ⟨A(0) φ(t)⟩; `kubo` warns where these differ significantly.

Source: Kubo, Rep. Prog. Phys. 29, 255 (1966), for thermal equilibrium; here for any density.
"""

import warnings
from collections.abc import Collection
from dataclasses import dataclass

import scipy.stats
import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.numerics import assembled, pieces
from gfdt_tutorial.core.resampling_groups import Groups, Origins, groups_of_numbers
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.estimation import Estimation
from gfdt_tutorial.responses.lagged_sums import GroupSums, lagged_products
from gfdt_tutorial.responses.observable_samples import tail_of_numbers
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import Field, observed

SOME = 64  # snapshots on which the effect of a shift is tested
MOVED = 1e-3  # of the spread between snapshots: a larger effect of a shift is more than rounding
FALSE_ALARM = 1e-3  # probability of a false alarm about reversibility, over all lags and observables together


def kubo(
    data: TimeSeries,
    observable: Field,
    potentials: dict[str, Field],
    *,
    lags: float = 90.0,
    confidence: float = 0.90,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """Responses of reversible dynamics to lasting changes: ½ ⟨[A(t) − A(0)] [φ(t) − φ(0)]⟩, without a score.

    No integral over lags is taken, so the sampling interval may be as long as the spacing of the lags that are wanted.

    Args:
        data, lags, confidence, resamples, seed: as in `respond`.
        observable: A, from fields (..., *shape) to (...,) or (..., n) numbers that do not change when the field is shifted.
        potentials: name → φ, from fields (..., *shape) to (...,) numbers that do not change when the field is shifted either, such as
            {"kappa": system.potential("kappa")}. The change of the drift is ½ D ∇φ.

    Returns:
        name → Response with values (lag, ...), the change of ⟨A⟩ per unit of the parameter at a time t after it moved, in the form of
        `sensitivities`. Its `info["irreversibility"]` is the largest difference between ⟨A(t) φ(0)⟩ and ⟨A(0) φ(t)⟩ in standard errors.

    Raises:
        ValueError: as `respond`; no potential; an observable or a potential that changes when the field is shifted, or that returns
            numbers of another shape.

    Warns:
        UserWarning: A and φ show that the data are not reversible, so that the formula does not hold; there are few blocks of data; or
            `lags` is not a multiple of the sampling interval.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, observables, simulate
    >>> system = OrnsteinUhlenbeck()
    >>> data = simulate(system, members=8, duration=60.0)
    >>> found = kubo(data, observables.moment(system.grid, 2), {"lam": system.potential("lam")}, lags=20.0)
    >>> bool(found["lam"].values[-1] < 0)
    True
    """
    common = Estimation(data, lags, confidence, resamples, seed)
    tail = _check_functions(data, observable, potentials)
    with threads.steady():
        a, phi = _measured(data, [observable]), _measured(data, potentials.values())
        groups = groups_of_numbers(a, common.steps, step_bytes=32 * (a.shape[-1] + phi.shape[-1]), paired=data.paired)
        sums = _sums(a, phi, groups, common.steps)
        values, error = sums.lasting(sums.one_each)[0], groups.widening * sums.error(sums.lasting, common.resamples, seed)
        apart = _apart(sums, common.resamples, seed)
    found = {}
    for number, name in enumerate(potentials):
        found[name] = common.response(
            values[..., number].reshape(-1, *tail).float(),
            error[..., number].reshape(-1, *tail).float(),
            len(groups),
            method="kubo",
            info={"irreversibility": float(apart[..., number].max())},
        )
        _warn_if_irreversible(name, apart[..., number], len(groups), data.every)
    groups.warn(stacklevel=3)
    return found


def _check_functions(data: TimeSeries, observable: Field, potentials: dict[str, Field]) -> tuple[int, ...]:
    """Check all functions; return the axes that the observable adds to those of the series, () or (n,)."""
    if not isinstance(potentials, dict) or not potentials or not all(map(callable, potentials.values())):
        raise ValueError(
            "potentials must be a dictionary that names one or more functions of the field: {'kappa': system.potential('kappa')}"
        )
    tail = tail_of_numbers(observable, data)
    _check_unmoved("the observable", observable, data)
    for name, potential in potentials.items():
        if tail_of_numbers(potential, data, f"the potential of {name!r}") != ():
            raise ValueError(f"the potential of {name!r} must return one number for each field, (..., *shape) → (...)")
        _check_unmoved(f"the potential of {name!r}", potential, data)
    return tail


def _check_unmoved(name: str, function: Field, data: TimeSeries) -> None:
    """Raises ValueError if a shift by one pixel along some axis changes what a function returns."""
    fields = data.u.flatten(0, 1)
    u = fields[:: max(1, len(fields) // SOME)][:SOME, None]
    here = observed(function, u).double()
    allowed = MOVED * here.std(0) + 1e-5 * here.abs().amax(0)
    for axis in data.grid.axes:
        moved = (observed(function, u.roll(1, axis)).double() - here).abs().amax(0)
        if bool((moved > allowed).any()):
            raise ValueError(
                f"{name} changes when the field is shifted by one pixel along {'yx'[axis]}; Kubo's formula needs quantities that do not, "
                "such as those of gfdt.observables, because advection is reversible only in the frame that moves with it"
            )


def _measured(data: TimeSeries, functions: Collection[Field]) -> torch.Tensor:
    """What functions return at every snapshot, side by side, less their means: (member, time, n), double precision, on the CPU."""
    where = pieces(data.u.shape[0], data.u.shape[1], 32 * data.grid.size)

    def of(piece: tuple[slice, slice]) -> torch.Tensor:
        u = data.u[piece]
        return torch.cat([observed(function, u).reshape(*u.shape[:2], -1).double().cpu() for function in functions], -1)

    values = assembled(list(threads.mapped(of, where, device=data.u.device)), where)
    return values - values.mean((0, 1))


@dataclass(frozen=True)
class KuboSums(GroupSums):
    """Sums over origins, by group, for n observables A and p potentials φ.

    Args:
        counts: (group, lag), how many origins each lag has.
        still: (group, lag, n, p), Σ A(τ) φ(τ) + A(τ + t) φ(τ + t).
        forward, backward: (group, lag, n, p), Σ A(τ + t) φ(τ) and Σ A(τ) φ(τ + t).
    """

    still: torch.Tensor
    forward: torch.Tensor
    backward: torch.Tensor

    def lasting(self, drawn: torch.Tensor) -> torch.Tensor:
        """½ ⟨[A(t) − A(0)] [φ(t) − φ(0)]⟩, (resample, lag, n, p), each group taken `drawn` (resample, group) times."""
        return 0.5 * self.mean(drawn, self.still - self.forward - self.backward, self.counts)

    def asymmetry(self, drawn: torch.Tensor) -> torch.Tensor:
        """⟨A(t) φ(0)⟩ − ⟨A(0) φ(t)⟩, of the same shape: zero for reversible dynamics."""
        return self.mean(drawn, self.forward - self.backward, self.counts)


def _sums(observed: torch.Tensor, potentials: torch.Tensor, groups: Groups, steps: int) -> KuboSums:
    """Of A, (member, time, n), and φ, (member, time, p), at lags up to `steps`."""

    def of_group(windows: list[Origins]) -> list[torch.Tensor]:
        return _added([_of_window(observed, potentials, window, steps) for window in windows])

    found = threads.mapped(of_group, groups.windows)
    return KuboSums(*(torch.stack(kind) for kind in zip(*found, strict=True)))


def _added(windows: list[tuple[torch.Tensor, ...]]) -> list[torch.Tensor]:
    """The sums of several windows, added up kind by kind."""
    return [torch.stack(kind).sum(0) for kind in zip(*windows, strict=True)]


def _of_window(observed: torch.Tensor, potentials: torch.Tensor, window: Origins, steps: int) -> tuple[torch.Tensor, ...]:
    """The fields of `KuboSums` for one window of origins; `still` from running sums, so that no array has both lags and origins."""
    wide, last = window.stop - window.start, min(window.stop + steps, observed.shape[1])
    a, phi = (values[window.members, window.start : last] for values in (observed, potentials))
    lag = torch.arange(steps + 1)
    ends = (a.shape[1] - lag).clamp(0, wide)  # origins that have a partner at this lag
    running = torch.einsum("mti,mtp->tip", a, phi).cumsum(0)
    running = torch.cat([torch.zeros_like(running[:1]), running])
    start = lag.clamp_max(a.shape[1])
    still = running[ends] + running[start + ends] - running[start]
    forward = lagged_products(a, phi[:, :wide], steps)
    backward = lagged_products(phi, a[:, :wide], steps).mT
    return len(a) * ends.double(), still, forward, backward


def _apart(sums: KuboSums, resamples: int, seed: int) -> torch.Tensor:
    """|⟨A(t) φ(0)⟩ − ⟨A(0) φ(t)⟩| in standard errors, (lag, n, p); 0 where nothing scatters, as at t = 0."""
    difference, error = sums.asymmetry(sums.one_each)[0], sums.error(sums.asymmetry, resamples, seed)
    known = error > 1e-9 * sums.lasting(sums.one_each)[0].abs().amax(0)
    return torch.where(known, difference.abs() / error, torch.zeros_like(error))


def _warn_if_irreversible(name: str, apart: torch.Tensor, groups: int, every: float) -> None:
    if groups < 2:
        return
    allowed = float(scipy.stats.t.isf(FALSE_ALARM / 2 / apart[1:].numel(), groups - 1))
    worst = int(apart.amax(1).argmax())
    if float(apart[worst].max()) > allowed:
        warnings.warn(
            f"⟨A(t) φ(0)⟩ and ⟨A(0) φ(t)⟩ differ by {float(apart.max()):.1f} standard errors at t = {worst * every:g} for {name!r}; "
            f"by chance they exceed {allowed:.1f} in one of {1 / FALSE_ALARM:.0f} series. The dynamics are not reversible as these "
            "observables see them, so Kubo's formula does not hold; use gfdt.sensitivities with a score",
            stacklevel=3,
        )
