"""A system that is defined outside the package goes through everything, and no other file knows of it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from swift_hohenberg import SwiftHohenberg

import gfdt_tutorial as gfdt
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.course import widgets
from gfdt_tutorial.course.views.kick_design import KickDesign
from gfdt_tutorial.course.views.response_lab import Predictions
from gfdt_tutorial.experiments.comparison import compare_methods
from gfdt_tutorial.figures.figure_one import figure_one
from gfdt_tutorial.systems.built_in import find_system, system_of

HERE = Path(__file__).parent
SYSTEM = SwiftHohenberg()
PAGE = (HERE.parent / "docs" / "your_own_system.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def data():
    return gfdt.simulate(SYSTEM, members=32, duration=80.0, every=0.5, device="cpu")


@pytest.fixture(scope="module")
def truth():
    return gfdt.perturb(SYSTEM, lags=5.0, every=0.5, pairs=256, device="cpu")


def test_it_is_short_and_stands_in_one_file():
    lines = [line for line in (HERE / "swift_hohenberg.py").read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 40
    package = (HERE.parent / "gfdt_tutorial").rglob("*.py")
    assert not any("hohenberg" in path.read_text(encoding="utf-8").lower() for path in package)


def test_the_page_shows_the_file_as_it_is():
    assert BLOCKS[0] == (HERE / "swift_hohenberg.py").read_text(encoding="utf-8")


def test_a_duration_that_is_no_multiple_of_the_sampling_interval_warns():
    with pytest.warns(UserWarning, match=r"duration = 3\.3 is no multiple of every = 0\.5: the run lasts 3\.5; give duration = 3\.5, or"):
        assert len(gfdt.simulate(SYSTEM, members=1, duration=3.3, every=0.5, spinup=0.0, device="cpu").times) == 8


def test_it_is_simulated_with_the_wavelength_of_its_pattern(data):

    assert data.axes == "mtx" and data.u.shape == (32, 161, 64)
    power = SYSTEM.grid.rfft(data.u).abs().square().mean((0, 1))
    assert float(SYSTEM.grid.k_squared[int(power.argmax())].sqrt()) == pytest.approx(1.0, abs=0.13)


def test_its_gaussian_response_is_near_the_truth_and_a_wrong_score_is_not(data, truth):
    score = gfdt.GaussianScore.fit(data)
    found = {name: gfdt.respond(data, one, lags=5.0) for name, one in {"right": score, "wrong": lambda u: 0.5 * score(u)}.items()}
    errors = {name: gfdt.compare(one, truth).quoted["l2"] for name, one in found.items()}
    assert errors["right"] < 0.04 < 0.08 < errors["wrong"]


def test_a_score_is_learned_and_saved(data, truth, tmp_path):
    score = gfdt.fit_score(data, preset="tiny", device="cpu")
    again = gfdt.LearnedScore.load(score.save(tmp_path / "score"))
    assert gfdt.compare(gfdt.respond(data, again, lags=5.0), truth).quoted["l2"] < 0.2


def test_the_series_says_where_the_system_stands(data, tmp_path):
    read = gfdt.TimeSeries.load(data.save(tmp_path / "series.npz"))
    assert system_of(read.info) == SYSTEM
    assert find_system("swift_hohenberg:SwiftHohenberg") == SYSTEM


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("swift", "system 'swift' is unknown"),
        ("swift_hohenberg:Nothing", "has no class Nothing that inherits from gfdt.System, and no system of that name"),
        ("swift_hohenberg:torch", "has no class torch"),
        ("no_such_module:System", "cannot import no_such_module"),
        ("no/such/file.py:System", "cannot import no/such/file.py: there is no such file"),
    ],
)
def test_a_system_that_is_not_there_is_named(place, message):
    with pytest.raises(ValueError, match=message):
        find_system(place)


def test_a_class_that_forgets_a_part_of_the_contract_says_which():
    class Half(gfdt.System):
        name = "half"

        def initial(self, members, seed, device):
            return torch.zeros(len(members))

    with pytest.raises(TypeError, match="stepper"):
        Half()
    with pytest.raises(gfdt.NotKnownError, match="no closed form of its stationary density or its score"):
        SYSTEM.score(torch.zeros(64))


def test_it_is_compared_and_drawn_as_figure_one():
    found = compare_methods(SYSTEM, preset="tiny", device="cpu")
    assert list(found.responses) == [
        "dynamical",
        "gaussian",
        "generative",
        "generative_normalised",
        "generative_controlled",
        "generative_combined",
    ]
    figure = figure_one([found])
    assert figure.layout.annotations[-1].text == "Swift Hohenberg"
    assert any(isinstance(trace.y, np.ndarray) and len(trace.y) > 10 for trace in figure.data)


def test_the_kick_lab_takes_it():
    lab = widgets.KickLab(SYSTEM)
    assert "gfdt-error" not in lab.readout.value and lab.controls["system"].value == "swift-hohenberg"
    lab.add(0, 5, 2.0)
    assert float(lab.view.pattern[5]) == pytest.approx(float(lab.view.kick.amplitude * 2 + KickDesign().pattern(SYSTEM.grid)[5]), rel=0.2)
    lab.controls["system"].value = "ornstein-uhlenbeck"
    assert lab.view.grid == gfdt.OrnsteinUhlenbeck().grid and "gfdt-error" not in lab.readout.value


def test_the_code_that_the_kick_lab_prints_gives_what_it_shows():
    view = Predictions(SYSTEM, KickDesign("bump", 0.5, ((0, 3, 1.0),)))
    found: dict = {}
    exec(view.code(2.0), found)
    for name, field in view.fields.items():
        torch.testing.assert_close(found["maps"][name], field[view.row(2.0)])


def test_the_parameter_lab_takes_it():
    lab = widgets.ParameterLab(SYSTEM)
    assert "gfdt-error" not in lab.readout.value and list(lab.controls) == ["system", "r"]
    lab.sliders[0].value = 5
    assert "gfdt-error" not in lab.readout.value


@pytest.mark.slow
def test_the_command_line_takes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = f"{HERE / 'swift_hohenberg.py'}:SwiftHohenberg"
    sizes = ["--members", "8", "--duration", "40", "--preset", "tiny", "--device", "cpu"]
    assert main(["simulate", "--system", place, "--set", "r=-0.3", *sizes, "--out", "series.npz"]) == 0
    assert main(["respond", "series.npz", "--lags", "5", "--out", "gaussian.npz"]) == 0
    assert (
        main(["perturb", "--system", place, "--set", "r=-0.3", "--preset", "tiny", "--lags", "5", "--device", "cpu", "--out", "truth.npz"])
        == 0
    )
    assert main(["compare", "gaussian.npz", "--truth", "truth.npz"]) == 0
    assert main(["figure1", "--system", place, "--preset", "tiny", "--device", "cpu", "--no-cache", "--out", "figure"]) == 0
    assert (tmp_path / "figure" / "figure1.html").exists()


@pytest.mark.slow
def test_a_lone_number_goes_through_the_same():
    """An SDE of one component: compared, drawn, kicked in the lab, and in the code that the lab prints."""
    walker = gfdt.SDE(
        lambda x, p: x - x**3 + p["a"], lambda x, p: p["s"] * torch.ones(1), {"a": 0.2, "s": 0.7}, spinup=20.0, lags=5.0, every=0.25,
        name="walker",
    )  # fmt: skip
    found = compare_methods(walker, preset="tiny", device="cpu")
    forms = ["generative", *(f"generative_{form}" for form in ("normalised", "controlled", "combined"))]
    assert list(found.responses) == ["dynamical", "gaussian", *forms]
    assert found.errors["gaussian"].l2[-1] > 0  # the quoted error is signed: the noise of so short a truth is subtracted
    assert figure_one([found]).layout.annotations[-1].text == "Walker"
    lab = widgets.KickLab(walker)
    lab.add(0, 0, 1.0)
    assert "gfdt-error" not in lab.readout.value and float(lab.view.pattern) == pytest.approx(2 * lab.controls["amplitude"].value)
    assert gfdt.run(lab.view.ensemble()).row == len(lab.view.times) - 1
    with pytest.raises(ValueError, match="no parameter that a slider may move"):
        widgets.ParameterLab(walker)
