"""The true response to a change of parameters: a system and a changed copy of it, run side by side with the same noise."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.random_streams import Stream, derived
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.observable_samples import tail_of_numbers
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import Field, observed
from gfdt_tutorial.systems.base import DivergedError, System
from gfdt_tutorial.systems.simulate import Trajectory, member_blocks


class ChangedEnsemble:
    """Members that run unperturbed up to t = 0 and under changed parameters from there on, beside their twins that stay unperturbed.

    An iterable, one sampling step at a time, the spin-up included; it ends when the last lag is reached. Iterated again it runs further
    members, so that the band narrows round by round, ∝ members^(−½).

    Args:
        system: the unperturbed system, which spins up.
        changed: the changed system, of the same kind and on the same grid; or two, with equal changes up and down. Then half their
            difference is taken, which leaves out everything that is even in the change.
        observable: fields (..., *shape) → (..., n) numbers.
        lags, every: the largest lag and the spacing of the lags; the first a multiple of the second.
        members: of a round, 8 or more; more of them run faster in all, and take more memory.
        seed: of start and noise, which are independent of those of `simulate` with the same seed.
        spinup: the system's own by default.
        device: "auto", "cpu" or "cuda", on which the members run; the results are on the CPU.

    Attributes:
        times: (lag,).
        row: the last lag that was reached in this round; −1 during the spin-up.
        rounds: the number of rounds that were finished.
        fields: (2, *shape), a member unperturbed and changed, as they are now; None until the first spin-up is over.

    Raises:
        ValueError: a size out of range, a changed system that is of another kind, on another grid or stirred by other waves, or an
            observable that does not return finite numbers of one shape.
        DivergedError: a member left the finite numbers.

    >>> from dataclasses import replace
    >>> from gfdt_tutorial import run, OrnsteinUhlenbeck, observables
    >>> system = OrnsteinUhlenbeck()
    >>> changed = ChangedEnsemble(system, replace(system, lam=0.05), observables.moment(system.grid, 2), lags=10.0, members=8)
    >>> bool(run(changed).response().values[-1] < 0)
    True
    """

    def __init__(
        self, system: System, changed: System | Sequence[System], observable: Field, *, lags: float = 90.0, every: float = 1.0,
        members: int = 32, seed: int = 0, spinup: float | None = None, device: str = "auto",
    ) -> None:  # fmt: skip
        self.system = system
        self.changed = tuple(changed) if isinstance(changed, list | tuple) else (changed,)
        if len(self.changed) not in (1, 2):
            raise ValueError(f"give one changed system, or two with equal changes up and down; got {len(self.changed)}")
        for it in self.changed:
            _check_alike(system, it)
        self.observable, self.seed = observable, seed
        self.every = checks.positive("every", every)
        count = checks.whole("lags / every", round(checks.positive("lags", lags) / every), minimum=1)
        if abs(count * every - lags) > 1e-6 * lags:
            raise ValueError(
                f"lags = {lags:g} is not a multiple of every = {every:g}; try lags = {count * every:g}, or every = {lags / count:g}"
            )
        self.times = self.every * torch.arange(count + 1, dtype=torch.float64)
        self.members = checks.whole("members", members, minimum=8)
        self.spinup = system.spinup if spinup is None else checks.positive("spinup", spinup, zero=True)
        self.device = checks.resolve_device(device)
        self.row, self.rounds = -1, 0
        self.fields: torch.Tensor | None = None
        self._count = torch.zeros(count + 1, dtype=torch.float64)
        self._sum, self._squares = (torch.zeros((), dtype=torch.float64) for _ in range(2))  # room for more, once it is known how much

    def __iter__(self) -> Iterator[int]:
        self.row = -1
        first = self.rounds * self.members
        blocks = member_blocks(self.system, range(first, first + self.members), self.device)
        own = derived(self.seed, Stream.CHANGED)
        runs = [Trajectory(self.system, block, own, self.every, self.device) for block in blocks]
        for together in threads.side_by_side(map(self._block, runs), device=self.device):
            found = [change for change in together if change is not None]
            if found:  # the spin-up is over
                with threads.one_thread():
                    self._add(found)
            yield self.row
        self.rounds += 1

    def response(self, confidence: float = 0.90) -> Response:
        """The change of each observable so far, (lag, n), in its own units, with the standard error from the scatter of members.

        At lags that no member has reached yet it is NaN.
        """
        count = self._count[:, None]
        mean = self._sum / count
        variance = (self._squares / count - mean.square()).clamp_min(0) / (count - 1)
        members = int(self._count[0])
        info = {"members": members, "seed": self.seed, "every": self.every, "spinup": self.spinup, "device": str(self.device)}
        return Response(
            self.times, mean.float(), "re-simulated", variance.sqrt().float(), dof=max(members - 1, 0), confidence=confidence, info=info
        )

    def _block(self, run: Trajectory) -> Iterator["_Change | None"]:
        """What changes in a block of members at each lag; None in the spin-up."""
        for state, noise in run.spin_up(self.spinup):  # noqa: B007 the last ones are used below
            yield None
        paths = [self._path(run, system, state, noise) for system in (self.system, *self.changed)]
        for row, states in enumerate(zip(*paths, strict=True)):
            yield self._change([self.system.field(state) for state in states], row)

    def _path(self, run: Trajectory, system: System, state: torch.Tensor, noise: Any) -> Iterator[torch.Tensor]:
        return replace(run, system=system).steps(state, system.continued(noise), len(self.times) - 1)

    def _change(self, fields: list[torch.Tensor], row: int) -> "_Change":
        if not all(checks.all_finite(field) for field in fields):
            raise DivergedError(f"{self.system.name} diverged by t = {row * self.every:g} when changed: try a smaller change")
        if row == 0:
            self._check_observable(fields[0])
        numbers = [observed(self.observable, field[None]).reshape(len(field), -1).double().cpu() for field in fields]
        change = numbers[1] - numbers[0] if len(numbers) == 2 else 0.5 * (numbers[1] - numbers[2])
        return _Change(torch.stack([fields[0][0], fields[1][0]]).cpu(), change)

    def _add(self, blocks: "list[_Change]") -> None:
        """Add the next lag of all blocks to the sums."""
        change = torch.cat([block.numbers for block in blocks])
        if self._sum.ndim == 0:
            self._sum, self._squares = (torch.zeros(len(self.times), change.shape[1], dtype=torch.float64) for _ in range(2))
        row = self.row + 1
        self.fields = blocks[0].fields
        self._count[row] += len(change)
        self._sum[row] += change.sum(0)
        self._squares[row] += change.square().sum(0)
        self.row = row

    def _check_observable(self, field: torch.Tensor) -> None:
        """Raises ValueError unless the observable returns numbers."""
        system, times = self.system, torch.arange(len(field), dtype=torch.float64)
        axes = ("mt" if system.variables is None else "mtc") + "yx"[2 - len(system.grid.shape) :]
        as_series = TimeSeries(field[None], times, axes, None, system.grid.lengths, copy=False, components=system.variables)
        tail_of_numbers(self.observable, as_series)


class _Change(NamedTuple):
    """One lag of a block: a member unperturbed and changed, (2, *shape), and the change of the observables, (member, n) in double."""

    fields: torch.Tensor
    numbers: torch.Tensor


def _check_alike(system: System, changed: System) -> None:
    """Raises ValueError unless both can go on from one state, under one noise."""
    if type(changed) is not type(system):
        raise ValueError(f"the changed system is {type(changed).__name__}, not {type(system).__name__}: change parameters, as by replace")
    if changed.grid != system.grid:
        raise ValueError(f"the changed system is on {changed.grid}, not {system.grid}: it goes on from the same field; keep the grid")
    system.check_change(changed)
