"""The project around the package: files that must agree with each other, lessons in their committed form, and what set-up says."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from jupytext.compare import NotebookDifference, compare_notebooks
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import gfdt_tutorial
from gfdt_tutorial.core import preflight

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
CONDA_NAMES = {"torch": "pytorch-cpu"}

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def run(*command, cwd=ROOT):
    """Output, standard error included, and exit status."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    return done.stdout, done.returncode


def tool(name):
    """A command of the environment that runs the tests, which need not be on PATH."""
    return str(Path(sys.executable).parent / name)


def project_files():
    """What is in the repository or would be added to it."""
    listed, status = run("git", "ls-files", "--cached", "--others", "--exclude-standard")
    assert status == 0, listed
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


# Lessons


@each_lesson
def test_pair_in_sync(lesson):
    notebook = lesson.with_suffix(".ipynb")
    assert notebook.exists(), f"{notebook.name} is missing; run: make sync"
    if found := difference(jupytext.read(notebook), lesson):
        pytest.fail(f"{lesson.name} and {notebook.name} differ; run: make sync\n{found}")


def difference(notebook, lesson):
    """What differs between a notebook and a lesson's .py, empty if nothing does; an empty list of tags, which some tools add, is none."""
    for cell in notebook.cells:
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
    try:
        compare_notebooks(notebook, jupytext.read(lesson), fmt="py:percent", compare_outputs=False, compare_ids=False)
    except NotebookDifference as found:
        return str(found)
    return ""


def test_pair_by_content():
    """Empty tags are no difference; another word, or another tag, is one."""
    lesson = LESSONS[0]
    tagged, other_tag, other_word = (jupytext.read(lesson.with_suffix(".ipynb")) for _ in range(3))
    for cell in tagged.cells:
        cell.metadata.setdefault("tags", [])
    other_tag.cells[-1].metadata["tags"] = ["solution"]
    other_word.cells[3].source += " word"
    assert difference(tagged, lesson) == "" and difference(other_tag, lesson) and difference(other_word, lesson)


def test_an_edited_lesson_opens_in_jupyterlab_with_the_answers_kept(tmp_path):
    """As VS Code and papermill leave it: newer than its .py, with an answer typed in, and with empty tags."""
    for path in (LESSONS[0], LESSONS[0].with_suffix(".ipynb"), ROOT / "notebooks" / "jupytext.toml"):
        shutil.copy(path, tmp_path)
        os.utime(tmp_path / path.name, (1e9, 1e9))
    name, source = LESSONS[0].with_suffix(".ipynb").name, (tmp_path / LESSONS[0].name).read_bytes()
    edited = nbformat.read(tmp_path / name, as_version=4)
    for cell in edited.cells:
        cell.metadata.setdefault("tags", [])
    edited.cells[-1].source += "\nan answer"
    nbformat.write(edited, tmp_path / name)
    server = jupytext.TextFileContentsManager(root_dir=str(tmp_path))
    opened = server.get(name, content=True)
    assert opened["content"].cells[-1].source.endswith("an answer")
    opened["content"].cells[0].source += "\nanother"
    server.save(opened, name)
    cells = server.get(name, content=True)["content"].cells
    assert cells[0].source.endswith("another") and cells[-1].source.endswith("an answer")
    assert (tmp_path / LESSONS[0].name).read_bytes() == source  # that is the authors'


def test_every_notebook_has_its_pair():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == {path.stem for path in LESSONS} != set()


@each_lesson
def test_notebook_is_stripped(lesson):
    notebook = nbformat.read(lesson.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) <= {"kernelspec", "jupytext"}, "run: make sync"
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []


@each_lesson
def test_lesson_is_short(lesson):
    code = [cell.source for cell in jupytext.read(lesson).cells if cell.cell_type == "code"]
    assert len(code) <= 30
    assert [source for source in code if len(source.splitlines()) > 20] == []


# Environments


def conda_requirements():
    entries = yaml.safe_load(text("environment.yml"))["dependencies"]
    from_pip = [name for entry in entries if isinstance(entry, dict) for name in entry["pip"]]
    plain = [entry for entry in entries if isinstance(entry, str) and not entry.startswith("python=")]
    return {str(Requirement(entry)) for entry in plain + from_pip}


def test_environment_files_are_equal():
    assert text("environment.yml") == text("binder/environment.yml")


