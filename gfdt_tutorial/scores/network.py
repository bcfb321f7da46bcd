"""The network: a learned spectral filter, Gaussian at the start, plus a small circular convolutional network, zero at the start.

All of it lives in coordinates w in which noise is white and the data have unit variance,

    w = Q^(−½) (u − ⟨u⟩),    Q_k = C_k, the data's own spectrum ("data"),  or  Q_k = ⟨u²⟩ ("white"),
    y = cos φ · w + sin φ · z,    z white,  tan φ = σ,                     λ_k = C_k / Q_k,

so that the covariance of y keeps its trace at every noise level. The network gives the score of the density of y,

    s_y(y) = −g_k ŷ_k / (cos²φ λ_k + sin²φ)  +  CNN(y, Q^½ y …, context; φ),    g_k = 1 and CNN = 0 at the start,

with ln g_k linear between whole shells of |k|: few parameters, which average over many wavevectors. Inputs Q^p y, ever
smoother, are there in coordinates "data". With "white" coordinates and levels there is the best linear estimate of the field under the
noise instead, so that where noise hides a pixel, a small convolution still sees what its surroundings, near and far, say.
"""

import torch
from torch import nn

from gfdt_tutorial.core.grid import PeriodicGrid


class ScoreNetwork(nn.Module):
    """The score of noisy data y, in the coordinates of this module.

    Args:
        grid: of the fields; without axes, the network mixes channels only.
        whitening: Q_k, (*spectral_shape,).
        covariance: C_k, (*spectral_shape,), where the filter starts; anything positive, right or wrong.
        kernels, width: of the convolutions.
        context: number of context channels.
        levels: whether φ is an input, or the constant `angle`.
        powers: p of the input channels Q^p y, where Q is not white.
        gated: each hidden layer multiplies one set of channels by the sigmoid of another instead of bending one by SiLU.
    """

    def __init__(
        self,
        grid: PeriodicGrid,
        whitening,
        covariance,
        *,
        angle: float,
        kernels,
        width: int,
        context: int = 0,
        levels: bool = False,
        powers: tuple[float, ...] = (0.0, 0.5),
        gated: bool = False,
    ):
        super().__init__()
        if not grid.shape:
            kernels = (1,) * len(kernels)  # a lone number has no neighbours
        elif max(kernels) // 2 > min(grid.shape):
            raise ValueError(f"kernels {tuple(kernels)} do not fit a grid of shape {grid.shape}: a kernel may reach round the box once")
        self.grid, self.angle, self.levels = grid, angle, levels
        self.register_buffer("root", whitening.sqrt().float())
        self.register_buffer("ratio", (covariance / whitening).float())
        position = (grid.k_squared.sqrt() / grid.fundamental).float()
        self.register_buffer("position", position)
        self.log_gain = nn.Parameter(torch.zeros(int(position.max()) + 2))
        self.white = bool((self.root == self.root.flatten()[0]).all())
        self.powers, self.gated = ((0.0,) if self.white else tuple(powers)), gated
        channels = [len(self.powers) + (self.white and levels) + context, *[width] * len(kernels)]
        self.kernels = tuple(kernels)
        sides = zip(channels[:-1], channels[1:], kernels, strict=True)
        hidden = [_convolution(grid, a, (1 + gated) * b, side) for a, b, side in sides]
        self.layers = nn.ModuleList([*hidden, _convolution(grid, width, 1, 1)])
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)
        if len(grid.shape) == 2:
            self.layers.to(memory_format=torch.channels_last)  # twice as fast on a CPU
        self.embed = nn.Linear(EMBEDDING, 2 * (1 + gated) * width * len(kernels)) if levels else None

    def gain(self) -> torch.Tensor:
        """g_k, (*spectral_shape,)."""
        low = self.position.long().clamp(max=len(self.log_gain) - 2)
        part = self.position - low
        return torch.exp((1 - part) * self.log_gain[low] + part * self.log_gain[low + 1])

    def variance(self, angle: torch.Tensor) -> torch.Tensor:
        """Of y at noise angle φ, (*spectral_shape,) or with the leading axes of `angle`: cos²φ λ_k + sin²φ."""
        angle = angle.reshape(angle.shape + (1,) * self.ratio.ndim)
        return angle.cos().square() * self.ratio + angle.sin().square()

    def filter(self, angle: torch.Tensor | float | None = None) -> torch.Tensor:
        """The linear part at noise angle φ, (*spectral_shape,) or with the leading axes of `angle`: −g_k / (cos²φ λ_k + sin²φ)."""
        angle = torch.as_tensor(self.angle if angle is None else angle, dtype=torch.float32, device=self.ratio.device)
        return -self.gain() / self.variance(angle)

    def forward(self, y: torch.Tensor, context: torch.Tensor | None = None, angle: torch.Tensor | None = None) -> torch.Tensor:
        """s_y, (batch, *shape) → the same; `angle` is (batch,) where the network knows levels."""
        spectra = self.grid.rfft(y)
        linear = self.grid.irfft(spectra * self.filter(angle if self.levels else None))
        return linear + self.nonlinear(y, spectra, context, angle)

    def nonlinear(self, y: torch.Tensor, spectra: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor | None) -> torch.Tensor:
        """The convolutional part."""
        channels = [(y if p == 0 else self.grid.irfft(spectra * self._power(p)))[:, None] for p in self.powers]
        if self.white and self.levels:
            channels.append(self.grid.irfft(self.estimate(spectra, angle))[:, None])
        if context is not None:
            channels.append(context)
        hidden = torch.cat(channels, dim=1)
        modulation = self._modulation(angle, y.ndim - 1) if self.levels else None
        for index, layer in enumerate(self.layers[:-1]):
            hidden = layer(wrap(hidden, self.kernels[index] // 2))
            if modulation is not None:
                scale, shift = modulation[index]
                hidden = hidden * (1 + scale) + shift
            hidden = nn.functional.glu(hidden, dim=1) if self.gated else nn.functional.silu(hidden)
        return self.layers[-1](hidden)[:, 0]

    def estimate(self, spectra: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        """Of w_k from y_k under noise, linear (Wiener's): cos φ λ_k ŷ_k / (cos²φ λ_k + sin²φ), (batch, *spectral_shape)."""
        return spectra * (angle.cos().reshape(-1, *[1] * self.ratio.ndim) * self.ratio / self.variance(angle))

    def _power(self, p: float) -> torch.Tensor:
        """Q^p, (*spectral_shape,), scaled to leave white noise about as large as it is."""
        symbol = self.root ** (2 * p)
        return symbol / symbol.square().mean().sqrt()

    def _modulation(self, angle: torch.Tensor, axes: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(scale, shift) of each hidden layer's channels, from Fourier features of φ, which runs over [0, π/2]."""
        waves = torch.arange(1, EMBEDDING // 2 + 1, device=angle.device) * 2.0
        features = torch.cat([torch.cos(angle[:, None] * waves), torch.sin(angle[:, None] * waves)], dim=1)
        numbers = self.embed(features).reshape(len(angle), len(self.layers) - 1, 2, -1, *[1] * axes)
        return [(numbers[:, index, 0], numbers[:, index, 1]) for index in range(len(self.layers) - 1)]


EMBEDDING = 16


def _convolution(grid: PeriodicGrid, inputs: int, outputs: int, side: int) -> nn.Module:
    """Over the axes of the grid; without any it mixes channels."""
    if not grid.shape:
        return nn.Linear(inputs, outputs)
    return (nn.Conv1d if len(grid.shape) == 1 else nn.Conv2d)(inputs, outputs, side)


def wrap(hidden: torch.Tensor, width: int) -> torch.Tensor:
    """(batch, channel, *shape) with `width` more points on every side, taken from the opposite one. Copies only where it must."""
    if hidden.ndim == 4:
        hidden = hidden if width == 0 else nn.functional.pad(hidden, (width,) * 4, mode="circular")
        return hidden.contiguous(memory_format=torch.channels_last)
    return hidden if width == 0 else nn.functional.pad(hidden, (width,) * 2, mode="circular")
