"""Averages over large tensors, block by block, with bounded memory and without loss of precision."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch

BLOCK_BYTES = 2**24  # transformed at a time: bounds the memory of every average, and fits a cache better than more would


def blocks(count: int, bytes_each: int) -> Iterator[slice]:
    """Slices that cover range(count), each of about BLOCK_BYTES."""
    step = max(1, BLOCK_BYTES // max(1, bytes_each))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def mean_in_double(fields: torch.Tensor) -> float:
    """The mean of all values in double precision, without a copy of all in that precision."""
    return float(torch.stack([part.mean(dtype=torch.float64) for part in fields]).mean())


def unit_of(values: torch.Tensor) -> float:
    """A power of two near the largest magnitude of some values: divided by it, which costs no precision, their squares and the fourth
    powers fit single precision, whatever the unit they come in. 1 where all are zero."""
    largest = float(values.abs().max()) if values.numel() else 0.0
    return 2.0 ** round(math.log2(largest)) if largest > 0 else 1.0


def signed_root(value: float) -> float:
    """sign(v) |v|^½, so that an unbiased square within its noise stays visibly so."""
    return math.copysign(math.sqrt(abs(value)), value)


def even_cuts(count: int, pieces: int) -> list[tuple[int, int]]:
    """Cut range(count) into pieces as equal as can be: (first, one past the last) of each."""
    edges = [round(i * count / pieces) for i in range(pieces + 1)]
    return list(pairwise(edges))
