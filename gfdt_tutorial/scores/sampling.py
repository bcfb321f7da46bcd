"""Generation: fields drawn from the density that a score describes, by turning noise back into data.

In the coordinates of the network, y = cos φ w + sin φ z runs from data (φ = 0) to noise (φ = π/2). With the clock τ = −ln cos φ and
r(y, φ) = y + s_y(y, φ), which is zero where the data are Gaussian, the way back from noise is

    SDE    dy = (−y + 2r) dτ + √2 dW,        ODE    dy = r dτ        (τ backwards; Song et al., ICLR 2021)

whose linear part is solved exactly in each step: for Gaussian data any number of steps is exact.
"""

import itertools
import math
from collections.abc import Callable, Iterator

import torch

from gfdt_tutorial import checks
from gfdt_tutorial.progress import progress
from gfdt_tutorial.randomness import generator
from gfdt_tutorial.scores.budgets import LARGEST_LEVEL
from gfdt_tutorial.scores.learned import LearnedScore

Rule = Callable[[torch.Tensor, torch.Tensor, float, torch.Tensor], torch.Tensor]
CHUNK = 64  # fields drawn together


def sde_step(y: torch.Tensor, residual: torch.Tensor, lapse: float, noise: torch.Tensor) -> torch.Tensor:
    """y ← e^(−δ) y + 2 (1 − e^(−δ)) r + (1 − e^(−2δ))^½ ξ."""
    decay = math.exp(-lapse)
    return decay * y + 2 * (1 - decay) * residual + math.sqrt(1 - decay**2) * noise


def ode_step(y: torch.Tensor, residual: torch.Tensor, lapse: float, noise: torch.Tensor) -> torch.Tensor:
    """y ← y + δ r: the probability flow, the same law without noise."""
    return y + lapse * residual


RULES: dict[str, Rule] = {"sde": sde_step, "ode": ode_step}


def angles(lowest: float, steps: int) -> list[float]:
    """Noise angles from noise to data, evenly spaced in ln tan φ."""
    ratio = (LARGEST_LEVEL / math.tan(lowest)) ** (1 / steps)
    return [math.atan(LARGEST_LEVEL * ratio**-i) for i in range(steps + 1)]


@torch.no_grad()
def denoise(score: LearnedScore, y: torch.Tensor, rule: Rule, steps: int, draw: Callable[[], torch.Tensor]) -> Iterator[torch.Tensor]:
    """The one loop: y at each noise angle, from noise to the lowest the network knows."""
    path = angles(score.network.angle, steps)
    for angle, following in itertools.pairwise(path):
        level = torch.full(y.shape[:1], angle, device=y.device)
        residual = y + score.network(y, None, level)
        y = rule(y, residual, math.log(math.cos(following) / math.cos(angle)), draw())
        yield y


def sample(score: LearnedScore, count: int, method: str = "sde", seed: int = 0, *, steps: int = 60) -> torch.Tensor:
    """Fields drawn from the learned density.

    Args:
        score: fitted with levels=True and without context.
        count: how many.
        method: "sde", reverse-time diffusion, which forgives errors of the score; or "ode", probability flow.
        seed: of the noise; field n is the same however many are drawn.
        steps: noise levels passed.

    Returns:
        (count, *shape), on the CPU, in units of the data. The last trace of noise, at the network's lowest level, is left in.

    Raises:
        ValueError: the score knows one level only, or needs a context; an unknown method.
    """
    rule = RULES[checks.choice("method", method, RULES)]
    count, steps = checks.whole("count", count, minimum=1), checks.whole("steps", steps, minimum=1)
    if not isinstance(score, LearnedScore) or not score.network.levels:
        raise ValueError("to generate, a score must know all noise levels: fit_score(data, levels=True)")
    if score.context_mean is not None:
        raise ValueError("this score needs a context; generation without one is not defined")
    network, grid = score.network, score.grid
    device = network.root.device
    drawn = []
    for start in progress(range(0, count, CHUNK), label=f"sample by {method}"):
        streams = [generator(seed, 4, member) for member in range(start, min(start + CHUNK, count))]

        def draw(streams=streams):
            return torch.stack([torch.randn(grid.shape, generator=stream) for stream in streams]).to(device)

        *_, y = denoise(score, draw(), rule, steps, draw)
        drawn.append((grid.irfft(grid.rfft(y) * network.root) + score.mean).cpu())
    return torch.cat(drawn)
