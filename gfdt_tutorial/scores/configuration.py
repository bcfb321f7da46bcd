"""What a learned score's files say about its network, and how to build the network from it."""

from typing import NotRequired, TypedDict

import torch
from torch import nn

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.scores.convolutions import ConvolutionalNetwork
from gfdt_tutorial.scores.network import ScoreNetwork
from gfdt_tutorial.scores.own_network import OwnNetwork


class NetworkConfig(TypedDict):
    """Plain JSON values; these names stand in files, so they stay."""

    shape: list[int]  # of the grid
    lengths: list[float]
    noise: str  # "data" or "white": the coordinates
    angle: float  # φ, the lowest
    kernels: list[int]
    width: int
    powers: list[float]
    gated: bool
    context: int  # channels
    levels: bool  # whether the noise angle is an input
    start: str
    network: NotRequired[dict[str, str]]  # of a network of the user's own: see `own_network.described`


def build(config: NetworkConfig, seed: int = 0, *, module: nn.Module | None = None) -> ScoreNetwork:
    """An untrained network from its configuration; its spectra are filled in with the weights. The global random state is left alone.

    Args:
        seed: of the initial weights.
        module: the user's own nonlinear part, in place of the convolutions.

    Raises:
        ValueError: kernels that do not fit the grid, or a module that breaks the contract of `own_network.NonlinearPart`.
    """
    grid = PeriodicGrid(tuple(config["shape"]), tuple(config["lengths"]))
    ones = torch.ones(grid.spectral_shape, dtype=torch.float64)
    # the built-in network has fewer input channels in white coordinates, which it recognises by a constant root
    whitening = ones if config["noise"] == "white" else ones + grid.k_squared
    angle, takes_angle, context = config["angle"], config["levels"], config["context"]
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers take no generator
        if module is not None:
            return OwnNetwork(grid, whitening, ones, module=module, angle=angle, context=context, takes_angle=takes_angle)
        return ConvolutionalNetwork(
            grid,
            whitening,
            ones,
            angle=angle,
            kernels=tuple(config["kernels"]),
            width=config["width"],
            context=context,
            takes_angle=takes_angle,
            powers=tuple(config["powers"]),
            gated=config["gated"],
        )
