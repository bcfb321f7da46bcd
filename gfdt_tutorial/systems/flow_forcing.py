"""Wave forcing: many waves of equal amplitude whose phases are random walks. It is hidden: the field does not determine it."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.systems.white_noise import copied

MEAN_LEFT = 0.1  # the fraction of the forcing's spatial mean that remains: the letter's code subtracts nine tenths
CHUNK = 16  # steps drawn per member at a time


class WaveForcing:
    """ς(x) = a Σ_k m_k cos(k·x + φ_k),  dφ_k = √2 dW_k,  where the sum includes both k and −k, each with its own phase.

    Hence ⟨ς²⟩ = a² Σ_k m_k²/2 and ⟨ς(t) ς(0)⟩ = ⟨ς²⟩ e^(−|t|). The initial phases are uniform, so the forcing is stationary from the first
    step. m_0 is 1/10. Each member has its own random stream, fixed by (seed, member).

    Args:
        members: the members whose streams are drawn.
        amplitude: a, per wave, in units of the field per unit time.
        cutoff: m_k = 1 where |k| ≤ cutoff, else 0.

    Attributes:
        spectra: (member, *spectral_shape), the unnormalised transform of the present ς.
        weights: (*spectral_shape,), m_k.
        frozen: whether the phases are held fixed.
    """

    def __init__(
        self, grid: PeriodicGrid, members: range, seed: int, *, amplitude: float, cutoff: float, device: torch.device | str = "cpu"
    ):
        waves, self._backward, self._half = _waves(grid, cutoff, device)
        self._streams = [generator(seed, Stream.FORCING, member, device=device) for member in members]
        self._phases = torch.stack([torch.rand(waves, generator=stream, device=device) for stream in self._streams]) * (2 * math.pi)
        self._normals = torch.empty(len(members), CHUNK, waves, device=device)
        self._next = CHUNK
        self._shape = (len(members), *grid.spectral_shape)
        self.weights = _disc(grid, cutoff).double()
        self.weights[0, 0] *= MEAN_LEFT
        self._per_amplitude = 0.5 * grid.size * self.weights.flatten()[self._half.cpu()]
        self._weight = (amplitude * self._per_amplitude).float().to(device)
        self.frozen = False
        self.spectra = self._field()

    def advance(self, lapse: float) -> torch.Tensor:
        """Advance the phases by `lapse` time units; returns `spectra`, a new tensor."""
        if not self.frozen:
            self._phases = torch.add(self._phases, self._draw(), alpha=math.sqrt(2 * lapse))
            self.spectra = self._field()
        return self.spectra

    def copy(self, amplitude: float | None = None) -> "WaveForcing":
        """A copy that continues from here with the same numbers and the same phases, with another amplitude if one is given."""
        twin = copied(self, "_streams", "_phases", "_normals")
        if amplitude is not None:
            twin._weight = (amplitude * self._per_amplitude).to(self._weight)
            twin.spectra = twin._field()
        return twin

    def _draw(self) -> torch.Tensor:
        if self._next == CHUNK:
            for numbers, stream in zip(self._normals, self._streams, strict=True):
                numbers.normal_(generator=stream)
            self._next = 0
        self._next += 1
        return self._normals[:, self._next - 1]

    def _field(self) -> torch.Tensor:
        """Re Σ_k e^(i(k·x + φ_k)) has the transform N²/2 (e^(iφ_k) + e^(−iφ_−k))."""
        cosines, sines = self._phases.cos(), self._phases.sin()  # twice as fast as torch.polar
        real = cosines[:, : len(self._half)] + cosines.index_select(1, self._backward)
        imaginary = sines[:, : len(self._half)] - sines.index_select(1, self._backward)
        both = torch.complex(real.mul_(self._weight), imaginary.mul_(self._weight))
        spectra = torch.zeros(self._shape, dtype=both.dtype, device=both.device)
        spectra.flatten(1).index_copy_(1, self._half, both)
        return spectra


@dataclass(frozen=True)
class ForcingPerUnit:
    """The derivative of the drift with respect to the amplitude of the forcing, ς/a, read from the context of the data."""

    amplitude: float
    needs_context: ClassVar[bool] = True

    def __call__(self, u: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """(..., y, x), of fields u and their context (..., 1, y, x).

        Raises:
            ValueError: there is no context.
        """
        if context is None:
            raise ValueError("the response to the forcing needs the forcing as context: simulate(..., context=True)")
        return context[..., 0, :, :] / self.amplitude


def _disc(grid: PeriodicGrid, cutoff: float) -> torch.Tensor:
    """Where |k| ≤ cutoff. A Nyquist wave has no separate wave −k, so it is left out."""
    nyquist = [(grid.derivative(axis).imag == 0) & (grid.wavenumbers[axis] != 0) for axis in grid.axes]
    return (grid.k_squared <= cutoff**2 * (1 + 1e-9)) & ~torch.stack(nyquist).any(0)


def _waves(grid: PeriodicGrid, cutoff: float, device: torch.device | str) -> tuple[int, torch.Tensor, torch.Tensor]:
    """The number of waves, numbered in the order of the half spectrum first; for each wave of that the number of −k, and its flat index."""

    rows, columns = torch.nonzero(_disc(grid, cutoff), as_tuple=True)
    height, width = grid.shape
    stored = list(zip(rows.tolist(), columns.tolist(), strict=True))
    opposite = [(-row % height, -column % width) for row, column in stored]
    number = {wave: index for index, wave in enumerate(dict.fromkeys(stored + opposite))}
    backward = torch.tensor([number[wave] for wave in opposite], device=device)
    return len(number), backward, (rows * grid.spectral_shape[-1] + columns).to(device)
