"""Dictionaries: features of a field in closed form, from which a forecast is a sum.

A feature is any function of fields, (batch, *shape) → the same, written in torch; `Power` is the one that the package uses by itself. A
function of one's own is differentiated in forward mode. Fields come less their mean, in units of their standard deviation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import checks

Feature = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Power:
    """φ(u) = u^p, pixel by pixel: its Jacobian is diagonal, with the mean p⟨u^(p − 1)⟩ at every wavevector.

    Raises:
        ValueError: `degree` is no whole number ≥ 1.
    """

    degree: int

    def __post_init__(self) -> None:
        checks.whole("degree", self.degree, minimum=1)

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """u^p."""
        return u if self.degree == 1 else u**self.degree

    def slope(self, u: torch.Tensor) -> torch.Tensor:
        """φ′(u), of the shape of u."""
        return torch.ones_like(u) if self.degree == 1 else self.degree * u ** (self.degree - 1)


LINEAR = (Power(1),)
DICTIONARIES = (LINEAR, (Power(1), Power(2)), (Power(1), Power(3)), (Power(1), Power(2), Power(3)))  # that `fit_forecast` tries by itself


def check_dictionary(dictionary: object) -> tuple[Feature, ...]:
    """A dictionary of the user's own, with the field itself in front.

    Raises:
        ValueError: it is not a sequence of functions.
    """
    if not isinstance(dictionary, Sequence) or not all(callable(one) for one in dictionary):
        raise ValueError("dictionary must be a tuple of functions of fields, (batch, *shape) → the same, such as (lambda u: u**3,)")
    return (*LINEAR, *(one for one in dictionary if one != LINEAR[0]))


def values_of(feature: Feature, u: torch.Tensor) -> torch.Tensor:
    """φ(u).

    Raises:
        ValueError: another shape, or NaN.
    """
    found = feature(u)
    if not isinstance(found, torch.Tensor) or found.shape != u.shape:
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise ValueError(
            f"a feature of the dictionary returned {shape} for fields of {tuple(u.shape)}; expected a tensor of the same shape"
        )
    return found
