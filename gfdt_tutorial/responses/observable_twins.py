"""True responses of observables: copies of a run that are kicked, or that go on under changed parameters, all under the same noise.

`kicked_twins` gives the response of the state itself, and `changed_ensemble` that to parameters, round by round. Here many changes share
one spin-up, which suits systems of few variables.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.random_streams import Stream, derived
from gfdt_tutorial.responses.response import Response, lag_times
from gfdt_tutorial.systems.sde import SDE
from gfdt_tutorial.systems.simulate import Trajectory, member_blocks

PARTS = 16  # of the members, whose scatter gives the standard error


class Change(NamedTuple):
    """By how much a parameter is raised and lowered from t = 0 on, or a component at t = 0."""

    of: str
    size: float


def observable_twins(
    system: SDE,
    changes: Mapping[str, Change],
    observable: Callable[[torch.Tensor], torch.Tensor],
    *,
    lags: float,
    every: float,
    members: int = 1024,
    seed: int = 0,
    confidence: float = 0.90,
) -> dict[str, Response]:
    """[A(t; up) − A(t; down)]/2δ averaged over members, for each of several changes.

    Args:
        changes: name → Change of a parameter or of a component of the system.
        observable: A, from what the series of the system contains, (member, component) or (member,), to (member,) or (member, n).
        lags, every: the largest lag, and the spacing of the lags.
        members: a multiple of PARTS.
        seed: of start and noise, which are independent of those of `simulate` with the same seed.
        confidence: of the band.

    Returns:
        name → Response with values (lag,) or (lag, n), per unit of the change, and `parts`.

    Raises:
        ValueError: a change of something else, of size 0, or members that are no multiple of PARTS.

    >>> import gfdt_tutorial as gfdt
    >>> kick = {"kick of x": Change("x", 0.1)}
    >>> found = observable_twins(gfdt.lorenz_63(), kick, lambda u: u, lags=0.1, every=0.05, members=32)
    >>> found["kick of x"].values[0].round(decimals=3).tolist()
    [1.0, 0.0, 0.0]
    """
    times = lag_times(lags, every)
    for change in changes.values():
        checks.choice("what changes", change.of, (*system.parameters, *system.components))
        if change.size == 0:
            raise ValueError(f"the change of {change.of} has size 0; give one that is small and not zero")
    if checks.whole("members", members, minimum=2 * PARTS) % PARTS:
        raise ValueError(f"members is {members}; expected a multiple of {PARTS}")
    device = torch.device("cpu")

    def of_block(block: range) -> list[torch.Tensor]:
        run = Trajectory(system, block, derived(seed, Stream.CHANGED), every, device)
        state, noise = run.start(system.spinup)
        found = []
        for change in changes.values():
            ends = []
            for size in (change.size, -change.size):
                changed, start = _changed(system, state, change.of, size)
                steps = replace(run, system=changed).steps(start, noise.copy(), len(times) - 1)
                ends.append(torch.stack([observable(system.field(one)) for one in steps], 1))
                threads.stop_if_interrupted()
            found.append((ends[0] - ends[1]).double() / (2 * change.size))
        return found

    with threads.steady():
        each = list(threads.mapped(of_block, member_blocks(system, range(members), device), device=device))
    info = {"members": members, "seed": seed, "every": every, "system": system.name}
    found = {}
    for name, numbers in zip(changes, map(torch.cat, zip(*each, strict=True)), strict=True):
        parts = numbers.unflatten(0, (PARTS, -1)).mean(1).float()
        error = parts.std(0) / PARTS**0.5
        found[name] = Response(times, parts.mean(0), "dynamical", error, dof=PARTS - 1.0, confidence=confidence, parts=parts, info=info)
    return found


def _changed(system: SDE, state: torch.Tensor, of: str, size: float) -> tuple[SDE, torch.Tensor]:
    """The system and the state from which it goes on."""
    if of in system.parameters:
        return system.changed(**{of: system.parameters[of] + size}), state
    state = state.clone()
    state[:, system.components.index(of)] += size
    return system, state
