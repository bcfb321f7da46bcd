"""What the response lab shows: a kick or a lasting push, the mean answer by every response known of a system, and the code that says so."""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.experiments.shipped import load_shipped, shipped_names
from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble
from gfdt_tutorial.responses.kick_patterns import PATTERNS, kick_pattern
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response, exact_response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import SYSTEMS, find_system
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import LAB, Ensemble

METHODS = ("gaussian", "analytic", "generative", "conditioned")
READY = ("nothing", *PATTERNS)
TIME_PROFILES = ("step", "ramp", "periodic", "drawn")
MEMBERS = 64  # that are pushed to check a prediction
LINEAR = 0.1  # a departure up to here still passes for linear


@dataclass(frozen=True)
class KickDesign:
    """A ready-made kick, a drawing, or both: amplitude × (ready-made of largest value 1 + drawing).

    Args:
        ready: one of `READY`, centred on pixel (0, 0).
        amplitude: in units of the field; per unit time for a push that lasts. Its sign is the kick's.
        drawing: (row, column, value), in units of the amplitude; periodic.
    """

    ready: str = "bump"
    amplitude: float = 1.0
    drawing: tuple[tuple[int, int, float], ...] = ()

    def pattern(self, grid: PeriodicGrid) -> torch.Tensor:
        """(*shape), float32.

        Raises:
            ValueError: an unknown name, or an amplitude that is not finite.
        """
        checks.choice("kick", self.ready, READY)
        pattern = torch.zeros(grid.shape) if self.ready == "nothing" else kick_pattern(grid, self.ready, self.amplitude)
        places = as_map(pattern)
        for row, column, value in self.drawing:
            places[row % len(places), column % places.shape[1]] += self.amplitude * value
        return pattern

    def code(self, axes: int = 2) -> list[str]:
        """Lines that make the pattern anew, on a grid of so many axes."""
        empty = "torch.zeros(system.grid.shape)"
        start = empty if self.ready == "nothing" else f'gfdt.kick_pattern(system.grid, "{self.ready}", {self.amplitude:.6g})'
        runs = [
            f"kick[{f'{row}, ' if axes == 2 else ''}{columns}] += {self.amplitude * value:.6g}"
            for row, columns, value in _runs(self.drawing)
        ]
        return [f"kick = {start}", *runs]


def as_map(field: torch.Tensor) -> torch.Tensor:
    """(rows, columns), a view of a field: one row for a field on one axis, one pixel for a lone number."""
    return field if field.ndim == 2 else field.reshape(1, -1)


def _runs(drawing: tuple[tuple[int, int, float], ...]) -> list[tuple[int, str, float]]:
    """Neighbours of one value in a row as one: (row, columns, value)."""
    found = []
    numbered = enumerate(sorted(drawing))
    for (row, value, _), run in groupby(numbered, key=lambda item: (item[1][0], item[1][2], item[1][1] - item[0])):
        columns = [column for _, (_, column, _) in run]
        found.append((row, f"{columns[0]}:{columns[-1] + 1}" if len(columns) > 1 else f"{columns[0]}", value))
    return found


@dataclass(frozen=True)
class TimeProfile:
    """How a push changes with time: f(t), of size 1 at most.

    Args:
        shape: "step", 1 from the start; "ramp", t/scale up to 1; "periodic", sin(2πt/scale); "drawn".
        scale: in time units.
        drawing: f at each lag, if drawn.
    """

    shape: str = "step"
    scale: float = 20.0
    drawing: tuple[float, ...] = ()

    def values(self, times: torch.Tensor) -> torch.Tensor:
        """(lag,), f(t).

        Raises:
            ValueError: an unknown shape, a scale that is not positive, or a drawing with another number of values.
        """
        checks.choice("time profile", self.shape, TIME_PROFILES)
        checks.positive("scale", self.scale)
        if self.shape == "drawn":
            if len(self.drawing) != len(times):
                raise ValueError(f"the drawn time profile has {len(self.drawing)} values for {len(times)} lags; draw one, or reset")
            return torch.tensor(self.drawing, dtype=torch.float64)
        if self.shape == "step":
            return torch.ones_like(times)
        return (times / self.scale).clamp(max=1) if self.shape == "ramp" else torch.sin(2 * torch.pi * times / self.scale)

    def code(self) -> str:
        """The line that makes f anew."""
        drawn = ", ".join(f"{value:g}" for value in self.drawing)
        right = {
            "step": "torch.ones_like(times)",
            "ramp": f"(times / {self.scale:.6g}).clamp(max=1)",
            "periodic": f"torch.sin(2 * torch.pi * times / {self.scale:.6g})",
            "drawn": f"torch.tensor([{drawn}])",
        }
        return f"time_profile = {right[self.shape]}"


