"""The network of a score of unlike variables without space: a linear part, which starts as the Gaussian score, plus hidden layers.

Both work in whitened coordinates y = Wᵀ(u − ⟨u⟩), WᵀCW = 1, to which training adds noise of standard deviation σ,

    s_y(y) = L y + l + N(y, context),    L = −1/(1 + σ²), l = 0 and N = 0 at the start.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NotRequired, TypedDict

import torch
from torch import nn

from gfdt_tutorial.core.grid import PeriodicGrid


class ComponentConfig(TypedDict):
    """Plain JSON values, from which the network can be built again; these names stand in files, so they stay."""

    components: list[str]
    width: int
    layers: int
    context: int
    level: float
    shape: NotRequired[list[int]]  # of fields, as are the next three
    lengths: NotRequired[list[float]]
    kernels: NotRequired[list[int]]
    gated: NotRequired[bool]


def grid_of(config: ComponentConfig) -> PeriodicGrid:
    """The grid of the fields; without axes for numbers."""
    return PeriodicGrid(tuple(config.get("shape", ())), tuple(config.get("lengths", ())))


class ComponentNetwork(nn.Module):
    """(batch, component) → the same.

    Args:
        config: number of components, width and number of hidden layers, context channels, and noise level.
    """

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__()
        count, width = len(config["components"]), config["width"]
        self.level = config["level"]
        self.linear = nn.Linear(count, count)
        sides = [count + config["context"], *[width] * config["layers"]]
        hidden = [part for a, b in pairwise(sides) for part in (nn.Linear(a, b), nn.SiLU())]
        last = nn.Linear(width, count)
        self.layers = nn.Sequential(*hidden, last)
        with torch.no_grad():
            self.linear.weight.copy_(-torch.eye(count) / (1 + self.level**2))
            for parameter in (self.linear.bias, *last.parameters()):
                parameter.zero_()

    def forward(self, y: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """s_y(y), with the context (batch, channel) where the network has one."""
        return self.linear(y) + self.layers(y if context is None else torch.cat([y, context], 1))


def antithetic_loss(
    network: nn.Module,
    y: torch.Tensor,
    z: torch.Tensor,
    sigma: float,
    context: torch.Tensor | None = None,
    weight: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """(): ¼ (|s(y₊)|² + |s(y₋)|²) + z · (s(y₊) − s(y₋))/(2σ), y± = y ± σz, summed over components and averaged over states and places.

    See `matching`, of which this is the form without rescaling, also for the weight h(y) ≥ 0 that it may have, of the shape of y.
    """
    twice = None if context is None else torch.cat([context, context])
    both = torch.cat([y + sigma * z, y - sigma * z])
    scores = network(both, twice)
    plus, minus = scores.chunk(2)
    first, second = (plus, minus) if weight is None else (weight(both) * scores).chunk(2)
    return (0.25 * (first * plus + second * minus) + z * (first - second) / (2 * sigma)).sum(1).mean()
