"""What `import gfdt_tutorial as gfdt` gives: each name documented, each example in the documentation true."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import gfdt_tutorial as gfdt

MODULES = sorted(name for _, name, _ in pkgutil.walk_packages(gfdt.__path__, prefix="gfdt_tutorial.") if name != "gfdt_tutorial.__main__")


@pytest.mark.parametrize("name", gfdt.__all__)
def test_every_public_name_is_documented(name):
    documentation = inspect.getdoc(getattr(gfdt, name)) or ""
    assert len(documentation) > 40
    assert not documentation.startswith(f"{name}(")  # what a dataclass writes for itself


@pytest.mark.parametrize("name", gfdt.__all__)
def test_public_methods_are_documented(name):
    public = getattr(gfdt, name)
    members = inspect.getmembers(public, inspect.isroutine) if inspect.isclass(public) else []
    own = {method: value for method, value in members if str(getattr(value, "__module__", "")).startswith("gfdt_tutorial")}
    assert [method for method, value in own.items() if not method.startswith("_") and not inspect.getdoc(value)] == []


def test_the_list_of_public_names_is_sorted_and_complete():
    assert len(set(gfdt.__all__)) == len(gfdt.__all__)  # in ruff's order: constants, classes, functions
    defined = {name for name, value in vars(gfdt).items() if getattr(value, "__module__", "").startswith("gfdt_tutorial.")}
    assert {name for name in defined if not name.startswith("_")} <= set(gfdt.__all__)


@pytest.mark.parametrize("name", ["gfdt_tutorial", *MODULES])
def test_examples_in_the_documentation_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in ["gfdt_tutorial", *MODULES]]
    assert sum(len(test.examples) for module in modules for test in finder.find(module)) >= 15
