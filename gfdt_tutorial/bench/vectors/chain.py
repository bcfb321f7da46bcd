"""The Markov chain of three against powers of its matrix: the error of its responses, and the coverage of their bands."""

import statistics

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.bench.vectors.worst import relative
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.markov_chain import MarkovChain
from gfdt_tutorial.systems.simulate import simulate

SEEDS, MEMBERS, STEPS, LAGS = range(20), 8, 12_500, 15.0
ERROR, COVERAGE = 0.05, (0.85, 0.94)


def chain() -> list[Row]:
    """Twenty seeds of 10⁵ steps."""
    errors, covered = zip(*(measured(seed) for seed in SEEDS), strict=True)
    what, mean = f"chain, 10⁵ steps, {len(SEEDS)} seeds", statistics.fmean(covered)
    return [
        Row(f"{what}: relative error over lags 1-15, worst", max(errors), ERROR),
        Row("   median", statistics.median(errors)),
        Row(f"{what}: coverage of 90 % bands, mean", mean, COVERAGE[0], at_least=True),
        Row("   the same, from above", mean, COVERAGE[1]),
        Row("   worst seed", min(covered)),
    ]


def measured(seed: int) -> tuple[float, float]:
    """Relative error, and coverage over lags and entries."""
    system = MarkovChain()
    data = simulate(system, members=MEMBERS, duration=STEPS - 1, seed=seed)
    found = respond(data, GaussianScore.fit(data), lags=LAGS, seed=seed)
    truth = system.response(found.times)[1:]
    low, high = present(found.band).double()[:, 1:]
    return relative(found.values[1:], truth), float(((low <= truth) & (truth <= high)).double().mean())
