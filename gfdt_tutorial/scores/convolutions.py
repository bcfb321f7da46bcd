"""The built-in network: the spectral filter plus a small circular convolutional network.

In coordinates "data" the convolutions see, beside y, the inputs Q^p y, which are ever smoother fields. In coordinates "white" these would
equal y; a network that takes the noise angle as an input sees the best linear estimate (Wiener filter) of the field under the noise
instead. Where noise hides a pixel, a small convolution then still sees what near and distant surroundings tell about it.
"""

import torch
from torch import nn

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.scores.network import ScoreNetwork

EMBEDDING = 16  # Fourier features of the noise angle


class ConvolutionalNetwork(ScoreNetwork):
    """Spectral filter plus circular convolutions, whose last layer is zero at the start.

    Args:
        grid, whitening, covariance, angle, takes_angle: see `ScoreNetwork`; without axes, the layers mix channels only.
        kernels: the odd side of each hidden convolution.
        width: channels of each hidden layer.
        context: number of context channels.
        powers: p of the input channels Q^p y, where Q is not white.
        gated: each hidden layer multiplies one set of channels by the sigmoid of another (GLU) instead of applying SiLU.

    Raises:
        ValueError: a kernel that reaches more than once round the box.
    """

    def __init__(
        self,
        grid: PeriodicGrid,
        whitening: torch.Tensor,
        covariance: torch.Tensor,
        *,
        angle: float,
        kernels: tuple[int, ...],
        width: int,
        context: int = 0,
        takes_angle: bool = False,
        powers: tuple[float, ...] = (0.0, 0.5),
        gated: bool = False,
    ) -> None:
        super().__init__(grid, whitening, covariance, angle=angle, takes_angle=takes_angle)
        if not grid.shape:
            kernels = (1,) * len(kernels)  # a single number has no neighbours
        elif max(kernels) // 2 > min(grid.shape):
            raise ValueError(f"kernels {tuple(kernels)} do not fit a grid of shape {grid.shape}: a kernel may reach round the box once")
        self.white = bool((self.root == self.root.flatten()[0]).all())
        self.kernels, self.powers, self.gated = tuple(kernels), ((0.0,) if self.white else tuple(powers)), gated
        inputs = len(self.powers) + (self.white and takes_angle) + context
        self.layers = convolutions_of(grid, inputs, width, self.kernels, gated)
        self.embed = nn.Linear(EMBEDDING, 2 * (1 + gated) * width * len(kernels)) if takes_angle else None

    def nonlinear(self, y: torch.Tensor, spectra: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor | None) -> torch.Tensor:
        """The convolutional part, (batch, *shape) → the same."""
        hidden = torch.cat(self._inputs(y, spectra, context, angle), dim=1)
        modulation = None if self.embed is None else self._modulation(self.embed, self.angles(angle), y.ndim - 1)
        for index, layer in enumerate(self.layers[:-1]):
            hidden = layer(wrap(hidden, self.kernels[index] // 2))
            if modulation is not None:
                scale, shift = modulation[index]
                hidden = hidden * (1 + scale) + shift
            hidden = nn.functional.glu(hidden, dim=1) if self.gated else nn.functional.silu(hidden)
        return self.layers[-1](hidden)[:, 0]

    def estimate(self, spectra: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        """The Wiener filter: the best linear estimate of w_k from y_k, cos φ λ_k ŷ_k / (cos²φ λ_k + sin²φ), (batch, *spectral_shape)."""
        return spectra * (angle.cos().reshape(-1, *[1] * self.ratio.ndim) * self.ratio / self.variance(angle))

    def _inputs(
        self, y: torch.Tensor, spectra: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor | None
    ) -> list[torch.Tensor]:
        """The input channels, each (batch, channel, *shape)."""
        channels = [(y if p == 0 else self.grid.irfft(spectra * self._power(p)))[:, None] for p in self.powers]
        if self.white and self.takes_angle:
            channels.append(self.grid.irfft(self.estimate(spectra, self.angles(angle)))[:, None])
        return channels if context is None else [*channels, context]

    def _power(self, p: float) -> torch.Tensor:
        """Q^p, (*spectral_shape,), scaled so that it leaves the size of white noise about unchanged."""
        symbol = self.root ** (2 * p)
        return symbol / symbol.square().mean().sqrt()

    def _modulation(self, embed: nn.Linear, angle: torch.Tensor, axes: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(scale, shift) of the channels of each hidden layer, from Fourier features of φ, which runs over [0, π/2]."""
        waves = torch.arange(1, EMBEDDING // 2 + 1, device=angle.device) * 2.0
        features = torch.cat([torch.cos(angle[:, None] * waves), torch.sin(angle[:, None] * waves)], dim=1)
        numbers = embed(features).reshape(len(angle), len(self.layers) - 1, 2, -1, *[1] * axes)
        return [(numbers[:, index, 0], numbers[:, index, 1]) for index in range(len(self.layers) - 1)]


def convolutions_of(
    grid: PeriodicGrid, inputs: int, width: int, kernels: tuple[int, ...], gated: bool, *, outputs: int = 1
) -> nn.ModuleList:
    """The hidden convolutions, and a last one that mixes channels and is zero at the start."""
    channels = [inputs, *[width] * len(kernels)]
    sides = zip(channels[:-1], channels[1:], kernels, strict=True)
    hidden = [_convolution(grid, a, (1 + gated) * b, side) for a, b, side in sides]
    last = _convolution(grid, width, outputs, 1)
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    layers = nn.ModuleList([*hidden, last])
    if len(grid.shape) == 2:
        # twice as fast on a CPU; the stubs of torch lack this overload for modules
        layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return layers


def _convolution(grid: PeriodicGrid, inputs: int, outputs: int, side: int) -> nn.Module:
    """A convolution over the axes of the grid; without axes, a layer that mixes channels."""
    if not grid.shape:
        return nn.Linear(inputs, outputs)
    return (nn.Conv1d if len(grid.shape) == 1 else nn.Conv2d)(inputs, outputs, side)


def wrap(hidden: torch.Tensor, width: int) -> torch.Tensor:
    """(batch, channel, *shape), padded periodically by `width` points on every side; copies only where it must."""
    if hidden.ndim == 4:
        hidden = hidden if width == 0 else nn.functional.pad(hidden, (width,) * 4, mode="circular")
        return hidden.contiguous(memory_format=torch.channels_last)
    return hidden if width == 0 else nn.functional.pad(hidden, (width,) * 2, mode="circular")
