"""A channel of 32 latitudes against closed form: a wide kick, a kick of one latitude, and both within retained principal components."""

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.bench.vectors.worst import SEEDS, relative, worst
from gfdt_tutorial.data.principal_components import principal_components
from gfdt_tutorial.responses.kick_patterns import localised_kick
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import exact_response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.sheared_channel import ShearedChannel
from gfdt_tutorial.systems.simulate import simulate

MEMBERS, STEPS = 64, 500  # 3.2·10⁴ snapshots
WIDTH = 3.0  # standard deviation of the bump, in points, as that of `kick_pattern`
MIDDLE, RETAINED = 15, 12
BOUNDS = {"bump three points wide, lag 1": 0.015}


def channel() -> list[Row]:
    """Three seeds."""
    system = ShearedChannel()
    exact = exact_response(system, lags=1.0, every=1.0)
    wide = localised_kick(system.latitudes, system.grid, MIDDLE, width=WIDTH)
    point = (wide == 1).float()
    table = []
    for seed in SEEDS:
        data = simulate(system, members=MEMBERS, duration=STEPS - 1, seed=seed)
        score, few = GaussianScore.fit(data), principal_components(data, RETAINED)
        answer = respond(data, score, lags=1.0, resamples=10)
        within = respond(few.series, GaussianScore.fit(few.series), lags=1.0, resamples=10)
        projected = few.maps(within.to(few.amplitudes(wide)))
        table.append({
            "bump three points wide, lag 1": relative(answer.to(wide)[1], exact.to(wide.double())[1]),
            f"the same within {RETAINED} principal components": relative(projected[1], exact.to(wide.double())[1]),
            "one latitude, lag 1": relative(answer.to(point)[1], exact.to(point.double())[1]),
            f"of one latitude, outside {RETAINED} principal components": float(few.outside(point)),
            "condition": float(score.condition.max()),
        })  # fmt: skip
    return worst("channel of 32 latitudes, 3.2·10⁴ snapshots", table, BOUNDS)
