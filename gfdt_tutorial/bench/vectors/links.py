"""Who drives whom in Markov chains of three: the chain, a common cause, a go-between; and what correlation says of them."""

import statistics

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.responses.causal_map import causal_map, lagged_correlations
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.markov_chain import MarkovChain
from gfdt_tutorial.systems.simulate import simulate

SEEDS, MEMBERS, STEPS, LAGS, RATE = range(20), 8, 12_500, 5.0, 0.01
SYSTEMS = {
    "chain": MarkovChain(),
    "common cause": MarkovChain(matrix=((0.5, 0.0, 0.4), (0.0, 0.5, 0.4), (0.0, 0.0, 0.5))),
    "go-between": MarkovChain(matrix=((0.5, 0.0, 0.0), (0.4, 0.5, 0.0), (0.0, 0.4, 0.5))),
}
RIGHT, FALSE = 18, 1  # of 20


def links() -> list[Row]:
    """Twenty seeds of 10⁵ steps each, at a false discovery rate of 1 %."""
    rows = []
    for name, system in SYSTEMS.items():
        found = [_wrong(system, seed) for seed in SEEDS]
        what = f"{name}, 10⁵ steps, {len(SEEDS)} seeds, map at lag one"
        right = sum(ours == (0, 0) for ours, _ in found)
        with_false = sum(ours[0] > 0 for ours, _ in found)
        rows.append(Row(f"{what}: maps that are right", right, RIGHT if name == "chain" else None, at_least=True))
        rows.append(Row("   maps with a false link", with_false, None if name == "chain" else FALSE))
        rows.append(Row("   false links by lagged correlation, mean number per map", statistics.fmean(theirs[0] for _, theirs in found)))
    return rows


def _wrong(system: MarkovChain, seed: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(false, missed) links of our map, and of that by correlation."""
    data = simulate(system, members=MEMBERS, duration=STEPS - 1, seed=seed)
    true = torch.tensor(system.matrix)
    answer, correlations = respond(data, GaussianScore.fit(data), lags=LAGS, seed=seed), lagged_correlations(data, lags=LAGS, seed=seed)
    ours, theirs = (causal_map(one, false_discovery_rate=RATE).wrong(true) for one in (answer, correlations))
    return ours, theirs
