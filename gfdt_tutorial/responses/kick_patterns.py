"""Kicks of a few shapes, for lessons and widgets. Any other tensor of the shape of the grid can be used as well."""

import math

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator

PATTERNS = ("pixel", "bump", "plane wave", "random")


def kick_pattern(grid: PeriodicGrid, name: str = "pixel", amplitude: float = 1.0, *, seed: int = 0) -> torch.Tensor:
    """A kick whose largest value is `amplitude`, centred on pixel (0, 0).

    Args:
        name: "pixel", one grid point; "bump", a periodic Gaussian of width 1/12 of each side; "plane wave", two waves along +x;
            "random", smooth and drawn with `seed`.

    Returns:
        (*shape), float32, in units of the field.

    Raises:
        ValueError: an unknown name, or a grid without axes.
    """
    checks.choice("kick", name, PATTERNS)
    checks.number("amplitude", amplitude)
    if not math.isfinite(amplitude):
        raise ValueError(f"amplitude is {amplitude!r}; expected a finite number")
    if not grid.shape:
        raise ValueError("a grid without axes has no patterns; kick the number itself")
    shape = {"pixel": _pixel, "bump": _bump, "plane wave": _plane_wave, "random": _random}[name](grid, seed)
    return (amplitude * shape / shape.abs().max()).to(torch.float32)


def localised_kick(count: int, grid: PeriodicGrid, row: int, *, width: float = 3.0) -> torch.Tensor:
    """A Gaussian kick of several components that are rows side by side, such as the latitudes of a channel.

    Data of smooth fields answer such a kick, where they cannot answer that of a single row (`GaussianScore.condition`).

    Args:
        count: number of components.
        grid: of the space that each component has, if any.
        row: on which the kick is centred, at place 0; `roll` moves it along.
        width: standard deviation, in rows and in grid points.

    Returns:
        (component, *shape), float32, 1 at its centre.

    Raises:
        ValueError: a row that does not exist, or a width that is not positive.

    >>> localised_kick(4, PeriodicGrid(()), 1, width=1.0).shape
    torch.Size([4])
    """
    checks.positive("width", width)
    if not 0 <= checks.whole("row", row) < checks.whole("count", count, minimum=1):
        raise ValueError(f"row is {row}; expected 0 to {count - 1}")
    axes = [torch.minimum(torch.arange(n), n - torch.arange(n)) for n in grid.shape]
    distances = torch.meshgrid(torch.arange(count) - row, *axes, indexing="ij")
    return torch.exp(-sum((one.double().square() for one in distances), torch.zeros(())) / (2 * width**2)).float()


def _pixel(grid: PeriodicGrid, seed: int) -> torch.Tensor:
    shape = torch.zeros(grid.shape, dtype=torch.float64)
    shape[(0,) * len(grid.shape)] = 1
    return shape


def bump_spectrum(grid: PeriodicGrid) -> torch.Tensor:
    """(*spectral_shape), the spectrum of the bump: exp(−½ Σ_j (k_j L_j/12)²), 1 at k = 0."""
    decay = torch.zeros(grid.spectral_shape, dtype=torch.float64)
    for k, length in zip(grid.wavenumbers, grid.lengths or (), strict=True):
        decay = decay + (k * (length / 12)) ** 2
    return torch.exp(-decay / 2)


def _bump(grid: PeriodicGrid, seed: int) -> torch.Tensor:
    return grid.irfft(bump_spectrum(grid).to(torch.complex128))


def _plane_wave(grid: PeriodicGrid, seed: int) -> torch.Tensor:
    return torch.cos(2 * 2 * math.pi / (grid.lengths or ())[-1] * grid.coordinates[-1]).expand(grid.shape)


def _random(grid: PeriodicGrid, seed: int) -> torch.Tensor:
    noise = torch.randn(grid.shape, generator=generator(seed, Stream.KICK_SHAPE), dtype=torch.float64)
    return grid.apply(torch.exp(-grid.k_squared / (18 * grid.fundamental**2)), noise)
