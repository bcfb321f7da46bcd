"""The error of a response against a truth, and the difference between two responses on the same data."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from gfdt_tutorial.core.confidence_bands import jackknife
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.responses.response import Response


@dataclass(frozen=True)
class Errors:
    """How far a response is from the truth, at each lag and in two quoted numbers.

    Attributes:
        times: (lag,).
        l2: (Σ_i (R_i − T_i)²)^½ over the whole field, the letter's "rms"; it counts the noise of the truth as error.
        linf: max_i |R_i − T_i|, likewise.
        l2_sq_unbiased: the mean of ⟨R − T_p, R − T_q⟩ over pairs p ≠ q of independent parts of the truth: the noise of the truth
            drops out. Signed: it may be negative where the error is within that noise. Equal to l2² for an exact truth.
        l2_sq_se: its standard error from the truth's noise, by jackknife over parts; 0 for an exact truth. For a response without error
            it is √2 too large, because the jackknife counts a quadratic form twice.
        quoted: "l2", the root of the mean over lags > 0 of l2_sq_unbiased (a negative mean gives a negative "l2"); "l2_se_truth", its
            standard error from the truth's noise; "l2_se_data", its standard error from the finite series, by jackknife over the groups
            of the data, where the response has `deviations`; and "linf", the mean of linf over the same lags. Two responses on the same
            data share most of both errors: compare them by `difference`.
    """

    times: torch.Tensor
    l2: torch.Tensor
    linf: torch.Tensor
    l2_sq_unbiased: torch.Tensor
    l2_sq_se: torch.Tensor
    quoted: dict[str, float]


def compare(response: Response, truth: Response) -> Errors:
    """Errors of a response against `truth`, at its own lags.

    Of unlike variables each entry counts in standard deviations of the one variable per standard deviation of the other, if the response
    knows them (`info["spread"]`), so that errors do not depend on units.

    Args:
        truth: a Response at the same lags or more; from `perturb`, whose parts free the error of the truth's own noise, or exact.

    Raises:
        ValueError: another grid, or a lag that the truth does not have.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, exact_response
    >>> truth = exact_response(OrnsteinUhlenbeck(), lags=10.0)
    >>> compare(truth, truth).quoted["l2"]
    0.0
    """
    rows = _rows(response, truth)
    response, truth = in_common_units(response, response, truth)
    values = _by_lag(response.values.double().cpu())
    difference = values - _by_lag(truth.values.double().cpu()[rows])
    unbiased = difference.square().sum(1)
    without = None
    if truth.parts is not None:
        each = values - torch.stack([_by_lag(part) for part in truth.parts.double().cpu()[:, rows]])
        unbiased, without = free_of_noise(each), torch.stack([free_of_noise(_drop(each, i)) for i in range(len(each))])
    return Errors(
        times=response.times,
        l2=difference.norm(dim=1),
        linf=difference.abs().amax(1),
        l2_sq_unbiased=unbiased,
        l2_sq_se=torch.zeros_like(unbiased) if without is None else jackknife(without),
        quoted=_quoted(unbiased, difference, without) | _from_data(response, truth, rows),
    )


def in_common_units(known: Response, *responses: Response) -> tuple[Response, ...]:
    """Responses of unlike variables in units of their standard deviations, as one response knows them; others as they are."""
    spread = known.info.get("spread")
    if known.components is None or spread is None:
        return responses
    scale = torch.tensor(spread, dtype=torch.float64)
    weights = (scale / scale[:, None]).reshape(len(scale), len(scale), *[1] * (known.values.ndim - 3))  # from over to

    def weighed(values: torch.Tensor | None) -> torch.Tensor | None:
        return None if values is None else values.cpu().double() * weights

    return tuple(
        replace(
            one,
            values=one.values.cpu().double() * weights,
            standard_error=weighed(one.standard_error),
            parts=weighed(one.parts),
            deviations=weighed(one.deviations),
        )
        for one in responses
    )


def wave_errors(response: Response, truth: Response) -> torch.Tensor:
    """|R̂_k(t) − R_k(t)|² by wavevector, (lag, *spectral_shape), at the lags of the response; their sum is N² times the squared L2.

    Where the truth has parts it is freed of the truth's noise, and signed: the mean of Re ⟨R̂ − T_p, R̂ − T_q⟩ over p ≠ q.

    Raises:
        ValueError: as `compare`; or the responses are not those of the field to a kick.
    """
    grid, rows = response._need_grid(), _rows(response, truth)
    if truth.parts is None:
        return grid.rfft((response.values.cpu() - truth.values.cpu()[rows]).double()).abs().square()
    each = grid.rfft((response.values.cpu() - truth.parts.cpu()[:, rows]).double())
    count = len(each)
    return (each.sum(0).abs().square() - each.abs().square().sum(0)) / (count * (count - 1))


@dataclass(frozen=True)
class ErrorSources:
    """The contributions to the squared L2 of a response, at each lag: `score` + `sampling` + `truth` = l2².

    Attributes:
        times: (lag,).
        score: |R_s − R|², the squared error in the infinite-data limit, which is due to the score. Signed, because it is a remainder.
        sampling: Σ_i ⟨δR_i²⟩, from the finite series, by the bootstrap.
        truth: the same for the truth, by its parts; 0 for an exact truth.
    """

    times: torch.Tensor
    score: torch.Tensor
    sampling: torch.Tensor
    truth: torch.Tensor

    @property
    def quoted(self) -> dict[str, float]:
        """Roots of the means over lags > 0, signed."""
        return {name: signed_root(float(getattr(self, name)[1:].mean())) for name in ("score", "sampling", "truth")}


def error_sources(response: Response, truth: Response) -> ErrorSources:
    """The squared error of a response, split by its sources.

    Where response and truth are independent and sampling gives no bias, ⟨|R̂ − T̂|²⟩ = |R_s − R|² + Σ_i ⟨δR̂_i²⟩ + Σ_i ⟨δT̂_i²⟩.

    Raises:
        ValueError: as `compare`; or the response has no standard error.
    """
    if response.standard_error is None:
        raise ValueError("this response has no standard error, so the contribution of sampling is not known; take a response from respond")
    errors = compare(response, truth)
    sampling = _by_lag(response.standard_error.double().square()).sum(1)
    return ErrorSources(errors.times, errors.l2_sq_unbiased - sampling, sampling, errors.l2.square() - errors.l2_sq_unbiased)


def _quoted(unbiased: torch.Tensor, difference: torch.Tensor, without: torch.Tensor | None) -> dict[str, float]:
    mean = float(unbiased[1:].mean())
    spread = 0.0 if without is None else float(jackknife(without[:, 1:].mean(1)))
    l2 = signed_root(mean)
    # d√v = dv / 2√v, but no more than √dv where v itself is within its noise
    error = min(spread / (2 * abs(l2)), math.sqrt(spread)) if spread else 0.0
    return {"l2": l2, "l2_se_truth": error, "linf": float(difference[1:].abs().amax(1).mean())}


def _from_data(response: Response, truth: Response, rows: torch.Tensor) -> dict[str, float]:
    if response.deviations is None or len(response.deviations) < 2:
        return {}
    replicates = _replicates(response.values, response.deviations)
    return {"l2_se_data": float(jackknife(torch.stack([_l2(each, truth, rows) for each in replicates])))}


def _replicates(values: torch.Tensor, deviations: torch.Tensor) -> Iterator[torch.Tensor]:
    """The values without each group in turn, one after the other: together they would take many times the memory."""
    return (values.cpu().double() + each.double() for each in deviations)


def _l2(values: torch.Tensor, truth: Response, rows: torch.Tensor) -> torch.Tensor:
    """The quoted L2 of some values, signed, as a tensor."""
    truths = (truth.values[None] if truth.parts is None else truth.parts).double().cpu()[:, rows]
    each = _by_lag(values.double()) - torch.stack([_by_lag(one) for one in truths])
    square = (each[0].square().sum(1) if truth.parts is None else free_of_noise(each))[1:].mean()
    return square.sign() * square.abs().sqrt()


@dataclass(frozen=True)
class Difference:
    """By how much the quoted L2 of one response exceeds that of another on the same data.

    Attributes:
        value: L2 of the first less L2 of the second.
        standard_error: of that difference, from the data and the truth together.
        from_data, from_truth: its two parts.
    """

    value: float
    standard_error: float
    from_data: float
    from_truth: float


def difference(one: Response, other: Response, truth: Response) -> Difference:
    """The difference of two responses on the same data: the part of their errors that they share, from data and truth, cancels.

    Standard errors come from the jackknife over the groups of the data, which must be the same for both responses, and over the parts of
    the truth.

    Raises:
        ValueError: as `compare`; the responses have no `deviations` (a saved one has none), or are not of the same data.
    """
    one, other, truth = in_common_units(one, one, other, truth)
    if one.deviations is None or other.deviations is None:
        raise ValueError(
            "a response that was read from a file, or not made by respond, does not say how groups of its data deviate; "
            "compute both responses from their data"
        )
    if len(one.deviations) != len(other.deviations) or one.info.get("data") != other.info.get("data"):
        raise ValueError("the two responses are not of the same data; compare each with the truth on its own")
    rows = _rows(one, truth)
    if not torch.equal(rows, _rows(other, truth)):
        raise ValueError("the two responses have different lags; ask for the same")

    def gap(first: torch.Tensor, second: torch.Tensor, against: Response) -> torch.Tensor:
        return _l2(first, against, rows) - _l2(second, against, rows)

    pairs = zip(_replicates(one.values, one.deviations), _replicates(other.values, other.deviations), strict=True)
    data = jackknife(torch.stack([gap(*pair, truth) for pair in pairs]))
    noise = torch.zeros(())
    if truth.parts is not None and len(truth.parts) > 2:
        without = [replace(truth, parts=_drop(truth.parts, i), standard_error=None) for i in range(len(truth.parts))]
        noise = jackknife(torch.stack([gap(one.values.cpu(), other.values.cpu(), each) for each in without]))
    value = gap(one.values.cpu(), other.values.cpu(), truth)
    return Difference(float(value), float((data.square() + noise.square()).sqrt()), float(data), float(noise))


def free_of_noise(each: torch.Tensor) -> torch.Tensor:
    """Mean of ⟨R − T_p, R − T_q⟩ over p ≠ q, from (part, lag, pixel): (|Σ_p e_p|² − Σ_p |e_p|²) / (P(P − 1))."""
    count = len(each)
    return (each.sum(0).square().sum(-1) - each.square().sum((0, 2))) / (count * (count - 1))


def _drop(each: torch.Tensor, index: int) -> torch.Tensor:
    return torch.cat([each[:index], each[index + 1 :]])


def _rows(response: Response, truth: Response) -> torch.Tensor:
    """Where the truth, of the same grid and shape, has the lags of the response."""
    if response.grid is not None and truth.grid is not None and response.grid != truth.grid:
        raise ValueError(f"grids differ: response {response.grid}, truth {truth.grid}")
    if response.values.shape[1:] != truth.values.shape[1:]:
        raise ValueError(f"shapes differ: response {tuple(response.values.shape[1:])}, truth {tuple(truth.values.shape[1:])}")
    if truth.info.get("kick") == "smooth":
        raise ValueError("this truth is of smooth kicks, which excite long waves only: use kick_error(response, truth, pattern) instead")
    return lags_in(truth, response.times)


def lags_in(truth: Response, wanted: torch.Tensor) -> torch.Tensor:
    """Where a response has some lags.

    Raises:
        ValueError: it does not have one of them.
    """
    present = truth.times
    gaps = np.abs(np.asarray(wanted)[:, None] - np.asarray(present)[None, :])
    rows = gaps.argmin(1)
    worst = gaps.min(1)
    if (worst > 1e-6 * float(present.max())).any():
        missing = float(wanted[int(worst.argmax())])
        raise ValueError(
            f"the truth has no lag {missing:g}; its lags run from {float(present[0]):g} to {float(present[-1]):g}: use the same lags"
        )
    return torch.as_tensor(rows)


def _by_lag(values: torch.Tensor) -> torch.Tensor:
    """(lag, ...) → (lag, number); a lone number is one."""
    return values.reshape(len(values), -1)