@dataclass(frozen=True)
class LabSystem:
    """A system at the letter's parameters, its responses by name, the truth first, and the line of code that gives each."""

    system: System
    responses: dict[str, Response]
    code: dict[str, str]

    @property
    def truth(self) -> str:
        """The first name: "exact", or "truth" where that comes from kicked twins."""
        return next(iter(self.responses))


def known(system: str | System) -> LabSystem:
    """The responses of a system: its closed form, else its shipped truth, else kicked twins; what is shipped; the rest by a short run.

    Args:
        system: a System, or what `find_system` finds.

    Raises:
        ValueError: no such system, or a shipped response whose lags are not those of the truth.
    """
    return _known(find_system(system))


@cache
def _known(system: System) -> LabSystem:
    size, shipped, free = system.ensemble(LAB), shipped_names(), system == type(system)()
    responses, code = _truth(system, size, shipped if free else [])
    for method in METHODS:
        name = f"{system.name}-{method}"
        if free and name in shipped:
            responses[method], code[method] = load_shipped(name), f'{method} = gfdt.load_shipped("{name}")'
    missing = [m for m in ("gaussian", "analytic") if m not in responses and (m == "gaussian" or (system.has("score") and not free))]
    if missing:
        spinup = system.spinup if size.spinup is None else size.spinup
        sizes = {"members": size.members, "duration": size.duration, "every": size.every, "spinup": spinup}
        data = simulate(system, members=size.members, duration=size.duration, every=size.every, spinup=spinup, device="cpu")
        words = ", ".join(f"{key}={value:g}" for key, value in sizes.items())
        line = f'data = gfdt.simulate(system, {words}, device="cpu")\n'
        for method in missing:
            score = GaussianScore.fit(data) if method == "gaussian" else system.score
            responses[method] = respond(data, score, lags=size.lags)
            made = "gfdt.GaussianScore.fit(data)" if method == "gaussian" else "system.score"
            code[method] = f"{line}{method} = gfdt.respond(data, {made}, lags={size.lags:g})"
            line = ""
    times = next(iter(responses.values())).times
    for method, response in responses.items():
        if response.times.shape != times.shape or not torch.allclose(response.times, times):
            raise ValueError(
                f"the lags of {system.name}'s {method} response are not those of its truth; make it anew with lags up to {times[-1]:g}"
            )
    return LabSystem(system, responses, code)


def _truth(system: System, size: Ensemble, shipped: list[str]) -> tuple[dict[str, Response], dict[str, str]]:
    """The response that judges the others, and the line of code that gives it."""
    name = f"{system.name}-truth"
    if system.has("response"):
        line = f"exact = gfdt.exact_response(system, lags={size.lags:g}{_every(size)})"
        return {"exact": exact_response(system, lags=size.lags, every=size.every)}, {"exact": line}
    if name in shipped:
        return {"truth": load_shipped(name)}, {"truth": f'truth = gfdt.load_shipped("{name}")'}
    truth = perturb(system, lags=size.lags, pairs=size.pairs, every=size.every, kick=system.kick, amplitude=size.amplitude, device="cpu")
    options = f'lags={size.lags:g}, pairs={size.pairs}{_every(size)}, kick="{system.kick}", amplitude={size.amplitude:g}'
    return {"truth": truth}, {"truth": f'truth = gfdt.perturb(system, {options}, device="cpu")'}


def _every(size: Ensemble) -> str:
    return "" if size.every == 1 else f", every={size.every:g}"


