"""Other machines: line ends and encodings of Windows, a bare locale, output into a file and into a pipe that somebody has closed."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gfdt_tutorial import OrnsteinUhlenbeck, load_shipped, load_shipped_score, simulate
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.core import storage
from gfdt_tutorial.experiments import shipped

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "gfdt_tutorial"]
# Python itself would turn to UTF-8 in a C locale; older systems and other tools do not.
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
WINDOWS = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}


def python(*words, environment, stdout=subprocess.PIPE):
    """Exit status, output and errors of a Python process with other settings, in the working folder."""
    settings = os.environ | {"PYTHONPATH": str(ROOT), "GFDT_QUIET": "1", "OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run([sys.executable, *map(str, words)], env=settings, stdout=stdout, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def verb(*words, environment, stdout=subprocess.PIPE):
    return python("-m", "gfdt_tutorial", *words, environment=environment, stdout=stdout)


# --- line ends


def git(*words, cwd):
    identity = ["-c", "user.name=a test", "-c", "user.email=test@example.org"]
    done = subprocess.run(["git", *identity, *map(str, words)], cwd=cwd, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What `git clone` gives on Windows, with core.autocrlf=true, of the files as they are here and now."""
    source, copy = (tmp_path_factory.mktemp(name) for name in ("source", "clone"))
    for name in git("ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    git("init", "--quiet", cwd=source)
    git("add", "--all", cwd=source)
    git("commit", "--quiet", "--message", "all", cwd=source)
    git("-c", "core.autocrlf=true", "clone", "--quiet", "--config", "core.autocrlf=true", source, copy, cwd=source)
    return copy


def load_all(folder):
    """Every shipped result, score and table."""
    for name, entry in shipped.manifest(folder).items():
        if name.endswith("-score"):
            load_shipped_score(name.removesuffix("-score"), folder=folder)
        elif entry["file"].endswith(".npz"):
            load_shipped(name, folder=folder)
        else:
            assert shipped.load_table(name, folder=folder)


def test_a_clone_with_the_line_ends_of_windows_loads_all_that_is_shipped(clone):
    load_all(clone / "gfdt_tutorial" / "experiments" / "assets")
    assert git("status", "--porcelain", cwd=clone) == ""


def test_a_clone_with_the_line_ends_of_windows_runs_its_scripts(clone):
    scripts = [clone / name for name in (".ci/run", "binder/postBuild", "binder/start", "Makefile")]
    assert [path.name for path in scripts if b"\r" in path.read_bytes()] == []


def test_what_is_no_text_is_cloned_as_it_is(clone):
    for path in (ROOT / "gfdt_tutorial" / "experiments" / "assets").rglob("*"):
        if path.suffix in (".npz", ".safetensors", ".png"):
            assert (clone / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_shipped_text_with_other_line_ends_is_the_same_text(tmp_path):
    assets = shutil.copytree(shipped.ASSETS, tmp_path / "assets")
    texts = list(assets.rglob("*.json"))
    for path in texts:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    load_all(assets)
    assert len(texts) > 5
    score = assets / "allen-cahn-score" / "score.json"
    score.write_bytes(score.read_bytes().replace(b"0.", b"1.", 1))
    with pytest.raises(ValueError, match="not the file that the manifest describes"):
        load_shipped_score("allen-cahn", folder=assets)


def test_line_ends_count_in_what_is_no_text(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"1\n2")
    (tmp_path / "b.npz").write_bytes(b"1\r\n2")
    assert storage.digest(tmp_path / "a.npz") != storage.digest(tmp_path / "b.npz")


# --- encodings


def unsaid(path):
    """Lines on which a text file is opened, or the output of a program read, without saying in which encoding."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and "encoding" not in {word.arg for word in node.keywords}:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            modes = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            binary = name == "open" and any(set(mode) <= set("rwaxb+") and "b" in mode for mode in modes)
            program = name in ("run", "Popen", "check_output") and "text" in {word.arg for word in node.keywords}
            if name in ("read_text", "write_text") or (name == "open" and not binary) or program:
                yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_text_file_is_opened_as_utf_8():
    sources = [path for folder in ("gfdt_tutorial", "tests", "notebooks") for path in (ROOT / folder).rglob("*.py")]
    assert [line for path in sources for line in unsaid(path)] == []


@pytest.mark.slow
def test_everything_shipped_loads_in_a_bare_locale():
    """The tables hold α, κ and ×."""
    words = "import test_portability as t; t.load_all(t.shipped.ASSETS); print(len(t.shipped.manifest()))"
    settings = BARE | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    status, said, errors = python("-c", words, environment=settings)
    assert status == 0, errors
    assert int(said) == len(shipped.manifest())


# --- the command line


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A short series, and two responses that can be compared."""
    folder = tmp_path_factory.mktemp("files")
    simulate(OrnsteinUhlenbeck(), members=16, duration=60.0, device="cpu").save(folder / "field.npz")
    np.savez(folder / "series.npz", u=autoregressive(), times=np.arange(600.0), axes="mt")
    assert main(["respond", str(folder / "field.npz"), "--lags", "10", "--out", str(folder / "gaussian.npz")]) == 0
    return folder


def autoregressive():
    u = np.random.default_rng(0).normal(size=(8, 600))
    for i in range(1, 600):
        u[:, i] += 0.8 * u[:, i - 1]
    return u


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


ANALYSED = {"report.html", "responses.npz", "analysis.json", "score-1", "score-2"}


LINES = """
from gfdt_tutorial.__main__ import main
for line in {lines}:
    assert main(line) == 0, line
"""


@pytest.mark.slow
@pytest.mark.parametrize("environment", [BARE, WINDOWS], ids=["C", "cp1252"])
def test_an_analysis_and_a_comparison_are_written_and_told_on_any_console(here, files, environment):
    analyse = ["analyse", files / "series.npz", "--preset", "tiny", "--lags", 4, "--out", "out"]
    compare = ["compare", files / "gaussian.npz", "--truth", "exact", "--json", "errors.json", "--figure", "errors.html"]
    lines = [[str(word) for word in words] for words in (analyse, compare)]
    status, said, errors = python("-c", LINES.format(lines=lines), environment=environment)
    assert status == 0 and "Traceback" not in errors, errors
    assert {path.name for path in here.iterdir()} == {"out", "errors.json", "errors.html"}
    assert {path.name for path in (here / "out").iterdir()} == ANALYSED
    assert b"Gaussianity" in said and b"report.html" in said
    assert b"quoted L2" in said and b"errors.json" in said and b"errors.html" in said
    assert "⟨" in (here / "out" / "report.html").read_text(encoding="utf-8")
    assert "quoted" in json.loads((here / "errors.json").read_text(encoding="utf-8"))["gaussian"]


CHAIN = """
simulate --system ornstein-uhlenbeck --preset tiny --members 16 --out field.npz
fit-score field.npz --preset tiny --out score
respond field.npz --score score --lags 10 --out learned.npz
respond field.npz --score analytic --lags 10 --out analytic.npz
perturb --system ornstein-uhlenbeck --preset tiny --lags 10 --out truth.npz
compare learned.npz analytic.npz --truth truth.npz --json errors.json
"""


@pytest.mark.slow
@pytest.mark.parametrize("environment", [BARE, WINDOWS], ids=["C", "cp1252"])
def test_a_whole_experiment_runs_on_any_console(here, environment):
    lines = [line.split() for line in CHAIN.strip().splitlines()]
    status, said, errors = python("-c", LINES.format(lines=lines), environment=environment)
    assert status == 0, errors
    assert said.count(b"npz") >= 4 and b"errors.json" in said
    made = {"field.npz", "score", "learned.npz", "analytic.npz", "truth.npz", "errors.json"}
    assert {path.name for path in here.iterdir()} == made


def test_every_help_fits_into_a_file_of_any_encoding(here, monkeypatch):
    """`respond --help > x` on Windows, and the help of every other verb."""
    verbs = ["simulate", "fit-score", "respond", "perturb", "truth", "compare", "analyse", "figure1", "assets", "bench"]
    with open("help.txt", "w", encoding="cp1252") as file:
        monkeypatch.setattr(sys, "stdout", file)
        for words in [["--help"], *([verb, "--help"] for verb in verbs)]:
            with pytest.raises(SystemExit, match="0"):
                main(words)
    assert Path("help.txt").read_bytes().count(b"usage:") == 1 + len(verbs)


def closed(*words):
    """Exit status and errors of a command whose reader has gone away before it says a word."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        status, _, errors = verb(*words, environment={}, stdout=writing)
    finally:
        os.close(writing)
    return status, errors


@pytest.mark.slow
def test_a_closed_pipe_costs_nothing(here, files):
    assert closed("compare", files / "gaussian.npz", "--truth", "exact", "--json", "errors.json") == (0, "")
    assert {path.name for path in here.iterdir()} == {"errors.json"}


@pytest.mark.slow
def test_a_closed_pipe_costs_no_analysis(here, files):
    assert closed("analyse", "--help") == (0, "")
    assert closed("analyse", files / "series.npz", "--preset", "tiny", "--lags", 4, "--out", "out") == (0, "")
    assert {path.name for path in (here / "out").iterdir()} == ANALYSED


@pytest.mark.slow
def test_notes_into_a_closed_pipe_cost_nothing(here, files):
    """As with 2>&1 | head: errors go the way of the output."""
    reading, writing = os.pipe()
    os.close(reading)
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GFDT_QUIET": ""}
    command = [*COMMAND, "analyse", str(files / "series.npz"), "--preset", "tiny", "--lags", "4", "--out", "out"]
    try:
        assert subprocess.run(command, env=settings, stdout=writing, stderr=writing).returncode == 0
    finally:
        os.close(writing)
    assert {path.name for path in (here / "out").iterdir()} == ANALYSED


def test_nothing_is_printed_before_it_is_saved(here, files, monkeypatch):
    """However printing fails: a console that breaks must not cost the work."""
    from gfdt_tutorial import __main__

    def broken(*_, **__):
        raise RuntimeError("a broken console")

    monkeypatch.setattr(__main__, "say", broken)
    for words, made in (
        (["analyse", files / "series.npz", "--preset", "tiny", "--lags", 4, "--out", "out"], "out/report.html"),
        (["compare", files / "gaussian.npz", "--truth", "exact", "--json", "e.json", "--figure", "e.html"], "e.html"),
        (["respond", files / "field.npz", "--lags", 5, "--out", "again.npz"], "again.npz"),
    ):
        with pytest.raises(RuntimeError, match="a broken console"):
            __main__.main([str(word) for word in words])
        assert Path(made).exists(), words
    assert Path("e.json").exists()
