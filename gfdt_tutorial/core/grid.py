"""The periodic grid and its operators, all of them multiplications in Fourier space.

    Δ → −k²        Σ = (1 − Δ)⁻¹ → 1/(1 + k²)        ∂ₓ → i kₓ, without a Nyquist component

Spectra are half spectra: real FFTs over the last axes, unnormalised forward. Symbols are kept in double precision on the CPU and cast
where they are applied.

The columns k = 0 and Nyquist of a half spectrum may have an anti-Hermitian part, which no real field has. One rule applies to it: it may be
carried along, as the noise draws it, but it must never reach the field. A first derivative without a Nyquist component keeps it apart; an
operator that rotates the Nyquist wave (the mean flow of Navier-Stokes does) removes it with `PeriodicGrid.hermitian_part`. The next field
therefore depends on the present field and the noise, and on nothing that is stored beside them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from gfdt_tutorial.core import checks


@dataclass(frozen=True)
class PeriodicGrid:
    """A periodic box with zero, one or two axes, in the order (y, x); a field on a grid without axes is a single number.

    Fields have shape (..., *shape) and their spectra (..., *spectral_shape), whose last axis holds the wavenumbers ≥ 0 only.

    Args:
        shape: points along each axis, each ≥ 2; the sides may differ.
        lengths: sides of the box; 2π each by default, which makes the wavenumbers integers.

    Raises:
        ValueError: more than two axes, a side with fewer than 2 points, or a length that is not positive.

    >>> PeriodicGrid((24, 48)).spectral_shape
    (24, 25)
    """

    shape: tuple[int, ...]
    lengths: tuple[float, ...]

    def __init__(self, shape: Sequence[int] = (32, 32), lengths: Sequence[float] | None = None) -> None:
        for name, sides in (("shape", shape), ("lengths", lengths)):
            if isinstance(sides, int | float):
                raise ValueError(f"{name} is {sides!r}; give one number per axis, such as ({sides},) or ({sides}, {sides})")
        shape = tuple(checks.whole("a grid side", n, minimum=2) for n in shape)
        lengths = (2 * math.pi,) * len(shape) if lengths is None else tuple(checks.positive("a grid length", x) for x in lengths)
        if len(shape) > 2:
            raise ValueError(f"a grid of shape {shape} has {len(shape)} axes; expected at most two, (y, x)")
        if len(lengths) != len(shape):
            raise ValueError(f"lengths {lengths} do not match shape {shape}: give one length per axis")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "lengths", lengths)

    @property
    def size(self) -> int:
        """Number of grid points: N² on a square grid of side N."""
        return math.prod(self.shape)

    @property
    def fundamental(self) -> float:
        """The fundamental wavenumber 2π/L of the longest side L: 1 by default."""
        return 2 * math.pi / max(self.lengths, default=2 * math.pi)

    @property
    def axes(self) -> tuple[int, ...]:
        """Indices of the space axes of a field, counted from the last."""
        return tuple(range(-len(self.shape), 0))

    @property
    def spectral_shape(self) -> tuple[int, ...]:
        """Shape of a half spectrum."""
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
        """k² of every wavevector, (*spectral_shape)."""
        return sum((k**2 for k in self.wavenumbers), torch.zeros(self.spectral_shape, dtype=torch.float64))

    @cached_property
    def laplacian(self) -> torch.Tensor:
        """Symbol of Δ."""
        return -self.k_squared

    @cached_property
    def inverse_helmholtz(self) -> torch.Tensor:
        """Symbol of Σ = (1 − Δ)⁻¹, eq. (6), which smooths the drift and colours the noise."""
        return 1 / (1 + self.k_squared)

    def derivative(self, axis: int = -1) -> torch.Tensor:
        """Symbol of the first derivative along `axis`. It is zero at the Nyquist wavenumber, whose sign is undetermined."""
        k = self.wavenumbers[axis].clone()
        if self.shape[axis] % 2 == 0:
            k.view(-1)[self.shape[axis] // 2] = 0
        return 1j * k.expand(self.spectral_shape)

    @cached_property
    def multiplicity(self) -> torch.Tensor:
        """Hermitian weights of a half spectrum: 2 where an entry also represents its conjugate at −k, else 1.

        By Parseval's theorem N² Σ_x u² = Σ_k multiplicity |û_k|², with the sum over the half spectrum and N² grid points.
        """
        if not self.shape:
            return torch.ones((), dtype=torch.float64)
        weight = torch.full(self.spectral_shape[-1:], 2.0, dtype=torch.float64)
        weight[0] = 1
        if self.shape[-1] % 2 == 0:
            weight[-1] = 1
        return weight.expand(self.spectral_shape)

    @cached_property
    def white(self) -> torch.Tensor:
        """Amplitude spectrum of white noise, (*spectral_shape).

        Multiplied by complex normals whose real and imaginary parts have unit variance, drawn without the Hermitian symmetry, it gives
        spectra whose `irfft` are fields of independent unit normals.
        """
        return (self.size / self.multiplicity).sqrt()

    def rfft(self, fields: torch.Tensor) -> torch.Tensor:
        """Spectra of real fields, (..., *shape) → (..., *spectral_shape), unnormalised."""
        return torch.fft.rfftn(fields, dim=self.axes) if self.shape else torch.complex(fields, torch.zeros_like(fields))

    def irfft(self, spectra: torch.Tensor) -> torch.Tensor:
        """Fields of spectra, (..., *spectral_shape) → (..., *shape).

        In the columns k = 0 and Nyquist, where the spectrum of a real field has û(−k) = û(k)*, only the Hermitian part counts.
        """
        if not self.shape:
            return spectra.real
        if spectra.is_cuda:
            return self._irfft_by_axis(spectra)
        return torch.fft.irfftn(spectra, s=self.shape, dim=self.axes)

    def hermitian_part(self, spectra: torch.Tensor) -> torch.Tensor:
        """Projection of spectra, (..., *spectral_shape), on those of real fields: rfft(irfft(spectra)), without a transform.

        Only the columns k = 0 and Nyquist of the last axis change, where the spectrum of a real field has û(−k) = û(k)*.
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
        """`irfft` for cuFFT, whose result is undefined unless the columns k = 0 and Nyquist are Hermitian: they are made real first."""
        spectra = torch.fft.ifft(spectra, dim=-2) if len(self.shape) == 2 else spectra.clone()
        for column in {0, -1} if self.shape[-1] % 2 == 0 else {0}:
            torch.view_as_real(spectra)[..., column, 1] = 0
        return torch.fft.irfft(spectra, n=self.shape[-1], dim=-1)

    def apply(self, symbol: torch.Tensor, fields: torch.Tensor) -> torch.Tensor:
        """Apply the operator with this symbol to real fields, (..., *shape)."""
        spectra = self.rfft(checks.ends_with("fields", fields, self.shape))
        return self.irfft(spectra * cast(symbol, spectra))

    def trace(self, symbol: torch.Tensor) -> float:
        """Trace of the translation-invariant operator with this symbol, as a matrix over grid points: Σ_k of the symbol."""
        return float((symbol.real * self.multiplicity).sum())


def cast(symbol: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A double-precision symbol, cast to the precision and moved to the device of the spectra `like`; real symbols stay real."""
    double = like.dtype in (torch.complex128, torch.float64)
    if symbol.is_complex():
        return symbol.to(like.device, torch.complex128 if double else torch.complex64)
    return symbol.to(like.device, torch.float64 if double else torch.float32)


def real_pairs(symbol: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A real symbol repeated for real and imaginary parts, (*spectral_shape, 2): to multiply `torch.view_as_real` of a spectrum.

    This is faster than the product of a complex and a real tensor, for which torch makes both complex.
    """
    return cast(symbol, like)[..., None].expand(*symbol.shape, 2).contiguous()
