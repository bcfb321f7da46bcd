"""The linear part that a score lacks: the exact last step of training, by least squares.

Adding c_k u_k to a score changes the loss of score matching, ½⟨|s|²⟩ + ⟨∇·s⟩, by a parabola in c_k. Its minimum is where the score obeys
Stein's identity, −⟨û ŝ*⟩/N² = 1. The responses of slow modes are most sensitive to this part of the score. On each shell of |k|

    c_k = a + i Σ_j b_j k_j/|k|,

so that a few numbers are averaged over many wavevectors; b describes what advection does to a density.
"""

from collections.abc import Callable

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import shell_mean

FIELDS = 8192  # about as many fields are used


def linear_correction(
    data: TimeSeries, score: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor], *, mean: float, unit: float, with_context: bool
) -> torch.Tensor:
    """c_k, (*spectral_shape,), complex and in double precision, in units of 1/`unit`².

    Args:
        data: the series on which the corrected score will obey the identity.
        score: (u, context) → s(u).
        mean: ⟨u⟩.
        unit: about the size of the fields.
        with_context: whether the score is given the context of the data.
    """
    grid = data.grid
    power = torch.zeros(grid.spectral_shape, dtype=torch.float64)
    product, count = torch.zeros(grid.spectral_shape, dtype=torch.complex128), 0
    step = -(-data.snapshots // FIELDS)

    def of_member(member: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        some = slice(member % step, None, step)
        u = data.u[member, some]
        spectra = grid.rfft((u - mean) / unit)
        context = data.context[member, some] if with_context and data.context is not None else None
        product = (spectra.conj() * grid.rfft(unit * score(u, context))).sum(0)
        return spectra.abs().square().sum(0).double().cpu(), product.to(torch.complex128).cpu(), len(u)

    for own_power, own_product, fields in threads.mapped_in_portions(of_member, range(len(data.u)), device=data.u.device):
        power += own_power
        product += own_product
        count += fields
    missing = -count * grid.size - product
    change = (shell_mean(grid, missing.real) / shell_mean(grid, power)).to(torch.complex128)
    change += 1j * _slopes(grid, missing.imag, power)
    return change


def _slopes(grid: PeriodicGrid, missing: torch.Tensor, power: torch.Tensor) -> torch.Tensor | float:
    """Σ_j b_j k_j/|k|, by least squares on each shell."""
    if not grid.shape:
        return 0.0
    slopes = [grid.derivative(axis).imag / grid.k_squared.sqrt().clamp_min(1e-12) for axis in grid.axes]
    normal = torch.stack([torch.stack([shell_mean(grid, power * a * b) for a in slopes], -1) for b in slopes], -2)
    wanted = torch.stack([shell_mean(grid, missing * slope) for slope in slopes], -1)
    b = (torch.linalg.pinv(normal, hermitian=True) @ wanted[..., None])[..., 0]  # on some shells the slope along an axis vanishes
    return sum((slope * b[..., axis] for axis, slope in enumerate(slopes)), torch.zeros(()))
