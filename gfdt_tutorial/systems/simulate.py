"""One loop for every system: start, spin up, sample."""

import inspect
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.cluster import workers
from gfdt_tutorial.core.progress import progress
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.systems.base import DivergedError, System
from gfdt_tutorial.systems.white_noise import CHUNK

BLOCK = 32  # members a task of a cluster: fixed, so that the result does not depend on the workers


@dataclass(frozen=True)
class Trajectory:
    """The stationary run of a range of members, as spectra sampled at equal intervals; kicked twins share it."""

    system: System
    members: range
    seed: int
    every: float
    device: torch.device

    def start(self, spinup: float) -> tuple[torch.Tensor, Any]:
        """State after the spin-up, and the noise that goes on from there."""
        return deque(self.spin_up(spinup), maxlen=1)[0]  # as it comes: a list of all states would be as large as the data

    def spin_up(self, spinup: float) -> Iterator[tuple[torch.Tensor, Any]]:
        """The same step by step, for a caller who may want to stop: state and noise at the start and after each sampling step."""
        noise = self.system.make_noise(self.members, self.seed, self.device)
        state = self.system.initial(self.members, self.seed, self.device)
        step, count = self.system.stepper(self.every, self.device), math.ceil(spinup / self.every - 1e-9)
        for number in range(1, count + 1):
            yield state, noise
            state = step(state, noise)
            if number % CHUNK == 0:
                self._check(state, number, "the spin-up's ")
        self.system.settle(noise)
        yield state, noise

    def steps(self, state: torch.Tensor, noise: Any, count: int) -> Iterator[torch.Tensor]:
        """The state now and after each of `count` steps; leading axes of `state` beyond the member's share the noise."""
        step = self.system.stepper(self.every, self.device)
        yield state
        for number in range(1, count + 1):
            state = step(state, noise)
            if number % CHUNK == 0 or number == count:
                self._check(state, number, "")
            yield state

    def _check(self, state: torch.Tensor, number: int, phase: str) -> None:
        if not checks.all_finite(state):
            raise DivergedError(
                f"{self.system.name} diverged between {phase}t = {max(0, number - CHUNK) * self.every:g} and {number * self.every:g} "
                f"(sampling step {number}): try a smaller step or weaker parameters"
            )


def simulate(
    system: System,
    *,
    members: int = 64,
    duration: float = 400.0,
    every: float = 1.0,
    spinup: float | None = None,
    seed: int = 0,
    device: str = "auto",
    context: bool = False,
    cluster: str | None = None,
) -> TimeSeries:
    """An unperturbed, stationary ensemble.

    Args:
        system: one of the systems of this package, or one of your own that keeps the contract in `gfdt_tutorial.systems.base`.
        members: independent runs.
        spinup: time before the first sample, in whole sampling intervals, the last of which may go beyond it; the system's own `spinup`
            by default (0 where the stationary law is sampled exactly).
        duration: time between the first and the last sample, to the nearest multiple of `every`.
        every: sampling interval.
        seed: the same seed gives the same members, however many are run beside them.
        device: "auto", "cpu" or "cuda".
        context: keep the hidden forcing, (member, time, 1, *shape); only for systems that have one.
        cluster: address of a dask.distributed scheduler, such as "tcp://host:8786", whose workers run blocks of BLOCK members; see
            `cluster.workers`. The same members come out, rounded as such blocks round: with chaos, another path from the same law.

    Returns:
        TimeSeries with u of shape (member, duration/every + 1, *shape). Memory: 4 bytes a value.

    Raises:
        ValueError: a size out of range, a device this machine lacks, `context` for a system without hidden forcing, no such cluster.
        DivergedError: the run left the finite numbers; what came before is in its `.partial`, on a cluster for the block concerned.
        ConnectionError: the cluster went away.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck
    >>> simulate(OrnsteinUhlenbeck(), members=2, duration=10.0).u.shape
    torch.Size([2, 11, 32, 32])
    """
    check_system(system)
    where = checks.resolve_device(device)
    every = checks.positive("every", every)
    count = checks.whole("duration / every", round(checks.positive("duration", duration) / every), minimum=1)
    spinup = system.spinup if spinup is None else checks.positive("spinup", spinup, zero=True)
    if context and not system.hidden_forcing:
        raise ValueError(f"{system.name} has no hidden forcing, so there is no context to keep; leave context=False")
    members = checks.whole("members", members, minimum=1)
    size = members if cluster is None else BLOCK
    blocks = [range(first, min(first + size, members)) for first in range(0, members, size)]
    label = f"simulate {system.name}"
    task = partial(_sampled, spinup=spinup, count=count, context=context, label=label if cluster is None else None)
    with workers(cluster) as run:
        found = run(task, [Trajectory(system, block, seed, every, where) for block in blocks])
        return _joined(found if cluster is None else progress(found, total=len(blocks), label=label), members)


