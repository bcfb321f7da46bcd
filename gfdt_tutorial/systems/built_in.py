"""Systems by name: the built-in ones, and any other by the module or file that defines its class."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck

SYSTEMS: dict[str, type[System]] = {system.name: system for system in (OrnsteinUhlenbeck, AllenCahn, NavierStokes)}


def find_system(system: str | System) -> System:
    """The system that an argument refers to; a class is taken with its default parameters.

    Args:
        system: a System, which is returned; the name of a built-in system, such as "allen-cahn"; or "module:Class" or "file.py:Class".
            The last part may also name a System, such as one made by `SDE`, or a function that makes one without arguments.

    Raises:
        ValueError: there is no such system, or the class does not keep the contract.

    >>> find_system("ornstein-uhlenbeck").lam
    0.04
    """
    if isinstance(system, System):
        return system
    if not isinstance(system, str) or ":" not in system:
        return SYSTEMS[checks.choice("system", system, SYSTEMS)]()
    place, _, name = system.rpartition(":")
    found = getattr(_module(place), name, None)
    if isinstance(found, FunctionType):  # one that makes a system, such as lorenz_63
        found = found()
    if isinstance(found, System):
        return found
    if not (isinstance(found, type) and issubclass(found, System)):
        raise ValueError(
            f"{place} has no class {name} that inherits from gfdt.System, and no system of that name; give module:Class or file.py:Class"
        )
    return found()


def _module(place: str) -> ModuleType:
    """A module by its dotted name or by the path of its file."""
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place).resolve()
        for module in list(sys.modules.values()):
            if getattr(module, "__file__", None) == str(path):
                return module
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.exists():
            raise ImportError("there is no such file")
        module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except ImportError as error:
        raise ValueError(f"cannot import {place}: {error}") from error


def make_system(system: str | System, changes: Mapping[str, Any] | None = None) -> System:
    """The system that `find_system` returns, with some parameters changed.

    Raises:
        ValueError: no such system or parameter, or a value out of range.
    """
    found = find_system(system)
    for parameter in changes or {}:
        checks.choice(f"parameter of {found.name}", parameter, sorted(found.settable()))
    return found.changed(**dict(changes or {}))


def system_of(info: Mapping[str, Any]) -> System:
    """The system that generated a series, from its `info`.

    Raises:
        ValueError: `info` does not name a system and its parameters.
    """
    if "system" not in info or "grid" not in info.get("parameters", {}):
        raise ValueError(
            "these data do not say which system made them, so no closed form is available; use the Gaussian score, and a truth from perturb"
        )

    changes = dict(info["parameters"])
    grid = changes.pop("grid")
    made = make_system(info.get("class", info["system"]), changes)
    return replace(made, grid=PeriodicGrid(tuple(grid["shape"]), tuple(grid["lengths"])))  # type: ignore[type-var]  # a dataclass
