"""What is kept between runs: found again when nothing that it rests on has changed, and never half-made."""

import json
import os
import signal
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gfdt_tutorial import AllenCahn, NavierStokes, OrnsteinUhlenbeck
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.bench import figure1
from gfdt_tutorial.core import storage
from gfdt_tutorial.experiments import source_files
from gfdt_tutorial.experiments.cache import Cache, Serializer, Stage, fetch
from gfdt_tutorial.experiments.comparison import compare_methods
from gfdt_tutorial.experiments.pipeline import plan
from gfdt_tutorial.responses.kicked_twins import Twins
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems import simulate as simulation

STAGE = Stage(
    "allen-cahn", "fit", {"preset": "tiny", "seed": 0, "data": {"seed": 1000, "members": 8}}, ("gfdt_tutorial.core.checks",), "cpu"
)
NUMBER = Serializer(
    lambda value, folder: storage.save_json(folder / "number.json", {"x": value}),
    lambda folder: json.loads((folder / "number.json").read_text(encoding="utf-8"))["x"],
)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def said(monkeypatch, capsys):
    """What a user reads on standard error."""
    monkeypatch.delenv("GFDT_QUIET")
    return lambda: capsys.readouterr().err


class Clock:
    """It moves when it is told to, and stands still otherwise."""

    now = 0.0

    def perf_counter(self):
        return self.now

    monotonic = perf_counter

    def takes(self, seconds):
        """Work of 1.5, which takes so long."""

        def make(checkpoint):
            self.now += seconds
            return 1.5

        return make


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("gfdt_tutorial.experiments.cache.time", made)
    return made


def never(**_):
    raise AssertionError("this was to come from the cache")


# Keys


@pytest.mark.parametrize(
    "change",
    [
        {"name": "perturb"},
        {"subject": "navier-stokes"},
        {"config": STAGE.config | {"seed": 1}},
        {"config": STAGE.config | {"data": {"seed": 1000, "members": 9}}},
        {"device": "cuda"},
        {"modules": ("gfdt_tutorial.core.grid",)},
        {"upstream": (STAGE,)},
    ],
    ids=["name", "subject", "seed", "size", "device", "modules", "upstream"],
)
def test_a_key_changes_with_each_thing_that_the_result_depends_on(change):
    assert replace(STAGE, **change).key != STAGE.key == replace(STAGE, config=dict(reversed(STAGE.config.items()))).key


def test_a_key_changes_with_versions_and_not_with_the_number_of_workers(monkeypatch):
    key, family = replace(STAGE).key, replace(STAGE).family
    with monkeypatch.context() as other:
        other.setenv("GFDT_WORKERS", "77")
        assert replace(STAGE).key == key and replace(STAGE).family != family  # another number of workers takes another time
    monkeypatch.setattr("gfdt_tutorial.experiments.cache.version", lambda name: "0.0")
    assert replace(STAGE).key != STAGE.key


def test_a_key_changes_with_the_source(monkeypatch, tmp_path):
    changed = tmp_path / "checks.py"
    changed.write_text("# changed", encoding="utf-8")
    original = source_files._file
    monkeypatch.setattr(source_files, "_file", lambda name: changed if name == "gfdt_tutorial.core.checks" else original(name))
    assert replace(STAGE).key != STAGE.key


def rests_on(system, stage):
    return source_files.dependencies(next(one for one in planned(system).stages if one.name == stage).modules)


def planned(system, **options):
    return plan(system, "tiny", **{"seed": 0, "device": "cpu", "conditioned": False} | options)


