"""The Gaussian score: exact if the stationary density is Gaussian, and the reference to improve on if it is not."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.grid import PeriodicGrid, cast
from gfdt_tutorial.core.numerics import mean_in_double, nearest_power_of_two
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import mode_covariance


@dataclass(frozen=True)
class GaussianScore:
    """s(u) = −C(0)⁻¹(u − ⟨u⟩), which turns the theorem into R(t) = C(t) C(0)⁻¹ (letter, eq. 5).

    Translation invariance makes C(0) diagonal in Fourier space: ŝ_k = −û_k / C_k, one division per wavevector.

    Args:
        grid: the grid of the fields.
        mean: ⟨u⟩, one number.
        covariance: C_k, (*spectral_shape,), the eigenvalues of C(0), in units of the field squared.
        fitted_to: fingerprint of the series to which it was fitted, or None.
    """

    grid: PeriodicGrid
    mean: float
    covariance: torch.Tensor
    fitted_to: str | None = None
    method: ClassVar[str] = "gaussian"

    @classmethod
    def fit(cls, data: TimeSeries) -> "GaussianScore":
        """The score with the mean and the covariance of a series.

        Raises:
            ValueError: a wavevector carries no variance (constant or filtered data), so that C(0) has no inverse.
        """
        check_series(data)
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

    @property
    def identity_on(self) -> str | None:
        """Fingerprint of the series for which −⟨u sᵀ⟩ is exactly the identity: the series to which it was fitted."""
        return self.fitted_to

    def __call__(self, u: torch.Tensor, context: torch.Tensor | None = None, *, sigma: float | None = None) -> torch.Tensor:
        """The score at u, (..., *shape) → the same.

        Args:
            context: ignored; a Gaussian score is that of the field alone.
            sigma: if given, the score is that of the density convolved with white noise of this standard deviation, in units of the field.

        Raises:
            ValueError: fields on another grid, or a negative sigma.
        """
        checks.ends_with("u", u, self.grid.shape)
        blur = 0.0 if sigma is None else checks.positive("sigma", sigma, zero=True) ** 2
        unit = nearest_power_of_two(self.covariance.sqrt())  # in very small or large units, C_k exceeds the range of single precision
        spectra = self.grid.rfft((u - self.mean) / unit)
        return self.grid.irfft(spectra * cast(-(unit**2) / (self.covariance + blur), spectra)) / unit
