"""The response lab: a kick or a lasting forcing, the mean responses of a system by all methods, and the code that computes them."""

from dataclasses import dataclass
from functools import cache, cached_property

import torch

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.course.views.kick_design import KickDesign, TimeProfile
from gfdt_tutorial.experiments.shipped import load_shipped, shipped_names
from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response, exact_response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import SYSTEMS, find_system
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import LAB, Ensemble

METHODS = ("gaussian", "analytic", "generative", "conditioned", "combined")
MEMBERS = 64  # of the forced ensemble that checks a prediction
DOUBT = 0.25  # relative error of an answer to a kick, or disagreement of two, from which on the lab says so
LINEAR = 0.1  # relative departure up to which a response counts as linear


@dataclass(frozen=True)
class LabSystem:
    """A system, its responses by name (the truth first), and the code that gives each of them."""

    system: System
    responses: dict[str, Response]
    code: dict[str, str]

    @property
    def truth(self) -> str:
        """The first name: "exact", or "truth" if it comes from kicked twins."""
        return next(iter(self.responses))


def lab_system(system: str | System) -> LabSystem:
    """A system with its truth (closed form, otherwise shipped, otherwise kicked twins), its shipped responses, and others from a short run.

    Args:
        system: a System, or an argument of `find_system`.

    Raises:
        ValueError: no such system, or a shipped response whose lags differ from those of the truth.
    """
    return _lab_system(find_system(system))


@cache
def _lab_system(system: System) -> LabSystem:
    size, default = system.ensemble(LAB), system.is_default()
    shipped = shipped_names() if default else []
    responses, code = _truth(system, size, shipped)
    # where score and forecast together are given the forcing, the score alone that is given it says nothing new
    left_out = "conditioned" if f"{system.name}-combined" in shipped else ""
    for method in (one for one in METHODS if one != left_out):
        name = f"{system.name}-{method}"
        if name in shipped:
            responses[method], code[method] = load_shipped(name), f'{method} = gfdt.load_shipped("{name}")'
    missing = [m for m in ("gaussian", "analytic") if m not in responses and (m == "gaussian" or (system.has("score") and not default))]
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
                f"the lags of {system.name}'s {method} response are not those of its truth; recompute it with lags up to {times[-1]:g}"
            )
    return LabSystem(system, responses, code)


