"""The conditional score of a number given an earlier one, ∂ ln ρ(z | z′)/∂z, by denoising score matching."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.random_streams import Stream, generator

FEWEST = 100  # pairs


@dataclass(frozen=True)
class PairScores:
    """s(z | z′) = −(z − ρz′)/(1 − ρ²) + N(z, z′): the Gaussian pair score plus a small network, one for each part of a series.

    The loss is the antithetic one of denoising score matching, with noise on z alone: ½⟨s²⟩ + ⟨ζ [s(z + σζ | z′) − s(z − σζ | z′)]⟩/(2σ),
    whose minimum is the score of ρ(z | z′) convolved with a Gaussian of width σ, as for `scores.one_variable.NetworkScore`. The networks of
    all parts are trained in parallel, which takes no longer than training one.

    Args:
        correlation: ρ.
        weights, biases: of each layer, (part, in, out) and (part, 1, out).
    """

    correlation: float
    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]

    def __call__(self, pairs: torch.Tensor) -> torch.Tensor:
        """The score of each part at (z, z′), (part, sample, 2) → (part, sample)."""
        hidden = pairs
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = torch.tanh(torch.baddbmm(bias, hidden, weight))
        network = torch.baddbmm(self.biases[-1], hidden, self.weights[-1])[..., 0]
        return network - (pairs[..., 0] - self.correlation * pairs[..., 1]) / (1 - self.correlation**2)

    @classmethod
    def fit(
        cls, parts: Sequence[torch.Tensor], *, steps: int = 200, sigma: float = 0.06, width: int = 24, pairs: int = 512, seed: int = 0
    ) -> "PairScores":
        """Train one network for each part by Adam.

        Args:
            parts: of shape (sample, 2), pairs (z, z′) of mean zero and variance one.
            steps: number of steps of Adam.
            sigma: σ of the noise.
            width: of the two hidden layers.
            pairs: antithetic pairs of noise per step.
            seed: of weights, batches and noise, which are the same for all parts.

        Raises:
            ValueError: fewer than FEWEST pairs in a part, pairs of equal numbers, or a size out of range.
        """
        sigma, rng = checks.positive("sigma", sigma), generator(seed, Stream.PAIR_SCORE)
        parts = [part.float() for part in parts]
        score = cls(_correlation(parts), *_layers(len(parts), checks.whole("width", width, minimum=1), rng))
        adam = torch.optim.Adam([*score.weights, *score.biases], lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, checks.whole("steps", steps, minimum=1))
        for _ in range(steps):
            where, noise = torch.rand(pairs, generator=rng), torch.randn(pairs, generator=rng)
            batch = torch.stack([part[(where * len(part)).long().clamp_max(len(part) - 1)] for part in parts])
            shift = sigma * torch.stack([noise, torch.zeros_like(noise)], -1)
            plus, minus = score(torch.cat([batch + shift, batch - shift], 1)).chunk(2, 1)
            loss = (0.25 * (plus.square() + minus.square()) + noise * (plus - minus) / (2 * sigma)).mean(1).sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
        return cls(score.correlation, *(tuple(one.detach() for one in each) for each in (score.weights, score.biases)))


def _correlation(parts: list[torch.Tensor]) -> float:
    """ρ = ⟨z z′⟩ over all parts."""
    if min(len(part) for part in parts) < FEWEST:
        raise ValueError(f"a part holds {min(len(part) for part in parts)} pairs; expected {FEWEST} at least: take a longer series")
    correlation = float(torch.cat([part.prod(1) for part in parts]).mean())
    if abs(correlation) > 1 - 1e-6:
        raise ValueError("each pair holds the same number twice, so that neither has a density given the other; choose a larger lag")
    return correlation


def _layers(parts: int, width: int, rng: torch.Generator) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    """Weights and biases of the two hidden layers and of the last, which is zero at the start; the same for every part."""
    weights: list[torch.Tensor] = []
    biases: list[torch.Tensor] = []
    for inputs, outputs in ((2, width), (width, width), (width, 1)):
        bound = 0.0 if outputs == 1 else 1 / math.sqrt(inputs)
        for kept, rows in ((weights, inputs), (biases, 1)):
            drawn = bound * (2 * torch.rand(1, rows, outputs, generator=rng) - 1)
            kept.append(drawn.repeat(parts, 1, 1).requires_grad_())
    return tuple(weights), tuple(biases)
