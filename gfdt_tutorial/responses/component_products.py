"""Lagged products of unlike variables: every one at τ + t with every one at τ, a matrix for each wavevector.

With C components the "modes" of `field_products` are the pairs (to, from) at each wavevector, and the algebra of the forms is that of
C × C matrices, which do not commute:

    normalised    R̂(t) R̂(0)⁻¹
    controlled    G(t) + R̂(t) − G(t) R̂(0),    G(t) = C(t) C(0)⁻¹ on the left

Each component is measured in a unit of its own, a power of two near its standard deviation, so that variables of very different size share
single precision.
"""

import torch

from gfdt_tutorial.core.numerics import nearest_power_of_two
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import filled
from gfdt_tutorial.responses.theorem import AnyScore, kick_weights, score_of


class ComponentProduct:
    """The factors of the products of one series of unlike variables with one score, and the way back from modes.

    Args:
        data: with an axis of components.
        score: (..., component, *shape) → the same.
    """

    def __init__(self, data: TimeSeries, score: AnyScore) -> None:
        self.grid, self.count, self.score = data.grid, data.u.shape[2], score
        self.centre = data.centre
        units = [nearest_power_of_two(data.u[:, :, i] - self.centre[i]) for i in range(self.count)]
        self.units = torch.tensor(units, device=data.u.device).reshape(self.centre.shape)

    def later(self, u: torch.Tensor) -> torch.Tensor:
        """u_i at each pair (i, j), (member, time, mode)."""
        return self._pairs(self._own(u), -2)

    def own(self, u: torch.Tensor) -> torch.Tensor:
        """u_j at each pair (i, j), the factor at τ of the covariance."""
        return self._pairs(self._own(u), -3)

    def earlier(self, u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        """B_j = −s_j at each pair (i, j), per grid point."""
        weights = kick_weights(score_of(self.score, u, context) * self.units, 1 / self.grid.size)
        return self._pairs(self.grid.rfft(weights), -3)

    def back(self, modes: torch.Tensor) -> torch.Tensor:
        """(..., mode) → (..., to, from, *shape), in the units of the components."""
        shape = (*modes.shape[:-1], self.count, self.count, *self.grid.spectral_shape)
        ratio = (self.units[:, None] / self.units[None]).to(modes.device)
        return self.grid.irfft(modes.reshape(shape)) * ratio

    def _own(self, u: torch.Tensor) -> torch.Tensor:
        return self.grid.rfft((u - self.centre) / self.units)

    def _pairs(self, spectra: torch.Tensor, axis: int) -> torch.Tensor:
        """(member, time, component, *spectral_shape) → (member, time, pair · wavevector), repeated along `to` (−3) or `from` (−2)."""
        rows = spectra.reshape(*spectra.shape[:3], -1).unsqueeze(axis)
        return rows.expand(*rows.shape[:2], self.count, self.count, rows.shape[-1]).flatten(2)


def applied(left: torch.Tensor, right: torch.Tensor, count: int) -> torch.Tensor:
    """The product of two arrays of modes: of `count` × `count` matrices at each wavevector, or of numbers where `count` is 0."""
    return left * right if count == 0 else _modes(_matrices(left, count) @ _matrices(right, count))


def divided(left: torch.Tensor, right: torch.Tensor, count: int) -> torch.Tensor:
    """L R⁻¹, likewise; a component that has nothing at a wavevector on either side answers nothing there."""
    return left / right if count == 0 else _modes(torch.linalg.solve(filled(_matrices(right, count)), _matrices(left, count), left=False))


def smallest(modes: torch.Tensor, count: int) -> float:
    """The smallest singular value of a matrix at any wavevector, or the smallest modulus."""
    return float(modes.abs().min() if count == 0 else torch.linalg.svdvals(_matrices(modes, count)).min())


def departure_from_one(modes: torch.Tensor, count: int) -> float:
    """max |R(0) − 1| over wavevectors, and over pairs of components."""
    one = torch.ones((), device=modes.device) if count == 0 else torch.eye(count, device=modes.device)
    return float(((modes if count == 0 else _matrices(modes, count)) - one).abs().max())


def _matrices(modes: torch.Tensor, count: int) -> torch.Tensor:
    """(..., pair · wavevector) → (..., wavevector, to, from)."""
    return modes.unflatten(-1, (count, count, -1)).movedim(-1, -3)


def _modes(matrices: torch.Tensor) -> torch.Tensor:
    return matrices.movedim(-3, -1).flatten(-3)
