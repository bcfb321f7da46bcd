"""True responses of observables: copies of a run that are kicked, or that go on under changed parameters, beside each other."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.random_streams import Stream, derived
from gfdt_tutorial.systems.sde import SDE
from gfdt_tutorial.systems.simulate import Trajectory, member_blocks

PARTS = 16


class Change(NamedTuple):
    """By how much a parameter is raised and lowered, or a component."""

    of: str
    size: float


class Truth(NamedTuple):
    """The response (lag, n) per unit of the change, and its standard error."""

    values: torch.Tensor
    error: torch.Tensor

    @property
    def relative_error(self) -> float:
        """|error| / |values|."""
        return float(self.error.norm() / self.values.norm())


def true_changes(
    system: SDE,
    changes: Mapping[str, Change],
    observable: Callable[[torch.Tensor], torch.Tensor],
    *,
    lags: float,
    every: float,
    members: int,
    seed: int,
) -> dict[str, Truth]:
    """Half the difference of two copies with equal changes up and down, under the same noise.

    Args:
        observable: from states (member, component) to (member, n).
        members: of all blocks together, a multiple of PARTS.
    """
    blocks = member_blocks(system, range(members), torch.device("cpu"))
    count = round(lags / every)

    def of_block(block: range) -> dict[str, torch.Tensor]:
        run = Trajectory(system, block, derived(seed, Stream.CHANGED), every, torch.device("cpu"))
        state, noise = run.start(system.spinup)
        found = {}
        for name, change in changes.items():
            ends = []
            for sign in (1, -1):
                start, changed = state, system
                if change.of in system.parameters:
                    changed = system.changed(**{change.of: system.parameters[change.of] + sign * change.size})
                else:
                    start = state.clone()
                    start[:, system.components.index(change.of)] += sign * change.size
                steps = replace(run, system=changed).steps(start, noise.copy(), count)
                ends.append(torch.stack([observable(changed.field(one)) for one in steps], 1))
            found[name] = (ends[0] - ends[1]).double() / (2 * change.size)
        return found

    with threads.steady():
        each = list(threads.mapped(of_block, blocks, device=torch.device("cpu")))
    return {name: _truth(torch.cat([one[name] for one in each])) for name in changes}


def _truth(numbers: torch.Tensor) -> Truth:
    """From (member, lag, n)."""
    parts = numbers.unflatten(0, (PARTS, -1)).mean(1)
    return Truth(parts.mean(0), parts.std(0) / PARTS**0.5)
