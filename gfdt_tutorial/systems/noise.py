"""Space-time white noise, drawn in Fourier space."""

import math

import torch

from gfdt_tutorial.randomness import generator
from gfdt_tutorial.spectral import PeriodicGrid

CHUNK = 16  # draws a member at a time: long enough to hide the call, short enough to stay in the cache


class WhiteNoise:
    """Spectra of independent unit-normal fields, one new field for every member at each call.

    Each member has a stream of its own, fixed by (seed, member): neither the number of members drawn together nor the length of the
    run changes what it gets. Drawing spectra directly costs no FFT; the self-conjugate columns k_x = 0 and Nyquist, which a real
    field has, are symmetrised by hand.

    Args:
        members: which streams.
        offset: distinguishes several noises of one run, such as initial state and forcing.
    """

    def __init__(self, grid: PeriodicGrid, members: range, seed: int, *, offset: int = 0, device: torch.device | str = "cpu"):
        self._grid = grid
        self._streams = [generator(seed, offset, member, device=device) for member in members]
        self._drawn = torch.empty(len(members), CHUNK, *grid.half, 2, device=device)
        self._next = CHUNK

    def __call__(self) -> torch.Tensor:
        """(member, *half), complex, ⟨|η_k|²⟩ = N². Valid until the call after CHUNK more."""
        if self._next == CHUNK:
            self._refill()
        self._next += 1
        return torch.view_as_complex(self._drawn)[:, self._next - 1]

    def _refill(self) -> None:
        for numbers, stream in zip(self._drawn, self._streams, strict=True):
            numbers.normal_(generator=stream)
        spectra = torch.view_as_complex(self._drawn).mul_(math.sqrt(self._grid.size / 2))
        for column in {0, -1} if self._grid.shape[-1] % 2 == 0 else {0}:
            _make_hermitian(spectra[..., column], columns=len(self._grid.shape) == 2)
        self._next = 0


def _make_hermitian(column: torch.Tensor, *, columns: bool) -> None:
    """η(k) ← (η(k) + η(−k)*) / √2 in place, along the last axis or, on one axis, for a lone entry."""
    values = column.clone()
    mirror = values.flip(-1).roll(1, -1) if columns else values
    column.copy_((values + mirror.conj()) * math.sqrt(0.5))
