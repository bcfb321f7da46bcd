"""Observables: functions of fields (..., *shape) that do not change when the field is shifted (`neighbour_products` moves along).

Each returns (..., n) numbers in the precision of u, and refuses fields of another grid. All are smooth in u, so that ∇A exists, which the
control variate of `sensitivities` needs: counts of pixels in a bin or above a threshold are blurred by a width.

    >>> import torch
    >>> from gfdt_tutorial import PeriodicGrid
    >>> grid = PeriodicGrid((8, 8))
    >>> together(moment(grid, 2), spectrum(grid))(torch.ones(5, 8, 8)).shape
    torch.Size([5, 6])
"""

import math
from collections.abc import Callable, Sequence
from itertools import product

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.hermite import hermite, powers
from gfdt_tutorial.core.hermite import products as hermite_products
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.core.whitening import Whitening

Observable = Callable[[torch.Tensor], torch.Tensor]


def moment(grid: PeriodicGrid, order: int) -> Observable:
    """The mean of uⁿ over pixels, (..., 1): order 1 is the spatial mean, 2 the power; 4 distinguishes two phases from one."""
    order = checks.whole("order", order, minimum=1)
    return lambda u: _over_pixels(grid, _on(grid, u) ** order)[..., None]


def products(data: TimeSeries, degree: int = 2) -> Observable:
    """Hermite products of whitened components up to a degree, without the constant, (..., n): all polynomials of u, well conditioned.

    Args:
        data: without space; its mean and covariance define the coordinates.

    Raises:
        ValueError: data with space axes, components that are linearly dependent, or a degree below 1.

    >>> import gfdt_tutorial as gfdt
    >>> data = gfdt.simulate(gfdt.MarkovChain(), members=4, duration=100.0)
    >>> products(data, 2)(data.u).shape  # 3 of degree one and 6 of degree two
    torch.Size([4, 101, 9])
    """
    check_series(data, components=True)
    if data.grid.shape:
        raise ValueError(f"these data are fields of shape {data.grid.shape}; products are of a few variables without space")
    whitening = Whitening.of(data.u.reshape(data.snapshots, -1))
    factors = powers(len(whitening.mean), checks.whole("degree", degree, minimum=1))[1:]
    plain = data.components is None

    def measure(u: torch.Tensor) -> torch.Tensor:
        y = whitening(u[..., None] if plain else u)
        return hermite_products(hermite(y, degree), factors).to(u.dtype)

    return measure


def neighbour_products(data: TimeSeries, reach: int = 1) -> Observable:
    """Products of two components of several fields at the same place, or at places up to `reach` points apart, as fields (..., n, *shape).

    With v_a = (u_a − ⟨u_a⟩)/σ_a they are v_a(x) v_b(x + d) for all a, b and d, each pair of places once. They are a dictionary for the form
    "combined" of `respond`: quadratic equations move the fields by such products.

    Args:
        data: with components and space; its means and standard deviations define v.
        reach: in grid points along each axis.

    Raises:
        ValueError: data without components or without space, or a reach that is not a whole number from 0 to half the grid.

    >>> import gfdt_tutorial as gfdt
    >>> data = gfdt.simulate(gfdt.TwoScaleLorenz96(places=8, fast=3), members=2, duration=1.0, every=0.5)
    >>> neighbour_products(data)(data.u[0]).shape  # 10 at one place, 16 at neighbouring ones
    torch.Size([3, 26, 8])
    """
    check_series(data, components=True)
    reach = checks.whole("reach", reach)
    if data.components is None or not data.grid.shape or not 0 <= reach <= min(data.grid.shape) // 2:
        raise ValueError(
            f"expected several fields (axes mtcx or mtcyx), and a reach up to half the grid; got axes {data.axes}, reach {reach}"
        )
    centre, spread = data.centre, torch.tensor(data.spread).reshape(data.centre.shape)
    count, axes = len(data.components), data.grid.axes
    offsets = [offset for offset in product(range(-reach, reach + 1), repeat=len(axes)) if offset > (0,) * len(axes)]
    same = torch.triu_indices(count, count)

    def measure(u: torch.Tensor) -> torch.Tensor:
        v = ((u - centre.to(u)) / spread.to(u)).movedim(-1 - len(axes), 0)
        found = [v[same[0]] * v[same[1]]]
        for offset in offsets:
            beside = v.roll([-step for step in offset], axes)
            found.append((v[:, None] * beside[None]).flatten(0, 1))
        return torch.cat(found).movedim(0, -1 - len(axes))

    return measure


def spectrum(grid: PeriodicGrid) -> Observable:
    """C_k = |û_k|²/N², the mean over each shell of |k|, (..., shell): see `spectra.shell_average` for the shells.

    Raises:
        ValueError: the grid has no axes.
    """
    ones = torch.eye(math.prod(grid.spectral_shape), dtype=torch.float64).reshape(-1, *grid.spectral_shape)
    weights = shell_average(grid, ones)[1] / grid.size  # (mode, shell)

    def measure(u: torch.Tensor) -> torch.Tensor:
        power = grid.rfft(_on(grid, u)).abs().square().flatten(-len(grid.spectral_shape))
        return power @ weights.to(power.device, power.dtype)

    return measure


def exceedance(grid: PeriodicGrid, thresholds: float | Sequence[float] | torch.Tensor, width: float) -> Observable:
    """The fraction of pixels above each threshold c, (..., threshold): the mean of 1/(1 + e^(−(u − c)/w)).

    Args:
        width: w > 0, in units of the field; the smaller it is, the sharper the step and the noisier ∇A.

    Raises:
        ValueError: no threshold, one that is not finite, or a width that is not positive.
    """
    values = torch.as_tensor(thresholds, dtype=torch.float32).reshape(-1)
    if not len(values):
        raise ValueError("thresholds is empty; expected one value of the field or more")
    checks.finite("thresholds", values)
    width = checks.positive("width", width)
    return lambda u: torch.stack([_over_pixels(grid, torch.sigmoid((_on(grid, u) - value) / width)) for value in values.tolist()], -1)


def density(grid: PeriodicGrid, edges: Sequence[float] | torch.Tensor, width: float | None = None) -> Observable:
    """The density of pixel values between neighbouring edges, (..., edge − 1), per unit of the field, blurred by `width`.

    Args:
        edges: increasing.
        width: of the blur; a quarter of the mean bin by default.

    Raises:
        ValueError: fewer than two edges, or edges that do not increase.
    """
    values = torch.as_tensor(edges, dtype=torch.float32)
    bins = values.diff()
    if values.ndim != 1 or len(values) < 2 or not bool((bins > 0).all()):
        raise ValueError(f"edges must be two or more increasing values of the field, got {values.tolist()}")
    above = exceedance(grid, values, float(bins.mean()) / 4 if width is None else width)
    return lambda u: -above(u).diff(dim=-1) / bins.to(u.device)


def together(*observables: Observable) -> Observable:
    """Several observables at once, (..., n): their numbers side by side.

    Raises:
        ValueError: no observable is given.
    """
    if not observables:
        raise ValueError(
            "together() was given no observable; give one observable or more, such as together(moment(grid, 2), spectrum(grid))"
        )
    return lambda u: torch.cat([threads.in_turn(observable)(u) for observable in observables], -1)


def _on(grid: PeriodicGrid, u: torch.Tensor) -> torch.Tensor:
    """u, which must be fields of the grid."""
    return checks.ends_with("the field that is measured", u, grid.shape)


def _over_pixels(grid: PeriodicGrid, values: torch.Tensor) -> torch.Tensor:
    return values.mean(grid.axes) if grid.shape else values
