"""Generation: fields drawn from the density that a score describes, by turning noise back into data.

In the coordinates of the network, y = cos φ w + sin φ z runs from data (φ = 0) to noise (φ = π/2), and has the variances
v_k(φ) = cos²φ λ_k + sin²φ. With the clock τ = −ln cos φ the way back from noise is (τ backwards; Song et al., ICLR 2021)

    SDE    dy = (y + 2s) dτ + √2 dW,        ODE    dy = (y + s) dτ.

What is linear in both is solved exactly, so that for Gaussian data any number of steps is exact; it leaves r = s_y(y, φ) + y/v, the part
of the score that is not Gaussian. A step from φ to ψ < φ lasts δ = ln(cos ψ/cos φ), over which r is taken where it will be in the middle,
by a straight line through its last two values, r + (δ/2δ′)(r − r′): twice the order for no more evaluations of the network.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.progress import progress
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.scores.budgets import LARGEST_LEVEL
from gfdt_tutorial.scores.learned import LearnedScore

Rule = Callable[[PeriodicGrid, torch.Tensor, torch.Tensor, float, torch.Tensor, torch.Tensor], torch.Tensor]
CHUNK = 64  # fields drawn together


def sde_step(grid: PeriodicGrid, y, rest, lapse: float, variances, noise) -> torch.Tensor:
    """y ← a (v_ψ/v_φ) y + ((1 − a²)/a) r + ((1 − a²) v_ψ/v_φ)^½ ξ, a = e^(−δ).

    The mean of y at ψ given y at φ, which for any density is (y + (1 − a²) s)/a, and the scatter about it that Gaussian data have.
    """
    before, _, after = variances
    decay = math.exp(-lapse)
    kick = ((1 - decay**2) * after / before).sqrt()
    return grid.apply(decay * after / before, y) + (1 - decay**2) / decay * rest + grid.apply(kick, noise)


def ode_step(grid: PeriodicGrid, y, rest, lapse: float, variances, noise) -> torch.Tensor:
    """y ← (v_ψ/v_φ)^½ y + (v_ψ/v)^½ δ r, v in the middle: the probability flow, the same law without noise."""
    before, middle, after = variances
    return grid.apply((after / before).sqrt(), y) + grid.apply(lapse * (after / middle).sqrt(), rest)


RULES: dict[str, Rule] = {"sde": sde_step, "ode": ode_step}


def angles(lowest: float, steps: int) -> list[float]:
    """Noise angles from noise to data, evenly spaced in ln tan φ."""
    ratio = (LARGEST_LEVEL / math.tan(lowest)) ** (1 / steps)
    return [math.atan(LARGEST_LEVEL * ratio**-i) for i in range(steps + 1)]


@torch.no_grad()
def denoise(score: LearnedScore, y: torch.Tensor, rule: Rule, steps: int, draw: Callable[[], torch.Tensor]) -> Iterator[torch.Tensor]:
    """The one loop, from white noise: y after each step, down to the lowest noise angle the network knows and from there to no noise."""
    network, grid = score.network, score.grid
    path = [*angles(network.angle, steps), 0.0]
    y = grid.apply(network.variance(torch.tensor(path[0], device=y.device)).sqrt(), y)
    last, before = None, 1.0
    for angle, following in itertools.pairwise(path):
        lapse = math.log(math.cos(following) / math.cos(angle))
        middle = math.acos(math.sqrt(math.cos(angle) * math.cos(following)))
        variances = network.variance(torch.tensor([angle, middle, following], device=y.device))
        rest = network(y, None, torch.full(y.shape[:1], angle, device=y.device)) + grid.apply(1 / variances[0], y)
        ahead = rest if last is None else rest + lapse / (2 * before) * (rest - last)
        y = rule(grid, y, ahead, lapse, variances, draw())
        last, before = rest, lapse
        yield y


def sample(score: LearnedScore, count: int, *, method: str = "sde", seed: int = 0, steps: int = 60) -> torch.Tensor:
    """Fields drawn from the learned density.

    Args:
        score: fitted with noise_levels=True and without context.
        count: how many.
        method: "sde", reverse-time diffusion, which forgives errors of the score; or "ode", probability flow.
        seed: of the noise; field n is the same however many are drawn.
        steps: noise levels passed.

    Returns:
        (count, *shape), on the CPU, in units of the data.

    Raises:
        ValueError: the score knows one level only, or needs a context; an unknown method.
    """
    rule = RULES[checks.choice("method", method, RULES)]
    count, steps = checks.whole("count", count, minimum=1), checks.whole("steps", steps, minimum=1)
    if not isinstance(score, LearnedScore) or not score.network.levels:
        raise ValueError("to generate, a score must know all noise levels: fit_score(data, noise_levels=True)")
    if score.context_mean is not None:
        raise ValueError("this score needs a context; generation without one is not defined")
    network, grid = score.network, score.grid
    device = network.root.device
    drawn = []
    for start in progress(range(0, count, CHUNK), label=f"sample by {method}"):
        streams = [generator(seed, Stream.GENERATION, member) for member in range(start, min(start + CHUNK, count))]

        def draw(streams=streams):
            return torch.stack([torch.randn(grid.shape, generator=stream) for stream in streams]).to(device)

        y = deque(denoise(score, draw(), rule, steps, draw), maxlen=1)[0]
        drawn.append((grid.irfft(grid.rfft(y) * network.root) + score.mean).cpu())
    return torch.cat(drawn)
