"""The one loop that runs every system: start, spin up, sample."""

import inspect
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.cluster import workers
from gfdt_tutorial.core.numerics import room
from gfdt_tutorial.core.progress import progress
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.systems.base import DivergedError, System
from gfdt_tutorial.systems.white_noise import CHUNK

VALUES = 2**15  # in a block of members: 32 members on a grid of 32 × 32
ROUND = CHUNK  # sampling intervals that a block advances before the next one of its worker has its turn
ROUNDING = 1e-6  # relative deviation of a duration from a multiple of the sampling interval that passes for round-off


@dataclass(frozen=True)
class Trajectory:
    """The stationary run of a range of members, as states sampled at equal intervals; kicked twins start from it."""

    system: System
    members: range
    seed: int
    every: float
    device: torch.device

    def start(self, spinup: float) -> tuple[torch.Tensor, Any]:
        """The state after the spin-up, and the noise that continues from there."""
        for state, noise in self.spin_up(spinup):  # noqa: B007 a list of all states would be as large as the data
            threads.stop_if_interrupted()
        return state, noise

    def spin_up(self, spinup: float) -> Iterator[tuple[torch.Tensor, Any]]:
        """The spin-up step by step, for a caller that may stop it: state and noise at the start and after each sampling step."""
        noise = self.system.make_noise(self.members, self.seed, self.device)
        state = self.system.initial(self.members, self.seed, self.device)
        step, count = self.system.stepper(self.every, self.device), self.spin_up_steps(spinup)
        for number in range(1, count + 1):
            yield state, noise
            state = step(state, noise)
            if number % CHUNK == 0:
                self._check(state, number, "the spin-up's ")
        self.system.settle(noise)
        yield state, noise

    def spin_up_steps(self, spinup: float) -> int:
        """The number of sampling intervals of a spin-up."""
        return math.ceil(spinup / self.every - 1e-9)

    def steps(self, state: torch.Tensor, noise: Any, count: int) -> Iterator[torch.Tensor]:
        """The state now and after each of `count` steps; axes of `state` before the member axis share the noise."""
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
        system: a system of this package, or one of your own that keeps the contract in `gfdt_tutorial.systems.base`.
        members: number of independent runs.
        spinup: time before the first sample, rounded up to whole sampling intervals; the system's own `spinup` by default (0 where
            `initial` samples the stationary density exactly).
        duration: time between the first and the last sample, rounded to the nearest multiple of `every`.
        every: sampling interval.
        seed: the same seed gives the same members, however many run beside them.
        device: "auto", "cpu" or "cuda".
        context: keep the hidden forcing, (member, time, 1, *shape); only for systems that have one.
        cluster: address of a dask.distributed scheduler, such as "tcp://host:8786", whose workers run blocks of members; see
            `cluster.workers`. The series has the bits that this process gives.

    Returns:
        TimeSeries with u of shape (member, duration/every + 1, *shape). Memory: 4 bytes per value.

    Raises:
        ValueError: a size out of range, a device that this machine lacks, `context` for a system without hidden forcing, no such cluster.
        DivergedError: the run left the finite numbers; `.partial` holds the samples before that, on a cluster those of the block concerned.
        ConnectionError: the connection to the cluster was lost.

    Warns:
        UserWarning: `duration` is no multiple of `every`, and was rounded.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck
    >>> simulate(OrnsteinUhlenbeck(), members=2, duration=10.0).u.shape
    torch.Size([2, 11, 32, 32])
    """
    check_system(system)
    where = checks.resolve_device(device)
    every = checks.positive("every", every)
    count = _sampling_steps(duration, every)
    spinup = system.spinup if spinup is None else checks.positive("spinup", spinup, zero=True)
    if context and not system.hidden_forcing:
        raise ValueError(f"{system.name} has no hidden forcing, so there is no context to keep; leave context=False")
    members = checks.whole("members", members, minimum=1)
    blocks = member_blocks(system, range(members), where)
    runs = [_Sampling(Trajectory(system, block, seed, every, where), spinup, count, context) for block in blocks]
    label = f"simulate {system.name}"
    if cluster is None:
        with threads.steady():
            return _side_by_side(runs, members, label)
    with workers(cluster) as run:
        return _joined(progress(run(_Sampling.series, runs), total=len(runs), label=label), members)


def member_blocks(system: System, members: range, device: torch.device) -> list[range]:
    """Members in blocks of about VALUES values, each of which one worker steps; on a GPU, which wants large tensors, all in one.

    The size of a block depends on the grid alone, so that neither the number of workers nor a cluster changes the rounding. Smaller
    blocks would spend more time in Python than in arithmetic, larger ones would leave the cache.
    """
    size = max(1, VALUES // math.prod(system.shape)) if device.type == "cpu" else len(members)
    return [members[first : first + size] for first in range(0, len(members), size)]


def _sampling_steps(duration: float, every: float) -> int:
    """The number of sampling intervals in a duration, which warns where rounding changes the duration."""
    count = checks.whole("duration / every", round(checks.positive("duration", duration) / every), minimum=1)
    if abs(count * every - duration) > ROUNDING * duration:
        warnings.warn(
            f"duration = {duration:g} is no multiple of every = {every:g}: the run lasts {count * every:g}; give duration = "
            f"{count * every:g}, or every = {duration / count:g}",
            stacklevel=3,
        )
    return count


@dataclass(frozen=True)
class _Sampling:
    """The samples that `simulate` takes of one block of members: `count` + 1 of them after a spin-up."""

    run: Trajectory
    spinup: float
    count: int
    context: bool

    def series(self) -> TimeSeries:
        """The whole series of the block, on its own."""
        u, context = self.room(len(self.run.members))
        done = 0
        try:
            for done in self.fill(u, context):  # noqa: B007 an error asks how far the samples reach
                threads.stop_if_interrupted()
        except DivergedError as error:
            error.partial = self.partial(u, context, done)
            raise
        return self.as_series(u, context)

    def room(self, members: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Uninitialised fields and context of a number of members."""
        system, device = self.run.system, self.run.device
        u = room((members, self.count + 1, *system.shape), device)
        return u, room((members, self.count + 1, 1, *system.grid.shape), device) if self.context else None

    def fill(self, u: torch.Tensor, context: torch.Tensor | None) -> Iterator[int]:
        """Take the samples and write them; yields, every ROUND sampling intervals, how many there are: 0 during the spin-up."""
        system = self.run.system
        for number, (start, noise) in enumerate(self.run.spin_up(self.spinup), 1):  # noqa: B007 the last ones are used below
            if number % ROUND == 0:
                yield 0
        for number, state in enumerate(self.run.steps(start, noise, self.count)):
            u[:, number] = system.field(state)
            if context is not None:
                context[:, number, 0] = system.grid.irfft(noise.spectra)
            if number % ROUND == 0 or number == self.count:
                yield number + 1

    def partial(self, u: torch.Tensor, context: torch.Tensor | None, done: int) -> TimeSeries | None:
        """The first samples, all of which were checked; None if there are fewer than two."""
        return self.as_series(u[:, :done], context if context is None else context[:, :done]) if done >= 2 else None

    @property
    def rounds(self) -> int:
        """How often `fill` yields."""
        return (self.run.spin_up_steps(self.spinup) + 1) // ROUND + 1 + -(-self.count // ROUND)

    def as_series(self, u: torch.Tensor, context: torch.Tensor | None) -> TimeSeries:
        """Fields and context as a TimeSeries that says where it comes from."""
        run, system = self.run, self.run.system
        info = {"system": system.name, "parameters": parameters(system), "seed": run.seed, "spinup": self.spinup, "device": str(run.device)}
        if (place := _own_place(system)) is not None:
            info["class"] = place
        times = run.every * torch.arange(u.shape[1], dtype=torch.float64)
        return TimeSeries(u, times, _axes(system), context, system.grid.lengths, info, copy=False, components=system.variables)


