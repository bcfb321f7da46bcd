"""The network of a score of fields of several components: circular convolutions that see all components at once.

Like `component_network` it works in whitened coordinates y, here white in space too (`core.whitening`), to which training adds noise of
standard deviation σ,

    s_y(y) = L y + l + N(y, C^½ y, context),    L = −1/(1 + σ²), l = 0 and N = 0 at the start,

with L a matrix between components at one place. Beside y the convolutions see C^½ y, each component in units of its standard deviation:
the fields themselves, whose small scales are weaker, so that a small kernel sees far.
"""

import torch
from torch import nn

from gfdt_tutorial.core.whitening import apply_matrices
from gfdt_tutorial.scores.component_network import ComponentConfig, grid_of
from gfdt_tutorial.scores.convolutions import convolutions_of, wrap


class ComponentFieldNetwork(nn.Module):
    """(batch, component, *shape) → the same.

    Args:
        config: shape and sides of the box, components, width, kernels, context channels and noise level.

    Raises:
        ValueError: a kernel that reaches more than once round the box.
    """

    root: torch.Tensor

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__()
        self.grid = grid_of(config)
        count, self.kernels, self.level = len(config["components"]), tuple(config["kernels"]), config["level"]
        if max(self.kernels) // 2 > min(self.grid.shape):
            raise ValueError(f"kernels {self.kernels} do not fit a grid of shape {self.grid.shape}: a kernel may reach round the box once")
        self.register_buffer("root", torch.eye(count, dtype=torch.complex64).repeat(*self.grid.spectral_shape, 1, 1))
        self.linear = (nn.Conv1d if len(self.grid.shape) == 1 else nn.Conv2d)(count, count, 1)
        self.gated = config.get("gated", False)
        self.layers = convolutions_of(self.grid, 2 * count + config["context"], config["width"], self.kernels, self.gated, outputs=count)
        with torch.no_grad():
            self.linear.weight.copy_((-torch.eye(count) / (1 + self.level**2)).reshape(self.linear.weight.shape))
            self.linear.bias.zero_()  # type: ignore[union-attr]  # it has one

    def set_root(self, root: torch.Tensor) -> None:
        """C_k^½, of which each component is taken in units of its standard deviation."""
        variance = torch.einsum("...ij,...ij->...i", root, root.conj()).real  # C_k of each component
        weights = self.grid.multiplicity[..., None] / self.grid.size
        deviations = (variance * weights).reshape(-1, variance.shape[-1]).sum(0).sqrt()
        self.root.copy_(root / deviations[:, None])

    def forward(self, y: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """s_y(y), with the context (batch, channel, *shape) where the network has one."""
        inputs = [y, apply_matrices(self.grid, self.root, y)]
        hidden = torch.cat(inputs if context is None else [*inputs, context], 1)
        for layer, side in zip(self.layers[:-1], self.kernels, strict=True):
            hidden = layer(wrap(hidden, side // 2))
            hidden = nn.functional.glu(hidden, dim=1) if self.gated else nn.functional.silu(hidden)
        return self.linear(y) + self.layers[-1](hidden)
