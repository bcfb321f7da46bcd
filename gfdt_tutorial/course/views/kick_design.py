"""The design of a kick or a forcing: its pattern in space, its profile in time, and the code that constructs them."""

from dataclasses import dataclass
from itertools import groupby

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.responses.kick_patterns import PATTERNS, kick_pattern

KICK_NAMES = ("nothing", *PATTERNS)
TIME_PROFILES = ("step", "ramp", "periodic", "drawn")


@dataclass(frozen=True)
class KickDesign:
    """A ready-made kick, a drawing, or both: amplitude × (ready-made of largest value 1 + drawing).

    Args:
        ready: one of `KICK_NAMES`, centred on pixel (0, 0).
        amplitude: in units of the field, per unit time for a lasting forcing; it may be negative.
        drawing: (row, column, value), in units of the amplitude; periodic.
    """

    ready: str = "bump"
    amplitude: float = 1.0
    drawing: tuple[tuple[int, int, float], ...] = ()

    def pattern(self, grid: PeriodicGrid) -> torch.Tensor:
        """(*shape), float32.

        Raises:
            ValueError: an unknown name, or an amplitude that is not finite.
        """
        checks.choice("kick", self.ready, KICK_NAMES)
        if self.ready == "nothing":
            pattern = torch.zeros(grid.shape)
        elif not grid.shape:  # a lone number can be kicked in one way only
            pattern = torch.tensor(self.amplitude)
        else:
            pattern = kick_pattern(grid, self.ready, self.amplitude)
        places = as_map(pattern)
        for row, column, value in self.drawing:
            places[row % len(places), column % places.shape[1]] += self.amplitude * value
        return pattern

    def code(self, axes: int = 2) -> list[str]:
        """Lines of code that construct the pattern, on a grid with `axes` axes."""
        empty = "torch.zeros(system.grid.shape)"
        if self.ready == "nothing":
            start = empty
        elif not axes:
            start = f"torch.tensor({self.amplitude:.6g})"
        else:
            start = f'gfdt.kick_pattern(system.grid, "{self.ready}", {self.amplitude:.6g})'
        place = ("kick", "kick[{columns}]", "kick[{row}, {columns}]")[axes]
        runs = [f"{place.format(row=row, columns=columns)} += {self.amplitude * value:.6g}" for row, columns, value in _runs(self.drawing)]
        return [f"kick = {start}", *runs]


def as_map(field: torch.Tensor) -> torch.Tensor:
    """(rows, columns), a view of a field: one row for a field on one axis, one pixel for a scalar variable."""
    return field if field.ndim == 2 else field.reshape(1, -1)


def _runs(drawing: tuple[tuple[int, int, float], ...]) -> list[tuple[int, str, float]]:
    """Neighbours in a row with equal values, combined: (row, columns, value)."""
    found = []
    numbered = enumerate(sorted(drawing))
    for (row, value, _), run in groupby(numbered, key=lambda item: (item[1][0], item[1][2], item[1][1] - item[0])):
        columns = [column for _, (_, column, _) in run]
        found.append((row, f"{columns[0]}:{columns[-1] + 1}" if len(columns) > 1 else f"{columns[0]}", value))
    return found


@dataclass(frozen=True)
class TimeProfile:
    """The dependence of a forcing on time, f(t), with |f| ≤ 1.

    Args:
        shape: "step", 1 from the start; "ramp", t/scale up to 1; "periodic", sin(2πt/scale); "drawn".
        scale: in time units.
        drawing: f at each lag, for "drawn".
    """

    shape: str = "step"
    scale: float = 20.0
    drawing: tuple[float, ...] = ()

    def values(self, times: torch.Tensor) -> torch.Tensor:
        """(lag,), f(t).

        Raises:
            ValueError: an unknown shape, a scale that is not positive, or a drawing with another number of values.
        """
        checks.choice("time profile", self.shape, TIME_PROFILES)
        checks.positive("scale", self.scale)
        if self.shape == "drawn":
            if len(self.drawing) != len(times):
                raise ValueError(f"the drawn time profile has {len(self.drawing)} values for {len(times)} lags; draw one, or reset")
            return torch.tensor(self.drawing, dtype=torch.float64)
        if self.shape == "step":
            return torch.ones_like(times)
        return (times / self.scale).clamp(max=1) if self.shape == "ramp" else torch.sin(2 * torch.pi * times / self.scale)

    def code(self) -> str:
        """The line of code that computes f."""
        drawn = ", ".join(f"{value:g}" for value in self.drawing)
        right = {
            "step": "torch.ones_like(times)",
            "ramp": f"(times / {self.scale:.6g}).clamp(max=1)",
            "periodic": f"torch.sin(2 * torch.pi * times / {self.scale:.6g})",
            "drawn": f"torch.tensor([{drawn}])",
        }
        return f"time_profile = {right[self.shape]}"
