"""The cost of a training step beside the convolutions and FFTs that it needs at least."""

from collections.abc import Sequence

from gfdt_tutorial.bench.rows import Row, ratio
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import simulate

SYSTEMS = {"data": OrnsteinUhlenbeck, "white": AllenCahn, "intermittent": NavierStokes}  # one system for each kind of budget


def steps(kinds: Sequence[str] = tuple(SYSTEMS), repeats: int = 15, preset: str = "quick") -> list[Row]:
    """A training step over its lower limit, the convolutions and FFTs of its network, for each kind of budget."""
    label, rows = f"training step over its convolutions and FFTs, {preset}, kind ", []
    for kind in kinds:
        data = simulate(SYSTEMS[kind](), members=16, duration=60.0)
        rows.append(Row(label + kind, over_floor(data, kind, repeats, preset), 1.3))
    return rows


def over_floor(data: TimeSeries, kind: str, repeats: int, preset: str = "quick") -> float:
    """Time of a training step over that of its network alone, forward and backward, on the same batch; medians of runs in turn."""
    training = Training(data, budget(preset, kind=kind))
    w, z, angle, _ = training.batch(training.fitted, 2 * training.budget.pairs, 0)

    def floor() -> None:
        training.network.zero_grad(set_to_none=True)
        training.network(w + z, None, angle).square().mean().backward()

    return ratio(lambda: next(iter(training)), floor, repeats)
