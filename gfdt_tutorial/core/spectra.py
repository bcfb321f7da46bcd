"""Power spectra of fields: covariance by wavevector, averages over shells, and a spectrum smoothed by shrinkage."""

import math

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import blocks, equal_parts, nearest_power_of_two

ABSENT = 1e-10  # of the largest variance at any wavevector: what single precision leaves of a wavevector at which there is none


def mode_covariance(grid: PeriodicGrid, fields: torch.Tensor, mean: float = 0.0) -> torch.Tensor:
    """C_k = ⟨|û_k|²⟩ / N², the eigenvalues of the covariance matrix between pixels.

    Args:
        fields: (..., *shape); the average runs over all leading axes.
        mean: ⟨u⟩, subtracted first.

    Returns:
        (*spectral_shape,), double precision, in units of the field squared; the pixel variance is the mean of C_k over all wavevectors.
    """
    flat = fields.reshape(-1, *grid.shape)
    unit = nearest_power_of_two(flat[:: max(1, len(flat) // 64)] - mean)
    total = torch.zeros(grid.spectral_shape, dtype=torch.float64, device=fields.device)

    def power(part: slice) -> torch.Tensor:
        return grid.rfft((flat[part] - mean) / unit).abs().square().sum(0, dtype=torch.float64)

    for some in threads.mapped(power, blocks(len(flat), 8 * grid.size), device=fields.device):
        total += some
    return total * unit**2 / (len(flat) * grid.size)


def component_covariance(grid: PeriodicGrid, fields: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    """C_k = ⟨û_k û_k^†⟩ / N², the covariance of components at each wavevector; without space, their covariance matrix.

    Args:
        fields: (..., component, *shape); the average runs over all leading axes.
        centre: ⟨u⟩ of each component, (component, 1, …), subtracted first.

    Returns:
        (*spectral_shape, component, component), complex double precision, Hermitian, in units of the components.
    """
    count = fields.shape[-1 - len(grid.shape)]
    flat = fields.reshape(-1, count, *grid.shape)
    total = torch.zeros(*grid.spectral_shape, count, count, dtype=torch.complex128, device=fields.device)

    def products(part: slice) -> torch.Tensor:
        spectra = grid.rfft(flat[part].double() - centre.double()).movedim(1, -1)  # (field, *spectral_shape, component)
        return torch.einsum("n...i,n...j->...ij", spectra, spectra.conj())

    for some in threads.mapped(products, blocks(len(flat), 64 * count * grid.size), device=fields.device):
        total += some
    return total / (len(flat) * grid.size)


def filled(covariance: torch.Tensor) -> torch.Tensor:
    """C_k with the variance of a component set to 1, and its covariances to 0, at wavevectors at which it has none, so that C_k⁻¹ exists.

    Args:
        covariance: (*spectral_shape, component, component).
    """
    variance = covariance.diagonal(dim1=-2, dim2=-1).real.abs()
    absent = variance <= ABSENT * variance.reshape(-1, variance.shape[-1]).amax(0)
    absent &= variance.reshape(-1, variance.shape[-1]).amax(0) > 0
    kept = (~absent).to(covariance)
    return covariance * kept[..., :, None] * kept[..., None, :] + torch.diag_embed(absent.to(covariance))


def shell_average(grid: PeriodicGrid, modes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over each shell: the wavevectors whose |k| rounds to the same multiple of the fundamental wavenumber.

    Args:
        modes: (..., *spectral_shape), one value for each wavevector.

    Returns:
        (k, mean): (shell,) and (..., shell), up to the Nyquist wavenumber of the shortest side.
    """
    if not grid.shape:
        raise ValueError("a grid without axes has no wavenumbers")
    unit = grid.fundamental
    shell = (grid.k_squared.sqrt() / unit).round().long()
    last = int(min(math.pi * n / length for n, length in zip(grid.shape, grid.lengths, strict=True)) / unit + 1e-9)
    flat = modes.to(torch.float64).reshape(-1, shell.numel())
    weight = grid.multiplicity.to(flat.device).flatten()
    where = shell.flatten().clamp_max(last + 1).to(flat.device)  # larger wavenumbers are left out; in a thin box they are very many
    sums = torch.zeros(len(flat), last + 2, dtype=torch.float64, device=flat.device)
    sums.index_add_(1, where, flat * weight)
    counts = torch.bincount(where, weights=weight, minlength=last + 2)
    mean = (sums / counts)[:, : last + 1]
    return unit * torch.arange(last + 1, dtype=torch.float64), mean.reshape(*modes.shape[: modes.ndim - shell.ndim], -1)


def shell_mean(grid: PeriodicGrid, modes: torch.Tensor) -> torch.Tensor:
    """Each wavevector's value, (*spectral_shape), replaced by the mean over its shell (see `shell_average`); computed on the CPU."""
    count, shell = shells_of(grid)
    weight = grid.multiplicity.flatten()
    sums = torch.zeros(count, dtype=torch.float64).index_add(0, shell, modes.double().cpu().flatten() * weight)
    return (sums / torch.bincount(shell, weights=weight))[shell].reshape(grid.spectral_shape)


def shells_of(grid: PeriodicGrid) -> tuple[int, torch.Tensor]:
    """The number of shells that contain wavevectors, and the shell of each wavevector, (mode,). In a thin box most shells are empty."""
    found, shell = torch.unique((grid.k_squared.sqrt() / grid.fundamental).round().flatten(), return_inverse=True)
    return len(found), shell


def modes_of_shells(grid: PeriodicGrid) -> torch.Tensor:
    """Number of wavevectors in each shell of `autocovariance`, (shell,)."""
    return torch.bincount(shells_of(grid)[1], weights=grid.multiplicity.flatten())


def group_covariances(grid: PeriodicGrid, fields: torch.Tensor, mean: float, *, groups: int = 16) -> torch.Tensor:
    """C_k of nearly independent groups, (group, *spectral_shape): 8 or more whole members, else pieces of each in time."""
    members, steps = fields.shape[:2]
    if members >= 8:
        cuts = [fields[first:last] for first, last in equal_parts(members, min(groups, members))]
    else:
        cuts = [fields[:, first:last] for first, last in equal_parts(steps, min(-(-groups // members), steps))]
        cuts = [part[m : m + 1] for part in cuts for m in range(members)]
    return torch.stack([mode_covariance(grid, part, mean) for part in cuts])


def spectrum_to_whiten(grid: PeriodicGrid, fields: torch.Tensor, mean: float) -> torch.Tensor:
    """C_k of a series, smoothed by `smooth_spectrum`, on the CPU: none of it vanishes, so that fields can be divided by its root.

    Args:
        fields: (member, time, *shape).
        mean: ⟨u⟩.

    Raises:
        ValueError: some wavevector carries no variance.
    """
    covariances = group_covariances(grid, fields, mean)
    average = covariances.mean(0)
    empty = int((average <= 1e-12 * average.max()).sum())
    if empty:
        raise ValueError(
            f"{empty} of {average.numel()} wavevectors carry no variance: the data are constant or filtered; take a coarser grid"
        )
    return smooth_spectrum(grid, covariances).cpu()


def smooth_spectrum(grid: PeriodicGrid, covariances: torch.Tensor) -> torch.Tensor:
    """C_k with less sampling noise than the mean over groups, (group, *spectral_shape) → (*spectral_shape,).

    ln C_k is shrunk towards a curve in |k| that is linear between the means of whole shells. The shrinkage is the estimator of James and
    Stein, shell by shell: the fraction of the scatter about the curve that sampling explains, as measured by the scatter between groups,
    is removed. An isotropic spectrum becomes smooth, with the standard error of a shell instead of a single wavevector; an anisotropic
    spectrum keeps its significant deviations. On one axis a shell is one wavevector, and nothing is gained.

    With v the relative variance of a sampled C_k, ⟨ln Ĉ_k⟩ = ln C_k − v/2, and the mean of the exponential of an average of such
    logarithms, of variance w, is C e^{w/2}. Both biases are corrected, so that the result is unbiased to first order in v.
    """
    count = len(covariances)
    mean = covariances.mean(0)
    noise = covariances.var(0) / count / mean.square()  # sampling variance of ln C_k
    weight = grid.multiplicity.to(mean.device)
    radius = (grid.k_squared.sqrt() / grid.fundamental).to(mean.device)
    found, shell = torch.unique(radius.round().flatten(), return_inverse=True)  # in a thin box some shells are empty
    total = torch.zeros(len(found), dtype=mean.dtype, device=mean.device)

    def by_shell(values: torch.Tensor) -> torch.Tensor:
        return total.index_add(0, shell, (values * weight).flatten()) / total.index_add(0, shell, weight.flatten().clone())

    log = mean.log() + 0.5 * by_shell(noise)[shell].reshape(mean.shape)
    curve = interpolate(by_shell(radius), by_shell(log), radius)
    kept = (1 - by_shell(noise) / by_shell((log - curve).square()).clamp_min(1e-30)).clamp(0, 1)
    independent = (total.index_add(0, shell, weight.flatten().clone()) / 2).clamp_min(1)  # k and −k have the same power
    left = by_shell(noise) * (1 / independent + kept.square() * (1 - 1 / independent))
    kept, left = (values[shell].reshape(log.shape) for values in (kept, left))
    return torch.exp(curve + kept * (log - curve) - 0.5 * left)


def interpolate(knots: torch.Tensor, values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Linear interpolation between increasing knots, and linear extrapolation beyond them; of the shape of `where`."""
    if len(knots) == 1:
        return values[0].expand(where.shape)
    upper = torch.searchsorted(knots, where.contiguous()).clamp(1, len(knots) - 1)
    part = (where - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    return (1 - part) * values[upper - 1] + part * values[upper]
