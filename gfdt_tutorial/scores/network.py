"""The network of a learned score: a spectral filter, which starts as the Gaussian score, plus a nonlinear part, which starts at zero.

Both work in coordinates w in which the noise is white and the data have unit variance,

    w = Q^(−½) (u − ⟨u⟩),    Q_k = C_k, the spectrum of the data ("data"),  or  Q_k = ⟨u²⟩ ("white"),
    y = cos φ · w + sin φ · z,    z white,  tan φ = σ,                     λ_k = C_k / Q_k,

so that the trace of the covariance of y is the same at every noise level. The network returns the score of the density of y,

    s_y(y) = −g_k ŷ_k / (cos²φ λ_k + sin²φ)  +  N(y, context; φ),    g_k = 1 and N = 0 at the start,

with ln g_k linear between integer shells of |k|. The filter therefore has few parameters, each of which averages over many wavevectors.
The nonlinear part N is convolutional (`convolutions`) unless the user supplies another module (`own_network`).
"""

import torch
from torch import nn

from gfdt_tutorial.core.grid import PeriodicGrid


class ScoreNetwork(nn.Module):
    """The score of noisy data y, in the coordinates of this module's page. Each subclass adds its own `nonlinear` part.

    Args:
        grid: the grid of the fields; without axes the fields are plain numbers.
        whitening: Q_k, (*spectral_shape,).
        covariance: C_k, (*spectral_shape,), from which the filter starts. Training corrects a wrong one, provided that it is positive.
        angle: the noise angle φ, the lowest one if the network takes the angle as an input.
        takes_angle: whether φ is an input of the network, or the constant `angle`.
    """

    root: torch.Tensor
    ratio: torch.Tensor
    position: torch.Tensor

    def __init__(
        self, grid: PeriodicGrid, whitening: torch.Tensor, covariance: torch.Tensor, *, angle: float, takes_angle: bool = False
    ) -> None:
        super().__init__()
        self.grid, self.angle, self.takes_angle = grid, angle, takes_angle
        self.register_buffer("root", whitening.sqrt().float())
        self.register_buffer("ratio", (covariance / whitening).float())
        position = (grid.k_squared.sqrt() / grid.fundamental).float()
        self.register_buffer("position", position)
        self.log_gain = nn.Parameter(torch.zeros(int(position.max()) + 2))

    def gain(self) -> torch.Tensor:
        """g_k, (*spectral_shape,)."""
        low = self.position.long().clamp(max=len(self.log_gain) - 2)
        part = self.position - low
        return torch.exp((1 - part) * self.log_gain[low] + part * self.log_gain[low + 1])

    def variance(self, angle: torch.Tensor) -> torch.Tensor:
        """The variance of ŷ_k at noise angle φ, cos²φ λ_k + sin²φ: (*spectral_shape,), after the axes of `angle` if it has any."""
        angle = angle.reshape(angle.shape + (1,) * self.ratio.ndim)
        return angle.cos().square() * self.ratio + angle.sin().square()

    def filter(self, angle: torch.Tensor | float | None = None) -> torch.Tensor:
        """The filter at noise angle φ, −g_k / (cos²φ λ_k + sin²φ): (*spectral_shape,), after the axes of `angle` if it has any."""
        angle = torch.as_tensor(self.angle if angle is None else angle, dtype=torch.float32, device=self.ratio.device)
        return -self.gain() / self.variance(angle)

    def forward(self, y: torch.Tensor, context: torch.Tensor | None = None, angle: torch.Tensor | None = None) -> torch.Tensor:
        """s_y, (batch, *shape) → the same. `angle`, (batch,), counts only if the network takes the angle as an input."""
        spectra = self.grid.rfft(y)
        linear = self.grid.irfft(spectra * self.filter(angle if self.takes_angle else None))
        return linear + self.nonlinear(y, spectra, context, angle)

    def nonlinear(self, y: torch.Tensor, spectra: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor | None) -> torch.Tensor:
        """N, (batch, *shape) → the same; `spectra` are those of y."""
        raise NotImplementedError

    def angles(self, angle: torch.Tensor | None) -> torch.Tensor:
        """The noise angles of a batch, for a network that cannot do without them."""
        if angle is None:
            raise ValueError("this network takes the noise angle as an input; pass angle, one for each field of the batch")
        return angle
