"""Wave forcing: many waves of one amplitude, each with a phase that walks at random. Hidden, as the field does not show it."""

import math

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.systems.white_noise import copied

MEAN_LEFT = 0.1  # of the forcing's spatial mean: the letter's code takes off nine tenths
CHUNK = 16  # steps drawn a member at a time


class WaveForcing:
    """ς(x) = a Σ_k m_k cos(k·x + φ_k),  dφ_k = √2 dW_k,  the sum running over both k and −k, with phases of their own.

    Hence ⟨ς²⟩ = a² Σ_k m_k²/2 and ⟨ς(t) ς(0)⟩ = ⟨ς²⟩ e^(−|t|): the phases start uniform, so the forcing is stationary from the first
    step. m_0 is 1/10. Each member has streams of its own, fixed by (seed, member).

    Args:
        members: which streams.
        amplitude: a, per wave, in units of the field per unit time.
        cutoff: m_k = 1 where |k| ≤ cutoff, else 0.

    Attributes:
        spectra: (member, *spectral_shape), the unnormalised transform of ς as it is now.
        weights: (*spectral_shape,), m_k.
        frozen: whether the phases stand still.
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
        """Let the phases walk for `lapse` time units; returns `spectra`, a new tensor."""
        if not self.frozen:
            self._phases = torch.add(self._phases, self._draw(), alpha=math.sqrt(2 * lapse))
            self.spectra = self._field()
        return self.spectra

    def copy(self, amplitude: float | None = None) -> "WaveForcing":
        """One that goes on from here with the same numbers: the same phases, under another amplitude if one is given."""
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
        waves = torch.polar(torch.ones_like(self._phases), self._phases)
        spectra = torch.zeros(self._shape, dtype=waves.dtype, device=waves.device)
        both = waves[:, : len(self._half)] + waves.index_select(1, self._backward).conj()
        spectra.flatten(1).index_copy_(1, self._half, both.mul_(self._weight))
        return spectra


def _disc(grid: PeriodicGrid, cutoff: float) -> torch.Tensor:
    """Where |k| ≤ cutoff. A Nyquist wave has no wave −k beside it, so it is left out."""
    nyquist = [(grid.derivative(axis).imag == 0) & (grid.wavenumbers[axis] != 0) for axis in grid.axes]
    return (grid.k_squared <= cutoff**2 * (1 + 1e-9)) & ~torch.stack(nyquist).any(0)


def _waves(grid: PeriodicGrid, cutoff: float, device) -> tuple[int, torch.Tensor, torch.Tensor]:
    """Number of waves, those of the half spectrum first and in its order; for each of these the number of −k; and its flat index."""
    rows, columns = torch.nonzero(_disc(grid, cutoff), as_tuple=True)
    height, width = grid.shape
    stored = list(zip(rows.tolist(), columns.tolist(), strict=True))
    opposite = [(-row % height, -column % width) for row, column in stored]
    number = {wave: index for index, wave in enumerate(dict.fromkeys(stored + opposite))}
    backward = torch.tensor([number[wave] for wave in opposite], device=device)
    return len(number), backward, (rows * grid.spectral_shape[-1] + columns).to(device)
