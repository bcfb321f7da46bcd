"""What a training step costs beside the convolutions and FFTs that it cannot do without."""

from gfdt_tutorial.bench.rows import Row, ratio
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import simulate

SYSTEMS = {"data": OrnsteinUhlenbeck, "white": AllenCahn, "intermittent": NavierStokes}  # a system each kind of budget is for


def steps(kinds=tuple(SYSTEMS), repeats: int = 15, preset: str = "quick") -> list[Row]:
    """A step of each kind of budget."""
    rows = []
    for kind in kinds:
        found = over_floor(simulate(SYSTEMS[kind](), members=16, duration=60.0), kind, repeats, preset)
        rows.append(Row(f"training step over its convolutions and FFTs, {preset}, kind {kind}", found, 1.3))
    return rows


def over_floor(data: TimeSeries, kind: str, repeats: int, preset: str = "quick") -> float:
    """Time of a training step over that of its network alone, forward and backward, on the same batch: medians in turn."""
    training = Training(data, budget(preset, kind=kind))
    w, z, angle, _ = training.batch(training.fitted, 2 * training.budget.pairs, 0)

    def floor():
        training.network.zero_grad(set_to_none=True)
        training.network(w + z, None, angle).square().mean().backward()

    return ratio(lambda: next(iter(training)), floor, repeats)
