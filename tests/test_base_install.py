"""The library and the command line work without Jupyter; only the widgets of the lessons need it, and say so."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # a Python of its own

JUPYTER = ("IPython", "ipywidgets", "anywidget", "traitlets", "jupyterlab", "jupytext", "nbval", "nbformat", "nbclient", "ipykernel")
CODE = f"""
import io, json, sys
from contextlib import redirect_stdout
from pathlib import Path

class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {JUPYTER}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent)
"""
CODE += """
import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.__main__ import main

data = gfdt.simulate(gfdt.OrnsteinUhlenbeck(), members=8, duration=60.0)
response = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=10.0)
found = {"curves": len(figures.response_curves({"gaussian": response}).data)}

with redirect_stdout(io.StringIO()) as shown:
    try:
        main(["--help"])
    except SystemExit as stopped:
        found["help"] = [stopped.code, shown.getvalue()]
    simulated = main(["simulate", "--system", "ornstein-uhlenbeck", "--preset", "tiny", "--out", "series.npz"])
    responded = main(["respond", "series.npz", "--lags", "5", "--out", "response.npz"])
found["verbs"] = [simulated, responded, Path("response.npz").exists()]

try:
    import gfdt_tutorial.course.widgets
except ModuleNotFoundError as error:
    found["widgets"] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def without_jupyter(tmp_path_factory):
    """What a process found in which nothing of Jupyter can be imported."""
    folder = tmp_path_factory.mktemp("base")
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", CODE], cwd=folder, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_library_simulates_responds_and_draws(without_jupyter):
    assert without_jupyter["curves"] > 0


def test_the_command_line_runs(without_jupyter):
    code, shown = without_jupyter["help"]
    assert code == 0 and "simulate" in shown
    assert without_jupyter["verbs"] == [0, 0, True]


def test_the_widgets_say_how_to_install_what_they_need(without_jupyter):
    assert 'pip install "gfdt-tutorial[lab]"' in without_jupyter["widgets"]