def requirements(*extras):
    """What the package needs with these extras, those that they name in turn included."""
    listed = PROJECT["dependencies"] + [entry for name in extras for entry in PROJECT["optional-dependencies"][name]]
    found = {entry: Requirement(entry) for entry in listed}
    for own in [each for each in found.values() if each.name == PROJECT["name"]]:
        found |= {str(each): each for each in requirements(*own.extras)}
    return [each for each in found.values() if each.name != PROJECT["name"]]


def test_the_base_install_leaves_jupyter_out():
    names = {requirement.name for requirement in requirements()}
    assert {"jupyterlab", "ipywidgets", "anywidget", "jupytext", "nbval"}.isdisjoint(names)


def test_developers_get_every_extra_but_the_peers():
    everything = set(PROJECT["optional-dependencies"]) - {"dev", "peers"}
    assert {str(entry) for entry in requirements(*everything)} <= {str(entry) for entry in requirements("dev")}


def test_environment_is_complete():
    needed = requirements("lab", "files", "data")
    for requirement in needed:
        requirement.name = CONDA_NAMES.get(requirement.name, requirement.name)
    dev = [entry for entry in PROJECT["optional-dependencies"]["dev"] if Requirement(entry).name == "pytest"]
    assert conda_requirements() == {str(requirement) for requirement in needed} | {"pip", *dev}


def test_environment_names_one_python():
    (entry,) = (entry for entry in yaml.safe_load(text("environment.yml"))["dependencies"] if str(entry).startswith("python="))
    version = re.fullmatch(r"python=(3\.\d+)", entry).group(1)
    assert Version(version) in SpecifierSet(PROJECT["requires-python"])


def test_constraints_pin_what_the_project_needs():
    lines = re.findall(r"^[^#\n]+", text("constraints.txt"), re.MULTILINE)
    pins = {canonicalize_name(pin.name): pin.specifier for pin in map(Requirement, lines)}
    for requirement in requirements("dev"):
        (pin,) = pins[canonicalize_name(requirement.name)]
        assert pin.operator == "==" and pin.version in requirement.specifier, requirement
        assert "+" not in pin.version, "a local build is not for everyone"


def test_binder_builds_from_its_own_environment(tmp_path):
    for path in project_files():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    # Its exit status is 0 even when it falls back to another Python: what it prints tells.
    command = ["repo2docker", "--no-build", "--debug", "--user-id", "1000", "--user-name", "jovyan", str(tmp_path)]
    log, status = run(sys.executable, "-m", *command)
    assert status == 0, log
    assert "Building conda environment for python=3.11" in log
    assert re.search(r'env update .*--file "binder/environment\.yml"', log)
    assert "./binder/postBuild" in log
    assert re.search(r"ENV R2D_ENTRYPOINT=\S*binder/start", log)


def test_binder_scripts_can_run():
    assert all(os.access(ROOT / "binder" / name, os.X_OK) for name in ("postBuild", "start"))


# Names


def test_citation_names_the_repository():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["repository-code"] == REPOSITORY
    assert citation["version"] == PROJECT["version"] == gfdt_tutorial.__version__


def test_the_changelog_has_a_section_for_the_version():
    assert f"\n## {PROJECT['version']}" in text("CHANGELOG.md")


def test_readme_names_the_repository():
    readme = text("README.md")
    badge = REPOSITORY.replace("https://github.com/", "https://mybinder.org/v2/gh/") + "/HEAD?labpath=notebooks%2F00_start_here.ipynb"
    assert set(re.findall(r"git clone (\S+)", readme)) == {REPOSITORY}
    assert badge in set(re.findall(r"https://mybinder\.org/v2/gh/[^\s)\"]+", readme))


def test_readme_names_the_commands():
    assert "make lab" in text("README.md") and "make test" in text("README.md")


@each_lesson
def test_readme_table_lists_the_lesson(lesson):
    assert re.search(rf"^\|.*notebooks/{lesson.stem}\.ipynb", text("README.md"), re.MULTILINE)


# Code


def test_ruff_finds_nothing():
    sources = ["gfdt_tutorial", "tests", "conftest.py", *map(str, LESSONS)]
    for command in (["check"], ["format", "--check"]):
        output, status = run(sys.executable, "-m", "ruff", *command, *sources)
        assert status == 0, output


def test_layers_are_kept():
    output, status = run(tool("lint-imports"))
    assert status == 0, output


