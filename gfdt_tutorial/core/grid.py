"""The periodic grid and its operators, all of them multiplications in Fourier space.

    Δ → −k²        Σ = (1 − Δ)⁻¹ → 1/(1 + k²)        ∂ₓ → i kₓ, without a Nyquist component

Real FFTs over the last axes, unnormalised forward. Symbols are kept in double precision on the CPU and cast where they are applied.

One rule for what a half spectrum can hold and a real field cannot, the parts of the columns k = 0 and Nyquist that are not symmetric: they
may be carried along, as the noise draws them, but must never reach the field. A first derivative without a Nyquist component keeps them
apart; an operator that turns the Nyquist wave (the mean flow of Navier-Stokes does) drops them with `PeriodicGrid.shown`. So the next
field depends on the present one and the noise, and on nothing that is stored beside it.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from gfdt_tutorial.core import checks


@dataclass(frozen=True)
class PeriodicGrid:
    """A periodic box with zero, one or two axes, in the order (y, x); a grid without axes carries plain numbers.

    Fields have shape (..., *shape) and their spectra (..., *spectral_shape), the last axis holding the wavenumbers ≥ 0 only.

    Args:
        shape: points per axis, each ≥ 2; unequal sides are welcome.
        lengths: box sides; 2π each by default, which makes the wavenumbers integers.

    Raises:
        ValueError: more than two axes, a side with fewer than 2 points, or a length that is not positive.

    >>> PeriodicGrid((24, 48)).spectral_shape
    (24, 25)
    """

    shape: tuple[int, ...] = (32, 32)
    lengths: tuple[float, ...] | None = None

    def __post_init__(self):
        for name in ("shape", "lengths"):
            if isinstance(sides := getattr(self, name), int | float):
                raise ValueError(f"{name} is {sides!r}; give one number an axis, such as ({sides},) or ({sides}, {sides})")
        shape = tuple(checks.whole("a grid side", n, minimum=2) for n in self.shape)
        lengths = (2 * math.pi,) * len(shape) if self.lengths is None else tuple(checks.positive("a grid length", x) for x in self.lengths)
        if len(shape) > 2:
            raise ValueError(f"a grid of shape {shape} has {len(shape)} axes; expected at most two, (y, x)")
        if len(lengths) != len(shape):
            raise ValueError(f"lengths {lengths} do not match shape {shape}: give one length per axis")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "lengths", lengths)

    @property
    def size(self) -> int:
        """Number of grid points, N² on a square."""
        return math.prod(self.shape)

    @property
    def unit(self) -> float:
        """The lowest wavenumber of the longest side, 2π/L: 1 by default."""
        return 2 * math.pi / max(self.lengths, default=2 * math.pi)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of a field that are space: the last ones."""
        return tuple(range(-len(self.shape), 0))

    @property
    def spectral_shape(self) -> tuple[int, ...]:
        """Shape of a spectrum."""
        return (*self.shape[:-1], self.shape[-1] // 2 + 1) if self.shape else ()

    @cached_property
    def coordinates(self) -> tuple[torch.Tensor, ...]:
        """Positions along each axis, from 0."""
        return tuple(torch.arange(n, dtype=torch.float64) * (length / n) for n, length in zip(self.shape, self.lengths, strict=True))

    @cached_property
    def wavenumbers(self) -> tuple[torch.Tensor, ...]:
        """k along each axis, shaped to broadcast over a spectrum."""
        found = []
        for axis, n, length in zip(self.axes, self.shape, self.lengths, strict=True):
            frequencies = (torch.fft.rfftfreq if axis == -1 else torch.fft.fftfreq)(n, d=length / (2 * math.pi * n), dtype=torch.float64)
            found.append(frequencies.reshape([-1 if a == axis else 1 for a in self.axes]))
        return tuple(found)

    @cached_property
    def k_squared(self) -> torch.Tensor:
        """k² for every wavevector."""
        return sum((k**2 for k in self.wavenumbers), torch.zeros(self.spectral_shape, dtype=torch.float64))

    @cached_property
    def laplacian(self) -> torch.Tensor:
        """Symbol of Δ."""
        return -self.k_squared

    @cached_property
    def inverse_helmholtz(self) -> torch.Tensor:
        """Symbol of Σ = (1 − Δ)⁻¹, eq. (6): it smooths the drift and colours the noise."""
        return 1 / (1 + self.k_squared)

    def derivative(self, axis: int = -1) -> torch.Tensor:
        """Symbol of the first derivative along `axis`. The Nyquist wave has no sign, so no derivative: it is zero there."""
        k = self.wavenumbers[axis].clone()
        if self.shape[axis] % 2 == 0:
            k.view(-1)[self.shape[axis] // 2] = 0
        return 1j * k.expand(self.spectral_shape)

    @cached_property
    def multiplicity(self) -> torch.Tensor:
        """How many wavevectors of the full spectrum each entry of a half spectrum stands for: 1 or 2."""
        if not self.shape:
            return torch.ones((), dtype=torch.float64)
        weight = torch.full(self.spectral_shape[-1:], 2.0, dtype=torch.float64)
        weight[0] = 1
        if self.shape[-1] % 2 == 0:
            weight[-1] = 1
        return weight.expand(self.spectral_shape)

    @cached_property
    def white(self) -> torch.Tensor:
        """(*spectral_shape): what turns complex unit normals, drawn without regard to symmetry, into the spectrum of unit normals."""
        return (self.size / self.multiplicity).sqrt()

    def rfft(self, fields: torch.Tensor) -> torch.Tensor:
        """Spectra of real fields, (..., *shape) → (..., *spectral_shape), unnormalised."""
        return torch.fft.rfftn(fields, dim=self.axes) if self.shape else torch.complex(fields, torch.zeros_like(fields))

    def irfft(self, spectra: torch.Tensor) -> torch.Tensor:
        """Fields of spectra, (..., *spectral_shape) → (..., *shape).

        On the columns that a real field has symmetric, û(−k) = û(k)*, only the symmetric part counts.
        """
        if not self.shape:
            return spectra.real
        if spectra.is_cuda:
            return self._irfft_by_axis(spectra)
        return torch.fft.irfftn(spectra, s=self.shape, dim=self.axes)

    def shown(self, spectra: torch.Tensor) -> torch.Tensor:
        """What a field shows of spectra, (..., *spectral_shape): rfft(irfft(spectra)), without a transform.

        Only the columns of the last axis that a real field has symmetric, û(−k) = û(k)*, change.
        """
        if not self.shape:
            return torch.complex(spectra.real, torch.zeros_like(spectra.real))
        spectra = spectra.clone()
        for column in {0, -1} if self.shape[-1] % 2 == 0 else {0}:
            here = spectra[..., column]
            backward = here.flip(-1).roll(1, -1) if len(self.shape) == 2 else here
            spectra[..., column] = 0.5 * (here + backward.conj())
        return spectra

    def _irfft_by_axis(self, spectra: torch.Tensor) -> torch.Tensor:
        """The same where a library leaves the transform of other columns undefined, as cuFFT does: they are made real by hand."""
        spectra = torch.fft.ifft(spectra, dim=-2) if len(self.shape) == 2 else spectra.clone()
        for column in {0, -1} if self.shape[-1] % 2 == 0 else {0}:
            torch.view_as_real(spectra)[..., column, 1] = 0
        return torch.fft.irfft(spectra, n=self.shape[-1], dim=-1)

    def apply(self, symbol: torch.Tensor, fields: torch.Tensor) -> torch.Tensor:
        """The operator with this symbol, applied to real fields."""
        spectra = self.rfft(checks.ends_with("fields", fields, self.shape))
        return self.irfft(spectra * cast(symbol, spectra))

    def trace(self, symbol: torch.Tensor) -> float:
        """Trace of the translation-invariant operator with this symbol, as a matrix over grid points: Σ_k of the symbol."""
        return float((symbol.real * self.multiplicity).sum())


def cast(symbol: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A double-precision symbol in the precision and on the device of the spectra `like`; real symbols stay real."""
    double = like.dtype in (torch.complex128, torch.float64)
    if symbol.is_complex():
        return symbol.to(like.device, torch.complex128 if double else torch.complex64)
    return symbol.to(like.device, torch.float64 if double else torch.float32)
