"""How far the shipped truths depend on the size of their kicks: two sizes on the same initial states and noise."""

from collections.abc import Callable

import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.responses.kick_patterns import kick_pattern
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.navier_stokes import NavierStokes

LAGS = {"allen-cahn": (5.0, 15.0, 30.0), "navier-stokes": (0.25, 0.5, 1.0, 2.0)}
PAIRS = {"allen-cahn": 1536, "navier-stokes": 640}


def kick_size() -> list[Row]:
    """The peak of the Allen-Cahn truth with kicks a quarter as large; answers to a bump with smooth kicks half as large; four minutes."""
    rows = _rows(AllenCahn(), smooth=False, part=4, of=_peak)
    for system in (AllenCahn(), NavierStokes()):
        rows += _rows(system, smooth=True, part=2, of=_along_the_bump)
    return rows


def _rows(system: System, *, smooth: bool, part: int, of: Callable[[Response, torch.Tensor, int], torch.Tensor]) -> list[Row]:
    size = present(system.smooth_reference if smooth else system.reference)
    whole, small = (
        perturb(
            system, lags=LAGS[system.name][-1], every=size.every, pairs=PAIRS[system.name], seed=5, kick=size.kick, amplitude=amplitude,
            restarts=size.restarts, device="cpu",
        )
        for amplitude in (size.amplitude, size.amplitude / part)
    )  # fmt: skip
    rows, kind = [], "bump" if smooth else "peak"
    for lag in LAGS[system.name]:
        at = round(lag / size.every)
        like = whole.values[at]
        gaps = torch.stack(
            [
                of(whole, one[at], at) - of(whole, other[at], at)
                for one, other in zip(present(whole.parts), present(small.parts), strict=True)
            ]
        )
        relative = gaps / of(whole, like, at)
        what = f"{system.name}, {kind}, kicks of {size.amplitude:g} less those 1/{part} as large, relative, lag {lag:g}"
        rows.append(Row(what, float(relative.mean())))
        rows.append(Row("   its standard error", float(relative.std() / len(relative) ** 0.5)))
    return rows


def _peak(whole: Response, values: torch.Tensor, at: int) -> torch.Tensor:
    """The value where the response is largest."""
    return values.flatten()[whole.values[at].abs().argmax()]


def _along_the_bump(whole: Response, values: torch.Tensor, at: int) -> torch.Tensor:
    """The answer to a bump, projected on that of the larger kicks."""
    bump = kick_pattern(present(whole.grid), "bump")
    answer = whole.to(bump)[at]
    moved = Response(whole.times[:1], values[None], whole.method, grid=whole.grid).to(bump)[0]
    return (moved * answer).sum() / answer.norm()
