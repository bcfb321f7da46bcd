"""Whether every place of the box is like any other, and the box closes on itself."""

import math

import numpy as np
import scipy.stats
import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.data.suitability.check import SIGNIFICANT, Check
from gfdt_tutorial.data.suitability.record import Record

UNEVEN = 0.1  # the same for a profile over the box, root mean square


def homogeneity_check(record: Record) -> Check:
    """Of the mean, the variance, the squared differences between successive samples, which the memory of a place shows in, and those
    between neighbours, which a seam in the box shows in.

    In a homogeneous ensemble the Fourier coefficients of a profile over the box, k ≠ 0, are zero but for sampling, and independent: the
    power of each over its variance between pieces has the F distribution, with two degrees of freedom for a complex coefficient.
    """
    found = []
    for name, profiles in profiles_of(record).items():
        size, error, chance = profile_test(record.grid, profiles / (1.0 if name == "mean" else float(profiles.mean()) or 1.0))
        found.append((name, size, error, chance))
    significant = [one for one in found if one[3] * len(found) < SIGNIFICANT]
    first = significant[0] if significant else min(found, key=lambda one: one[3])
    # the mean before the variance, both before the steps in time, and all before those in space, which show whatever is wrong with these
    name, size, error, _ = next((one for one in significant if one[1] > UNEVEN), first)
    finding = f"The {name} varies over the box by {size:.2g} ± {error:.1g} {'standard deviations' if name == 'mean' else 'of itself'}"
    if not significant:
        return Check("homogeneity", size, error, "fine", f"{finding}, which is within sampling.")
    advice = SEAM if name.startswith("step along") else PACES if name.startswith("step in") else PLACES
    return Check("homogeneity", size, error, "refused" if size > UNEVEN else "warning", f"{finding}.", advice)


PLACES = (
    "An average over places would answer for none of them: take off the mean of each pixel and divide by its standard deviation "
    "(which does not even out how fast a place forgets), analyse a part of the box that is uniform, or one number at a time."
)
PACES = (
    "Places forget at different rates, and an average over places would answer for none of them: analyse a part of the box that is "
    "uniform, or one number at a time. Dividing by the standard deviation does not even this out."
)
SEAM = "Does the box close on itself? A window cut from a larger field does not; else take a part that is uniform, or one number at a time."


def profiles_of(record: Record) -> dict[str, np.ndarray]:
    """Time means over each piece of what homogeneity makes the same everywhere: name → (piece, *shape)."""
    found: dict[str, list[np.ndarray]] = {}
    for v in record.pieces():
        quantities = {"mean": v, "variance": v.square(), "step in time, squared,": v.diff(dim=0).square()}
        quantities |= {f"step along {'x' if axis == -1 else 'y'}, squared,": (v.roll(-1, axis) - v).square() for axis in record.grid.axes}
        for name, values in quantities.items():
            found.setdefault(name, []).append(values.double().mean(0).numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def profile_test(grid: PeriodicGrid, profiles: np.ndarray) -> tuple[float, float, float]:
    """Of profiles from independent pieces, (piece, *shape): the root mean square over the box of their mean, freed of sampling, about its
    average; what sampling alone gives; and the probability of such coefficients by chance, Fisher's over all wavevectors or that of the
    largest, whichever is less. One place, or profiles that agree to rounding, leave nothing to compare: 0, 0, 1."""
    count = len(profiles)
    spectra = grid.rfft(torch.as_tensor(profiles)).numpy() / grid.size
    power = np.abs(spectra.mean(0)) ** 2
    noise = (np.abs(spectra - spectra.mean(0)) ** 2).sum(0) / (count - 1) / count
    weight = grid.multiplicity.numpy().copy()
    weight.flat[0] = 0
    size = math.sqrt(max(0.0, float((weight * (power - noise)).sum())))
    freedom = _freedom(grid)
    used = (freedom > 0) & (noise > 1e-30)
    if not used.any():
        return 0.0, 0.0, 1.0
    ratio, nu = power[used] / noise[used], freedom[used]
    chances = np.clip(scipy.stats.f.sf(ratio, nu, nu * (count - 1)), 1e-300, 1.0)
    fisher = scipy.stats.chi2.sf(-2 * np.log(chances).sum(), 2 * len(chances))
    return size, math.sqrt(float((weight * noise).sum())), float(min(1.0, 2 * min(fisher, len(chances) * chances.min())))


def _freedom(grid: PeriodicGrid) -> np.ndarray:
    """(*spectral_shape,): 2 for a complex coefficient, 1 for a real one, 0 for k = 0 and for those that are another's conjugate."""
    freedom = np.full(grid.spectral_shape, 2)
    n = grid.shape[-1]
    for column in {0, n // 2} if n % 2 == 0 else {0}:
        if len(grid.shape) == 2:
            rows = grid.shape[0]
            freedom[rows // 2 + 1 :, column] = 0
            freedom[[0, rows // 2] if rows % 2 == 0 else [0], column] = 1
        else:
            freedom[column] = 1
    freedom.flat[0] = 0
    return freedom
