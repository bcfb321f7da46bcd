"""Homogeneity: whether all places of the box have the same statistics, and whether the box is periodic."""

import math

import numpy as np
import scipy.stats
import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.record import Record

UNEVEN = 0.1  # root mean square variation over the box, in standard deviations or relative, above which the data are refused


def homogeneity_check(record: Record) -> Check:
    """Homogeneity of the mean, of the variance, of the squared differences between successive samples, which depend on the memory of a
    place, and of those between neighbours, which reveal a seam in the box.

    In a homogeneous ensemble the Fourier coefficients of a map of time means, k ≠ 0, are zero up to sampling, and independent: the power
    of each, divided by its variance between pieces, has the F distribution, with two degrees of freedom for a complex coefficient.
    """
    found = []
    for name, maps in time_mean_maps(record).items():
        size, error, p_value = map_test(record.grid, maps / (1.0 if name == "mean" else float(maps.mean()) or 1.0))
        found.append((name, size, error, p_value))
    significant = [one for one in found if one[3] * len(found) < SIGNIFICANT]
    first = significant[0] if significant else min(found, key=lambda one: one[3])
    # the mean before the variance, both before the steps in time, and these before the steps in space, which all of them affect
    name, size, error, _ = next((one for one in significant if one[1] > UNEVEN), first)
    finding = f"The {name} varies over the box by {size:.2g} ± {error:.1g} {'standard deviations' if name == 'mean' else 'of itself'}"
    if not significant:
        return Check("homogeneity", size, error, "fine", f"{finding}, which is within sampling.")
    advice = SEAM if name.startswith("step along") else PACES if name.startswith("step in") else PLACES
    return Check("homogeneity", size, error, "refused" if size > UNEVEN else "warning", f"{finding}.", advice)


PLACES = (
    "An average over places would represent none of them: subtract the mean of each pixel and divide by its standard deviation "
    "(which does not equalise the memory of places), or analyse a homogeneous part of the box, or one number at a time."
)
PACES = (
    "Places forget at different rates, and an average over places would represent none of them: analyse a homogeneous part of the box, "
    "or one number at a time. Dividing by the standard deviation does not equalise these rates."
)
SEAM = (
    "Does the box close on itself? A window cut from a larger field is not periodic. Else use a homogeneous part, or one number at a time."
)


def time_mean_maps(record: Record) -> dict[str, np.ndarray]:
    """Maps of the time means, over each piece, of quantities that are uniform in a homogeneous box: name → (piece, *shape)."""
    found: dict[str, list[np.ndarray]] = {}
    for v in record.pieces():
        quantities = {"mean": v, "variance": v.square(), "step in time, squared,": v.diff(dim=0).square()}
        quantities |= {f"step along {'x' if axis == -1 else 'y'}, squared,": (v.roll(-1, axis) - v).square() for axis in record.grid.axes}
        for name, values in quantities.items():
            found.setdefault(name, []).append(values.double().mean(0).numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def map_test(grid: PeriodicGrid, maps: np.ndarray) -> tuple[float, float, float]:
    """Test maps from independent pieces, (piece, *shape), for variation over the box.

    Returns:
        (size, error, p_value): the root mean square deviation of the mean map from its average, freed of sampling noise; that of sampling
        alone; and the p-value, twice the smaller of Fisher's over all wavevectors and that of the largest coefficient. One place, or maps
        that agree to rounding, leave nothing to compare: 0, 0, 1.
    """
    count = len(maps)
    spectra = grid.rfft(torch.as_tensor(maps)).numpy() / grid.size
    power = np.abs(spectra.mean(0)) ** 2
    noise = (np.abs(spectra - spectra.mean(0)) ** 2).sum(0) / (count - 1) / count
    weight = grid.multiplicity.numpy().copy()
    weight.flat[0] = 0
    size = math.sqrt(max(0.0, float((weight * (power - noise)).sum())))
    dof = _dof(grid)
    used = (dof > 0) & (noise > 1e-30)
    if not used.any():
        return 0.0, 0.0, 1.0
    ratio, nu = power[used] / noise[used], dof[used]
    p_values = np.clip(scipy.stats.f.sf(ratio, nu, nu * (count - 1)), 1e-300, 1.0)
    fisher = scipy.stats.chi2.sf(-2 * np.log(p_values).sum(), 2 * len(p_values))
    return size, math.sqrt(float((weight * noise).sum())), float(min(1.0, 2 * min(fisher, len(p_values) * p_values.min())))


def _dof(grid: PeriodicGrid) -> np.ndarray:
    """(*spectral_shape,): 2 for a complex coefficient, 1 for a real one, 0 for k = 0 and for those that are another's conjugate."""
    dof = np.full(grid.spectral_shape, 2)
    n = grid.shape[-1]
    for column in {0, n // 2} if n % 2 == 0 else {0}:
        if len(grid.shape) == 2:
            rows = grid.shape[0]
            dof[rows // 2 + 1 :, column] = 0
            dof[[0, rows // 2] if rows % 2 == 0 else [0], column] = 1
        else:
            dof[column] = 1
    dof.flat[0] = 0
    return dof
