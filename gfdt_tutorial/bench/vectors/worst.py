"""What all systems of this room share: the seeds, relative errors, and rows of the worst seed."""

from collections.abc import Mapping, Sequence

import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.responses.response import Response

SEEDS = (0, 1, 2)


def relative(found: torch.Tensor, truth: torch.Tensor) -> float:
    """|found − truth| / |truth|, over all entries together."""
    return float((found.double() - truth.double()).norm() / truth.double().norm())


def relative_error(truth: Response, row: int | slice = slice(None)) -> float:
    """|standard error| / |values|, at some lags of a truth."""
    return float(present(truth.standard_error)[row].norm() / truth.values[row].norm())


def worst(
    what: str, table: Sequence[Mapping[str, float]], bounds: Mapping[str, float] | None = None, fails: Mapping[str, float] | None = None
) -> list[Row]:
    """One row for each number of a table with a row per seed: the largest over seeds.

    Args:
        bounds: that the largest must keep.
        fails: what the *least* over seeds must exceed, for a method that is meant to fail.
    """
    rows = []
    for key in table[0]:
        values = [float(row[key]) for row in table]
        if fails and key in fails:
            rows.append(Row(f"{what}: {key}, best of {len(values)} seeds", min(values), fails[key], at_least=True))
        else:
            rows.append(Row(f"{what}: {key}, worst of {len(values)} seeds", max(values), (bounds or {}).get(key)))
    return rows
