"""The cost of a response: per wavevector against dense matrices between pixels, and its growth with the data."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from statistics import median

import torch

from gfdt_tutorial.bench.rows import Row, elapsed, one_thread, ratio
from gfdt_tutorial.core.correlations import lagged_sum
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import simulate


def dense(side: int = 32, members: int = 16, lags: int = 90, steps: int = 50, repeats: int = 5) -> list[Row]:
    """R(t) R(0)⁻¹ at all lags from lagged moments: per wavevector, and by dense matrices between pixels.

    The moments are averaged over translations for both, so that the matrices are block circulant. The moments of given scores, and the
    evaluation of the scores, are timed separately.

    Args:
        steps: of the training of the score.
    """
    data = simulate(AllenCahn(grid=PeriodicGrid((side, side))), members=members, duration=2.0 * lags + 20)
    score = fit_score(data, budget=replace(budget("quick", kind="white"), steps=steps))
    raw = respond(data, score, lags=float(lags), resamples=2)
    scores = score(data.u)

    def by_wavevectors() -> torch.Tensor:
        return replace(raw).normalise().values  # of a copy, because a response keeps its spectra

    def seconds(work: Callable[[], object]) -> float:
        return one_thread(lambda: median(elapsed(work) for _ in range(repeats)))

    difference = float((normalised_by_matrices(raw.values) - by_wavevectors()).abs().max())
    over = [ratio(partial(by, raw.values), by_wavevectors, repeats) for by in (normalised_by_matrices, column_by_matrices)]
    moments = seconds(lambda: lagged_moments(data, scores, lags))
    label = f"R(t)R(0)⁻¹, {lags + 1} lags, {side} × {side}, one thread: "
    return [
        Row(label + "matrices over wavevectors", over[0], 100, at_least=True),
        Row("   largest difference of the two", difference, 1e-4),
        Row("   one column of the matrices over wavevectors", over[1]),
        Row(f"   the moments of {data.snapshots} fields and scores over wavevectors", moments / seconds(by_wavevectors)),
        Row("   evaluating the score on these over their moments", seconds(lambda: score(data.u)) / moments),
    ]


@lru_cache(maxsize=1)
def displacements(shape: tuple[int, int]) -> torch.Tensor:
    """(N², N²): the flat index of the displacement from the second pixel to the first."""
    places = torch.cartesian_prod(*(torch.arange(n) for n in shape))
    rows, columns = ((places[:, None] - places) % torch.tensor(shape)).unbind(-1)
    return rows * shape[1] + columns


def circulant(values: torch.Tensor) -> torch.Tensor:
    """(y, x) by displacement → (N², N²) between pixels: the response at the first to a kick at the second."""
    return values.flatten()[displacements(tuple(values.shape))]


def normalised_by_matrices(values: torch.Tensor) -> torch.Tensor:
    """R(t) R(0)⁻¹ by displacement, (lag, y, x), with a matrix inverse and one matrix product per lag."""
    inverse = torch.linalg.inv(circulant(values[0]))
    return torch.stack([(circulant(each) @ inverse)[:, 0].reshape(each.shape) for each in values])


def column_by_matrices(values: torch.Tensor) -> torch.Tensor:
    """The same by one column, of which the others are shifts: one system of linear equations, and one product with its solution per lag."""
    kick = torch.zeros(values[0].numel())
    kick[0] = 1
    solution = torch.linalg.solve(circulant(values[0]), kick)
    return torch.stack([(circulant(each) @ solution).reshape(each.shape) for each in values])


def lagged_moments(data: TimeSeries, scores: torch.Tensor, lags: int) -> torch.Tensor:
    """−Σ û_k(τ + t) ŝ_k(τ)*, (lag, mode), a few members at a time."""
    grid = data.grid
    pairs = zip(data.u.split(4), scores.split(4), strict=True)
    products = (lagged_sum(grid.rfft(u).flatten(2), grid.rfft(s).flatten(2), lags) for u, s in pairs)
    return -sum(products, start=torch.zeros(()))


def growth(
    sides: Sequence[int] = (32, 64, 128, 256), members: Sequence[int] = (8, 32, 128), lags: Sequence[int] = (15, 30, 60), repeats: int = 3
) -> list[Row]:
    """Growth of the time of `respond`, bands included, with N² log N, members and lags; the other sizes at their smallest."""
    small = {"side": sides[0], "members": members[0], "lags": lags[0]}
    unit = _responding(**small)

    def rows(what: str, name: str, values: Sequence[int], cost: Callable[[int], float]) -> list[Row]:
        first, *others = values
        return [
            Row(
                f"response, {what} {value} against {first}: time over {name}",
                ratio(_responding(**small | {what: value}), unit, repeats) * cost(first) / cost(value),
            )
            for value in others
        ]

    return [
        *rows("side", "N² log N", sides, lambda n: n**2 * math.log(n)),
        *rows("members", "members", members, float),
        *rows("lags", "lags", lags, float),
    ]


def _responding(side: int, members: int, lags: int) -> Callable[[], Response]:
    data = simulate(OrnsteinUhlenbeck(grid=PeriodicGrid((side, side))), members=members, duration=127.0, device="cpu")
    score = GaussianScore.fit(data)
    return lambda: respond(data, score, lags=float(lags))
