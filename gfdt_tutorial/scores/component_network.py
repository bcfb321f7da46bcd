"""The network of a score of unlike variables without space: a linear part, which starts as the Gaussian score, plus hidden layers.

Both work in whitened coordinates y = Wᵀ(u − ⟨u⟩), WᵀCW = 1, to which training adds noise of standard deviation σ,

    s_y(y) = L y + l + N(y, context),    L = −1/(1 + σ²), l = 0 and N = 0 at the start.
"""

from itertools import pairwise
from typing import TypedDict

import torch
from torch import nn


class ComponentConfig(TypedDict):
    """Plain JSON values, from which the network can be built again; these names stand in files, so they stay."""

    components: list[str]
    width: int
    layers: int
    context: int
    level: float


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


def build(config: ComponentConfig, seed: int = 0) -> ComponentNetwork:
    """An untrained network; the global random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers take no generator
        return ComponentNetwork(config)


def antithetic_loss(network: ComponentNetwork, y: torch.Tensor, z: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
    """(): ¼ (|s(y₊)|² + |s(y₋)|²) + z · (s(y₊) − s(y₋))/(2σ), y± = y ± σz: see `matching`, of which this is the form without rescaling."""
    sigma = network.level
    twice = None if context is None else context.repeat(2, 1)
    plus, minus = network(torch.cat([y + sigma * z, y - sigma * z]), twice).chunk(2)
    return (0.25 * (plus.square() + minus.square()) + z * (plus - minus) / (2 * sigma)).sum(1).mean()