def test_a_stage_rests_on_what_does_its_work_and_on_nothing_else():
    package = {name for name in sys.modules if name.startswith("gfdt_tutorial.")}
    fit, twins, answers = (rests_on(AllenCahn(), name) for name in ("fit", "perturb", "respond"))
    both = {
        "gfdt_tutorial.systems.simulate",
        "gfdt_tutorial.systems.allen_cahn",
        "gfdt_tutorial.systems.white_noise",
        "gfdt_tutorial.core.grid",
    }
    assert both <= fit & twins & answers <= package
    assert {f"gfdt_tutorial.scores.{name}" for name in ("fit", "training", "budgets", "matching", "network", "learned")} <= fit
    assert {"gfdt_tutorial.responses.kick_response", "gfdt_tutorial.scores.gaussian", "gfdt_tutorial.core.correlations"} <= answers
    assert not any(name.startswith("gfdt_tutorial.responses") for name in fit)
    assert not any(name.startswith("gfdt_tutorial.scores") for name in twins)
    assert "gfdt_tutorial.systems.navier_stokes" not in fit | twins | answers
    above = {"figures", "course", "bench", "data"}
    assert above.isdisjoint(name.split(".")[1] for name in fit | twins | answers)
    assert not any(name.endswith((".pipeline", ".presets", ".shipped")) for name in fit | twins | answers)