def _sampled(run: Trajectory, *, spinup: float, count: int, context: bool, label: str | None) -> TimeSeries:
    """What a run gives, count + 1 samples; with a bar if that has a label."""
    system, members = run.system, len(run.members)
    u = _room((members, count + 1, *system.grid.shape), run.device)
    forcing = _room((members, count + 1, 1, *system.grid.shape), run.device) if context else None
    done = 0
    try:
        state, noise = run.start(spinup)
        steps = run.steps(state, noise, count)
        for done, state in enumerate(progress(steps, total=count + 1, label=label) if label else steps):
            u[:, done] = system.field(state)
            if context:
                forcing[:, done, 0] = system.grid.irfft(noise.spectra)
    except DivergedError as error:
        kept = (done // CHUNK) * CHUNK  # every chunk before was checked
        error.partial = _series(run, spinup, u[:, :kept], forcing if forcing is None else forcing[:, :kept]) if kept >= 2 else None
        raise
    return _series(run, spinup, u, forcing)


def _series(run: Trajectory, spinup: float, u: torch.Tensor, context: torch.Tensor | None) -> TimeSeries:
    system = run.system
    info = {"system": system.name, "parameters": parameters(system), "seed": run.seed, "spinup": spinup, "device": str(run.device)}
    if (place := _own_place(system)) is not None:
        info["class"] = place
    times = run.every * torch.arange(u.shape[1], dtype=torch.float64)
    return TimeSeries(u, times, _axes(system), context, system.grid.lengths, info, copy=False)


def _joined(blocks: Iterator[TimeSeries], members: int) -> TimeSeries:
    """Blocks of members as one series, each copied as it comes, so that never two copies of the whole are there."""
    blocks = iter(blocks)
    first = next(blocks)
    if len(first.u) == members:
        return first
    u, context = (None if x is None else _room((members, *x.shape[1:]), x.device) for x in (first.u, first.context))
    done = 0
    for block in chain([first], blocks):
        there = slice(done, done + len(block.u))
        u[there] = block.u
        if context is not None:
            context[there] = block.context
        done = there.stop
    return replace(first, u=u, context=context)


def _room(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Uninitialised float32. NumPy asks Linux for huge pages, torch does not: first writes into small ones cost as much as the FFT."""
    return torch.from_numpy(np.empty(shape, np.float32)) if device.type == "cpu" else torch.empty(shape, device=device)


def _own_place(system: System) -> str | None:
    """Where the class of a system that is not one of this package stands, so that its parameters can be read back."""
    kind = type(system)
    if kind.__module__.startswith("gfdt_tutorial.systems."):
        return None
    try:
        return f"{inspect.getfile(kind)}:{kind.__qualname__}"
    except (OSError, TypeError):  # typed at a prompt
        return None


def check_system(system: object) -> None:
    """Raises ValueError unless it is a system: with its parameters, and neither its class nor its name."""
    if not isinstance(system, System):
        raise ValueError(
            f"system is {system!r}; expected a system with its parameters, an instance of a class that inherits from gfdt.System, such as "
            "AllenCahn() or AllenCahn(alpha=8.0)"
        )


def parameters(system: System) -> dict:
    """What makes a system what it is, as plain JSON values."""
    return system.settings()


def _axes(system: System) -> str:
    return ("mt", "mtx", "mtyx")[len(system.grid.shape)]
