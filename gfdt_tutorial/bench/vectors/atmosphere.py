"""The Charney-DeVore model against twins: the matrix of responses, and which entries of the Jacobian are there.

The Jacobian of the drift has 27 entries that are not zero. In continuous time a response at the first lag contains links through third
variables; they are of second order in the sampling interval, and 2.5·10⁵ time units are enough to see them. So the rate of change at lag
zero is what is tested, and the map at the first lag is reported beside it.
"""

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.bench.vectors.worst import SEEDS, relative, relative_error, worst
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.causal_map import causal_map
from gfdt_tutorial.responses.errors import in_common_units
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.observables import products
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.polynomial import PolynomialScore
from gfdt_tutorial.systems.charney_devore import charney_devore
from gfdt_tutorial.systems.simulate import simulate

MEMBERS, DURATION, EVERY, LAG = 500, 500.0, 0.2, 15.0  # 2.5·10⁵ time units
PAIRS, RESTARTS, KICK = 160_000, 10, 0.05  # of the truth
BOUNDS = {"R, t ≤ 15": 0.045, "largest |R(0) − 1| before calibration": 0.05}
RIGHT, RATE = 35, 0.01
DEGREE = 2  # of the dictionary, as the drift is quadratic


def charney_devore_model() -> list[Row]:
    """Three seeds, b = 1.6."""
    system, what = charney_devore(), "Charney-DeVore, b = 1.6, 2.5·10⁵ time units"
    truth = perturb(system, lags=LAG, every=EVERY, pairs=PAIRS, restarts=RESTARTS, amplitude=KICK)
    rows = [Row(f"{what}: relative error of the truth", relative_error(truth))]
    found: dict[str, list[dict[str, float]]] = {}
    right: dict[str, list[int]] = {"rate": [], "first lag": []}
    for seed in SEEDS:
        data = simulate(system, members=MEMBERS, duration=DURATION, every=EVERY, seed=seed)
        network = fit_score(data, seed=seed)
        ways = {"network": network, "Gaussian": GaussianScore.fit(data), "polynomial": PolynomialScore.fit(data)}
        for name, score in ways.items():
            answer = respond(data, score, lags=LAG, form="raw" if name == "Gaussian" else "controlled")
            ours, true = in_common_units(answer, answer, truth)
            errors = {"R, t ≤ 15": relative(ours.values, true.values)}
            errors |= {"largest |R(0) − 1| before calibration": network.metrics["missed"]} if name == "network" else {}
            found.setdefault(name, []).append(errors)
        for over, counts in right.items():
            counts.append(
                36 - _wrong(data, respond(data, network, lags=4 * EVERY, form="combined", dictionary=products(data, DEGREE)), over)
            )
    rows += worst(f"{what}, network", found["network"], BOUNDS)
    rows += worst(f"{what}, polynomial score", found["polynomial"])
    rows += worst(f"{what}, Gaussian", found["Gaussian"], fails={"R, t ≤ 15": 0.045})
    rows.append(Row(f"{what}: entries of the Jacobian rightly called, of 36, worst seed", min(right["rate"]), RIGHT, at_least=True))
    return [*rows, Row("   the same by the map at the first lag, with links through third variables", min(right["first lag"]))]


def _wrong(data: TimeSeries, answer: Response, over: str) -> int:
    system = charney_devore()
    parameters = {name: torch.tensor(value) for name, value in system.parameters.items()}
    some = data.u[::10, ::100].flatten(0, 1)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: system.drift(x, parameters)))(some).abs().mean(0)
    return sum(causal_map(answer, over=over, false_discovery_rate=RATE, own=True).wrong(jacobian > 1e-6))
