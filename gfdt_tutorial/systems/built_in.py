"""The built-in systems by name."""

from dataclasses import fields, replace

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck

SYSTEMS = {system.name: system for system in (OrnsteinUhlenbeck, AllenCahn, NavierStokes)}


def make_system(name: str, changes: dict | None = None):
    """A system by its name, with some parameters changed.

    Raises:
        ValueError: no such system or parameter, or a value out of range.
    """
    system = SYSTEMS[checks.choice("system", name, SYSTEMS)]()
    known = {f.name for f in fields(system)} - {"grid"}
    for parameter in changes or {}:
        checks.choice(f"parameter of {name}", parameter, sorted(known))
    return replace(system, **(changes or {}))


def system_of(info: dict):
    """The system that made a series, from its `info`.

    Raises:
        ValueError: the series does not say.
    """
    if "system" not in info or "grid" not in info.get("parameters", {}):
        raise ValueError(
            "these data do not say which system made them, so it has no closed form; use the Gaussian score, and a truth from perturb"
        )
    changes = dict(info["parameters"])
    grid = changes.pop("grid")
    made = make_system(info["system"], changes)
    return replace(made, grid=PeriodicGrid(tuple(grid["shape"]), tuple(grid["lengths"])))