def _side_by_side(runs: Sequence[_Sampling], members: int, label: str) -> TimeSeries:
    """The series of all blocks, which write into one tensor."""
    first, done = runs[0], 0
    u, context = first.room(members)
    places = [slice(block.run.members.start, block.run.members.stop) for block in runs]
    fills = [block.fill(u[there], None if context is None else context[there]) for block, there in zip(runs, places, strict=True)]
    rounds = threads.side_by_side(fills, device=first.run.device)
    try:
        for [done, *_] in progress(rounds, total=first.rounds, label=label):  # noqa: B007 an error asks how far the samples reach
            pass
    except DivergedError as error:
        error.partial = first.partial(u, context, done)
        raise
    return first.as_series(u, context)


def _joined(blocks: Iterable[TimeSeries], members: int) -> TimeSeries:
    """Blocks of members as one series. Each is copied as it arrives, so that memory never holds the whole twice."""
    waiting = iter(blocks)
    first = next(waiting)
    if len(first.u) == members:
        return first
    u = room((members, *first.u.shape[1:]), first.u.device)
    context = None if first.context is None else room((members, *first.context.shape[1:]), first.context.device)
    done = 0
    for block in chain([first], waiting):
        there = slice(done, done + len(block.u))
        u[there] = block.u
        if context is not None and block.context is not None:
            context[there] = block.context
        done = there.stop
    return replace(first, u=u, context=context)


def _own_place(system: System) -> str | None:
    """Where the class of a system from outside this package is defined, by which `system_of` finds it again."""
    kind = type(system)
    if kind.__module__.startswith("gfdt_tutorial.systems."):
        return None
    try:
        return f"{inspect.getfile(kind)}:{kind.__qualname__}"
    except (OSError, TypeError):  # a class defined at a prompt has no file
        return None


def check_system(system: object) -> None:
    """Raises ValueError unless `system` is an instance of `System`; a class or a name is not."""
    if not isinstance(system, System):
        raise ValueError(
            f"system is {system!r}; expected a system with its parameters, an instance of a class that inherits from gfdt.System, such as "
            "AllenCahn() or AllenCahn(alpha=8.0)"
        )


def parameters(system: System) -> dict[str, Any]:
    """Everything that defines a system within its class, as plain JSON values."""

    return system.settings()


def _axes(system: System) -> str:
    return "mt" + ("" if system.variables is None else "c") + ("", "x", "yx")[len(system.grid.shape)]
