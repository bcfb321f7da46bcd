"""The coefficients of a forecast: least squares, wavevector by wavevector and for all lags, from lagged products of the features.

With features φ_c and a later field u(t), the coefficients that minimise ⟨|û(t) − Σ_c a_c φ̂_c|²⟩ at a wavevector solve

    Σ_c a_c(t) ⟨φ̂_c φ̂_d*⟩ = ⟨û(t) φ̂_d*⟩

where the features are less their means, which matter at k = 0 only. For the field alone, a = C(t) C(0)⁻¹: the linear propagator, which
carries what only moves and decays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import scipy.fft
import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import BLOCK_BYTES, blocks_of
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import shell_mean

RIDGE = 1e-7  # of the mean square of a feature: features that are redundant share their coefficients
SMALL = 256  # pixels, up to which products are of double precision: high powers of a number differ little from each other
ORIGINS = 16_384  # about as many origins are used; neighbouring ones tell the same

Features = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(frozen=True)
class ProductSums:
    """Means of products over the origins of a series, by wavevector, less the products of means, in double precision.

    Args:
        among: (*spectral_shape, feature, feature), ⟨φ̂_c φ̂_d*⟩.
        ahead: (*spectral_shape, lag, feature), ⟨û(t) φ̂_d*⟩.
        power: (*spectral_shape, lag), ⟨|û(t)|²⟩.
        means: (feature,), ⟨φ_c⟩, in units of the standard deviation of the field.
        count: number of origins.
    """

    among: torch.Tensor
    ahead: torch.Tensor
    power: torch.Tensor
    means: torch.Tensor
    count: int

    def together(self, other: "ProductSums") -> "ProductSums":
        """The means over the origins of both."""
        total = self.count + other.count
        own, its = self.count / total, other.count / total
        among, ahead = own * self.among + its * other.among, own * self.ahead + its * other.ahead
        means = own * self.means + its * other.means
        return ProductSums(among, ahead, own * self.power + its * other.power, means, total)

    def solve(self, chosen: Sequence[int]) -> torch.Tensor:
        """a_ck(t), (*spectral_shape, lag, feature), with zeros for the features that are not chosen."""
        index = torch.as_tensor(list(chosen))
        among, ahead = self.among[..., index[:, None], index], self.ahead[..., index]
        scale = among.diagonal(dim1=-2, dim2=-1).real.clamp_min(1e-300).sqrt()
        scaled = among / (scale[..., :, None] * scale[..., None, :]) + RIDGE * torch.eye(len(index))
        right = (ahead / scale[..., None, :]).transpose(-1, -2)
        found = torch.linalg.solve(scaled.transpose(-1, -2), right).transpose(-1, -2) / scale[..., None, :]
        out = torch.zeros_like(self.ahead)
        out[..., index] = found
        return out

    def error(self, coefficients: torch.Tensor) -> torch.Tensor:
        """⟨|û(t) − Σ_c a_c φ̂_c|²⟩ over ⟨|û(t)|²⟩, (*spectral_shape, lag)."""
        explained = 2 * (coefficients * self.ahead.conj()).sum(-1).real
        square = torch.einsum("...lc,...cd,...ld->...l", coefficients, self.among, coefficients.conj()).real
        return (self.power - explained + square) / self.power.clamp_min(1e-300)


def product_sums(data: TimeSeries, features: Features, steps: int, *, mean: float, unit: float) -> ProductSums:
    """The sums of a series, from origins that are followed by `steps` samples.

    Args:
        features: (fields, context) → (batch, feature, *shape), in units of the field.
        mean, unit: of the field; products are of (u − mean)/unit.
    """
    grid, origins = data.grid, len(data.times) - steps
    precision = torch.complex128 if grid.size <= SMALL else torch.complex64
    thin = max(1, len(data.u) * origins // ORIGINS)
    width = max(4 * steps, BLOCK_BYTES // (32 * grid.size))
    windows = [(member, part) for member in range(len(data.u)) for part in blocks_of(origins, thin * max(1, width // thin))]

    def of_window(window: tuple[int, slice]) -> tuple[torch.Tensor, ...]:
        member, part = window
        some = slice(part.start, part.stop, thin)
        context = None if data.context is None else data.context[member, some]
        found = grid.rfft(features(data.u[member, some], context) / unit)
        found = found.reshape(*found.shape[:2], -1).to(precision)  # (origin, feature, mode)
        later = (
            grid.rfft((data.u[member, part.start : part.stop + steps] - mean) / unit)
            .reshape(part.stop - part.start + steps, -1)
            .to(precision)
        )
        among = found.permute(2, 1, 0) @ found.permute(2, 0, 1).conj()
        power = _moving_sum(later.abs().square(), part.stop - part.start) * (len(found) / (part.stop - part.start))
        ahead, means = _lagged(later, found, steps, thin), found[..., 0].real.sum(0, dtype=torch.float64)
        its = _moving_sum(later[:, 0].real, part.stop - part.start) * (len(found) / (part.stop - part.start))
        return among.to(torch.complex128), ahead, power.T, means, its, torch.tensor(len(found))

    totals: list[torch.Tensor] = []
    for found in threads.mapped_in_portions(of_window, windows, device=data.u.device):
        totals = [a + b for a, b in zip(totals, found, strict=True)] if totals else list(found)
    count = int(totals.pop())
    among, ahead, power, means, later = (one.cpu() / count for one in totals)
    among[0] -= torch.outer(means, means)  # wavevector 0, where features have means
    ahead[0] -= torch.outer(later, means)
    power[0] -= later.square()
    among, ahead, power = (one.reshape(*grid.spectral_shape, *one.shape[1:]) for one in (among, ahead, power))
    return ProductSums(among, ahead, power, means / grid.size, count)


def _moving_sum(values: torch.Tensor, width: int) -> torch.Tensor:
    """Sums of `width` values that follow one another along the first axis, one for each place where they may begin."""
    sums = values.cumsum(0, dtype=torch.float64)
    sums = torch.cat([torch.zeros_like(sums[:1]), sums])
    return sums[width:] - sums[:-width]


def _lagged(later: torch.Tensor, features: torch.Tensor, steps: int, thin: int) -> torch.Tensor:
    """Σ_τ û(τ + t) φ̂_c(τ)*, (mode, lag, feature), from features (origin, feature, mode) at every `thin`-th time."""
    length = scipy.fft.next_fast_len(len(later))
    moved = torch.fft.fft(later, length, dim=0)
    out = torch.empty(later.shape[1], steps + 1, features.shape[1], dtype=torch.complex128, device=later.device)
    for index in range(features.shape[1]):
        earlier = later.new_zeros(length, later.shape[1])
        earlier[: thin * len(features) : thin] = features[:, index]
        product = moved * torch.fft.fft(earlier, dim=0).conj()
        out[..., index] = torch.fft.ifft(product, dim=0)[: steps + 1].T
    return out


def smoothed(grid: PeriodicGrid, errors: torch.Tensor) -> torch.Tensor:
    """(*spectral_shape, lag), each error replaced by the mean over its shell of wavenumbers, and over lags from half to twice its own."""
    if grid.shape:
        errors = torch.stack([shell_mean(grid, one) for one in errors.unbind(-1)], -1)
    sums = torch.cat([torch.zeros_like(errors[..., :1]), errors.cumsum(-1)], -1)
    lags = torch.arange(errors.shape[-1])
    first, last = (lags + 1) // 2, (2 * lags + 1).clamp(max=len(lags))
    return (sums[..., last] - sums[..., first]) / (last - first)
