"""How often the 90 % bands of the combined response contain the truth, at its peak and averaged over bands of wavenumbers.

Each band is widened by the standard error of the truth itself, which is not small against it everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from gfdt_tutorial.bench.combined import EDGES, measured
from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.core.confidence_bands import band_factor
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.experiments.pipeline import shipped_smooth_truth, truth_of
from gfdt_tutorial.experiments.shipped import ship_table
from gfdt_tutorial.responses.errors import lags_in
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.scale_errors import band_name
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.navier_stokes import NavierStokes

SEEDS = tuple(range(20))
LAGS = {"allen-cahn": (5.0, 15.0, 30.0), "navier-stokes": (0.25, 0.5, 1.0, 2.0)}


def coverage() -> list[Row]:
    """Allen-Cahn and the flow given its forcing, with the preset `quick`; three hours. The table is shipped, for the lessons."""
    systems = (AllenCahn(), NavierStokes())
    return report({system: [measured(system, "quick", seed)[1]["combined"] for seed in SEEDS] for system in systems})


def report(found: Mapping[System, Sequence[Response]]) -> list[Row]:
    """Ship the table, and give its rows; the responses of each system are from independent data."""
    table = [line for system, responses in found.items() for line in covered(system, responses)]
    ship_table("combined-coverage", table, command="python -m gfdt_tutorial bench --only combined-coverage")
    rows = []
    for system, responses in found.items():
        mine = [line for line in table if line["system"] == system.name]
        title = f"{system.name}, quick, combined, {len(responses)} seeds, lags {LAGS[system.name]}: truths within 90 % bands"
        rows.append(Row(f"{title}, mean", sum(line["inside"] for line in mine) / len(mine), 0.80, at_least=True))
        for line in mine:
            rows.append(Row(f"   {line['what']}", line["inside"]))
            rows.append(Row(f"   {line['what']}: mean error in standard errors", line["sigmas"]))
            rows.append(Row(f"   {line['what']}: error relative to the largest true value, root mean square", line["relative"]))
            rows.append(Row(f"   {line['what']}: variance of the truth over that of the response, worst lag", line["truth"], 0.1))
    return rows


def covered(system: System, responses: Sequence[Response]) -> list[dict]:
    """For the peak and each band of wavenumbers: the fraction of bands that contain the truth, and how well the truth itself is known."""
    every, longest = float(responses[0].times[1]), float(responses[0].times[-1])
    truth, smooth = present(truth_of(system, longest, every)), present(shipped_smooth_truth(system, longest, every))
    names = ["peak", *(name for name, _ in _band_kicks(truth.grid))]
    each = torch.stack([_judged(system, one, truth, smooth) for one in responses])  # (seed, number, quantity, lag)
    inside = (each[:, 0].abs() <= band_factor(0.90, responses[0].dof)).double().mean((0, 2))
    figures = (inside, each[:, 0].mean((0, 2)), each[:, 1].square().mean((0, 2)).sqrt(), each[:, 2].mean(0).amax(1))
    keys = ("inside", "sigmas", "relative", "truth")
    return [
        {"system": system.name, "seeds": len(responses), "what": name}
        | {key: float(f"{float(values[number]):.3g}") for key, values in zip(keys, figures, strict=True)}
        for number, name in enumerate(names)
    ]


def _judged(system: System, response: Response, truth: Response, smooth: Response) -> torch.Tensor:
    """(3, quantity, lag): errors in standard errors, the truth's included; relative to the largest true value over these lags; and the
    variance of the truth over that of the response."""
    times = torch.tensor(LAGS[system.name], dtype=torch.float64)
    rows = lags_in(response, times)
    found = []
    for value, error, true, true_error in _quantities(response, truth, smooth, times, rows):
        off, both = value - true, (error.square() + true_error.square()).sqrt()
        found.append(torch.stack([off / both, off / true.abs().max(), (true_error / error).square()]))
    return torch.stack(found, 1)


def _quantities(
    response: Response, truth: Response, smooth: Response, times: torch.Tensor, rows: torch.Tensor
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Value, its error, the true value, its error: (lag,) each; at the peak of the true response, then by band of wavenumbers."""
    at = lags_in(truth, times)
    true = truth.values[at].flatten(1)
    peak = true.abs().argmax(1, keepdim=True)
    each = (response.values[rows], present(response.standard_error)[rows], true, present(truth.standard_error)[at])
    yield tuple(one.double().flatten(1).gather(1, peak)[:, 0] for one in each)
    for number, (_, kick) in enumerate(_band_kicks(truth.grid)):
        known = truth if number else smooth  # the longest waves are known from smooth kicks
        parts = torch.stack([_at_origin(known, one, kick)[lags_in(known, times)] for one in present(known.parts).float()])
        error = response.standard_error_to(kick)[rows].flatten(1)[:, 0]
        yield _at_origin(response, response.values, kick)[rows], error, parts.mean(0), parts.std(0) / len(parts) ** 0.5


def _at_origin(like: Response, values: torch.Tensor, kick: torch.Tensor) -> torch.Tensor:
    """(lag,): where the kick is centred, the response to it."""
    return Response(like.times, values, like.method, grid=like.grid).to(kick).double().flatten(1)[:, 0]


def _band_kicks(grid: PeriodicGrid | None) -> list[tuple[str, torch.Tensor]]:
    """For each band of wavenumbers a kick whose answer, at the place of the kick, is the mean of R_k over the band."""
    box = present(grid)
    radius, kicks = box.k_squared.sqrt() / box.fundamental, []
    for low, high in zip((-np.inf, *EDGES), (*EDGES, np.inf), strict=True):
        inside = (radius > low + 1e-9) & (radius <= high + 1e-9)
        count = float((inside * box.multiplicity).sum())
        kicks.append((band_name(low, high), box.irfft(inside * box.size / count + 0j)))
    return kicks
