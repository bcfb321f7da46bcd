"""Random streams: every stochastic routine takes a seed, and noise is determined by (seed, member), never by a batch or a worker."""

from enum import IntEnum

import numpy as np
import torch

from gfdt_tutorial.core import checks


class Stream(IntEnum):
    """The purpose of a stream of random numbers. Two routines with the same seed share no numbers, because their streams differ."""

    NOISE = 0  # the noise of a run: (seed, NOISE, member)
    INITIAL = 1  # the initial state of a run: (seed, INITIAL, member)
    KICK_SIGNS = 2  # the random signs of a kick, for kicked twins: (seed, KICK_SIGNS, pair)
    BATCH = 3  # the batch of a training step: (seed, BATCH, step + 1), and 0 for validation
    GENERATION = 4  # sampling a field from a score: (seed, GENERATION, field)
    GRADIENTS = 5  # samples for the variance of a gradient
    CLUSTERS = 6  # the noise that a cluster-based score (KGMM) adds
    SMALL_NETWORK = 7  # weights, batches and noise of a network for one variable
    FORCING = 8  # the phases of the hidden forcing: (seed, FORCING, member)
    BOOTSTRAP = 9  # the groups in a bootstrap resample: (seed, BOOTSTRAP, groups)
    KICK_SHAPE = 10  # a smooth random kick
    NUDGE = 11  # small displacements that detect a discontinuous observable
    TRACE = 12  # signs of Hutchinson's trace estimator: (seed, TRACE, fingerprint of the snapshot)
    BENCH = 13  # random numbers of a benchmark
    SUBSAMPLE = 14  # a random subsample of the values
    PAIR_SCORE = 15  # weights, batches and noise of the score of a number given an earlier sample
    TWINS = 16  # the runs of kicked twins: (seed of such a run, NOISE or INITIAL, member), that seed being `derived`
    FORCED = 17  # the members of a forced ensemble, likewise
    CHANGED = 18  # the members that run on under changed parameters, likewise
    FORECAST_BATCH = 19  # the batch of a training step of a forecast: (seed, FORECAST_BATCH, step + 2), 1 for validation, 0 for sizes
    PROBE = 20  # directions along which the mean Jacobian of a forecast is probed: (seed, PROBE, member, origin)


def generator(seed: int, stream: Stream, *number: int, device: torch.device | str = "cpu") -> torch.Generator:
    """An independent torch generator for (seed, stream, *number).

    NumPy's seed sequence mixes the integers, so that neighbouring seeds and members yield independent streams.

    Raises:
        ValueError: the seed is not a whole number ≥ 0.
        TypeError: `stream` is not a member of `Stream`.
    """
    return torch.Generator(device).manual_seed(derived(seed, stream, *number))


def derived(seed: int, stream: Stream, *number: int) -> int:
    """A seed for (seed, stream, *number): a truth that is run with it shares no noise with data that were run with the seed itself.

    Raises:
        ValueError, TypeError: as `generator`.
    """
    if not isinstance(stream, Stream):
        raise TypeError(f"stream is {stream!r}; expected a member of random_streams.Stream, such as Stream.NOISE")
    sequence = np.random.SeedSequence(checks.whole("seed", seed), spawn_key=(int(stream), *number))
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1  # torch takes signed 64-bit seeds
