"""Symmetries that a system may have, and averages over them, which act as more data at no cost where the system really has them."""

from collections.abc import Iterable

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid

SYMMETRIES = ("reflect x", "reflect y", "transpose", "sign")
AXES = {"reflect x": -1, "reflect y": -2}


def check_symmetries(names: Iterable[str], grid: PeriodicGrid) -> tuple[str, ...]:
    """`names`, which must be symmetries that a field on this grid can have.

        reflect x, reflect y    u(y, x) → u(y, −x), u(−y, x); advection along x breaks the first
        transpose               u(y, x) → u(x, y), on a square
        sign                    u → −u, about the mean

    Raises:
        ValueError: an unknown name, a single text instead of several, or a symmetry that a field on this grid cannot have.
    """
    if isinstance(names, str):
        raise ValueError(f"symmetries is the text {names!r}; give a tuple of names, such as ({names!r},)")
    names = tuple(checks.choice("symmetry", name, SYMMETRIES) for name in names)
    if len(grid.shape) < 2 and {"reflect y", "transpose"} & set(names):
        raise ValueError(f"a grid of shape {grid.shape} has no axis y to reflect or to exchange")
    if "transpose" in names and (len(set(grid.shape)) > 1 or len(set(grid.lengths or ())) > 1):
        raise ValueError(f"x and y cannot be exchanged on a box of shape {grid.shape} and lengths {grid.lengths}")
    return names


def images(fields: torch.Tensor, names: tuple[str, ...]) -> list[torch.Tensor]:
    """Fields (..., *shape) under every product of the spatial symmetries named, themselves first; pixel 0 stays in its place."""
    found = [fields]
    for name in names:
        if name in AXES:
            found += [each.flip(AXES[name]).roll(1, AXES[name]) for each in found]
        elif name == "transpose":
            found += [each.transpose(-1, -2) for each in found]
    return found


def symmetrise(values: torch.Tensor, names: tuple[str, ...]) -> torch.Tensor:
    """A response (..., *shape), by displacement, averaged over its images. "sign" leaves a response as it is."""
    found = images(values, names)
    return values if len(found) == 1 else sum(found, start=torch.zeros_like(values)) / len(found)
