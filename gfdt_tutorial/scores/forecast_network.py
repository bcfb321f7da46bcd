"""The network of a forecast: convolutions whose trunk all lags share, with one output for each of a few lags, the knots.

It works in coordinates in which the field has unit variance at every wavevector, w = C^(−½)(u − ⟨u⟩), and sees, beside w, the ever smoother
fields C^p w and the context. Its outputs are what a forecast by the dictionary leaves over at the knots, in a frame that moves with the
field and in units of the standard deviation of what is left, so that every knot counts alike; all are zero at the start.
"""

import torch
from torch import nn

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.scores.convolutions import convolutions_of, wrap


class ForecastNetwork(nn.Module):
    """(batch, *shape) and context (batch, channel, *shape) → (batch, knot, *shape).

    Args:
        grid: of the fields.
        knots: number of outputs.
        kernels, width, powers, gated: as in `ConvolutionalNetwork`.
        context: number of context channels.
    """

    root: torch.Tensor

    def __init__(
        self, grid: PeriodicGrid, knots: int, *, kernels: tuple[int, ...], width: int, powers: tuple[float, ...], gated: bool, context: int
    ) -> None:
        super().__init__()
        if not grid.shape:
            kernels, powers = (1,) * len(kernels), (0.0,)  # a lone number has no neighbours, and no smoother version of itself
        self.grid, self.kernels, self.powers, self.gated = grid, tuple(kernels), tuple(powers), gated
        self.register_buffer("root", torch.ones(grid.spectral_shape))
        self.layers = convolutions_of(grid, len(self.powers) + context, width, self.kernels, gated, outputs=knots)

    def forward(self, w: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """What is left over at the knots."""
        inputs = self._inputs(w, self.grid.rfft(w))
        hidden = torch.cat(inputs if context is None else [*inputs, context], dim=1)
        for index, layer in enumerate(self.layers[:-1]):
            hidden = layer(wrap(hidden, self._reach(index)))
            hidden = nn.functional.glu(hidden, dim=1) if self.gated else nn.functional.silu(hidden)
        return self.layers[-1](hidden)

    def with_slope(
        self, w: torch.Tensor, direction: torch.Tensor, context: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The outputs, and their derivative along a direction: (batch, knot, *shape) each.

        Written out by the chain rule, as forward differentiation in torch is for one thread at a time.
        """
        spectra, moved = self.grid.rfft(w), self.grid.rfft(direction)
        hidden, slope = (torch.cat(self._inputs(*each), dim=1) for each in ((w, spectra), (direction, moved)))
        if context is not None:
            hidden, slope = torch.cat([hidden, context], 1), torch.cat([slope, torch.zeros_like(context)], 1)
        for index, layer in enumerate(self.layers):
            hidden, slope = wrap(hidden, self._reach(index)), wrap(slope, self._reach(index))
            hidden, slope = layer(hidden), layer(slope) - layer(torch.zeros_like(slope[:1]))  # a layer without its constant is linear
            if index + 1 < len(self.layers):
                hidden, slope = self._activated(hidden, slope)
        return hidden, slope

    def _activated(self, hidden: torch.Tensor, slope: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.gated:
            gate = hidden.sigmoid()
            return hidden * gate, slope * gate * (1 + hidden * (1 - gate))
        (value, gate), (moved, turned) = hidden.chunk(2, 1), slope.chunk(2, 1)
        gate = gate.sigmoid()
        return value * gate, moved * gate + value * gate * (1 - gate) * turned

    def _inputs(self, w: torch.Tensor, spectra: torch.Tensor) -> list[torch.Tensor]:
        return [(w if p == 0 else self.grid.irfft(spectra * self._power(p)))[:, None] for p in self.powers]

    def _reach(self, index: int) -> int:
        """By how many pixels the input of a layer is continued periodically; the last layer mixes channels only."""
        return self.kernels[index] // 2 if index < len(self.kernels) else 0

    def _power(self, p: float) -> torch.Tensor:
        """C^p, scaled so that it leaves the size of white noise about unchanged."""
        symbol = self.root ** (2 * p)
        return symbol / symbol.square().mean().sqrt()
