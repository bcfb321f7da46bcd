"""Random numbers that drive a system: unit normals, and space-time white noise drawn in Fourier space."""

import copy
from typing import Self, TypeVar

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator

CHUNK = 16  # draws per member at a time: enough to hide the overhead of the call, few enough to stay in the processor's cache

N = TypeVar("N")


class Normals:
    """Unit normals, new ones for every member at each call.

    Each member has its own random stream, fixed by (seed, member): its numbers depend neither on the number of members drawn together nor
    on the length of the run.

    Args:
        shape: of the numbers of one member.
        members: the members whose streams are drawn.
        stream: distinguishes several noises of one run, such as the initial state and the noise that drives it. An initial state needs
            one draw, and no more are made at a time.
    """

    def __init__(
        self, shape: tuple[int, ...], members: range, seed: int, *, stream: Stream = Stream.NOISE, device: torch.device | str = "cpu"
    ):
        self._streams = [generator(seed, stream, member, device=device) for member in members]
        self._chunk = 1 if stream == Stream.INITIAL else CHUNK
        self._drawn = torch.empty(len(members), self._chunk, *shape, device=device)
        self._next = self._chunk

    def __call__(self) -> torch.Tensor:
        """(member, *shape). It is overwritten after CHUNK more calls."""
        if self._next == self._chunk:
            for numbers, stream in zip(self._drawn, self._streams, strict=True):
                numbers.normal_(generator=stream)
            self._next = 0
        self._next += 1
        return self._drawn[:, self._next - 1]

    def copy(self) -> Self:
        """A copy that continues from here with the same numbers."""
        return copied(self, "_streams", "_drawn")


class WhiteNoise(Normals):
    """Complex normals in the shape of a spectrum, new ones for every member at each call.

    Multiplied by `grid.white` they are spectra of independent unit-normal fields, ⟨|η_k|²⟩ = N²; the caller combines that factor with its
    own. Drawing spectra directly costs no FFT. The columns k_x = 0 and Nyquist are drawn without the symmetry η(−k) = η(k)* of a real
    field: `grid.irfft` uses their symmetric part only, and `grid.white` is normalised accordingly.

    Args:
        members, stream: as in `Normals`.
    """

    def __init__(self, grid: PeriodicGrid, members: range, seed: int, *, stream: Stream = Stream.NOISE, device: torch.device | str = "cpu"):
        super().__init__((*grid.spectral_shape, 2), members, seed, stream=stream, device=device)

    def __call__(self) -> torch.Tensor:
        """(member, *spectral_shape), complex; real and imaginary parts are unit normals. It is overwritten after CHUNK more calls."""
        return torch.view_as_complex(super().__call__())


def copied(noise: N, streams: str, *tensors: str) -> N:
    """A copy of a noise with its own random streams and tensors, which continue where those of `noise` are now."""

    twin = copy.copy(noise)
    setattr(twin, streams, [stream.clone_state() for stream in getattr(noise, streams)])
    for name in tensors:
        setattr(twin, name, getattr(noise, name).clone())
    return twin
