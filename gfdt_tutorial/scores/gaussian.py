"""The Gaussian score: exact if the stationary density is Gaussian, and the reference to improve on if it is not."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.grid import PeriodicGrid, cast
from gfdt_tutorial.core.numerics import mean_in_double, nearest_power_of_two
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import component_covariance, filled, mode_covariance
from gfdt_tutorial.core.whitening import apply_matrices

SAMPLES = 10  # snapshots for each component, below which their covariance matrix is refused
COLLINEAR = 1e-10  # of the largest eigenvalue of the correlations of the components


@dataclass(frozen=True)
class GaussianScore:
    """s(u) = −C(0)⁻¹(u − ⟨u⟩), which turns the theorem into R(t) = C(t) C(0)⁻¹ (letter, eq. 5).

    Translation invariance makes C(0) diagonal in Fourier space: ŝ_k = −û_k / C_k, one division per wavevector. Unlike variables have a
    matrix C_k between them at each wavevector, and without space one matrix in all.

    Args:
        grid: the grid of the fields.
        mean: ⟨u⟩, one number; (component, 1, …) for unlike variables.
        covariance: C_k, (*spectral_shape,), the eigenvalues of C(0), in units of the field squared; or (*spectral_shape, component,
            component).
        fitted_to: fingerprint of the series to which it was fitted, or None.
        components: names of the unlike variables, or None.
    """

    grid: PeriodicGrid
    mean: float | torch.Tensor
    covariance: torch.Tensor
    fitted_to: str | None = None
    components: tuple[str, ...] | None = None
    method: ClassVar[str] = "gaussian"

    @classmethod
    def fit(cls, data: TimeSeries) -> "GaussianScore":
        """The score with the mean and the covariance of a series.

        A component of several fields may live at some wavevectors only, as a forcing of large scales does. At the others it has no score,
        and none of a kick of it there is seen.

        Raises:
            ValueError: a wavevector, or a combination of unlike variables, carries no variance (constant or filtered data), so that C(0)
                has no inverse; or fewer than ten snapshots for each of the variables.
        """
        check_series(data, components=True)
        if data.components is not None:
            return cls._of_components(data, data.components)
        with threads.steady():
            mean = mean_in_double(data.u)
            covariance = mode_covariance(data.grid, data.u, mean)
        empty = int((covariance <= 1e-12 * covariance.max()).sum())
        if empty:
            raise ValueError(
                f"{empty} of {covariance.numel()} wavevectors carry no variance: C(0) has no inverse, the data are constant or filtered; "
                "take a coarser grid, or add a little white noise and report it"
            )
        return cls(data.grid, mean, covariance, data.fingerprint)

    @classmethod
    def _of_components(cls, data: TimeSeries, components: tuple[str, ...]) -> "GaussianScore":
        if data.snapshots < SAMPLES * len(components):
            raise ValueError(
                f"{data.snapshots} snapshots of {len(components)} components: their covariance matrix needs {SAMPLES * len(components)} "
                "at least; bring a longer series, or fewer variables, such as principal components"
            )
        with threads.steady():
            covariance = component_covariance(data.grid, data.u, data.centre)
        covariance = filled(covariance) if data.grid.shape else covariance
        scales = covariance.diagonal(dim1=-2, dim2=-1).real.sqrt()
        empty = bool((scales == 0).any())
        correlations = covariance / (scales[..., :, None] * scales[..., None, :]).clamp_min(1e-300)
        eigenvalues = torch.linalg.eigvalsh(correlations)
        if empty or float((eigenvalues[..., 0] / eigenvalues[..., -1]).min()) < COLLINEAR:
            raise ValueError(
                f"some combination of the components {', '.join(components)} carries no variance, so that C(0) has no inverse: one of them "
                "is constant, or a linear function of the others; leave it out"
            )
        return cls(data.grid, data.centre.double(), covariance, data.fingerprint, components)

    @property
    def identity_on(self) -> str | None:
        """Fingerprint of the series for which −⟨u sᵀ⟩ is exactly the identity: the series to which it was fitted."""
        return self.fitted_to

    def __call__(self, u: torch.Tensor, context: torch.Tensor | None = None, *, sigma: float | None = None) -> torch.Tensor:
        """The score at u, (..., *shape) → the same.

        Args:
            context: ignored; a Gaussian score is that of what is kicked alone.
            sigma: if given, the score is that of the density convolved with white noise of this standard deviation, in units of the field.

        Raises:
            ValueError: fields on another grid, or a negative sigma.
        """
        if self.components is not None:
            return self._between_components(u, sigma)
        checks.ends_with("u", u, self.grid.shape)
        blur = 0.0 if sigma is None else checks.positive("sigma", sigma, zero=True) ** 2
        unit = nearest_power_of_two(self.covariance.sqrt())  # in very small or large units, C_k exceeds the range of single precision
        spectra = self.grid.rfft((u - self.mean) / unit)
        return self.grid.irfft(spectra * cast(-(unit**2) / (self.covariance + blur), spectra)) / unit

    def _between_components(self, u: torch.Tensor, sigma: float | None) -> torch.Tensor:
        checks.ends_with("u", u, (len(self.components or ()), *self.grid.shape))
        if sigma is not None:
            raise ValueError("sigma is one number, in units of one field; unlike variables have no common unit")
        return -apply_matrices(self.grid, self._inverse, u.double() - torch.as_tensor(self.mean).to(u.device)).to(u.dtype)

    @cached_property
    def _inverse(self) -> torch.Tensor:
        """C_k⁻¹ of unlike variables, by way of their correlations."""
        scales = self.covariance.diagonal(dim1=-2, dim2=-1).real.sqrt()
        products = scales[..., :, None] * scales[..., None, :]
        return torch.linalg.inv(self.covariance / products) / products

    @cached_property
    def condition(self) -> torch.Tensor:
        """The condition number of the correlations of unlike variables at each wavevector, (*spectral_shape,); 1 for one field.

        The response to a kick at one place, or of one component, loses accuracy as it grows. That to a wide kick does not.
        """
        if self.components is None:
            return torch.ones(self.grid.spectral_shape, dtype=torch.float64)
        scales = self.covariance.diagonal(dim1=-2, dim2=-1).real.sqrt()
        values = torch.linalg.eigvalsh(self.covariance / (scales[..., :, None] * scales[..., None, :]))
        return values[..., -1] / values[..., 0]
