"""One variable in a double well: four estimators of the score on the same 100,000 samples, judged by the responses that they give."""

from collections.abc import Sequence

from gfdt_tutorial.bench.ornstein_uhlenbeck import slow_moves
from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.experiments.double_well import ScoreCheck, check_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.one_variable import ESTIMATORS
from gfdt_tutorial.systems.double_well import DoubleWell
from gfdt_tutorial.systems.simulate import simulate

EVERY, TIMES = 0.25, 20  # sampling interval and samples per walker; lags reach to 2
PARTS = {
    "both": "mean and variance as one vector",
    "mean": "mean",
    "variance": "variance",
    "infinite_data": "as one vector, in the infinite-data limit",
    "score": "the score itself",
}


def accuracy(seeds: Sequence[int] = (0, 1, 2), members: int = 5000, **steps: int) -> list[Row]:
    """The double well: relative errors of the impulse response at lags 1/4 to 2 by each score, the worst of the seeds.

    The scores are fitted to the same samples that responses are averaged over, so that their errors partly cancel; the rows "other
    samples" give the errors without this.

    Args:
        members: walkers of TIMES samples each.
        steps: `steps=N`, of the training of the network, if not its default.
    """
    found = [_checks(seed, members, **steps) for seed in seeds]
    worst = {name: {part: max(getattr(one[name], part) for one in found) for part in PARTS} for name in found[0]}
    best: str = min((estimator.method for estimator in ESTIMATORS), key=lambda name: worst[name]["both"])
    rows = [Row(f"best of four, {best}: {PARTS['both']}", worst[best]["both"], 0.02)]
    return rows + [Row(f"{name}: {words}", each[part]) for name, each in worst.items() for part, words in PARTS.items()]


def _checks(seed: int, members: int, **steps: int) -> dict[str, ScoreCheck]:
    system = DoubleWell()
    data, other = (
        simulate(system, members=members, spinup=None, duration=EVERY * (TIMES - 1), every=EVERY, seed=number, device="cpu")
        for number in (seed, 1000 + seed)
    )
    found = {"Gaussian": check_score(system, GaussianScore.fit(data), data), "exact score": check_score(system, system.score, data)}
    for estimator in ESTIMATORS:
        raw = estimator.fit(data, **(steps if estimator.method == "generative" else {}), calibrate=False)
        score, name = raw.calibrated(data), estimator.method
        found[name] = check_score(system, score, data)
        found[f"{name}, not calibrated"] = check_score(system, raw, data)
        found[f"{name}, other samples"] = check_score(system, score, other)
    return found


LATENCY_CODE = """
import json, time, numpy as np
from gfdt_tutorial.course.widgets import DoubleWellExplorer
explorer = DoubleWellExplorer()
display(explorer)
milliseconds = []
for move in range(100):
    name = ["barrier", "tilt", "epsilon", "kick"][move % 4]
    control = explorer.controls[name]
    start = time.perf_counter()
    control.value = np.linspace(control.min, control.max, 25)[move // 4]
    milliseconds.append(1e3 * (time.perf_counter() - start))
print(json.dumps(milliseconds))
"""


def slider_latency() -> list[Row]:
    """The explorer of lesson 01: kernel time per move of a slider, messages to the browser included, in a real Jupyter kernel."""
    return [Row("explorer of lesson 01: kernel time per slider move, p95 of 100", slow_moves(LATENCY_CODE), 50, "ms")]
