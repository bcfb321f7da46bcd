"""What a forecast is: the contract between everything that provides one and everything that uses one."""

from typing import Protocol

import torch


class Forecast(Protocol):
    """m_t(u) = E[u(τ + t) | u(τ) = u], as a sum of features of the field with one coefficient per wavevector and lag,

        m̂_t(u)_k = Σ_c a_ck(t) φ_c(u)_k,        in units of the field, about its centre

    A feature φ_c maps a field to a field; the first is the field itself, less its centre. The mean Jacobian of the forecast at a wavevector
    is then ⟨∇m̂_t⟩_k = Σ_c a_ck(t) ⟨∇φ_c⟩_kk, for all lags at once.

    Attributes:
        centre: ⟨u⟩ over the data that it was learned from.
        every, steps: the spacing of the lags, in time units, and the largest lag in such steps.
        coefficients: a_ck(t), (lag, feature, *spectral_shape), complex.
        needs_context: whether the features are given the hidden forcing of the data.
        fitted_to: fingerprint of the series to which it was fitted, or None.
    """

    @property
    def centre(self) -> float:
        """⟨u⟩ over the data that it was learned from."""
        ...

    @property
    def every(self) -> float:
        """The spacing of the lags, in time units."""
        ...

    @property
    def steps(self) -> int:
        """The largest lag, in steps."""
        ...

    @property
    def coefficients(self) -> torch.Tensor:
        """a_ck(t), (lag, feature, *spectral_shape)."""
        ...

    @property
    def needs_context(self) -> bool:
        """Whether `features` and `jacobians` are given the hidden forcing."""
        ...

    @property
    def fitted_to(self) -> str | None:
        """Fingerprint of the series to which it was fitted."""
        ...

    def features(self, u: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """φ_c(u), (batch, *shape) → (batch, feature, *shape), in units of the field."""
        ...

    def jacobians(self, u: torch.Tensor, context: torch.Tensor | None, rng: torch.Generator) -> torch.Tensor:
        """An unbiased estimate of (∇φ_c)_kk for each field, (batch, *shape) → (batch, feature, *spectral_shape), complex.

        It may use random directions, whose scatter then counts in the error of the average.
        """
        ...
