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
from gfdt_tutorial.responses.response import Response, exact_response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.simulate import simulate

METHODS = ("gaussian", "analytic", "generative", "conditioned")
READY = ("nothing", *PATTERNS)
TIME_PROFILES = ("step", "ramp", "periodic", "drawn")
# an undisturbed ensemble that takes a second or three, for the Gaussian response where none is shipped
SAMPLES = {
    "ornstein-uhlenbeck": {"members": 32, "duration": 383.0, "every": 1.0, "spinup": 0.0},
    "allen-cahn": {"members": 16, "duration": 200.0, "every": 1.0, "spinup": 50.0},
    "navier-stokes": {"members": 16, "duration": 16.0, "every": 0.0625, "spinup": 20.0},
}
LAGS = {"ornstein-uhlenbeck": 90.0, "allen-cahn": 90.0, "navier-stokes": 4.0}
MEMBERS = 64  # that are pushed to check a prediction
SPINUP = {"ornstein-uhlenbeck": 0.0, "allen-cahn": 50.0, "navier-stokes": 20.0}
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
        for row, column, value in self.drawing:
            pattern[row % grid.shape[0], column % grid.shape[1]] += self.amplitude * value
        return pattern

    def code(self) -> list[str]:
        """Lines that make the pattern anew."""
        empty = "torch.zeros(system.grid.shape)"
        start = empty if self.ready == "nothing" else f'gfdt.kick_pattern(system.grid, "{self.ready}", {self.amplitude:.6g})'
        runs = [f"kick[{row}, {columns}] += {self.amplitude * value:.6g}" for row, columns, value in _runs(self.drawing)]
        return [f"kick = {start}", *runs]


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

    system: object
    responses: dict[str, Response]
    code: dict[str, str]

    @property
    def truth(self) -> str:
        """The first name: "exact", or "truth" where that comes from kicked twins."""
        return next(iter(self.responses))


@cache
def known(name: str) -> LabSystem:
    """The closed form of a system or its shipped truth, what else is shipped, and if need be a Gaussian response of a short run.

    Raises:
        ValueError: no such system, or a shipped response whose lags are not those of the truth.
    """
    system = SYSTEMS[checks.choice("system", name, SYSTEMS)]()
    lags = LAGS[name]
    if hasattr(system, "response"):
        responses, code = {"exact": exact_response(system, lags=lags)}, {"exact": f"exact = gfdt.exact_response(system, lags={lags:g})"}
    else:
        responses, code = {"truth": load_shipped(f"{name}-truth")}, {"truth": f'truth = gfdt.load_shipped("{name}-truth")'}
    shipped = shipped_names()
    for method in METHODS:
        if f"{name}-{method}" in shipped:
            responses[method] = load_shipped(f"{name}-{method}")
            code[method] = f'{method} = gfdt.load_shipped("{name}-{method}")'
        elif method == "gaussian":
            data = simulate(system, **SAMPLES[name], device="cpu")
            responses[method] = respond(data, GaussianScore.fit(data), lags=lags)
            sizes = ", ".join(f"{key}={value:g}" for key, value in SAMPLES[name].items())
            code[method] = (
                f'data = gfdt.simulate(system, {sizes}, device="cpu")\n'
                f"gaussian = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags={lags:g})"
            )
    times = next(iter(responses.values())).times
    for method, response in responses.items():
        if response.times.shape != times.shape or not torch.allclose(response.times, times):
            raise ValueError(
                f"the lags of {name}'s {method} response are not those of its truth; make it anew with lags up to {times[-1]:g}"
            )
    return LabSystem(system, responses, code)


@dataclass(frozen=True)
class Predictions:
    """The mean answers of a system to a kick, or to a push with a time profile, by all its responses.

    Args:
        name: of the system.
        kick: what it is kicked or pushed with.
        time_profile: f(t); None for a kick.
    """

    name: str
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
        options = {"every": every, "members": MEMBERS, "spinup": SPINUP[self.name]}
        return ForcedEnsemble(self.known.system, self.pattern, self.linear, self.pushes, **options)

    def code(self, time: float, *, measured: bool = False) -> str:
        """The lines of the public API that give `maps`, the answers at a time, and `measured`, the ensemble's at the same."""
        known, row = self.known, self.row(time)
        time_profile = "" if self.time_profile is None else ", time_profile"
        lines = ["import torch", "import gfdt_tutorial as gfdt", "", f"system = gfdt.{type(known.system).__name__}()", *known.code.values()]
        lines += [*self.kick.code(), *([f"times = {known.truth}.times", self.time_profile.code()] if time_profile else [])]
        answers = ", ".join(f'"{name}": {name}.to(kick{time_profile})' for name in known.responses)
        lines += [f"answers = {{{answers}}}", f"maps = {{name: answer[{row}] for name, answer in answers.items()}}  # t = {time:g}"]
        if measured:
            every = "" if self.times[1] == 1 else f", every={float(self.times[1]):g}"
            options = f"{every}, members={MEMBERS}, spinup={SPINUP[self.name]:g}"
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
