"""Generation: fields drawn from the density that a score describes, by reversing a diffusion from data to noise.

In the coordinates of the network, y = cos φ w + sin φ z interpolates between data (φ = 0) and noise (φ = π/2), with the variances
v_k(φ) = cos²φ λ_k + sin²φ. With the time variable τ = −ln cos φ, run backwards, the reversal is (Song et al., ICLR 2021)

    SDE    dy = (y + 2s) dτ + √2 dW,        ODE    dy = (y + s) dτ.

The scheme is an exponential Adams-Bashforth sampler of order two. The linear terms of both equations are integrated exactly, so that for
Gaussian data any number of steps is exact. The remainder r = s_y(y, φ) + y/v is the part of the score that is not Gaussian. A step from φ
to ψ < φ has the length δ = ln(cos ψ/cos φ); over it, r is extrapolated linearly from its last two values to the middle of the step,
r + (δ/2δ′)(r − r′). This gives second order at one evaluation of the network per step.
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

Step = Callable[[PeriodicGrid, torch.Tensor, torch.Tensor, float, torch.Tensor, torch.Tensor], torch.Tensor]
CHUNK = 64  # fields drawn together


def sde_step(
    grid: PeriodicGrid, y: torch.Tensor, rest: torch.Tensor, length: float, variances: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """y ← a (v_ψ/v_φ) y + ((1 − a²)/a) r + ((1 − a²) v_ψ/v_φ)^½ ξ, a = e^(−δ).

    The first two terms are the mean of y at ψ given y at φ, which is (y + (1 − a²) s)/a for any density. The variance about the mean is
    that of Gaussian data.

    Args:
        y, noise: (field, *shape), y at φ and white noise ξ.
        rest: r, like y, extrapolated to the middle of the step.
        length: δ.
        variances: v at φ, in the middle and at ψ, (3, *spectral_shape).
    """
    before, _, after = variances
    decay = math.exp(-length)
    spread = ((1 - decay**2) * after / before).sqrt()
    return grid.apply(decay * after / before, y) + (1 - decay**2) / decay * rest + grid.apply(spread, noise)


def ode_step(
    grid: PeriodicGrid, y: torch.Tensor, rest: torch.Tensor, length: float, variances: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """y ← (v_ψ/v_φ)^½ y + (v_ψ/v)^½ δ r, v in the middle: the probability flow, with the same marginal densities and without noise.

    Arguments are those of `sde_step`; `noise` is ignored.
    """
    before, middle, after = variances
    return grid.apply((after / before).sqrt(), y) + grid.apply(length * (after / middle).sqrt(), rest)


METHODS: dict[str, Step] = {"sde": sde_step, "ode": ode_step}


def angles(lowest: float, steps: int) -> list[float]:
    """Noise angles from noise to data, evenly spaced in ln tan φ."""
    ratio = (LARGEST_LEVEL / math.tan(lowest)) ** (1 / steps)
    return [math.atan(LARGEST_LEVEL * ratio**-i) for i in range(steps + 1)]


@torch.no_grad()
def denoise(score: LearnedScore, y: torch.Tensor, step: Step, steps: int, draw: Callable[[], torch.Tensor]) -> Iterator[torch.Tensor]:
    """The loop of the sampler: y after each step, from white noise to the lowest noise angle of the network, and from there to no noise."""
    network, grid = score.network, score.grid
    path = [*angles(network.angle, steps), 0.0]
    y = grid.apply(network.variance(torch.tensor(path[0], device=y.device)).sqrt(), y)
    previous, previous_length = None, 1.0
    for angle, following in itertools.pairwise(path):
        length = math.log(math.cos(following) / math.cos(angle))
        middle = math.acos(math.sqrt(math.cos(angle) * math.cos(following)))
        variances = network.variance(torch.tensor([angle, middle, following], device=y.device))
        rest = network(y, None, torch.full(y.shape[:1], angle, device=y.device)) + grid.apply(1 / variances[0], y)
        ahead = rest if previous is None else rest + length / (2 * previous_length) * (rest - previous)
        y = step(grid, y, ahead, length, variances, draw())
        previous, previous_length = rest, length
        yield y


def sample(score: LearnedScore, count: int, *, method: str = "sde", seed: int = 0, steps: int = 60) -> torch.Tensor:
    """Fields drawn from the learned density.

    Args:
        score: fitted with noise_levels=True and without context.
        count: number of fields.
        method: "sde", the reverse-time diffusion, which is robust to errors of the score; or "ode", the probability flow.
        seed: of the noise; field n is the same for any `count`.
        steps: number of noise levels.

    Returns:
        (count, *shape), on the CPU, in units of the data.

    Raises:
        ValueError: the score knows one noise level only, or needs a context; an unknown method.
    """
    step = METHODS[checks.choice("method", method, METHODS)]
    count, steps = checks.whole("count", count, minimum=1), checks.whole("steps", steps, minimum=1)
    if not isinstance(score, LearnedScore) or not score.network.takes_angle:
        raise ValueError("to generate fields, a score must know all noise levels: fit_score(data, noise_levels=True)")
    if score.needs_context:
        raise ValueError("this score needs a context; generation without one is not defined")
    network, grid = score.network, score.grid
    device = network.root.device
    drawn = []
    for start in progress(range(0, count, CHUNK), label=f"sample by {method}"):
        streams = [generator(seed, Stream.GENERATION, member) for member in range(start, min(start + CHUNK, count))]

        def draw(streams: list[torch.Generator] = streams) -> torch.Tensor:
            return torch.stack([torch.randn(grid.shape, generator=stream) for stream in streams]).to(device)

        y = deque(denoise(score, draw(), step, steps, draw), maxlen=1)[0]
        drawn.append((grid.irfft(grid.rfft(y) * network.root) + score.mean).cpu())
    return torch.cat(drawn)
