"""Errors of a response scale by scale: by band of wavenumbers, and for a smooth kick.

The L2 error after a kick of one pixel weighs all wavevectors alike, and most of them are short. It hardly sees the few long waves on which
a smooth kick lives, which is what people draw and what questions about a region ask.
"""

import math
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.confidence_bands import jackknife
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.responses.errors import free_of_noise, lags_in, wave_errors
from gfdt_tutorial.responses.response import Response

EDGES = (4.0, 8.0, 12.0)  # of the bands, in multiples of the fundamental wavenumber


def band_errors(response: Response, truth: Response, edges: tuple[float, ...] = EDGES) -> dict[str, torch.Tensor]:
    """Root mean square of |R̂_k(t) − R_k(t)| over the wavevectors of each band, (lag,), freed of the truth's noise and signed.

    Args:
        edges: between bands, in multiples of the fundamental wavenumber; an edge belongs to the band below it. A band without wavevectors
            is left out.

    Raises:
        ValueError: as `compare`; edges that do not increase; or a response that is not that of a field to a kick.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, exact_response
    >>> truth = exact_response(OrnsteinUhlenbeck(), lags=10.0)
    >>> list(band_errors(truth, truth))
    ['k ≤ 4', '4 < k ≤ 8', '8 < k ≤ 12', '12 < k']
    """
    if list(edges) != sorted(set(edges)) or not edges:
        raise ValueError(f"edges is {edges!r}; expected increasing wavenumbers, such as {EDGES}")
    squares, grid = wave_errors(response, truth), truth.grid or response.grid
    if grid is None or not grid.shape:
        raise ValueError("a lone number has no wavenumbers")
    radius, weight = grid.k_squared.sqrt() / grid.fundamental, grid.multiplicity
    found = {}
    for low, high in zip((-math.inf, *edges), (*edges, math.inf), strict=True):
        band = (radius > low + 1e-9) & (radius <= high + 1e-9)
        if band.any():
            means = (squares[:, band] * weight[band]).sum(1) / weight[band].sum()
            found[band_name(low, high)] = means.sign() * means.abs().sqrt()
    return found


@dataclass(frozen=True)
class KickError:
    """The error of the response to one kick p, relative to that response.

    Attributes:
        times: (lag,).
        relative: ‖R̂ p − R p‖ / ‖R p‖, signed: both norms are freed of the truth's noise.
        standard_error: of `relative`, from the truth's noise, by the jackknife over its parts; 0 for an exact truth.
        truth_error: the standard error of R p relative to its norm: how well the truth itself is known.
        quoted: the same with both squared norms averaged over lags beyond 0.
    """

    times: torch.Tensor
    relative: torch.Tensor
    standard_error: torch.Tensor
    truth_error: torch.Tensor
    quoted: float


def kick_error(response: Response, truth: Response, pattern: torch.Tensor) -> KickError:
    """How far the response to a kick is from the truth, at the lags that both have.

    Args:
        truth: from kicks that excite what the pattern contains, such as `perturb(..., kick="smooth")` for a smooth one: after kicks of one
            pixel few kicked runs show the long waves.
        pattern: (*shape), the kick; its amplitude does not matter.

    Raises:
        ValueError: as `compare`; or a pattern of another shape.
    """
    some = truth.times[truth.times <= float(response.times[-1]) * (1 + 1e-9)]
    rows = lags_in(response, some), lags_in(truth, some)
    grid = truth._need_grid()
    spectrum = grid.rfft(checks.ends_with("pattern", pattern, grid.shape).double())
    moved = grid.irfft(grid.rfft(response.values.double().cpu()[rows[0]]) * spectrum).flatten(1)
    parts = truth.values[None] if truth.parts is None else truth.parts
    true = grid.irfft(grid.rfft(parts.double().cpu()[:, rows[1]]) * spectrum).flatten(2)
    wrong, size = _squares(moved - true), _squares(true)
    without = [torch.arange(len(true)) != part for part in range(len(true))] if len(true) > 2 else []
    each = [_ratio(_squares((moved - true)[one]), _squares(true[one])) for one in without]
    zero = torch.zeros(len(some), dtype=torch.float64)
    noise = (true - true.mean(0)).square().sum((0, 2)) / (len(true) * max(1, len(true) - 1))
    return KickError(
        some,
        _ratio(wrong, size),
        jackknife(torch.stack(each)) if each else zero,
        (noise / size.clamp_min(1e-300)).sqrt(),
        signed_root(float(wrong[1:].mean())) / max(signed_root(float(size[1:].mean())), 1e-300),
    )


def _squares(each: torch.Tensor) -> torch.Tensor:
    """The square of the mean over parts, (lag,), from (part, lag, pixel); freed of noise, or the square itself if there is one part."""
    return free_of_noise(each) if len(each) > 1 else each[0].square().sum(-1)


def _ratio(wrong: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    return wrong.sign() * (wrong.abs() / size.clamp_min(1e-300)).sqrt()


def band_name(low: float, high: float) -> str:
    """What `band_errors` calls the wavenumbers in (low, high], of which low may be −∞ and high ∞."""
    if math.isinf(low):
        return f"k ≤ {high:g}"
    return f"{low:g} < k" if math.isinf(high) else f"{low:g} < k ≤ {high:g}"
