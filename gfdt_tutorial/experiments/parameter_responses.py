"""How the statistics of each system answer its parameters: predicted from undisturbed data, and what really happens when they move."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.progress import run
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.responses import observables
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.noise_change import noise_derivative
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.responses.theorem import Field, Perturbation
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import simulate

BINS = 20


@dataclass(frozen=True)
class Measures:
    """What is measured of a field: ⟨u²⟩, ⟨u⁴⟩, the spectrum by shells, the density of pixel values.

    Args:
        grid: of the field.
        reach: the density runs from −reach to reach.
    """

    grid: PeriodicGrid
    reach: float

    @cached_property
    def k(self) -> torch.Tensor:
        """Wavenumbers of the shells."""
        return shell_average(self.grid, self.grid.k_squared)[0]

    @cached_property
    def edges(self) -> torch.Tensor:
        """Of the bins of the density."""
        return torch.linspace(-self.reach, self.reach, BINS + 1)

    @cached_property
    def observable(self) -> Field:
        """All of them at once, (..., n)."""
        grid = self.grid
        parts = (observables.moment(grid, 2), observables.moment(grid, 4), observables.spectrum(grid))
        return observables.together(*parts, observables.density(grid, self.edges.tolist()))

    @property
    def middles(self) -> torch.Tensor:
        """(bin,): values of u in the middle of the bins."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def names(self) -> list[str]:
        """One for each number."""
        return ["⟨u²⟩", "⟨u⁴⟩", *(f"C at k = {k:g}" for k in self.k.tolist()), *(f"ρ at u = {u:.2f}" for u in self.middles.tolist())]

    @property
    def spectrum(self) -> slice:
        """Where the shells stand among the numbers."""
        return slice(2, 2 + len(self.k))

    @property
    def density(self) -> slice:
        """Where the bins stand."""
        return slice(2 + len(self.k), None)


def sliders(system: System) -> tuple[str, ...]:
    """The parameters that the parameter lab may move, and to which responses are predicted."""
    return tuple(name for name, shown in system.parameter_table.items() if shown.slider)


def measures(system: System) -> Measures:
    """What is measured of a system."""
    return Measures(system.grid, system.reach)


def derivative(system: System, parameter: str, score: Callable) -> Perturbation:
    """(f, ∇·f) per unit of a parameter of the drift or, by the score, of the noise.

    Raises:
        ValueError: no such parameter.
    """
    checks.choice(f"parameter of {system.name}", parameter, sliders(system))
    if parameter == "epsilon":
        return noise_derivative(score, system.grid, system.noise_derivative())
    return system.drift_derivative(parameter)


def undisturbed(system: System, *, preset: str = "quick", seed: int = 0, device: str = "auto") -> TimeSeries:
    """The run that answers are predicted from.

    Raises:
        ValueError: an unknown system or preset.
    """
    size = system.sampling(preset)
    return simulate(system, members=size.members, spinup=size.spinup, duration=size.duration, every=size.every, seed=seed, device=device)


def predicted(
    system: System,
    data: TimeSeries,
    score: Callable,
    *,
    preset: str = "quick",
    form: str = "shrunk",
) -> Response:
    """Answers to lasting changes, (lag, parameter, number), each per unit *relative* change of its parameter, p ∂⟨A⟩/∂p.

    Args:
        data: from `undisturbed`.
        form: see `sensitivities`.

    Returns:
        Response whose `info["parameters"]` has names and values of the parameters, in their order.
    """
    size = system.sampling(preset)
    names = sliders(system)
    changes = {name: derivative(system, name, score) for name in names}
    found = sensitivities(
        data, score, measures(system).observable, changes, lags=size.lags, form=form, resolved=size.resolved, thin=size.thin
    )
    scale = [float(getattr(system, name)) for name in names]
    first = found[names[0]]
    info = {key: value for key, value in first.info.items() if not key.startswith(("departure", "tail"))}
    info |= {kept: {name: found[name].info.get(kept) for name in names} for kept in ("departure_kept", "tail_kept")}
    info["parameters"] = dict(zip(names, scale, strict=True))

    def stacked(which: str) -> torch.Tensor:
        return torch.stack([getattr(found[name], which) * p for name, p in zip(names, scale, strict=True)], 1)

    return replace(first, values=stacked("values"), standard_error=stacked("standard_error").abs(), info=info)


def change_of(answers: Response, parameter: str, numbers: int | slice, relative: float = 1.0) -> Response:
    """From what `predicted` returns: the answer of some numbers to a relative change of one parameter, (lag, ...), in their own units.

    Raises:
        ValueError: no such parameter.
    """
    known = list(answers.info["parameters"])
    row = known.index(checks.choice("parameter", parameter, known))
    values, error = (relative * getattr(answers, which)[:, row, numbers].float() for which in ("values", "standard_error"))
    return replace(answers, values=values, standard_error=error.abs())


def resimulated(
    system: System,
    parameter: str,
    relative: float = 0.02,
    *,
    members: int = 256,
    preset: str = "quick",
    seed: int = 3,
    every: float | None = None,
    lags: float | None = None,
    spinup: float | None = None,
) -> Response:
    """What a relative change of a parameter really does: half the difference of members changed up and down, (lag, number).

    In units of the numbers, so that it stands beside `relative` times the `predicted`.

    Args:
        members: at least so many; they run in equal rounds of at most 64.
        every, lags, spinup: spacing of the lags, the last of them, and the time before the change; those of the preset by default.

    Raises:
        ValueError: no such parameter, a change that is none or leaves its range, or lags that are no multiple of `every`.
    """
    checks.choice(f"parameter of {system.name}", parameter, sliders(system))
    size, value = system.sampling(preset), getattr(system, parameter)
    if value * checks.number("relative", relative) == 0:
        raise ValueError(
            f"{parameter} = {value:g}, changed by {relative:g} of itself, does not move; give another change, and where the parameter is 0 "
            "the changed systems themselves, to gfdt.ChangedEnsemble"
        )
    rounds = -(-checks.whole("members", members, minimum=8) // 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a step that the larger value makes too large by as little as it differs
        both = [system.changed(**{parameter: value * (1 + sign * relative)}) for sign in (1, -1)]
    ensemble = ChangedEnsemble(
        system,
        both,
        measures(system).observable,
        lags=lags or size.lags,
        every=every or size.every,
        members=-(-members // rounds),
        seed=seed,
        spinup=size.spinup if spinup is None else spinup,
    )
    return run(ensemble, rounds=rounds).response()
