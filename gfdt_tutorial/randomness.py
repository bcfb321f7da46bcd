"""Random streams: every stochastic routine takes a seed, and noise belongs to (seed, member), never to a batch or a worker."""

import numpy as np
import torch

from gfdt_tutorial import checks


def generator(seed: int, *stream: int, device: torch.device | str = "cpu") -> torch.Generator:
    """An independent torch generator for (seed, *stream).

    The seed sequence of NumPy mixes the integers, so neighbouring seeds and members share nothing.

    Raises:
        ValueError: the seed is not a whole number ≥ 0.
    """
    sequence = np.random.SeedSequence(checks.whole("seed", seed), spawn_key=stream)
    state = int(sequence.generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(state >> 1)  # torch takes signed 64-bit seeds
