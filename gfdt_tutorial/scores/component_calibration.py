"""The linear part that a score of components lacks: the exact last step of training.

Adding A y + a to a score changes the loss of score matching by a parabola, whose minimum is where −⟨s_y yᵀ⟩ = 1 and ⟨s_y⟩ = 0. For fields
A is a matrix A_k at each wavevector; without space there is one. (`linear_correction` does the same for one field, shell by shell.)
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.whitening import apply_matrices


@dataclass(frozen=True)
class Moments:
    """Averages of whitened states y and scores s_y, in double precision.

    Args:
        power, cross: ⟨ŷ ŷ†⟩ and ⟨ŝ ŷ†⟩ over the number of places, about the means, (*spectral_shape, component, component).
        y, s: the means, (component,).
    """

    grid: PeriodicGrid
    power: torch.Tensor
    cross: torch.Tensor
    y: torch.Tensor
    s: torch.Tensor

    @classmethod
    def of(cls, grid: PeriodicGrid, pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> "Moments":
        """From blocks of states and scores, (state, component, *shape) each."""
        count, totals = 0, [torch.zeros(()) for _ in range(4)]
        for block in pairs:
            y, s = (one.double() for one in block)
            spectra = [grid.rfft(one).movedim(1, -1) for one in (y, s)]
            products = [torch.einsum("n...i,n...j->...ij", one, spectra[0].conj()) / grid.size for one in spectra]
            means = [one.reshape(*one.shape[:2], -1).mean(2).sum(0) for one in (y, s)]
            totals = [total + part.cpu() for total, part in zip(totals, [*products, *means], strict=True)]
            count += len(y)
        power, cross, y, s = (total / count for total in totals)
        start = (0,) * len(grid.shape)
        power[start] -= grid.size * torch.outer(y, y)
        cross[start] -= grid.size * torch.outer(s, y)
        return cls(grid, power, cross, y, s)

    def missed(self) -> float:
        """The largest entry of |⟨s_y yᵀ⟩ + 1| at one place, which is 0 for a true score."""
        count = len(self.y)
        products = self.grid.irfft(self.cross.movedim((-2, -1), (0, 1))).reshape(count, count, -1)[..., 0]
        return float((products + torch.eye(count)).abs().max())

    def correction(self) -> torch.Tensor:
        """[A_k, a], (*spectral_shape, component, component + 1), with a at wavevector 0; real and in single precision without space."""
        one = torch.eye(len(self.y), dtype=self.cross.dtype)
        matrix = -torch.linalg.solve(self.power, one + self.cross, left=False)
        start = (0,) * len(self.grid.shape)
        offset = torch.zeros(matrix.shape[:-1], dtype=matrix.dtype)
        offset[start] = -(self.s + matrix[start].real @ self.y).to(offset)
        found = torch.cat([matrix, offset[..., None]], -1)
        return found.to(torch.complex64) if self.grid.shape else found.real.float()


def corrected(grid: PeriodicGrid, correction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A y + a of states (state, component, *shape) → the same."""
    if not grid.shape:
        return y @ correction[:, :-1].T + correction[:, -1]
    offset = correction[(0,) * len(grid.shape)][:, -1].real
    return apply_matrices(grid, correction[..., :-1], y) + offset.reshape(-1, *[1] * len(grid.shape))
