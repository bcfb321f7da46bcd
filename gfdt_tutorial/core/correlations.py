"""Lagged products of series, autocovariance and decorrelation time."""

import math

import scipy.fft
import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import blocks, nearest_power_of_two
from gfdt_tutorial.core.spectra import modes_of_shells, shells_of


def count_products(times: int, origins: int, max_lag: int, spacing: int = 1, first: int = 0) -> torch.Tensor:
    """Number of products at each lag 0 … max_lag, (max_lag + 1,), for the origins first, first + spacing, … below `origins` in a window
    of `times` samples."""
    available = -(-max(0, origins - first) // spacing)
    reach = times - first - torch.arange(max_lag + 1)
    return torch.clamp((reach + spacing - 1).div(spacing, rounding_mode="floor"), 0, available).double()


def lagged_sum(later: torch.Tensor, earlier: torch.Tensor, max_lag: int) -> torch.Tensor:
    """Σ_τ later(τ + m) earlier(τ)* for m = 0 … max_lag, summed over members too.

    The time axis is zero-padded, so that large lags do not alias to small ones, as they would in a circular correlation.

    Args:
        later: (member, time, mode), complex or real.
        earlier: (member, origin, mode or 1); origin 0 is time 0, and there may be fewer origins than times.
        max_lag: in steps.

    Returns:
        (max_lag + 1, mode), complex.
    """
    length = scipy.fft.next_fast_len(max(later.shape[1], earlier.shape[1] + max_lag))
    product = (torch.fft.fft(later, length, dim=1) * torch.fft.fft(earlier, length, dim=1).conj()).sum(0)
    return torch.fft.ifft(product, dim=0)[: max_lag + 1]


def autocovariance(grid: PeriodicGrid, fields: torch.Tensor, mean: float = 0.0) -> torch.Tensor:
    """⟨û_k(τ + t) û_k(τ)*⟩ / N² at every lag up to half the series, averaged over the wavevectors of each shell. A shell holds
    the wavevectors whose |k| rounds to one multiple of the fundamental wavenumber.

    Args:
        fields: (member, time, *shape).
        mean: ⟨u⟩, subtracted first.

    Returns:
        (time // 2 + 1, shell), double precision, in units of the field squared: the contribution of each shell to the autocovariance of
        a pixel. Shells without wavevectors are left out.
    """
    steps = fields.shape[1]
    length = scipy.fft.next_fast_len(2 * steps)
    count, shell = shells_of(grid)
    unit = nearest_power_of_two(fields[:, :: max(1, steps // 64)] - mean)
    power = torch.zeros(length, count, dtype=torch.float64)

    def of_member(member: torch.Tensor) -> torch.Tensor:
        own = torch.zeros_like(power)
        spectra = grid.rfft(((member - mean) / unit).cpu()).reshape(steps, -1)
        for part in blocks(spectra.shape[1], 16 * length):
            moved = torch.fft.fft(spectra[:, part], length, dim=0).abs().square().double()
            own.index_add_(1, shell[part], moved * grid.multiplicity.flatten()[part])
        return own

    for own in threads.mapped_in_portions(of_member, fields, device=fields.device):
        power += own
    lags = torch.arange(steps // 2 + 1)
    products = torch.fft.ifft(power, dim=0).real[: len(lags)]
    return products * unit**2 / (len(fields) * grid.size**2 * (steps - lags)[:, None])


def decorrelation_time(autocorrelation: torch.Tensor, every: float, samples: float | None = None) -> tuple[float, bool]:
    """Decorrelation time τ of a fluctuation: the larger of h(1 + 2 Σ_m ρ_m) and h(1 + 2 Σ_m ρ_m²), and at least h.

    The mean of n samples a time h apart has the variance of a mean of n h/τ independent samples. The first sum applies to means of u,
    the second to means of products, for which an oscillation brings no cancellation. Each sum has its own window. The first sum ends
    where the sum of two neighbouring terms is no longer positive (the initial positive sequence of Geyer, Statistical Science 7, 473,
    1992), and so follows a slow tail as far as it stands out of the noise. If the correlation then becomes clearly negative, the system
    oscillates and later terms cancel earlier ones; Sokal's window is used instead, which closes at the first lag that is 16 times the
    largest sum so far. The second sum has Sokal's window with the constant 12.

    Args:
        autocorrelation: (lag,), ρ_0 = 1.
        every: h, the spacing of the lags.
        samples: number of products averaged in each ρ_m, which determines its sampling noise; None where ρ is exact.

    Returns:
        (τ, resolved): τ in the units of `every`; `resolved` is whether both windows closed within the lags given, else τ is a lower bound.
    """
    rho = autocorrelation[1:].double()
    squares = 1 + 2 * rho.square().cumsum(0)
    last, closed = _sokal_window(squares, 12.0)
    # Bartlett's variance of a sampled ρ_m at large lags, where all of it is noise and would only add to the sum of squares
    noise = 0.0 if samples is None else float(squares[_sokal_window(squares, 5.0)[0]]) / samples
    significant = torch.nonzero(rho[: last + 1].square() >= 4 * noise)
    square = float(squares[int(significant[-1])]) if len(significant) else 1.0
    sums = 1 + 2 * rho.cumsum(0)
    pairs = rho[: len(rho) // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    ends = torch.nonzero(pairs <= 0)
    first, found = _sokal_window(sums, 16.0)
    if len(ends):
        cut = 2 * int(ends[0])
        oscillates = float(rho[cut:].min()) < -max(0.05, 3 * math.sqrt(noise))
        linear, found = (float(sums[first]), found) if oscillates else (float(sums[cut - 1]) if cut else 1.0, True)
    else:
        linear = float(sums[-1])
    return every * max(1.0, square, linear), closed and found


def _sokal_window(sums: torch.Tensor, constant: float) -> tuple[int, bool]:
    """Sokal's automatic window: the index of the first lag that is `constant` times the largest partial sum so far, and whether there is
    one; otherwise the last index."""
    lags = torch.arange(1, len(sums) + 1)
    closed = torch.nonzero(lags >= constant * sums.cummax(0).values)
    return (int(closed[0]), True) if len(closed) else (len(sums) - 1, False)


def slowest_memory(grid: PeriodicGrid, fields: torch.Tensor, mean: float = 0.0) -> float:
    """Decorrelation time, in sampling steps, of the slowest shell with at least a hundredth of the variance.

    Args:
        fields: (member, time, *shape).
        mean: ⟨u⟩, subtracted first.
    """
    lagged = autocovariance(grid, fields, mean)
    large = lagged[0] > 0.01 * lagged[0].sum()
    samples = fields.shape[0] * fields.shape[1] * modes_of_shells(grid)[large]
    shells = zip(lagged[:, large].T, samples.tolist(), strict=True)
    return max((decorrelation_time(shell / shell[0], 1.0, count)[0] for shell, count in shells), default=1.0)
