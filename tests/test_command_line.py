"""The command line as a user meets it: a whole experiment, one message on bad input, and nothing half-written."""

import json
import re

import numpy as np
import pytest

from gfdt_tutorial import AllenCahn, LearnedScore, Response, TimeSeries, figures
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.experiments.cache import Cache
from gfdt_tutorial.responses import kicked_twins, twins
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.sizes import Truth

OU = ["--system", "ornstein-uhlenbeck", "--preset", "tiny"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GFDT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run(*words: str) -> int:
    return main([str(word) for word in words])


def test_simulate_respond_perturb_compare(here, capsys):
    assert run("simulate", *OU, "--members", 16, "--set", "kappa=0.0005", "--out", "series.npz") == 0
    assert run("respond", "series.npz", "--lags", 20, "--out", "gaussian.npz") == 0
    assert run("respond", "series.npz", "--lags", 20, "--score", "analytic", "--form", "normalised", "--out", "analytic.npz") == 0
    assert run("perturb", *OU, "--set", "kappa=0.0005", "--kick", "random signs", "--out", "twins.npz") == 0
    assert run("compare", "gaussian.npz", "analytic.npz", "--truth", "exact", "--figure", "compare.html", "--json", "errors.json") == 0
    assert run("compare", "gaussian.npz", "--truth", "twins.npz") == 0
    assert TimeSeries.load("series.npz").info["parameters"]["kappa"] == 0.0005
    assert Response.load("analytic.npz").form == "normalised"
    errors = json.loads((here / "errors.json").read_text(encoding="utf-8"))
    assert 0 < errors["gaussian"]["quoted"]["l2"] < 0.3
    page = (here / "compare.html").read_text(encoding="utf-8")
    assert "plotly.js v" in page and 'src="http' not in page  # opens offline
    assert "quoted L2" in capsys.readouterr().out


@pytest.mark.slow
def test_figure1_writes_the_public_forms(here):
    assert run("figure1", *OU, "--out", "out") == 0
    metrics = json.loads((here / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert {"format", "preset", "seed", "device", "versions", "peak_rss_mb", "systems"} == set(metrics)
    system = metrics["systems"]["ornstein-uhlenbeck"]
    assert {"simulate", "fit", "respond", "perturb"} <= set(system["seconds"])
    assert {"gaussian", "analytic", "generative", "generative_normalised", "dynamical"} <= set(system["methods"])
    assert set(system["methods"]["gaussian"]) == {"l2", "linf", "l2_sq_unbiased", "l2_sq_se", "quoted", "by_wavenumber", "bump"}
    arrays = np.load(here / "out" / "responses.npz", allow_pickle=False)
    lags = len(arrays["ornstein-uhlenbeck/times"])
    assert all(
        arrays[f"ornstein-uhlenbeck/{name}"].shape == (lags, 32, 32)
        for name in ("exact", "gaussian", "analytic", "generative", "dynamical")
    )
    assert (here / "out" / "figure1.html").stat().st_size > 1e6
    assert {name: stage["cached"] for name, stage in system["stages"].items()} == dict.fromkeys(
        ("fit", "perturb", "forecast", "respond"), False
    )
    assert run("figure1", *OU, "--out", "again") == 0
    again = json.loads((here / "again" / "metrics.json").read_text(encoding="utf-8"))["systems"]["ornstein-uhlenbeck"]
    assert again.pop("stages") == {name: stage | {"cached": True} for name, stage in system.pop("stages").items()}
    assert again == system  # the seconds are those of the computation
    warm = np.load(here / "again" / "responses.npz", allow_pickle=False)
    assert warm.files == arrays.files and all(warm[name].tobytes() == arrays[name].tobytes() for name in warm.files)
    folders = [here / name / "score" / "ornstein-uhlenbeck" for name in ("out", "again")]
    assert LearnedScore.load(folders[0]).method == "generative"
    assert (folders[0] / "weights.safetensors").read_bytes() == (folders[1] / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_figure1_of_all_systems_tells_its_stages(here, monkeypatch, capsys):
    monkeypatch.delenv("GFDT_QUIET")
    monkeypatch.setattr(figures, "save_image", lambda *_, **__: None)  # takes longer than all the rest
    assert run("figure1", "--preset", "tiny", "--out", "out") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stage ")]
    order = [(system, stage) for system in SYSTEMS for stage in ("fit", "perturb", "forecast", "respond")]
    assert lines == [f"stage {i} of 12: {system}, {stage}" for i, (system, stage) in enumerate(order, start=1)]  # no time is made up
    assert run("figure1", *OU, "--system", "allen-cahn", "--seed", 1, "--out", "other") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stage ")]
    assert len(lines) == 8 and all(re.search(r"some \d+ s left in all", line) for line in lines)
    assert run("figure1", *OU, "--out", "again") == 0
    assert "stage 4 of 4: ornstein-uhlenbeck, respond; read from the cache" in capsys.readouterr().err
    metrics = json.loads((here / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert list(metrics["systems"]) == list(SYSTEMS)
    assert {name.split("/")[0] for name in np.load(here / "out" / "responses.npz", allow_pickle=False)} == {"format", *SYSTEMS}
    assert {path.name for path in (here / "out" / "score").iterdir()} == set(SYSTEMS)


def test_figure1_is_stopped_and_says_how_to_go_on(here, monkeypatch, capsys):
    monkeypatch.setattr(Training, "_advance", stop_at(13, Training._advance))
    assert run("figure1", *OU, "--out", "out") == 130
    assert f"the same command goes on from {here / 'cache'}" in capsys.readouterr().err
    assert list((here / "cache").glob("ornstein-uhlenbeck-fit-*.work/checkpoint")) and not list((here / "out").iterdir())
    assert run("figure1", *OU, "--no-cache", "--out", "out") == 130
    assert "nothing was kept" in capsys.readouterr().err


@pytest.mark.slow
def test_without_a_cache_nothing_is_kept(here):
    assert run("figure1", *OU, "--no-cache", "--out", "out") == 0
    assert not (here / "cache").exists() and (here / "out" / "responses.npz").exists()


def test_a_parameter_is_set_for_one_system_only(here, capsys):
    for systems in ([], [*OU, "--system", "allen-cahn"]):
        assert run("figure1", *systems, "--set", "alpha=8", "--out", "out") == 2
        assert "name one with --system" in capsys.readouterr().err
    assert not list(here.iterdir())


def test_a_score_is_learned_used_and_its_training_resumed(here, capsys, monkeypatch):
    assert run("simulate", *OU, "--members", 16, "--out", "series.npz") == 0
    with monkeypatch.context() as stopped:
        stopped.setattr(Training, "_advance", stop_at(7, Training._advance))
        assert run("fit-score", "series.npz", "--preset", "tiny", "--out", "score") == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert [path.name for path in here.iterdir() if "score" in path.name] == ["score.checkpoint"]
    assert run("fit-score", "series.npz", "--preset", "tiny", "--out", "score") == 0
    assert run("fit-score", "series.npz", "--preset", "tiny", "--out", "undisturbed") == 0
    assert (here / "score" / "weights.safetensors").read_bytes() == (here / "undisturbed" / "weights.safetensors").read_bytes()
    assert not (here / "score.checkpoint").exists()
    assert run("respond", "series.npz", "--score", "score", "--lags", 10, "--out", "generative.npz") == 0
    assert Response.load("generative.npz").method == "generative"


def stop_at(step, advance):
    def stopping(training):
        if training.step == step:
            raise KeyboardInterrupt
        return advance(training)

    return stopping


NO_SUCH = "the folder no/such does not exist; make it, or name another"
BAD = {
    "no such score": (["respond", "text.npz", "--score", "nowhere", "--out", "out.npz"], "text.npz"),
    "no such file": (["respond", "none.npz", "--out", "out.npz"], "none.npz"),
    "not an npz": (["respond", "text.npz", "--out", "out.npz"], "not a readable .npz"),
    "unknown parameter": (["simulate", *OU, "--set", "kapa=1", "--out", "out.npz"], "expected one of"),
    "parameter out of range": (["simulate", *OU, "--set", "lam=-1", "--out", "out.npz"], "lam is -1"),
    "not a number": (["simulate", *OU, "--set", "lam", "--out", "out.npz"], "NAME=NUMBER"),
    "missing device": (["simulate", *OU, "--device", "cuda:99", "--out", "out.npz"], "cuda:99"),
    "negative duration": (["simulate", *OU, "--duration", -3, "--out", "out.npz"], "duration"),
    "no such folder": (["simulate", *OU, "--out", "no/such/out.npz"], NO_SUCH),
    "no such folder for a response": (["respond", "none.npz", "--out", "no/such/out.npz"], NO_SUCH),
    "no such folder for the twins": (["perturb", *OU, "--out", "no/such/out.npz"], NO_SUCH),
    "no such folder for the truth": (["truth", "--system", "allen-cahn", "--out", "no/such/out.npz"], NO_SUCH),
    "no such folder for the errors": (["compare", "none.npz", "--truth", "exact", "--json", "no/such/out.json"], NO_SUCH),
    "no such folder for a figure": (["compare", "none.npz", "--truth", "exact", "--figure", "no/such/out.html"], NO_SUCH),
    "no such folder for the rows": (["bench", "--json", "no/such/out.json"], NO_SUCH),
    "no such folder for the assets": (["assets", "--out", "no/such"], NO_SUCH),
    "no such folder for the checkpoint": (["fit-score", "none.npz", "--out", "no/such/score"], NO_SUCH),
    "a folder for a file": (["simulate", *OU, "--out", "."], "it is a folder; choose another name"),
    "a file for a folder": (["fit-score", "none.npz", "--out", "text.npz"], "text.npz is a file; choose another name"),
    "a file for a folder of figures": (["figure1", *OU, "--out", "text.npz"], "text.npz is a file; choose another name"),
    "too few pairs": (["perturb", *OU, "--pairs", 3, "--out", "out.npz"], "pairs is 3"),
    "no pairs": (["perturb", *OU, "--pairs", 0, "--out", "out.npz"], "pairs is 0"),
    "no pairs for the truth": (["truth", "--system", "allen-cahn", "--pairs", 0, "--out", "out.npz"], "pairs is 0"),
    "no lags": (["perturb", *OU, "--lags", 0, "--out", "out.npz"], "lags is 0"),
    "no kick": (["perturb", *OU, "--amplitude", 0, "--out", "out.npz"], "amplitude is 0"),
    "no members": (["simulate", *OU, "--members", 0, "--out", "out.npz"], "members is 0"),
    "no interval": (["simulate", *OU, "--every", 0, "--out", "out.npz"], "every is 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_message_and_exit_2_and_no_file(here, capsys, case):
    (here / "text.npz").write_text("not arrays", encoding="utf-8")
    words, message = BAD[case]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and "Traceback" not in error
    assert [path.name for path in here.iterdir()] == ["text.npz"]


def test_what_cannot_be_written_is_known_before_any_work(here, monkeypatch):
    def never(*_, **__):
        raise AssertionError("the work was begun")

    for work in ("simulate", "perturb", "bench.run", "fit_score", "compare_systems", "reference_truth"):
        monkeypatch.setattr(f"gfdt_tutorial.__main__.{work}", never)
    for words in (words for case, (words, _) in BAD.items() if "folder" in case):
        (here / "text.npz").write_text("not arrays", encoding="utf-8")
        assert run(*words) == 2


def test_a_score_may_be_learned_into_the_folder_where_one_stands(here):
    assert run("simulate", *OU, "--members", 8, "--out", "series.npz") == 0
    assert run("fit-score", "series.npz", "--preset", "tiny", "--out", ".") == 0
    assert sorted(path.name for path in here.iterdir()) == ["score.json", "series.npz", "weights.safetensors"]


def test_an_unknown_preset_is_refused(here):
    with pytest.raises(SystemExit, match="2"):
        run("simulate", "--system", "ornstein-uhlenbeck", "--preset", "huge", "--out", "out.npz")


def test_the_analytic_score_of_foreign_data_is_refused(here, capsys):
    TimeSeries(np.random.default_rng(0).normal(size=(9, 4)), np.arange(9.0), "tx").save("mine.npz")
    assert run("respond", "mine.npz", "--score", "analytic", "--lags", 2, "--out", "out.npz") == 2
    assert "do not say which system" in capsys.readouterr().err


def test_ctrl_c_leaves_130_and_no_file(here, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gfdt_tutorial.__main__.simulate", stop)
    assert run("simulate", *OU, "--out", "out.npz") == 130
    assert "stopped" in capsys.readouterr().err and not list(here.iterdir())


def test_without_chromium_the_image_is_skipped_with_a_note(here, monkeypatch, capsys):
    def missing(*_, **__):
        raise RuntimeError("no Chromium")

    monkeypatch.setattr("plotly.graph_objects.Figure.to_image", missing)
    assert figures.save_image(figures.spectrum({}), "figure.png") is None
    assert "figure.png was not written" in capsys.readouterr().out and not list(here.iterdir())


def test_an_image_is_drawn_once(here, monkeypatch):
    drawn = []
    monkeypatch.setattr("plotly.graph_objects.Figure.to_image", lambda figure, **_: drawn.append(figure) or b"image")
    for name, title in (("one.png", "a"), ("two.png", "a"), ("three.png", "b")):
        assert figures.save_image(figures.spectrum({}, title), name, cache=Cache()).read_bytes() == b"image"
    assert len(drawn) == 2


@pytest.fixture
def short_truth(monkeypatch):
    monkeypatch.setattr(AllenCahn, "reference", Truth(pairs=64, lags=2, every=1.0, restarts=2, seed=3))
    monkeypatch.setattr(AllenCahn, "spinup", 1.0)
    monkeypatch.setattr(twins, "BATCH", 1)
    monkeypatch.setattr(kicked_twins, "SAVE_EVERY", 2)


@pytest.mark.slow
def test_the_long_truth_is_stopped_and_goes_on_to_the_same_bits(here, capsys, monkeypatch, short_truth):
    truth = ["truth", "--system", "allen-cahn", "--device", "cpu"]
    assert run(*truth, "--out", "whole.npz", "--checkpoint", "other.npz") == 0
    add = kicked_twins.Twins.add

    def interrupted(self, *sums):
        if self.done == 9:
            raise KeyboardInterrupt
        add(self, *sums)

    with monkeypatch.context() as stopped:
        stopped.setattr(kicked_twins.Twins, "add", interrupted)
        assert run(*truth, "--out", "truth.npz") == 130
    assert "goes on from allen-cahn-truth.checkpoint.npz" in capsys.readouterr().err
    assert [path.name for path in here.glob("*truth*")] == ["allen-cahn-truth.checkpoint.npz"]
    with monkeypatch.context() as counted:
        calls = []
        counted.setattr(kicked_twins.Twins, "add", lambda self, *sums: calls.append(0) or add(self, *sums))
        assert run(*truth, "--out", "truth.npz") == 0
    assert len(calls) == 32 - 9
    assert Response.load("truth.npz").values.equal(Response.load("whole.npz").values)
    assert not list(here.glob("*checkpoint*"))


def test_a_truth_is_only_for_systems_without_a_closed_form(here, capsys):
    assert run("truth", "--system", "ornstein-uhlenbeck") == 2
    assert "ornstein-uhlenbeck names no size of a long reference truth" in capsys.readouterr().err


@pytest.mark.slow
def test_figure1_of_the_allen_cahn_field(here):
    assert run("figure1", "--system", "allen-cahn", "--preset", "tiny", "--out", "out") == 0
    system = json.loads((here / "out" / "metrics.json").read_text(encoding="utf-8"))["systems"]["allen-cahn"]
    forms = {f"{method}{form}" for method in ("analytic", "generative") for form in ("", "_normalised", "_controlled")}
    assert {"gaussian"} | forms <= set(system["methods"])
    assert system["truth"]["source"] == "shipped" and system["truth"]["pairs"] == AllenCahn.reference.pairs
    arrays = np.load(here / "out" / "responses.npz", allow_pickle=False)
    assert arrays["allen-cahn/dynamical"].shape[1:] == arrays["allen-cahn/generative_normalised"].shape[1:] == (32, 32)
    assert run("figure1", "--system", "allen-cahn", "--preset", "tiny", "--set", "alpha=8", "--out", "other") == 0
    assert (
        json.loads((here / "other" / "metrics.json").read_text(encoding="utf-8"))["systems"]["allen-cahn"]["truth"]["source"] == "computed"
    )


@pytest.mark.slow
def test_figure1_of_the_flow_with_a_score_that_is_given_the_forcing(here, capsys):
    assert run("figure1", "--system", "navier-stokes", "--preset", "tiny", "--conditioned", "--out", "out") == 0
    system = json.loads((here / "out" / "metrics.json").read_text(encoding="utf-8"))["systems"]["navier-stokes"]
    forms = {f"{method}{form}" for method in ("generative", "conditioned") for form in ("", "_normalised", "_controlled")}
    assert set(system["methods"]) == {"gaussian", "conditioned_combined"} | forms
    assert system["truth"]["source"] == "shipped" and {"fit", "fit_conditioned", "perturb"} <= set(system["seconds"])
    arrays = np.load(here / "out" / "responses.npz", allow_pickle=False)
    assert arrays["navier-stokes/conditioned"].shape == (17, 32, 32) and len(arrays["navier-stokes/times"]) == 65


@pytest.mark.slow
def test_what_the_flow_has_not_and_others_have_not_is_said(here, capsys):
    assert run("figure1", "--system", "allen-cahn", "--preset", "tiny", "--conditioned", "--out", "out") == 2
    assert "hidden forcing, and allen-cahn has none" in capsys.readouterr().err
    flow = ["--system", "navier-stokes", "--preset", "tiny"]
    assert run("simulate", *flow, "--set", "frozen=1", "--set", "nyquist=0", "--members", 2, "--duration", 1, "--out", "flow.npz") == 0
    parameters = TimeSeries.load("flow.npz").info["parameters"]
    assert parameters["frozen"] is True and parameters["nyquist"] is False
    assert run("simulate", *flow, "--context", "--members", 2, "--duration", 2, "--every", 0.25, "--out", "with.npz") == 0
    assert run("fit-score", "with.npz", "--preset", "tiny", "--context", "--out", "given") == 0
    assert run("respond", "with.npz", "--score", "given", "--lags", 0.5, "--out", "given.npz") == 0
    assert Response.load("given.npz").method == "conditioned"
    assert run("simulate", *OU, "--context", "--out", "none.npz") == 2 and "no hidden forcing" in capsys.readouterr().err
    assert run("respond", "flow.npz", "--score", "analytic", "--lags", 0.25, "--out", "answer.npz") == 2
    assert "no closed form" in capsys.readouterr().err
    assert run("simulate", *flow, "--set", "dt=0.5", "--every", 0.5, "--out", "wild.npz") == 2
    assert "Courant number" in capsys.readouterr().err and not (here / "wild.npz").exists()
