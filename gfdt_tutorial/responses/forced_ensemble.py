"""The true response to a kick or a forcing of finite size: the mean over many members, and how far it departs from linear."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.core.random_streams import Stream, derived
from gfdt_tutorial.systems.base import DivergedError, System
from gfdt_tutorial.systems.simulate import Trajectory, member_blocks


@dataclass(frozen=True)
class Departure:
    """A number relative to the linear response, and its standard error (`error`) from the scatter of members."""

    value: float
    error: float


class ForcedEnsemble:
    """Members forced up, forced down and left unperturbed, with the same noise: an iterable, one sampling step at a time, spin-up included.

    A kick raises the field by ±p at t = 0. A forcing with time profile f adds ±f(t_n) p h to it every h: half before the sample at
    t_n is taken and half after, which is Strang's splitting of forcing and free motion. So the first and the last step count by half, as
    in the trapezoid rule of `Response.to(pattern, time_profile)`: in a linear system both agree to rounding, and differ from a
    continuous forcing by O(h²).

    Args:
        system: to be kicked or forced.
        pattern: (*shape), p in units of the field; per unit time with a time profile.
        linear: (lag, *shape), the linear response: `truth.to(pattern, time_profile)`.
        time_profile: (lag,), f; None for a kick.
        every: h, spacing of the lags.
        members: how many of each; 8 or more.
        seed: of start and noise, which are independent of those of `simulate` and `perturb` with the same seed.
        spinup: time before the kick or the forcing; the system's own by default.
        device: "auto", "cpu" or "cuda", on which the members run; the results are on the CPU.

    Attributes:
        row: the last lag that was reached; −1 during the spin-up.
        responses: (lag, *shape), mean of (u₊ − u₋)/2; zero where not yet reached.

    Raises:
        ValueError: shapes do not fit, or hold NaN.
        DivergedError: a member left the finite numbers.

    >>> from gfdt_tutorial import run, OrnsteinUhlenbeck, exact_response, kick_pattern
    >>> system = OrnsteinUhlenbeck()
    >>> bump, time_profile = kick_pattern(system.grid, "bump"), torch.ones(11)
    >>> linear = exact_response(system, lags=10.0).to(bump, time_profile)
    >>> forced = run(ForcedEnsemble(system, bump, linear, time_profile, members=8))
    >>> bool((forced.responses - linear).abs().max() < 1e-4)
    True
    """

    def __init__(
        self, system: System, pattern: torch.Tensor, linear: torch.Tensor, time_profile: torch.Tensor | None = None, *, every: float = 1.0,
        members: int = 64, seed: int = 0, spinup: float | None = None, device: str = "auto",
    ) -> None:  # fmt: skip
        if tuple(pattern.shape) != system.grid.shape or tuple(linear.shape[1:]) != system.grid.shape:
            raise ValueError(
                f"pattern and linear response have shapes {tuple(pattern.shape)} and {tuple(linear.shape)}; "
                f"expected those of the grid, {system.grid.shape}, the second with lags in front"
            )
        if time_profile is not None and len(time_profile) != len(linear):
            raise ValueError(
                f"the time profile has {len(time_profile)} values, the linear response {len(linear)} lags: give one value per lag"
            )
        where = checks.resolve_device(device)
        self.system, self.linear, self.every = system, checks.finite("linear", linear).cpu(), checks.positive("every", every)
        self.members = checks.whole("members", members, minimum=8)
        self.spinup = system.spinup if spinup is None else checks.positive("spinup", spinup, zero=True)
        blocks, own = member_blocks(system, range(self.members), where), derived(seed, Stream.FORCED)
        self._runs = [Trajectory(system, block, own, self.every, where) for block in blocks]
        self._pattern = system.state(checks.finite("pattern", pattern).to(where))
        self._impulses = None if time_profile is None else self.every * _finite_profile(time_profile)
        self.row = -1
        self.responses = torch.zeros_like(self.linear)
        self._even, self._excess = _Squares(self.members), _Squares(self.members)
        self._steps = self._forced_run()

    def __iter__(self) -> Iterator[int]:
        return self._steps  # the same for every caller, so that a loop that was left goes on where it stopped

    def _forced_run(self) -> Iterator[int]:
        for blocks in threads.side_by_side(map(self._forced_block, self._runs), device=self._runs[0].device):
            found = [fields for fields in blocks if fields is not None]
            if found:  # the spin-up is over
                with threads.one_thread():
                    self._measure(torch.cat(found, 1))
            yield self.row

    def _forced_block(self, run: Trajectory) -> Iterator[torch.Tensor | None]:
        """The fields of a block of members at each lag, (3, member, *shape): forced up, forced down, free; None in the spin-up."""
        for state, noise in run.spin_up(self.spinup):  # noqa: B007 the last ones are used below
            yield None
        signs = torch.tensor([1.0, -1.0, 0.0], device=run.device).reshape(3, 1, *[1] * self._pattern.ndim)
        forcing, step = signs * self._pattern, self.system.stepper(self.every, run.device)
        states = state.expand(3, *state.shape).clone()
        if self._impulses is None:
            states = states + forcing
        yield self._fields(states, 0)
        for row in range(1, len(self.linear)):
            if self._impulses is not None:
                states = states + 0.5 * float(self._impulses[row - 1]) * forcing
            states = step(states, noise)
            if self._impulses is not None:
                states = states + 0.5 * float(self._impulses[row]) * forcing
            yield self._fields(states, row)

    def _fields(self, states: torch.Tensor, row: int) -> torch.Tensor:
        if not checks.all_finite(states):
            raise DivergedError(f"{self.system.name} diverged by t = {row * self.every:g} when kicked or forced: try a smaller amplitude")
        return self.system.field(states).cpu()

    @property
    def gain(self) -> Departure:
        """⟨u₊ − u₀⟩·linear over |linear|², over pixels and lags > 0 so far: 1 if linear, less where the response saturates."""
        size = self._size
        if not size:
            return Departure(math.nan, math.nan)
        each = 1 + self._excess.projected / size
        return Departure(float(each.mean()), float(each.std() / len(each) ** 0.5))

    @property
    def departure(self) -> Departure:
        """‖⟨u₊ − u₀⟩ − linear‖ over ‖linear‖, over pixels and lags > 0 so far: all that is not linear in the forcing, even and odd.

        Corrected for the scatter of members: negative where it is smaller than that.
        """
        return self._relative(self._excess)

    @property
    def even_part(self) -> Departure:
        """‖⟨u₊ + u₋ − 2u₀⟩/2‖ over ‖linear‖, likewise: the part that keeps its sign when the forcing changes sign.

        0 where u and −u are equally likely.
        """
        return self._relative(self._even)

    @property
    def _size(self) -> float:
        return float(self.linear[1 : self.row + 1].double().square().sum())

    def _relative(self, squares: "_Squares") -> Departure:
        size = self._size
        if not size:
            return Departure(math.nan, math.nan)
        value, error = (number / size for number in squares.free_of_scatter())
        # d√v = dv / 2√v, but no more than √dv where v itself is within its scatter
        return Departure(signed_root(value), min(error / (2 * abs(value) ** 0.5) if value else math.inf, error**0.5))

    def _measure(self, fields: torch.Tensor) -> None:
        row, (up, down, free) = self.row + 1, fields
        self.responses[row] = (0.5 * (up - down)).mean(0)
        if row > 0:  # at 0 the kick itself, or nothing yet
            self._even.add(0.5 * (up + down) - free, self.linear[row])
            self._excess.add(up - free - self.linear[row], self.linear[row])
        self.row = row  # last, so that an observer in another thread finds the whole row


def _finite_profile(time_profile: torch.Tensor) -> torch.Tensor:
    return checks.finite("time_profile", torch.as_tensor(time_profile, dtype=torch.float64))


class _Squares:
    """|⟨e⟩|² summed over lags, without what the scatter of members adds to it: (|Σe|² − Σ|e|²)/(M(M − 1)), and its jackknife."""

    def __init__(self, members: int) -> None:
        # Σ_t of |S|², S·e_m, |e_m|² and e_m·linear, with S = Σ_m e_m
        self.total = torch.zeros((), dtype=torch.float64)
        self.along, self.each, self.projected = (torch.zeros(members, dtype=torch.float64) for _ in range(3))

    def add(self, fields: torch.Tensor, linear: torch.Tensor) -> None:
        """One lag of e, (member, *shape)."""
        e = fields.reshape(len(fields), -1).double()
        whole = e.sum(0)
        self.total = self.total + whole.square().sum()
        self.along = self.along + e @ whole
        self.each = self.each + e.square().sum(1)
        self.projected = self.projected + e @ linear.flatten().double()

    def free_of_scatter(self) -> tuple[float, float]:
        """Value and standard error."""
        count = len(self.each)
        value = (self.total - self.each.sum()) / (count * (count - 1))
        without = (self.total - 2 * self.along + 2 * self.each - self.each.sum()) / ((count - 1) * (count - 2))
        error = ((count - 1) / count * (without - without.mean()).square().sum()).sqrt()
        return float(value), float(error)