def test_imports_are_followed_wherever_they_stand(tmp_path, monkeypatch):
    lines = ("def f():", "    from gfdt_tutorial.core import checks", "    import gfdt_tutorial.core.storage", "    import torch")
    (tmp_path / "mine.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert source_files.dependencies(["mine"]) == {"mine", "gfdt_tutorial.core.checks", "gfdt_tutorial.core.storage"}


@pytest.mark.parametrize("line", ["from gfdt_tutorial import respond", "import gfdt_tutorial as gfdt", "from gfdt_tutorial import *"])
def test_a_name_that_a_package_hands_on_is_followed(tmp_path, monkeypatch, line):
    (tmp_path / f"mine{len(line)}.py").write_text(line, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert {"gfdt_tutorial", "gfdt_tutorial.responses.kick_response", "gfdt_tutorial.core.correlations"} <= source_files.dependencies(
        [f"mine{len(line)}"]
    )


def test_a_score_that_is_there_serves_with_and_without_a_second_one():
    alone, both = planned(NavierStokes()).stages, planned(NavierStokes(), conditioned=True).stages
    assert [stage.name for stage in both] == ["fit", "fit_conditioned", "perturb", "forecast", "respond"]
    assert alone[0].key == both[0].key and alone[1].key == both[2].key
    assert alone[2].key != both[3].key and alone[3].key != both[4].key and both[0].key != both[1].key


def test_other_parameters_and_seeds_are_other_stages():
    keys = {stage.key for stage in planned(AllenCahn()).stages}
    for other in (planned(AllenCahn(alpha=8.0)), planned(AllenCahn(), seed=1)):
        assert keys.isdisjoint(stage.key for stage in other.stages)


# Entries


def test_what_was_made_once_is_found_again_with_its_seconds(cache, clock):
    made = cache.fetch(STAGE, clock.takes(7), NUMBER)
    found = cache.fetch(STAGE, never, NUMBER)
    assert (made.value, made.cached, found.value, found.cached) == (1.5, False, 1.5, True)
    assert found.seconds == made.seconds == 7
    assert sorted(path.suffix for path in cache.folder.iterdir()) == ["", "", ".lock"]  # the entry, seconds/, and no work folder


def test_without_a_cache_all_is_made():
    assert fetch(None, STAGE, lambda checkpoint: (1.5, checkpoint), NUMBER).value == (1.5, None)


def spoil_content(entry):
    (entry / "number.json").write_text('{"x": 2.5}', encoding="utf-8")


def lose_file(entry):
    (entry / "number.json").unlink()


def truncate_description(entry):
    (entry / "stage.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize("damage", [spoil_content, lose_file, truncate_description])
def test_a_damaged_entry_is_made_anew_with_a_note(cache, said, damage):
    cache.fetch(STAGE, lambda checkpoint: 1.5, NUMBER)
    damage(next(path for path in cache.folder.iterdir() if path.name.endswith(STAGE.key)))
    assert cache.fetch(STAGE, lambda checkpoint: 3.5, NUMBER).value == 3.5
    assert "allen-cahn, fit: the cache entry is damaged" in said()
    assert cache.fetch(STAGE, never, NUMBER).value == 3.5


def test_what_fails_or_is_stopped_is_not_entered_and_goes_on_from_its_checkpoint(cache):
    def stopped(checkpoint):
        checkpoint.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fetch(STAGE, stopped, NUMBER)
    assert not cache.has(STAGE)
    kept = cache.fetch(STAGE, lambda checkpoint: checkpoint.read_text(encoding="utf-8"), NUMBER)
    assert kept.value == "half" and kept.resumed
    assert cache.expected_seconds(replace(STAGE, config=STAGE.config | {"seed": 1})) is None  # half the work tells nothing


def test_nothing_is_left_of_a_process_that_was_killed_at_its_end(cache):
    cache.fetch(STAGE, lambda checkpoint: 1.5, NUMBER)
    (entry,) = cache.folder.glob(f"*{STAGE.key}")
    work = entry.with_name(entry.name + ".work")
    work.mkdir()
    (work / "checkpoint").write_text("late", encoding="utf-8")
    assert cache.fetch(STAGE, never, NUMBER).value == 1.5 and not work.exists()


def test_a_half_written_entry_is_no_entry(cache):
    def killed(value, folder):
        (folder / "number.json").write_text('{"x": 0.0}', encoding="utf-8")
        raise SystemExit

    with pytest.raises(SystemExit):
        cache.fetch(STAGE, lambda checkpoint: 1.5, Serializer(killed, NUMBER.load))
    assert not cache.has(STAGE)
    assert cache.fetch(STAGE, lambda checkpoint: 2.5, NUMBER).value == 2.5


def test_a_useless_checkpoint_is_dropped_with_a_note(cache, said):
    def resuming(checkpoint):
        if checkpoint.exists():
            raise ValueError("damaged")
        return 1.5

    with pytest.raises(KeyboardInterrupt):
        cache.fetch(STAGE, lambda checkpoint: stop(checkpoint), NUMBER)
    kept = cache.fetch(STAGE, resuming, NUMBER)
    assert kept.value == 1.5 and not kept.resumed and "the checkpoint cannot be used (damaged)" in said()


def stop(checkpoint):
    checkpoint.write_text("x", encoding="utf-8")
    raise KeyboardInterrupt


def test_an_error_that_is_no_checkpoints_fault_comes_through(cache):
    def bad(checkpoint):
        raise ValueError("bad input")

    with pytest.raises(ValueError, match="bad input"):
        cache.fetch(STAGE, bad, NUMBER)
    assert not cache.has(STAGE)


def test_a_stage_is_expected_to_take_what_it_took_at_another_seed(cache, clock):
    other = replace(STAGE, config=STAGE.config | {"seed": 5, "data": {"seed": 6, "members": 8}})
    larger = replace(STAGE, config=STAGE.config | {"data": {"seed": 1000, "members": 9}})
    assert cache.expected_seconds(other) is None
    cache.fetch(STAGE, clock.takes(7), NUMBER)
    assert cache.expected_seconds(other) == 7 and cache.expected_seconds(STAGE) == 0
    assert cache.expected_seconds(larger) is None


@pytest.mark.slow
def test_two_processes_share_the_work(tmp_path, monkeypatch):
    """The other one works until this one says that it waits."""
    program = (
        "import sys; from gfdt_tutorial.experiments.cache import Cache\n"
        "sys.path.insert(0, sys.argv[1]); from test_cache import NUMBER, STAGE\n"
        "def work(checkpoint):\n    print('at work', flush=True); return float(input())\n"
        "Cache(sys.argv[2]).fetch(STAGE, work, NUMBER)"
    )
    words = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as other:
        assert other.stdout.readline() == "at work\n"
        notes = []

        def note(words):
            notes.append(words)
            print("2.5", file=other.stdin, flush=True)

        monkeypatch.setattr("gfdt_tutorial.experiments.cache.note", note)
        assert Cache(tmp_path).fetch(STAGE, never, NUMBER).value == 2.5
    assert other.returncode == 0 and ["another process is computing this stage" in words for words in notes] == [True]


def test_the_folder_is_the_users_unless_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GFDT_CACHE", str(tmp_path / "mine"))
    assert Cache().folder == tmp_path / "mine"
    monkeypatch.delenv("GFDT_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "users"))
    assert Cache().folder == tmp_path / "users"


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"cannot be made .* set GFDT_CACHE"):
        Cache(tmp_path / "file" / "below")


# Experiments


def test_an_experiment_is_the_same_with_a_cache_without_and_from_it(cache, monkeypatch):
    options = {"preset": "tiny", "device": "cpu"}
    plain = compare_methods(OrnsteinUhlenbeck(), **options)
    cold = compare_methods(OrnsteinUhlenbeck(), **options, cache=cache)
    for work in (
        "gfdt_tutorial.experiments.recording.simulate",
        "gfdt_tutorial.experiments.learning.fit_score",
        "gfdt_tutorial.experiments.learning.fit_forecast",
    ):
        monkeypatch.setattr(work, never)  # neither data nor training
    warm = compare_methods(OrnsteinUhlenbeck(), **options, cache=cache)
    some = torch.randn(5, 32, 32, generator=torch.Generator().manual_seed(0))
    for other in (cold, warm):
        assert list(other.responses) == list(plain.responses) and other.headline == plain.headline
        for key, response in plain.responses.items():
            again = other.responses[key]
            assert again.values.equal(response.values) and again.times.equal(response.times) and again.dof == response.dof
            assert (again.band is None) == (response.band is None) and (again.band is None or again.band.equal(response.band))
        assert other.snapshot.equal(plain.snapshot) and other.checks == plain.checks
        assert other.scores["generative"](some).equal(plain.scores["generative"](some))
        assert {key: error.quoted for key, error in other.errors.items()} == {key: error.quoted for key, error in plain.errors.items()}
    assert [stage["cached"] for stage in warm.stages.values()] == [True] * 4 and not any(s["cached"] for s in cold.stages.values())
    assert warm.seconds == cold.seconds


def test_an_interrupted_score_is_not_kept_as_if_it_were_finished(cache, monkeypatch):
    options = {"preset": "tiny", "device": "cpu"}
    whole = compare_methods(OrnsteinUhlenbeck(), **options)
    advance = Training._advance

    def interrupted(training):
        if training.step == 13:
            raise KeyboardInterrupt
        return advance(training)

    with monkeypatch.context() as stopped:
        stopped.setattr(Training, "_advance", interrupted)
        for kept in (cache, None):
            with pytest.raises(KeyboardInterrupt):
                compare_methods(OrnsteinUhlenbeck(), **options, cache=kept)
    fit = planned(OrnsteinUhlenbeck()).stages[0]
    assert not cache.has(fit)
    steps = []
    monkeypatch.setattr(Training, "_advance", lambda training: steps.append(training.step) or advance(training))
    again = compare_methods(OrnsteinUhlenbeck(), **options, cache=cache)
    assert steps == list(range(13, 20)) and again.stages["fit"]["resumed"]
    assert again.responses["generative"].values.equal(whole.responses["generative"].values)


def test_twins_that_were_stopped_go_on(cache, monkeypatch):
    add, system = Twins.add, OrnsteinUhlenbeck()

    def interrupted(twins, *words):
        if twins.done == 9:
            raise KeyboardInterrupt
        return add(twins, *words)

    with monkeypatch.context() as stopped:
        stopped.setattr(Twins, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare_methods(system, preset="tiny", device="cpu", cache=cache)
    done = []
    monkeypatch.setattr(Twins, "add", lambda twins, *words: done.append(0) or add(twins, *words))
    found = compare_methods(system, preset="tiny", device="cpu", cache=cache)
    assert len(done) == 16 - 9 and found.stages["fit"]["cached"] and found.stages["perturb"]["resumed"]
    monkeypatch.undo()
    whole = compare_methods(system, preset="tiny", device="cpu")
    assert found.responses["dynamical"].values.equal(whole.responses["dynamical"].values)


def test_of_large_series_one_at_a_time_is_held(cache, monkeypatch):
    made, make = [], simulation._Sampling.as_series

    def watched(*words):
        assert all(series() is None for series in made)
        series = make(*words)
        made.append(weakref.ref(series))
        return series

    monkeypatch.setattr(simulation._Sampling, "as_series", watched)
    compare_methods(OrnsteinUhlenbeck(), preset="tiny", device="cpu", cache=cache)
    assert len(made) == 2 and made[1]() is None


FIGURE = ["figure1", "--system", "ornstein-uhlenbeck", "--preset", "tiny", "--device", "cpu", "--out"]
KILLED = """
import os, signal, sys
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.{module} import {kind}
work = {kind}.{method}
def struck(self, *words):
    if self.{count} == {moment}:
        os.kill(os.getpid(), signal.SIGKILL)
    return work(self, *words)
{kind}.{method} = struck
main(sys.argv[1:])
"""
MOMENTS = [("scores.training", "Training", "_advance", "step", 13), ("responses.kicked_twins", "Twins", "add", "done", 9)]


@pytest.mark.slow
def test_a_run_that_is_killed_and_run_again_ends_with_the_same_bits(tmp_path, monkeypatch):
    """Killed while it trains; run again and killed among its twins; run to its end."""
    monkeypatch.setattr("gfdt_tutorial.figures.save_image", lambda *_, **__: None)  # takes longer than all the rest
    for moment in MOMENTS:
        program = KILLED.format_map(dict(zip(("module", "kind", "method", "count", "moment"), moment, strict=True)))
        settings = os.environ | {"GFDT_CACHE": str(tmp_path / "killed" / "cache")}
        killed = subprocess.run([sys.executable, "-c", program, *FIGURE, tmp_path / "killed" / "out"], env=settings, cwd=tmp_path)
        assert killed.returncode == -signal.SIGKILL
    for name in ("killed", "whole"):
        monkeypatch.setenv("GFDT_CACHE", str(tmp_path / name / "cache"))
        assert main([*FIGURE, str(tmp_path / name / "out")]) == 0
    assert figure1._equal(tmp_path / "killed", tmp_path / "whole")


def test_the_bench_kills_a_run_in_each_part_of_its_length(monkeypatch):
    """Of three runs the last has ended before it is struck, and the first is not what it should be."""
    waits, clock = [], Clock()
    process = SimpleNamespace(wait=lambda: clock.takes(12)(None))
    monkeypatch.setattr(figure1, "time", clock)
    monkeypatch.setattr(figure1, "_start", lambda words, folder: process)
    monkeypatch.setattr(figure1, "_kill", lambda process, after: waits.append(after) or len(waits) < 3)
    monkeypatch.setattr(figure1, "_equal", lambda out, whole: out.name != "killed-0")
    assert [row.value for row in figure1.kills(3)] == [2, 2, 1]
    assert [int(after // 4) for after in waits] == [0, 1, 2]


def test_the_comparison_of_runs_sees_one_bit(tmp_path):
    for name in ("one", "other"):
        weights = tmp_path / name / "out" / "score" / "allen-cahn"
        weights.mkdir(parents=True)
        (weights / "weights.safetensors").write_bytes(b"weights")
        np.savez(tmp_path / name / "out" / "responses.npz", values=np.zeros(3))
    assert figure1._equal(tmp_path / "one", tmp_path / "other")
    np.savez(tmp_path / "one" / "out" / "responses.npz", values=np.array([0, 0, 1e-30]))
    assert not figure1._equal(tmp_path / "one", tmp_path / "other")
