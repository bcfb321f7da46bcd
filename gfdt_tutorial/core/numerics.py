"""Sums and averages over large tensors, block by block: with bounded memory and without loss of precision."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np
import torch

BLOCK_BYTES = 2**24  # processed at a time: bounds the memory of every average, and larger blocks would make worse use of the cache


def blocks(count: int, bytes_each: int) -> Iterator[slice]:
    """Consecutive slices of range(count), each of about BLOCK_BYTES at `bytes_each` an item."""
    return blocks_of(count, BLOCK_BYTES // max(1, bytes_each))


def blocks_of(count: int, size: int) -> Iterator[slice]:
    """Consecutive slices of range(count), each of `size` items, or 1; the last may be shorter."""
    step = max(1, size)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def pieces(members: int, steps: int, bytes_each: int) -> list[tuple[slice, slice]]:
    """Members and times of pieces of about BLOCK_BYTES at `bytes_each` a snapshot: one long member cut in time, or several short ones."""
    cuts = list(blocks(steps, bytes_each))
    return [(some, cut) for some in blocks_of(members, BLOCK_BYTES // max(1, bytes_each * steps)) for cut in cuts]


def assembled(parts: Sequence[torch.Tensor], cuts: Sequence[tuple[slice, slice]]) -> torch.Tensor:
    """What was found for the `pieces` of a series, (member, time, ...) each, side by side."""
    rows = [[part for part, _ in row] for _, row in groupby(zip(parts, cuts, strict=True), key=lambda pair: pair[1][0].start)]
    return torch.cat([torch.cat(row, 1) for row in rows])


def mean_in_double(fields: torch.Tensor) -> float:
    """Mean of all values, accumulated in double precision without a double-precision copy of the tensor."""
    return float(torch.stack([part.mean(dtype=torch.float64) for part in fields]).mean())


def nearest_power_of_two(values: torch.Tensor) -> float:
    """The power of two nearest to the largest magnitude of some values; 1 where all are zero.

    Division by it is exact, and afterwards squares and fourth powers neither overflow nor underflow in single precision, whatever the
    unit of the values.
    """
    largest = float(values.abs().max()) if values.numel() else 0.0
    return 2.0 ** round(math.log2(largest)) if largest > 0 else 1.0


def signed_root(value: float) -> float:
    """Signed square root sign(v) |v|^½: an unbiased estimate of a square may be negative, and its root then shows it."""
    return math.copysign(math.sqrt(abs(value)), value)


def equal_parts(count: int, pieces: int) -> list[tuple[int, int]]:
    """Cut range(count) into pieces whose sizes differ by at most one: (first, one past the last) of each."""
    edges = [round(i * count / pieces) for i in range(pieces + 1)]
    return list(pairwise(edges))


def room(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Uninitialised memory. NumPy asks Linux for huge pages, torch does not; first writes to small pages cost as much as an FFT."""
    if device.type != "cpu":
        return torch.empty(shape, dtype=dtype, device=device)
    return torch.from_numpy(np.empty((*shape, dtype.itemsize), np.uint8)).view(dtype)[..., 0]