def test_no_pickles():
    unsafe = re.compile(r"\b(import|from) (pickle|dill|joblib|shelve)\b|(?<!safetensors\.)torch\.(load|save)\(|allow_pickle=True")
    assert [path for path in (ROOT / "gfdt_tutorial").rglob("*.py") if unsafe.search(path.read_text(encoding="utf-8"))] == []


def test_no_path_of_one_machine():
    foreign = re.compile(rb"(?<![\w.])/(work|root|home/\w+|Users/\w+)/")
    assert [path for path in project_files() if foreign.search(path.read_bytes())] == []


# Set-up


def test_makefile_explains_its_targets():
    output, status = run("make", "help")
    assert status == 0
    assert set(re.findall(r"^  make ([a-z-]+)  ", output, re.MULTILINE)) == {
        *("help", "lab", "test", "test-fast"),
        *("lint", "sync", "picture", "assets", "benchmarks", "constraints"),
    }


def test_makefile_explains_a_missing_python(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    output, status = run("make", "lab", "PYTHON=no-such-python", cwd=tmp_path)
    assert status != 0 and not (tmp_path / ".venv").exists()
    assert "no-such-python was not found. Install Python 3.11 or newer" in output


def test_preflight_asks_for_the_python_the_project_needs():
    newest_refused = f"{preflight.MINIMUM[0]}.{preflight.MINIMUM[1] - 1}.99"
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert newest_refused not in allowed and "{}.{}.0".format(*preflight.MINIMUM) in allowed
    assert preflight.python_problem((*preflight.MINIMUM, 0), ["venv", "ensurepip"]) is None
    too_old = preflight.python_problem((3, 9, 18), ["venv", "ensurepip"])
    assert "Python 3.9.18 was found" in too_old and "3.11 or newer" in too_old and "conda env create" in too_old


def test_preflight_names_what_debian_leaves_out():
    assert "without ensurepip" in preflight.python_problem((3, 12, 1), ["venv"])
    assert "python3-venv" in preflight.python_problem((3, 12, 1), ["venv"])


@pytest.mark.parametrize(
    ("printed", "large"),
    [
        ("Collecting torch==2.13.0\n  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)", False),
        ("Collecting nvidia-cudnn-cu13==9.20.0.48 (from torch==2.13.0)", True),
        ("Collecting cuda-toolkit==13.0.3 (from cuda-toolkit[cudart]==13.0.3->torch)", True),
        ("  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (526.6 MB)", True),
        ("  Downloading torch-2.13.0-cp311-none-macosx_11_0_arm64.whl (79.4 MB)", False),
        ("Processing wheels/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl\nWould install torch-2.13.0+cpu", False),
        ("ERROR: Could not find a version that satisfies the requirement torch", False),
    ],
)
def test_preflight_knows_a_large_torch(printed, large):
    assert preflight.wants_cuda(printed.splitlines()) is large


def test_preflight_stops_asking_once_it_knows():
    lines = iter(["Collecting nvidia-cublas", "Downloading nvidia_cublas.whl (423.1 MB)"])
    assert preflight.wants_cuda(lines) and len(list(lines)) == 1


def check_torch(monkeypatch, tmp_path, *, installed, printed):
    """`preflight.check_torch` with pip's answer made up."""
    (tmp_path / "constraints.txt").write_text("tqdm==4.70.1\ntorch==2.13.0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preflight.importlib.util, "find_spec", lambda name: installed or None)
    monkeypatch.setattr(preflight, "pip_plan", lambda requirement: (line for line in printed))
    monkeypatch.setattr(preflight.sys, "stdin", None)
    preflight.check_torch()


def test_preflight_tells_size_and_ways_around(monkeypatch, tmp_path, capsys):
    check_torch(monkeypatch, tmp_path, installed=False, printed=["Collecting nvidia-cublas"])
    said = capsys.readouterr().out
    assert all(words in said for words in ("2.8 GB", "pytorch.org", "UV_TORCH_BACKEND=cpu", "pytorch-cpu", "install torch==2.13.0"))


@pytest.mark.parametrize(("installed", "printed"), [(True, "Collecting nvidia-cublas"), (False, "Collecting sympy"), (False, "")])
def test_preflight_is_silent_when_there_is_nothing_to_say(monkeypatch, tmp_path, capsys, installed, printed):
    check_torch(monkeypatch, tmp_path, installed=installed, printed=[printed])
    assert capsys.readouterr().out == ""
