"""Responses of statistics to the parameters of a system: predicted from unperturbed data, and measured by simulating the changed system."""

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

Score = Callable[..., torch.Tensor]

BINS = 20


@dataclass(frozen=True)
class Statistics:
    """The observables of a field whose averages are compared: u², u⁴, the spectrum by shells, the density of pixel values.

    Args:
        grid: of the field.
        reach: the density is taken between −reach and reach.
    """

    grid: PeriodicGrid
    reach: float

    @cached_property
    def k(self) -> torch.Tensor:
        """Wavenumbers of the shells."""
        return shell_average(self.grid, self.grid.k_squared)[0]

    @cached_property
    def edges(self) -> torch.Tensor:
        """(bin + 1,): the edges of the bins of the density."""
        return torch.linspace(-self.reach, self.reach, BINS + 1)

    @cached_property
    def observable(self) -> Field:
        """All observables together, (..., *shape) → (..., n)."""
        grid = self.grid
        parts = (observables.moment(grid, 2), observables.moment(grid, 4), observables.spectrum(grid))
        return observables.together(*parts, observables.density(grid, self.edges.tolist()))

    @property
    def middles(self) -> torch.Tensor:
        """(bin,): the midpoints of the bins."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def names(self) -> list[str]:
        """The name of each of the n numbers."""
        return ["⟨u²⟩", "⟨u⁴⟩", *(f"C at k = {k:g}" for k in self.k.tolist()), *(f"ρ at u = {u:.2f}" for u in self.middles.tolist())]

    @property
    def spectrum(self) -> slice:
        """The indices of the shells among the n numbers."""
        return slice(2, 2 + len(self.k))

    @property
    def density(self) -> slice:
        """The indices of the bins among the n numbers."""
        return slice(2 + len(self.k), None)


def sliders(system: System) -> tuple[str, ...]:
    """The parameters that the parameter lab offers and to which responses are predicted."""
    return tuple(name for name, shown in system.parameter_table.items() if shown.slider)


def statistics(system: System) -> Statistics:
    """The observables of a system whose averages are compared."""
    return Statistics(system.grid, system.reach)


def derivative(system: System, parameter: str, score: Score) -> Perturbation:
    """(f, ∇·f) per unit of a parameter of the drift or, with the help of the score, of the noise.

    Raises:
        ValueError: no such parameter.
    """
    checks.choice(f"parameter of {system.name}", parameter, sliders(system))
    if system.parameter_table[parameter].of_noise:
        return noise_derivative(score, system.grid, system.noise_derivative(parameter))
    return system.drift_derivative(parameter)


def unperturbed(system: System, *, preset: str = "quick", seed: int = 0, device: str = "auto") -> TimeSeries:
    """The run from which responses are predicted.

    Raises:
        ValueError: an unknown preset.
    """
    size = system.sampling(preset)
    return simulate(system, members=size.members, spinup=size.spinup, duration=size.duration, every=size.every, seed=seed, device=device)


def predict(
    system: System,
    data: TimeSeries,
    score: Score,
    *,
    preset: str = "quick",
    form: str = "shrunk",
) -> Response:
    """Responses to lasting changes, (lag, parameter, number), each per unit *relative* change of its parameter, p ∂⟨A⟩/∂p.

    Args:
        data: from `unperturbed`.
        score: of the data, per pixel value.
        preset: of the data; it determines the largest lag.
        form: see `sensitivities`.

    Returns:
        Response whose `info["parameters"]` contains names and values of the parameters, in their order.
    """
    size = system.sampling(preset)
    names = sliders(system)
    changes: dict[str, Perturbation | None] = {name: derivative(system, name, score) for name in names}
    found = sensitivities(
        data, score, statistics(system).observable, changes, lags=size.lags, form=form, resolved=size.resolved, thin=size.thin
    )
    scale = [float(getattr(system, name)) for name in names]
    first = found[names[0]]
    info = {key: value for key, value in first.info.items() if not key.startswith(("departure", "tail"))}
    info |= {kept: {name: found[name].info.get(kept) for name in names} for kept in ("departure_kept", "tail_kept")}
    info["parameters"] = dict(zip(names, scale, strict=True))

    def stacked(which: str) -> torch.Tensor:
        return torch.stack([getattr(found[name], which) * p for name, p in zip(names, scale, strict=True)], 1)

    return replace(first, values=stacked("values"), standard_error=stacked("standard_error").abs(), info=info)


def response_to(responses: Response, parameter: str, numbers: int | slice, relative: float = 1.0) -> Response:
    """The response of some numbers to a relative change of one parameter, (lag, ...), in their own units.

    Args:
        responses: from `predict`.
        parameter: its name.
        numbers: the index of one number or a slice of several; see `Statistics`.
        relative: the change of the parameter over its value.

    Raises:
        ValueError: no such parameter.
    """
    known = list(responses.info["parameters"])
    row = known.index(checks.choice("parameter", parameter, known))
    values, error = (relative * getattr(responses, which)[:, row, numbers].float() for which in ("values", "standard_error"))
    return replace(responses, values=values, standard_error=error.abs())


def resimulate(
    system: System,
    parameter: str,
    relative: float = 0.02,
    *,
    members: int = 256,
    preset: str = "quick",
    seed: int = 0,
    every: float | None = None,
    lags: float | None = None,
    spinup: float | None = None,
) -> Response:
    """The measured effect of a relative change of a parameter: half the difference of members changed up and down, (lag, number).

    It is in units of the numbers, and is to be compared with `relative` times the result of `predict`.

    Args:
        relative: the change of the parameter over its value.
        members: the least number of members; they run in equal rounds of at most 64.
        every, lags, spinup: spacing of the lags, the largest lag, and the time before the change; those of the preset by default.

    Raises:
        ValueError: no such parameter, a change that is zero or leaves the parameter's range, or lags that are no multiple of `every`.
    """
    checks.choice(f"parameter of {system.name}", parameter, sliders(system))
    size, value = system.sampling(preset), getattr(system, parameter)
    if value * checks.number("relative", relative) == 0:
        raise ValueError(
            f"{parameter} = {value:g}, changed by {relative:g} of itself, does not move; give another change or, if the parameter is 0, "
            "pass the changed systems to gfdt.ChangedEnsemble"
        )
    rounds = -(-checks.whole("members", members, minimum=8) // 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the slightly larger value may make the time step slightly too large
        both = [system.changed(**{parameter: value * (1 + sign * relative)}) for sign in (1, -1)]
    ensemble = ChangedEnsemble(
        system,
        both,
        statistics(system).observable,
        lags=lags or size.lags,
        every=every or size.every,
        members=-(-members // rounds),
        seed=seed,
        spinup=size.spinup if spinup is None else spinup,
    )
    return run(ensemble, rounds=rounds).response()
