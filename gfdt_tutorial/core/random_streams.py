"""Random streams: every stochastic routine takes a seed, and noise belongs to (seed, member), never to a batch or a worker."""

from enum import IntEnum

import numpy as np
import torch

from gfdt_tutorial.core import checks


class Stream(IntEnum):
    """What a stream of random numbers is for. Two routines that get one seed share no numbers, as their streams differ."""

    NOISE = 0  # of a run: (seed, NOISE, member)
    INITIAL = 1  # the state that a run starts from: (seed, INITIAL, member)
    KICK_SIGNS = 2  # of kicked twins: (seed, KICK_SIGNS, pair)
    BATCH = 3  # of a training step: (seed, BATCH, step + 1), and 0 for validation
    GENERATION = 4  # of a field drawn from a score: (seed, GENERATION, field)
    GRADIENTS = 5  # for the variance of a gradient
    CLUSTERS = 6  # the noise that a score by clusters adds
    SMALL_NETWORK = 7  # weights, batches and noise of a network for one variable
    FORCING = 8  # the phases of hidden waves: (seed, FORCING, member)
    BOOTSTRAP = 9  # which groups a resample holds: (seed, BOOTSTRAP, groups)
    KICK_SHAPE = 10  # a smooth random kick
    NUDGE = 11  # by which a jump of an observable is found
    TRACE = 12  # signs for the trace of a derivative: (seed, TRACE, fingerprint of the snapshot)
    BENCH = 13  # numbers that a benchmark spends
    SUBSAMPLE = 14  # values that stand for all
    PAIR_SCORE = 15  # weights, batches and noise of the score of a number given an earlier one


def generator(seed: int, stream: Stream, *number: int, device: torch.device | str = "cpu") -> torch.Generator:
    """An independent torch generator for (seed, stream, *number).

    The seed sequence of NumPy mixes the integers, so neighbouring seeds and members share nothing.

    Raises:
        ValueError: the seed is not a whole number ≥ 0.
        TypeError: a stream that is not one of `Stream`.
    """
    if not isinstance(stream, Stream):
        raise TypeError(f"stream is {stream!r}; expected one of randomness.Stream, such as Stream.NOISE")
    sequence = np.random.SeedSequence(checks.whole("seed", seed), spawn_key=(int(stream), *number))
    state = int(sequence.generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(state >> 1)  # torch takes signed 64-bit seeds
