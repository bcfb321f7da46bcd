"""The source files that a computation depends on, found from their imports; a cached result is valid until one of them changes."""

import ast
import functools
import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

PACKAGE = __name__.partition(".")[0]


def digest(modules: Iterable[str]) -> str:
    """The sha256 of the source of `modules` and of every module of this package that they import, directly or not."""
    total = hashlib.sha256()
    for name in sorted(dependencies(modules)):
        total.update(f"{name} {hashlib.sha256(_file(name).read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def dependencies(modules: Iterable[str]) -> set[str]:
    """`modules`, and every module of this package that they import, directly or not.

    Imports inside functions count. The `__init__.py` of a package counts only if a module imports the package itself or a name that the
    package re-exports; then everything that the `__init__.py` imports counts, because the part that is used is not known.

    Raises:
        ValueError: a module that has no file, such as one typed at a prompt.
    """
    found, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


@functools.cache
def _imports(name: str) -> tuple[str, ...]:
    tree = ast.parse(_file(name).read_bytes())
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            named += [one if _is_module(one) else node.module for one in inside]
    return tuple(one for one in named if _is_module(one))


@functools.cache
def _is_module(name: str) -> bool:
    """Whether a dotted name is a module or a package within this package, and not a name defined in one."""
    path = Path(__file__).parents[2] / name.replace(".", "/")
    return name.split(".")[0] == PACKAGE and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())


def _file(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None or not spec.has_location:
        raise ValueError(f"module {name} has no file, so changes to it cannot be detected; work without the cache, or move it to a file")

    return Path(spec.origin)
