"""Which systems a lab offers."""

from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.built_in import SYSTEMS, find_system


def choices(system: str | System) -> tuple[dict[str, System], str]:
    """The systems that a lab offers, by name: the built-in ones, and another that was asked for; and the name of the latter.

    Raises:
        ValueError: no such system.
    """
    found = find_system(system)
    offered = {name: found if name == found.name else kind() for name, kind in SYSTEMS.items()}
    return offered | {found.name: found}, found.name
