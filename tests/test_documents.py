"""README, CONTRIBUTING and the pages in docs/: short enough, their links lead somewhere, and what they say can be run."""

import re
import shlex
import sys
import types
from pathlib import Path

import pytest

from gfdt_tutorial.__main__ import parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
COMMANDS = [page for page in PAGES if page not in ("docs/measured_before.md", "CHANGELOG.md")]  # these two name what there was
LONG = ("analyse(", '"figure1"', "class SwiftHohenberg")  # whole experiments: some ten seconds, even in small
SMALLER = {"members=64, duration=767.0": "members=8, duration=200.0", 'preset="quick"': 'preset="tiny"', "pairs=64": "pairs=16"}

each_page = pytest.mark.parametrize("page", PAGES)


def text(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    """The code blocks of a page in a language, "" for none: number of lines before → text."""
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)
    return {text(page)[: match.start(2)].count("\n"): match[2] for match in found if match[1] == language}


def smaller(code):
    for large, small in SMALLER.items():
        code = code.replace(large, small)
    return code


def runs():
    """Each page with Python in it as it is printed, and in small where that would take long."""
    for page in PAGES:
        found = blocks(page, "python").values()
        long = any(smaller(code) != code for code in found)
        if found:
            slow = long or any(words in code for code in found for words in LONG)
            yield pytest.param(page, str, id=page, marks=[pytest.mark.slow] if slow else [])
        if long:
            yield pytest.param(page, smaller, id=f"{page}, in small")


def test_the_readme_is_short():
    assert len(text("README.md").splitlines()) <= 120


def test_the_map_of_the_readme_names_the_rooms():
    (rooms,) = (block for block in blocks("README.md", "").values() if block.startswith("gfdt_tutorial/"))
    package = ROOT / "gfdt_tutorial"
    assert set(re.findall(r"^  (\w+)/ ", rooms, re.MULTILINE)) == {path.parent.name for path in package.glob("*/__init__.py")}


@each_page
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text(page))
    found = {(ROOT / page).parent.joinpath(link).resolve() for link in links}
    missing = {path.relative_to(ROOT).as_posix() for path in found if not path.exists()}
    assert not missing


@each_page
def test_targets_of_make_exist(page):
    known = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text(page), re.MULTILINE)) <= known


@pytest.mark.parametrize("page", COMMANDS)
def test_commands_are_understood(page):
    lines = [line for block in blocks(page, "").values() for line in block.splitlines()] + re.findall(r"`(python -m [^`]+)`", text(page))
    commands = [shlex.split(line, comments=True)[3:] for line in lines if line.startswith("python -m gfdt_tutorial ")]
    for arguments in commands:
        if not {"VERB", "NAME", "FILE", "GROUP"} & set(arguments):
            parser().parse_args(arguments)  # exits where it does not understand


@pytest.mark.parametrize(("page", "changed"), list(runs()))
def test_python_runs(page, changed, tmp_path, monkeypatch):
    """All blocks of a page in order, as one module, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(re.sub(r"\W", "_", page))
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where dataclasses look for their annotations
    for line, code in blocks(page, "python").items():
        exec(compile("\n" * line + changed(code), page, "exec"), vars(module))
