"""Averages over a stationary, translation-invariant ensemble: covariance, shell spectrum, lagged products, bootstrap errors."""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import scipy.fft
import scipy.stats
import torch

from gfdt_tutorial.randomness import Stream, generator
from gfdt_tutorial.spectral import PeriodicGrid

BLOCK_BYTES = 2**24  # transformed at a time: bounds the memory of every average, and fits a cache better than more would


def blocks(count: int, bytes_each: int) -> Iterator[slice]:
    """Slices that cover range(count), each of about BLOCK_BYTES."""
    step = max(1, BLOCK_BYTES // max(1, bytes_each))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def mean(fields: torch.Tensor) -> float:
    """The mean of all values in double precision, without a copy of all in that precision."""
    return float(torch.stack([part.mean(dtype=torch.float64) for part in fields]).mean())


def unit_of(values: torch.Tensor) -> float:
    """A power of two near the largest magnitude of some values: divided by it, which costs no precision, their squares and the fourth
    powers fit single precision, whatever the unit they come in. 1 where all are zero."""
    largest = float(values.abs().max()) if values.numel() else 0.0
    return 2.0 ** round(math.log2(largest)) if largest > 0 else 1.0


def count_products(times: int, origins: int, max_lag: int, spacing: int = 1, first: int = 0) -> torch.Tensor:
    """How many products each lag 0 … max_lag has, (max_lag + 1,), with the origins first, first + spacing, … below `origins` in a window
    of so many times."""
    held = -(-max(0, origins - first) // spacing)
    reach = times - first - torch.arange(max_lag + 1)
    return torch.clamp((reach + spacing - 1).div(spacing, rounding_mode="floor"), 0, held).double()


def mode_covariance(grid: PeriodicGrid, fields: torch.Tensor, mean: float = 0.0) -> torch.Tensor:
    """C_k = ⟨|û_k|²⟩ / N², the eigenvalues of the covariance matrix between pixels.

    Args:
        fields: (..., *shape); the average runs over all leading axes.
        mean: ⟨u⟩, taken off first.

    Returns:
        (*half,), double precision, in units of the field squared; the pixel variance is the mean of C_k over all wavevectors.
    """
    flat = fields.reshape(-1, *grid.shape)
    unit = unit_of(flat[:: max(1, len(flat) // 64)] - mean)
    total = torch.zeros(grid.half, dtype=torch.float64, device=fields.device)
    for part in blocks(len(flat), 8 * grid.size):
        total += grid.rfft((flat[part] - mean) / unit).abs().square().sum(0, dtype=torch.float64)
    return total * unit**2 / (len(flat) * grid.size)


def shell_average(grid: PeriodicGrid, modes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over the wavevectors whose |k| rounds to the same multiple of the lowest wavenumber.

    Args:
        modes: (..., *half), one value a wavevector.

    Returns:
        (k, mean): (shell,) and (..., shell), up to the Nyquist wavenumber of the shortest side.
    """
    if not grid.shape:
        raise ValueError("a grid without axes has no wavenumbers")
    unit = grid.unit
    shell = (grid.k_squared.sqrt() / unit).round().long()
    last = int(min(math.pi * n / length for n, length in zip(grid.shape, grid.lengths, strict=True)) / unit + 1e-9)
    flat = modes.to(torch.float64).reshape(-1, shell.numel())
    weight = grid.multiplicity.to(flat.device).flatten()
    where = shell.flatten().clamp_max(last + 1).to(flat.device)  # the rest is cut off, and in a thin box it goes very far
    sums = torch.zeros(len(flat), last + 2, dtype=torch.float64, device=flat.device)
    sums.index_add_(1, where, flat * weight)
    counts = torch.bincount(where, weights=weight, minlength=last + 2)
    mean = (sums / counts)[:, : last + 1]
    return unit * torch.arange(last + 1, dtype=torch.float64), mean.reshape(*modes.shape[: modes.ndim - shell.ndim], -1)


def shell_mean(grid: PeriodicGrid, modes: torch.Tensor) -> torch.Tensor:
    """Each wavevector's value, (*half,), replaced by the mean over all whose |k| rounds to the same multiple of the lowest wavenumber.

    Taken, and returned, on the CPU.
    """
    count, shell = _shells(grid)
    weight = grid.multiplicity.flatten()
    sums = torch.zeros(count, dtype=torch.float64).index_add(0, shell, modes.double().cpu().flatten() * weight)
    return (sums / torch.bincount(shell, weights=weight))[shell].reshape(grid.half)


def _shells(grid: PeriodicGrid) -> tuple[int, torch.Tensor]:
    """How many shells hold wavevectors, and the number of the one of each, (mode,): in a thin box most would be empty."""
    found, shell = torch.unique((grid.k_squared.sqrt() / grid.unit).round().flatten(), return_inverse=True)
    return len(found), shell


def modes_of_shells(grid: PeriodicGrid) -> torch.Tensor:
    """How many wavevectors each shell of `autocovariance` holds, (shell,)."""
    return torch.bincount(_shells(grid)[1], weights=grid.multiplicity.flatten())


def lagged_sum(later: torch.Tensor, earlier: torch.Tensor, max_lag: int) -> torch.Tensor:
    """Σ_τ later(τ + m) earlier(τ)* for m = 0 … max_lag, summed over members too.

    The time axis is zero-padded, so that a large lag does not fold back to a small one as it would in a circular transform.

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
    """⟨û_k(τ + t) û_k(τ)*⟩ / N² at every lag up to half the series, averaged over the wavevectors of each shell, of whole multiples of
    the lowest wavenumber.

    Args:
        fields: (member, time, *shape).
        mean: ⟨u⟩, taken off first.

    Returns:
        (time // 2 + 1, shell), double precision, in units of the field squared: what a shell contributes to the variance of a pixel, at
        lag 0 and later. Shells without wavevectors are left out.
    """
    steps = fields.shape[1]
    length = scipy.fft.next_fast_len(2 * steps)
    count, shell = _shells(grid)
    unit = unit_of(fields[:, :: max(1, steps // 64)] - mean)
    power = torch.zeros(length, count, dtype=torch.float64)
    for member in fields:
        spectra = grid.rfft(((member - mean) / unit).cpu()).reshape(steps, -1)
        for part in blocks(spectra.shape[1], 16 * length):
            moved = torch.fft.fft(spectra[:, part], length, dim=0).abs().square().double()
            power.index_add_(1, shell[part], moved * grid.multiplicity.flatten()[part])
    lags = torch.arange(steps // 2 + 1)
    products = torch.fft.ifft(power, dim=0).real[: len(lags)]
    return products * unit**2 / (len(fields) * grid.size**2 * (steps - lags)[:, None])


def decorrelation_time(autocorrelation: torch.Tensor, every: float, samples: float | None = None) -> tuple[float, bool]:
    """How long a fluctuation is remembered: the larger of h(1 + 2 Σ_m ρ_m) and h(1 + 2 Σ_m ρ_m²), and h at least.

    A mean of n samples h apart has the variance of n h/τ independent ones, with the first sum for a mean of u and the second for one of
    products, which an oscillation does not shorten. Each sum has a window of its own. The first ends where the sum of two neighbouring
    terms is no longer positive (the initial sequence of Geyer, Statistical Science 7, 473, 1992), which follows a slow tail as far as it
    stands out of the noise. Where the correlation then becomes clearly negative, the system oscillates, later terms cancel earlier ones,
    and the window is Sokal's: it closes at the first lag that is 16 times the largest sum so far. The second sum has Sokal's window with
    the constant 12.

    Args:
        autocorrelation: (lag,), ρ_0 = 1.
        every: h, the spacing of the lags.
        samples: how many products stand behind each ρ_m, from which its noise follows; None where it is exact.

    Returns:
        (τ, resolved): in the units of `every`; and whether both windows closed within the lags given, else τ is a lower bound.
    """
    rho = autocorrelation[1:].double()
    squares = 1 + 2 * rho.square().cumsum(0)
    last, closed = _sokal_window(squares, 12.0)
    # Bartlett's variance of a sampled ρ_m at large lags, where all of it is noise and would only add to the sum of squares
    noise = 0.0 if samples is None else float(squares[_sokal_window(squares, 5.0)[0]]) / samples
    told = torch.nonzero(rho[: last + 1].square() >= 4 * noise)
    square = float(squares[int(told[-1])]) if len(told) else 1.0
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
    """The index of the first lag that is `constant` times the largest of the partial sums so far; whether there is one, else the last."""
    lags = torch.arange(1, len(sums) + 1)
    closed = torch.nonzero(lags >= constant * sums.cummax(0).values)
    return (int(closed[0]), True) if len(closed) else (len(sums) - 1, False)


def slowest_memory(grid: PeriodicGrid, fields: torch.Tensor, mean: float = 0.0) -> float:
    """The decorrelation time, in steps, of the slowest shell that holds a hundredth of the variance.

    Args:
        fields: (member, time, *shape).
        mean: ⟨u⟩, taken off first.
    """
    lagged = autocovariance(grid, fields, mean)
    large = lagged[0] > 0.01 * lagged[0].sum()
    samples = fields.shape[0] * fields.shape[1] * modes_of_shells(grid)[large]
    shells = zip(lagged[:, large].T, samples.tolist(), strict=True)
    return max((decorrelation_time(shell / shell[0], 1.0, count)[0] for shell, count in shells), default=1.0)


@dataclass(frozen=True)
class Origins:
    """A window of origins τ = start … stop − 1 for a range of members."""

    members: slice
    start: int
    stop: int


MANY = 8  # independent runs, of which each is a group; and pieces of fewer runs that are wanted
BLOCK = 3.0  # decorrelation times that a piece of a run lasts at least
SHORT = 25.0  # decorrelation times in a whole record that is cut in time, below which a band promises too much


@dataclass(frozen=True)
class Groups:
    """Nearly independent groups of origins, the blocks of the bootstrap.

    Attributes:
        windows: (group) of lists of `Origins`.
        widening: by which the standard error that their scatter gives is to be multiplied, as pieces of a run remember one another.
        short: decorrelation times that the whole record lasts, where it is cut in time and they are fewer than SHORT; else None.
    """

    windows: list[list[Origins]]
    widening: float = 1.0
    short: float | None = None

    def __len__(self) -> int:
        return len(self.windows)

    def warn(self, stacklevel: int) -> None:
        """Tell the user of a band that cannot be trusted to hold what it promises."""
        if self.short is not None:
            warnings.warn(
                f"the band is too narrow: the whole record lasts {self.short:.2g} decorrelation times, and its {len(self)} blocks tell too "
                "little of how they scatter. In tests, 90 % bands from records of 4 to 10 decorrelation times covered the true value in 70 "
                f"to 85 % of cases; take a longer series, or more members, until the record lasts {SHORT:g}",
                stacklevel=stacklevel,
            )
        elif len(self) < MANY:
            warnings.warn(
                f"the band rests on {len(self)} blocks of data only; a longer series makes it narrower and surer", stacklevel=stacklevel
            )


def origin_groups(
    members: int, steps: int, max_lag: int, *, step_bytes: int, groups: int = 32, paired: bool = False, memory: float = 0.0
) -> Groups:
    """Cut an ensemble into nearly independent groups of origins, the blocks of the bootstrap.

    Whole members make the groups where there are 8 or more. Fewer are cut in time, into some 8 pieces in all that hold as many products
    at the largest lag, and none shorter than half of it or than three decorrelation times τ: more and shorter pieces would remember one
    another, and the band would come out too narrow. Pieces of n steps still do: their scatter is too small by the factor 1 − τ/2n in
    the variance, to first order in τ/n, for which `widening` makes up. The last piece takes the origins that are too late for the largest
    lag. A group is a list of windows, each small enough to transform at once (`step_bytes` for one member and step).

    Args:
        groups: at most so many.
        paired: members 2i and 2i + 1 are a run and its reverse (`TimeSeries.both_ways`): they stay in one group, and a piece of the first
            with the same instants of the second.
        memory: τ, in steps; 0 where it does not matter, as there are 8 members.
    """
    twice = 2 if paired else 1
    runs = members // twice
    if runs >= MANY:
        cuts = [(twice * first, twice * last) for first, last in _even_cuts(runs, min(groups, runs))]
        return Groups([_blocked(slice(first, last), 0, steps, max_lag, step_bytes) for first, last in cuts])
    wanted, room = -(-MANY // runs), steps - max_lag
    longest = max(2, int(room / (BLOCK * memory))) if memory else wanted
    count = max(1, min(wanted, steps // max(max_lag, 1), longest))
    pieces = _even_cuts(room, count)
    length = room / count
    pieces[-1] = (pieces[-1][0], steps)
    found = []
    for run in range(runs):
        for first, last in pieces:
            windows = _blocked(slice(twice * run, twice * run + 1), first, last, max_lag, step_bytes)
            if paired:
                windows += _blocked(slice(2 * run + 1, 2 * run + 2), steps - last, steps - first, max_lag, step_bytes)
            found.append(windows)
    times = runs * steps / memory if memory else math.inf
    return Groups(found, max(0.4, 1 - memory / max(2 * length, 1)) ** -0.5, times if times < SHORT else None)


def groups_of_numbers(observed: torch.Tensor, max_lag: int, *, step_bytes: int, paired: bool = False) -> Groups:
    """`origin_groups` for numbers side by side, (member, time, n), less their means: the slowest of them decides how long a piece lasts."""
    members, steps, _ = observed.shape
    runs = observed[::2] if paired else observed
    grid = PeriodicGrid(())
    memory = max(slowest_memory(grid, one) for one in runs.unbind(-1)) if len(runs) < MANY else 0.0
    return origin_groups(members, steps, max_lag, step_bytes=step_bytes, paired=paired, memory=memory)


def _blocked(members: slice, first: int, last: int, max_lag: int, step_bytes: int) -> list[Origins]:
    """Windows that cover origins first … last − 1 of some members, each small enough to transform at once."""
    return [
        Origins(some, start, stop)
        for start, stop in _windows(first, last, max_lag, step_bytes)
        for some in _members((members.start, members.stop), stop - start + max_lag, step_bytes)
    ]


def _even_cuts(count: int, pieces: int) -> list[tuple[int, int]]:
    edges = [round(i * count / pieces) for i in range(pieces + 1)]
    return list(pairwise(edges))


def _windows(first: int, last: int, max_lag: int, step_bytes: int) -> list[tuple[int, int]]:
    width = max(4 * max_lag, BLOCK_BYTES // step_bytes, 1)  # windows overlap by max_lag: short ones would transform the fields twice
    return _even_cuts_from(first, last, -(-(last - first) // width))


def _even_cuts_from(first: int, last: int, pieces: int) -> list[tuple[int, int]]:
    return [(first + a, first + b) for a, b in _even_cuts(last - first, pieces)]


def _members(group: tuple[int, int], steps: int, step_bytes: int) -> list[slice]:
    return [slice(group[0] + part.start, group[0] + part.stop) for part in blocks(group[1] - group[0], steps * step_bytes)]


def bootstrap_error(
    estimate: Callable[[torch.Tensor], torch.Tensor], groups: int, *, resamples: int = 200, batch: int = 10, seed: int = 0
) -> torch.Tensor:
    """Standard error of an estimate by resampling groups with replacement.

    Args:
        estimate: maps weights (resample, group), how often each group was drawn, to estimates (resample, ...).
        groups: how many there are; with fewer than two the error is unknown (NaN).

    Returns:
        The standard deviation over resamples times (G/(G − 1))^½, which makes it unbiased for a mean; shape of one estimate.
    """
    rng = generator(seed, Stream.BOOTSTRAP, groups)
    draws = torch.randint(groups, (resamples, groups), generator=rng)
    weights = torch.zeros(resamples, groups).scatter_add_(1, draws, torch.ones(resamples, groups))
    mean = square = 0.0
    centre = estimate(torch.ones(1, groups))[0]
    if groups < 2:
        return torch.full_like(centre, math.nan)
    for part in weights.split(batch):
        deviation = estimate(part) - centre
        mean, square = mean + deviation.sum(0), square + deviation.square().sum(0)
    variance = (square - mean.square() / resamples) / (resamples - 1)
    return (variance.clamp_min(0) * (groups / (groups - 1))).sqrt()


def band_factor(level: float, freedom: float) -> float:
    """Half-width of a two-sided band in standard errors: Student's t quantile, the normal one for infinite `freedom`."""
    return float(scipy.stats.t.ppf(0.5 + level / 2, freedom)) if freedom > 0 else math.nan


def group_covariances(grid: PeriodicGrid, fields: torch.Tensor, mean: float, *, groups: int = 16) -> torch.Tensor:
    """C_k of nearly independent groups, (group, *half): whole members where there are 8 or more, else pieces of each member in time."""
    members, steps = fields.shape[:2]
    if members >= 8:
        cuts = [fields[first:last] for first, last in _even_cuts(members, min(groups, members))]
    else:
        cuts = [fields[:, first:last] for first, last in _even_cuts(steps, min(-(-groups // members), steps))]
        cuts = [part[m : m + 1] for part in cuts for m in range(members)]
    return torch.stack([mode_covariance(grid, part, mean) for part in cuts])


def smooth_spectrum(grid: PeriodicGrid, covariances: torch.Tensor) -> torch.Tensor:
    """C_k with less sampling noise than the mean over groups, (group, *half) → (*half,).

    ln C_k is drawn towards a curve in |k|, linear between the means of whole shells, by as much as its scatter about that curve is
    explained by sampling, which the scatter between groups measures: the estimator of James and Stein, shell by shell. An isotropic
    spectrum comes out smooth, with the error of a shell instead of one wavevector's; an anisotropic one keeps what is significant.
    On one axis a shell is one wavevector, and nothing is gained.

    With v the relative variance of a sampled C_k, ⟨ln Ĉ_k⟩ = ln C_k − v/2, and the exponential of a mean of such logarithms, of variance
    w, is C e^{w/2} in the mean. Both are taken out, so that the result is unbiased to first order in v.
    """
    count = len(covariances)
    mean = covariances.mean(0)
    noise = covariances.var(0) / count / mean.square()  # variance of ln C_k by sampling
    weight = grid.multiplicity.to(mean.device)
    radius = (grid.k_squared.sqrt() / grid.unit).to(mean.device)
    found, shell = torch.unique(radius.round().flatten(), return_inverse=True)  # a thin box leaves some shells empty
    total = torch.zeros(len(found), dtype=mean.dtype, device=mean.device)

    def by_shell(values):
        return total.index_add(0, shell, (values * weight).flatten()) / total.index_add(0, shell, weight.flatten().clone())

    log = mean.log() + 0.5 * by_shell(noise)[shell].reshape(mean.shape)
    curve = interpolate(by_shell(radius), by_shell(log), radius)
    kept = (1 - by_shell(noise) / by_shell((log - curve).square()).clamp_min(1e-30)).clamp(0, 1)
    independent = (total.index_add(0, shell, weight.flatten().clone()) / 2).clamp_min(1)  # k and −k have one and the same power
    left = by_shell(noise) * (1 / independent + kept.square() * (1 - 1 / independent))
    kept, left = (values[shell].reshape(log.shape) for values in (kept, left))
    return torch.exp(curve + kept * (log - curve) - 0.5 * left)


def interpolate(knots: torch.Tensor, values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Linear between knots, which rise, and beyond the last; of the shape of `where`."""
    if len(knots) == 1:
        return values[0].expand(where.shape)
    upper = torch.searchsorted(knots, where.contiguous()).clamp(1, len(knots) - 1)
    part = (where - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    return (1 - part) * values[upper - 1] + part * values[upper]
