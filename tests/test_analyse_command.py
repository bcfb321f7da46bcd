"""The command `analyse`: files in, a report out; or one sentence, exit status 2 and nothing written."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import series_examples
import torch
from series_examples import RING, drifting, noise, series, uneven

from gfdt_tutorial import LearnedScore, simulate
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.verdicts import Agreement
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.built_in import system_of

here = series_examples.here


def run(*words):
    return main(["analyse", *(str(word) for word in words)])


def test_the_command_line_says_that_the_series_was_turned_round(here, monkeypatch, capsys):
    monkeypatch.delenv("GFDT_QUIET", raising=False)
    np.savez("file.npz", u=noise("mt"), times=np.arange(600.0)[::-1], axes="mt")
    assert run("file.npz", "--preset", "tiny", "--lags", 4, "--out", "out") == 0
    assert "note: the times of file.npz decrease from 599.0 to 0.0: the series was reversed" in capsys.readouterr().err
    about = json.loads(Path("out/analysis.json").read_text(encoding="utf-8"))
    assert "reversed" in about["data"]["notes"][0]


def with_one(value):
    def changed(u):
        u = u.astype(complex) if isinstance(value, complex) else u.copy()
        u[3, 100, 5] = value
        return u

    return changed


def truncated():
    np.save("whole.npy", noise())
    with open("whole.npy", "rb") as whole, open("in.npy", "wb") as part:
        part.write(whole.read(20_000))
    os.unlink("whole.npy")


def saved(change=lambda u: u, **options):
    return lambda: np.save("in.npy", change(noise(**options)))


BROKEN = {
    "empty": (saved(lambda u: u[:, :0]), "there are no values"),
    "NaN": (saved(with_one(math.nan)), "1 of 76800 values are NaN or infinite, the first at index (3, 100, 5); drop"),
    "wrong axes": (saved(axes="tx"), "2 axes; axes='mtx' names 3"),
    "too short": (saved(steps=12), "12 samples in time, too short"),
    "constant": (saved(lambda u: 0 * u + 4), "all values are 4 up to rounding: data that do not vary"),
    "all in the last digits": (saved(lambda u: u + 3e7), "If it does vary, subtract the mean first"),
    "trending": (saved(drifting), "stationarity: The mean changes by"),
    "inhomogeneous": (saved(uneven), "homogeneity: The variance varies over the box by"),
    "non-uniform times": (
        lambda: np.savez("in.npz", u=noise(), times=np.arange(600.0) ** 2, axes="mtx"),
        "times must increase in equal steps",
    ),
    "complex": (saved(with_one(1j)), "complex128; expected real"),
    "huge values": (saved(with_one(9.97e36)), "a mark for missing values?"),
    "truncated file": (truncated, "not a readable .npy file"),
    "unwritable output": (saved(), "out cannot be a folder"),
    "wrong kind of file": (
        lambda: Path("in.npy").write_text("a,b\n1,2\n", encoding="utf-8"),
        "not a readable .npy file (it does not begin as one)",
    ),
    "a long memory": (saved(steps=40, memory=0.99), "memory: The slowest scale forgets itself in"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_input_is_one_sentence_and_exit_2_and_nothing_written(here, capsys, case):
    make, message = BROKEN[case]
    make()
    if case == "unwritable output":
        (here / "out").write_text("a file of this name", encoding="utf-8")
    before = {path: path.read_bytes() for path in here.iterdir()}
    name = "in.npz" if (here / "in.npz").exists() else "in.npy"
    axes = [] if name == "in.npz" else ["--axes", "mtx", "--every", 1]
    assert run(name, *axes, "--preset", "tiny", "--out", "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_what_a_file_lacks_is_asked_for(here, capsys):
    np.save("in.npy", noise("tx"))
    assert run("in.npy", "--every", 1, "--out", "out") == 2 and "--axes mtyx" in capsys.readouterr().err
    assert run("in.npy", "--axes", "tx", "--out", "out") == 2 and "--every" in capsys.readouterr().err
    assert run("none.npy", "--out", "out") == 2 and "none.npy was not found" in capsys.readouterr().err
    assert run("in.npy", "--axes", "tx", "--every", 1, "--lags", 200, "--out", "out") == 2 and "half the series" in capsys.readouterr().err
    (here / "in.csv").write_text("1,2", encoding="utf-8")
    assert run("in.csv", "--out", "out") == 2 and "expected one of .npy" in capsys.readouterr().err
    assert [path.name for path in here.iterdir() if path.name not in ("in.npy", "in.csv")] == []


def test_ctrl_c_leaves_130_and_nothing(here, monkeypatch, capsys):
    def stop(training):
        raise KeyboardInterrupt

    np.save("in.npy", noise("tx"))
    monkeypatch.setattr(Training, "_advance", stop)
    assert run("in.npy", "--axes", "tx", "--every", 1, "--preset", "tiny", "--out", "out") == 130
    assert "stopped" in capsys.readouterr().err and not (here / "out").exists()


@pytest.mark.slow
def test_the_verb_writes_report_arrays_numbers_and_scores(here, capsys):
    simulate(RING, members=8, duration=300.0, device="cpu").save("ring.npz")
    assert run("ring.npz", "--preset", "tiny", "--lags", 10, "--out", "out/deep") == 0
    printed = capsys.readouterr().out
    assert "homogeneity" in printed and "report.html" in printed
    folder = here / "out" / "deep"
    assert {path.name for path in folder.iterdir()} == {"report.html", "responses.npz", "analysis.json", "score-1", "score-2"}
    arrays = np.load(folder / "responses.npz", allow_pickle=False)
    assert {name: arrays[name].shape for name in arrays.files} == {
        "times": (11,),
        **dict.fromkeys(("gaussian", "generative", "combined"), (11, 16)),
        **{f"{name}/band": (2, 11, 16) for name in ("gaussian", "generative", "combined")},
    }
    about = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    assert about["checks"]["memory"]["verdict"] in ("fine", "warning") and about["data"]["system"] == "ornstein-uhlenbeck"
    assert system_of(about["data"]).response(torch.tensor(arrays["times"])).shape == (11, 16)
    assert LearnedScore.load(folder / "score-1").method == "generative"
    first = (folder / "responses.npz").read_bytes()
    assert run("ring.npz", "--preset", "tiny", "--lags", 10, "--out", "out/deep") == 0
    assert np.load(folder / "responses.npz")["generative"].tobytes() == arrays["generative"].tobytes() and first


def test_what_is_not_a_number_is_null_and_what_cannot_be_written_leaves_nothing(here):
    found = replace(analyse(series("mt"), preset="tiny", lags=4), halves=Agreement(math.nan, 3.6, 0.0))
    with pytest.raises(TypeError, match="not JSON"):
        replace(found, notes=(here,)).save("out", b"page")
    Path("taken/analysis.json").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"analysis\.json"):
        found.save("taken", b"page")
    np.save("in.npy", noise("tx"))
    assert run("in.npy", "--axes", "tx", "--every", 1, "--out", "taken") == 2
    assert not Path("out").exists() and [path.name for path in Path("taken").iterdir()] == ["analysis.json"]
    found.save("out", b"page")
    assert json.loads(Path("out/analysis.json").read_text(encoding="utf-8"))["halves"]["distance"] is None


def test_a_season_is_taken_off_on_the_way_in_and_the_report_says_so(here, capsys):
    t = np.arange(480.0)
    np.save("season.npy", noise("t", steps=480, memory=0.7) + np.cos(2 * np.pi * t / 12))
    words = ["season.npy", "--axes", "t", "--every", 1, "--preset", "tiny", "--lags", 6, "--out", "out"]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert "period 12 " in error and "deseasonalise=12" in error and not (here / "out").exists()
    assert run(*words, "--deseasonalise", 12) == 0
    about = json.loads((here / "out" / "analysis.json").read_text(encoding="utf-8"))
    assert about["data"]["preparation"] == [{"step": "deseasonalise", "period": 12.0, "variance": False}]
    assert "deseasonalise" in (here / "out" / "report.html").read_text(encoding="utf-8")
    assert run(*words, "--deseasonalise", 1) == 2 and "expected 2 to 240" in capsys.readouterr().err