@dataclass(frozen=True)
class Predictions:
    """The mean answers of a system to a kick, or to a push with a time profile, by all its responses.

    Args:
        name: the system, or what `find_system` finds.
        kick: what it is kicked or pushed with.
        time_profile: f(t); None for a kick.
    """

    name: str | System
    kick: KickDesign
    time_profile: TimeProfile | None = None

    @property
    def known(self) -> LabSystem:
        """The system and its responses."""
        return known(self.name)

    @property
    def grid(self) -> PeriodicGrid:
        """Of the system."""
        return self.known.system.grid

    @property
    def times(self) -> torch.Tensor:
        """(lag,)."""
        return self.known.responses[self.known.truth].times

    @cached_property
    def pattern(self) -> torch.Tensor:
        """(*shape): what is kicked or pushed with."""
        return self.kick.pattern(self.grid)

    @cached_property
    def pushes(self) -> torch.Tensor | None:
        """(lag,): f(t), or None for a kick."""
        return None if self.time_profile is None else self.time_profile.values(self.times)

    @cached_property
    def fields(self) -> dict[str, torch.Tensor]:
        """The answer by each response, the truth first, (lag, *shape)."""
        return {name: response.to(self.pattern, self.pushes) for name, response in self.known.responses.items()}

    @property
    def linear(self) -> torch.Tensor:
        """(lag, *shape): the answer of the truth."""
        return self.fields[self.known.truth]

    @cached_property
    def size(self) -> torch.Tensor:
        """(lag,): L2 norm of the true answer over pixels."""
        return self.linear.flatten(1).norm(dim=1)

    @cached_property
    def errors(self) -> dict[str, torch.Tensor]:
        """(lag,): L2 distance of each other answer from the true one, whose own noise it counts."""
        return {name: (field - self.linear).flatten(1).norm(dim=1) for name, field in self.fields.items() if name != self.known.truth}

    @cached_property
    def along(self) -> dict[str, torch.Tensor]:
        """(lag,): the part of each answer that has the shape of the kick, ⟨u, p⟩/|p|, in units of the field."""
        return {name: self.project(field) for name, field in self.fields.items()}

    def project(self, fields: torch.Tensor) -> torch.Tensor:
        """⟨u, p⟩/|p|: (..., *shape) → (...)."""
        return (fields * self.pattern).sum(self.grid.axes) / self.pattern.norm().clamp_min(1e-30)

    def row(self, time: float) -> int:
        """The lag nearest to a time."""
        return int((self.times - time).abs().argmin())

    def ensemble(self) -> ForcedEnsemble:
        """Members to check the prediction on: pushed just so, and free."""
        every = float(self.times[1])
        system, pattern = self.known.system, self.pattern
        return ForcedEnsemble(system, pattern, self.linear, self.pushes, every=every, members=MEMBERS, spinup=self._spinup)

    @property
    def _spinup(self) -> float:
        system = self.known.system
        size = system.ensemble(LAB)
        return system.spinup if size.spinup is None else size.spinup

    def code(self, time: float, *, measured: bool = False) -> str:
        """The lines of the public API that give `maps`, the answers at a time, and `measured`, the ensemble's at the same."""
        known, row = self.known, self.row(time)
        time_profile = "" if self.time_profile is None else ", time_profile"
        lines = ["import torch", "import gfdt_tutorial as gfdt", "", *_constructor(known.system), *known.code.values()]
        lines += [
            *self.kick.code(len(self.grid.shape)),
            *([f"times = {known.truth}.times", self.time_profile.code()] if time_profile else []),
        ]
        answers = ", ".join(f'"{name}": {name}.to(kick{time_profile})' for name in known.responses)
        lines += [f"answers = {{{answers}}}", f"maps = {{name: answer[{row}] for name, answer in answers.items()}}  # t = {time:g}"]
        if measured:
            every = "" if self.times[1] == 1 else f", every={float(self.times[1]):g}"
            options = f"{every}, members={MEMBERS}, spinup={self._spinup:g}"
            lines += ["from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble", ""]
            lines += [f'forced = gfdt.run(ForcedEnsemble(system, kick, answers["{known.truth}"]{time_profile}{options}))']
            lines += [f"measured = forced.responses[{row}]"]
        return "\n".join(lines)

    def doubts(self, measured: ForcedEnsemble | None = None) -> list[str]:
        """What should make one careful: nothing is kicked, or the answer was measured to depart from linear."""
        if not bool(self.pattern.any()):
            return ["nothing is kicked yet: draw, add a pixel, or choose a ready-made kick"]
        if self.pushes is not None and not bool(self.pushes.any()):
            return ["the time profile is zero throughout: draw one, or choose another"]
        if measured is None or measured.row < 1:
            return []
        found = measured.departure
        beyond = max(found.value - 2 * found.error, abs(measured.gain.value - 1) - 2 * measured.gain.error) > LINEAR
        return ["outside the linear regime: the predictions are linear, this answer was measured not to be"] if beyond else []


def _constructor(system: System) -> list[str]:
    """Lines that make a system anew."""
    kind = type(system)
    if SYSTEMS.get(system.name) is kind:
        return [f"system = gfdt.{kind.__name__}()"] if system == kind() else [f"system = gfdt.{system!r}"]
    return [f"from {kind.__module__} import {kind.__name__}", f"system = {kind.__name__}()"]
