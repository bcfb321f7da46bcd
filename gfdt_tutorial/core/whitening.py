"""Coordinates in which unlike variables are alike: uncorrelated, of mean 0 and variance 1, whatever their units.

    without space    y = Wᵀ(u − ⟨u⟩),              WᵀCW = 1
    fields           ŷ_k = C_k^(−½) (u − ⟨u⟩)_k,   C_k the covariance of the components at wavevector k

so that fields become white in space, too. With A the linear map from y to u − ⟨u⟩, a gradient s transforms as s_y = Aᵀ s.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import component_covariance

COLLINEAR = 1e-10  # of the largest eigenvalue of the correlations
CONSTANT = "a variable does not vary: leave it out"
DEPENDENT = "a combination of the variables carries no variance: one is a linear function of the others; leave it out"


@dataclass(frozen=True)
class Whitening:
    """y = Wᵀ(u − ⟨u⟩), for variables without space.

    Args:
        mean: ⟨u⟩, (variable,), in double precision.
        matrix: W, (variable, coordinate), with WᵀCW = 1.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    @classmethod
    def of(cls, u: torch.Tensor) -> "Whitening":
        """From samples (sample, variable), through their correlations, so that units do not matter.

        Raises:
            ValueError: a variable, or a combination of them, does not vary.
        """
        u = u.double()
        mean, scale = u.mean(0), u.std(0, correction=0)
        if bool((scale == 0).any()):
            raise ValueError(CONSTANT)
        values, vectors = torch.linalg.eigh(torch.corrcoef(u.T).reshape(u.shape[1], u.shape[1]))
        if float(values[0]) < COLLINEAR * float(values[-1]):
            raise ValueError(DEPENDENT)
        return cls(mean, (vectors / values.sqrt()) / scale[:, None])

    @cached_property
    def inverse(self) -> torch.Tensor:
        """W⁻¹, (coordinate, variable)."""
        return torch.linalg.inv(self.matrix)

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """y, (..., variable) → (..., coordinate), in double precision."""
        return (u.double() - self.mean.to(u.device)) @ self.matrix.to(u.device)

    def back(self, y: torch.Tensor) -> torch.Tensor:
        """u − ⟨u⟩, (..., coordinate) → (..., variable), in double precision."""
        return y.double() @ self.inverse.to(y.device)

    def gradient(self, s: torch.Tensor) -> torch.Tensor:
        """s_y from s, (..., variable) → (..., coordinate), in double precision."""
        return s.double() @ self.inverse.T.to(s.device)

    def gradient_back(self, s: torch.Tensor) -> torch.Tensor:
        """s from s_y, (..., coordinate) → (..., variable), in double precision."""
        return s.double() @ self.matrix.T.to(s.device)


@dataclass(frozen=True)
class FieldWhitening:
    """ŷ_k = C_k^(−½) (u − ⟨u⟩)_k, for fields of several components; in the precision of what it is given.

    Args:
        grid: of the fields.
        mean: ⟨u⟩, (component, 1, …).
        root: C_k^½, (*spectral_shape, component, component), complex and Hermitian.
    """

    grid: PeriodicGrid
    mean: torch.Tensor
    root: torch.Tensor

    @classmethod
    def of(cls, data: TimeSeries) -> "FieldWhitening":
        """From a series.

        Raises:
            ValueError: a component, or a combination of them, does not vary at some wavevector.
        """
        covariance = component_covariance(data.grid, data.u, data.centre)
        scale = covariance.diagonal(dim1=-2, dim2=-1).real.sqrt()
        if bool((scale <= 1e-6 * scale.reshape(-1, scale.shape[-1]).amax(0)).any()):
            raise ValueError(f"at some wavevector {CONSTANT}, take a coarser grid, or give a known forcing as context")
        correlations = covariance / (scale[..., :, None] * scale[..., None, :])
        eigenvalues = torch.linalg.eigvalsh(correlations)
        if bool((eigenvalues[..., 0] < COLLINEAR * eigenvalues[..., -1]).any()):
            raise ValueError(f"at some wavevector {DEPENDENT}")
        units = scale.reshape(-1, scale.shape[-1]).square().mean(0).sqrt()  # eigenvectors mix units; in these all are alike
        values, vectors = torch.linalg.eigh(covariance / (units[:, None] * units))
        root = (vectors * values.clamp_min(0).sqrt()[..., None, :]) @ vectors.mH
        return cls(data.grid, data.centre.double().cpu(), (units[:, None] * root).cpu())

    @cached_property
    def inverse(self) -> torch.Tensor:
        """C_k^(−½), (*spectral_shape, component, component)."""
        return torch.linalg.inv(self.root)

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """y, (..., component, *shape) → the same."""
        return self._apply(self.inverse, u - self.mean.to(u))

    def back(self, y: torch.Tensor) -> torch.Tensor:
        """u − ⟨u⟩ from y."""
        return self._apply(self.root, y)

    def gradient(self, s: torch.Tensor) -> torch.Tensor:
        """s_y from s."""
        return self._apply(self.root.mH, s)

    def gradient_back(self, s: torch.Tensor) -> torch.Tensor:
        """s from s_y."""
        return self._apply(self.inverse.mH, s)

    def _apply(self, matrices: torch.Tensor, fields: torch.Tensor) -> torch.Tensor:
        return apply_matrices(self.grid, matrices, fields)


AnyWhitening = Whitening | FieldWhitening


def whitening_of(data: TimeSeries) -> AnyWhitening:
    """The whitening of a series of components, or of a plain number; raises as `Whitening.of` and `FieldWhitening.of`."""
    return FieldWhitening.of(data) if data.grid.shape else Whitening.of(data.u.reshape(data.snapshots, -1))


def apply_matrices(grid: PeriodicGrid, matrices: torch.Tensor, fields: torch.Tensor) -> torch.Tensor:
    """A matrix for each wavevector, (*spectral_shape, to, from), applied to fields (..., from, *shape) → (..., to, *shape)."""
    axis = -1 - len(grid.shape)
    spectra = grid.rfft(fields).movedim(axis, -1)
    found = (matrices.to(spectra) @ spectra[..., None])[..., 0]
    return grid.irfft(found.movedim(-1, axis))