def _truth(system: System, size: Ensemble, shipped: list[str]) -> tuple[dict[str, Response], dict[str, str]]:
    """The true response, and the line of code that gives it."""
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
    """The mean responses of a system to a kick, or to a forcing with a time profile, by all methods.

    Args:
        name: a System, or an argument of `find_system`.
        kick: the pattern of the kick or of the forcing.
        time_profile: f(t) of a forcing; None for a kick.
    """

    name: str | System
    kick: KickDesign
    time_profile: TimeProfile | None = None

    @property
    def lab_system(self) -> LabSystem:
        """The system and its responses."""
        return lab_system(self.name)

    @property
    def grid(self) -> PeriodicGrid:
        """Of the system."""
        return self.lab_system.system.grid

    @property
    def times(self) -> torch.Tensor:
        """(lag,)."""
        return self.lab_system.responses[self.lab_system.truth].times

    @cached_property
    def pattern(self) -> torch.Tensor:
        """(*shape): the pattern of the kick or of the forcing."""
        return self.kick.pattern(self.grid)

    @cached_property
    def forcing(self) -> torch.Tensor | None:
        """(lag,): f(t) of a forcing, or None for a kick."""
        return None if self.time_profile is None else self.time_profile.values(self.times)

    @cached_property
    def fields(self) -> dict[str, torch.Tensor]:
        """The mean response by each method, the truth first, (lag, *shape)."""
        return {name: response.to(self.pattern, self.forcing) for name, response in self.lab_system.responses.items()}

    @property
    def linear(self) -> torch.Tensor:
        """(lag, *shape): the mean response by the truth."""
        return self.fields[self.lab_system.truth]

    @cached_property
    def size(self) -> torch.Tensor:
        """(lag,): L2 norm of the true response over pixels."""
        return self.linear.reshape(len(self.linear), -1).norm(dim=1)

    @cached_property
    def errors(self) -> dict[str, torch.Tensor]:
        """(lag,): L2 distance of each other response from the true one; it includes the sampling noise of the latter."""
        return {
            name: (field - self.linear).reshape(len(field), -1).norm(dim=1)
            for name, field in self.fields.items()
            if name != self.lab_system.truth
        }

    @cached_property
    def along(self) -> dict[str, torch.Tensor]:
        """(lag,): the projection of each response on the pattern, ⟨u, p⟩/|p|, in units of the field."""
        return {name: self.project(field) for name, field in self.fields.items()}

    def project(self, fields: torch.Tensor) -> torch.Tensor:
        """⟨u, p⟩/|p|: (..., *shape) → (...)."""
        return _over_pixels(fields * self.pattern, self.grid) / self.pattern.norm().clamp_min(1e-30)

    def row(self, time: float) -> int:
        """The lag nearest to a time."""
        return int((self.times - time).abs().argmin())

    def ensemble(self) -> ForcedEnsemble:
        """An ensemble that checks the prediction: members with this kick or forcing, and the same members without."""
        every = float(self.times[1])
        system, pattern = self.lab_system.system, self.pattern
        return ForcedEnsemble(system, pattern, self.linear, self.forcing, every=every, members=MEMBERS, spinup=self._spinup)

    @property
    def _spinup(self) -> float:
        system = self.lab_system.system
        size = system.ensemble(LAB)
        return system.spinup if size.spinup is None else size.spinup

    def code(self, time: float, *, measured: bool = False) -> str:
        """Lines of code that compute `maps`, the responses at a time, and `measured`, that of the ensemble at the same time."""
        lab, row = self.lab_system, self.row(time)
        time_profile = "" if self.time_profile is None else ", time_profile"
        lines = ["import torch", "import gfdt_tutorial as gfdt", "", *_constructor(lab.system), *lab.code.values()]
        lines += self.kick.code(len(self.grid.shape))
        if self.time_profile is not None:
            lines += [f"times = {lab.truth}.times", self.time_profile.code()]
        responses = ", ".join(f'"{name}": {name}.to(kick{time_profile})' for name in lab.responses)
        lines += [f"responses = {{{responses}}}", f"maps = {{name: one[{row}] for name, one in responses.items()}}  # t = {time:g}"]
        if measured:
            every = "" if self.times[1] == 1 else f", every={float(self.times[1]):g}"
            options = f"{every}, members={MEMBERS}, spinup={self._spinup:g}"
            lines += ["from gfdt_tutorial.responses.forced_ensemble import ForcedEnsemble", ""]
            lines += [f'forced = gfdt.run(ForcedEnsemble(system, kick, responses["{lab.truth}"]{time_profile}{options}))']
            lines += [f"measured = forced.responses[{row}]"]
        return "\n".join(lines)

    def doubts(self, row: int) -> list[str]:
        """Reasons to doubt the answers to this kick at a lag, found without the truth.

        A response can be right for a kick of one pixel and wrong for a smooth one, whose answer is a sum of few long waves. So the answer
        of our own method is held against its sampling error, as if that were equally large at every wavevector, and the other answers
        against it.
        """
        known = [name for name in ("combined", "generative") if name in self.fields]
        if not known or self.forcing is not None:
            return []
        best = known[0]
        size, error = float(self.fields[best][row].norm()), self.lab_system.responses[best].standard_error
        if size == 0 or error is None:
            return []
        sampling = float(error[row].double().square().sum().sqrt() * self.pattern.norm()) / size
        words = []
        if sampling > DOUBT:
            words.append(f"in doubt: the sampling error of the {best} response to this kick is about {sampling:.0%} of it")
        others = [name for name in known[1:] if float((self.fields[name] - self.fields[best])[row].norm()) > DOUBT * size]
        words += [f"in doubt: the {name} response to this kick departs from the {best} one by more than a quarter" for name in others]
        return words

    def caveats(self, measured: ForcedEnsemble | None = None, row: int | None = None) -> list[str]:
        """Reasons for caution: no kick or forcing is set, the measured response departs from linear, or answers at a lag are in doubt."""
        if not bool(self.pattern.any()):
            return ["nothing is kicked yet: draw, add a pixel, or choose a ready-made kick"]
        if self.forcing is not None and not bool(self.forcing.any()):
            return ["the time profile is zero throughout: draw one, or choose another"]
        found_doubts = [] if row is None else self.doubts(row)
        if measured is None or measured.row < 1:
            return found_doubts
        found = measured.departure
        beyond = max(found.value - 2 * found.error, abs(measured.gain.value - 1) - 2 * measured.gain.error) > LINEAR
        outside = ["outside the linear regime: the predictions are linear, and the measured response is not"] if beyond else []
        return outside + found_doubts


def _constructor(system: System) -> list[str]:
    """Lines of code that construct a system."""
    kind = type(system)
    if SYSTEMS.get(system.name) is kind:
        return [f"system = gfdt.{kind.__name__}()"] if system.is_default() else [f"system = gfdt.{system!r}"]
    return [f"from {kind.__module__} import {kind.__name__}", f"system = {kind.__name__}()"]


def _over_pixels(fields: torch.Tensor, grid: PeriodicGrid) -> torch.Tensor:
    """The sum over pixels, of which a lone number is one."""
    return fields.sum(grid.axes) if grid.shape else fields
