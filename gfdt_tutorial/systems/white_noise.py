"""Space-time white noise, drawn in Fourier space."""

import copy
from typing import Any

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator

CHUNK = 16  # draws a member at a time: long enough to hide the call, short enough to stay in the cache


class WhiteNoise:
    """Complex normals in the shape of a spectrum, a new one for every member at each call.

    Times `grid.white` they are spectra of independent unit-normal fields, ⟨|η_k|²⟩ = N²; the caller folds that factor into its own.
    Drawing spectra directly costs no FFT. The columns k_x = 0 and Nyquist come as they are drawn, without the symmetry
    η(−k) = η(k)* that a real field has: `grid.irfft` sees their symmetric part alone, and `grid.white` counts only that.

    Each member has a stream of its own, fixed by (seed, member): neither the number of members drawn together nor the length of the
    run changes what it gets.

    Args:
        members: which streams.
        stream: distinguishes several noises of one run, such as the initial state and the noise that drives it.
    """

    def __init__(self, grid: PeriodicGrid, members: range, seed: int, *, stream: Stream = Stream.NOISE, device: torch.device | str = "cpu"):
        self._streams = [generator(seed, stream, member, device=device) for member in members]
        self._drawn = torch.empty(len(members), CHUNK, *grid.spectral_shape, 2, device=device)
        self._next = CHUNK

    def __call__(self) -> torch.Tensor:
        """(member, *spectral_shape), complex, real and imaginary parts unit normals. Valid until the call after CHUNK more."""
        if self._next == CHUNK:
            for numbers, stream in zip(self._drawn, self._streams, strict=True):
                numbers.normal_(generator=stream)
            self._next = 0
        self._next += 1
        return torch.view_as_complex(self._drawn)[:, self._next - 1]

    def copy(self) -> "WhiteNoise":
        """One that goes on from here with the same numbers."""
        return copied(self, "_streams", "_drawn")


def copied(noise: Any, streams: str, *tensors: str) -> Any:
    """A noise whose random streams and tensors are its own, and stand where those of `noise` do."""
    twin = copy.copy(noise)
    setattr(twin, streams, [stream.clone_state() for stream in getattr(noise, streams)])
    for name in tensors:
        setattr(twin, name, getattr(noise, name).clone())
    return twin
