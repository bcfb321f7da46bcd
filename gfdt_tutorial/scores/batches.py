"""What a training step learns from: fields in the coordinates of the network, white noise, and noise angles."""

import math
from dataclasses import dataclass

import torch

from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores.budgets import LARGEST_LEVEL

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]


@dataclass(frozen=True)
class Batches:
    """Random batches, each a function of (seed, number).

    Args:
        seed: of the choice of fields, of the noise and of its angles.
        mean: ⟨u⟩.
        root: Q_k^½, (*spectral_shape,), on the device on which batches are wanted.
        level: the lowest noise level, σ.
        all_levels: whether noise angles cover all levels up to LARGEST_LEVEL.
        context_mean, context_std: (channel,), or None without context.
    """

    seed: int
    mean: float
    root: torch.Tensor
    level: float
    all_levels: bool
    context_mean: torch.Tensor | None
    context_std: torch.Tensor | None

    def draw(self, data: TimeSeries, count: int, number: int) -> Batch:
        """(w, z, angle, context) of batch `number` from `data`: the same for the same seed and number."""
        rng, device = generator(self.seed, Stream.BATCH, number + 1), self.root.device
        member = torch.randint(data.u.shape[0], (count,), generator=rng)
        instant = torch.randint(data.u.shape[1], (count,), generator=rng)
        noise = torch.randn(count, *data.grid.shape, generator=rng).to(device)
        where = member.to(data.u.device), instant.to(data.u.device)
        w = data.grid.irfft(data.grid.rfft(data.u[where].to(device) - self.mean) / self.root)
        given = None
        if data.context is not None and self.context_mean is not None and self.context_std is not None:
            wide = (-1, *[1] * len(data.grid.shape))
            given = (data.context[where].to(device) - self.context_mean.reshape(wide)) / self.context_std.reshape(wide)
        return w, noise, self._angles(count, rng).to(device), given

    def _angles(self, count: int, rng: torch.Generator) -> torch.Tensor:
        """Noise angles: a single value, or values spread evenly in ln tan φ, one field to each part of the range."""
        if not self.all_levels:
            return torch.full((count,), math.atan(self.level))
        spread = (torch.arange(count) + torch.rand(count, generator=rng)) / count
        return torch.atan(self.level * (LARGEST_LEVEL / self.level) ** spread)


def context_moments(data: TimeSeries, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel of the context, (channel,).

    Raises:
        ValueError: the series carries none.
    """
    if data.context is None:
        raise ValueError("context=True, and the series carries none; simulate with context=True, or leave it out")
    rows = data.context.movedim(2, 0).flatten(1)
    return rows.mean(1).to(device), rows.std(1).clamp_min(1e-12).to(device)
