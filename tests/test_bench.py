"""The measurements themselves, in small: both sides of a comparison are the same thing, bounds are read correctly, and the page follows."""

import importlib.util
import math
import os
from functools import partial

import nbformat
import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from gfdt_tutorial import PeriodicGrid, __main__, bench
from gfdt_tutorial.bench import (
    allen_cahn,
    cores,
    lessons,
    navier_stokes_steps,
    ornstein_uhlenbeck,
    page,
    peers,
    race,
    response,
    rows,
    training,
)
from gfdt_tutorial.bench.rows import Row, batch
from gfdt_tutorial.core import threads


def values(found):
    return {row.what.strip(): row.value for row in found}


# Rows


def test_a_bound_is_kept_from_above_or_from_below():
    table = bench.table(
        [Row("error", 0.2, 0.1), Row("ratio", 0.2, 0.1, at_least=True), Row("ratio", 0.05, 0.1, at_least=True), Row("x", 1)]
    )
    assert [line.split()[-2:] for line in table.splitlines()[:3]] == [["0.1", "NO"], ["0.1", "yes"], ["0.1", "NO"]]
    assert ["≤" in line for line in table.splitlines()] == [True, False, False, False]


def test_batches_hold_as_many_values_on_every_grid():
    assert [batch(n) * n * n for n in (32, 64, 128, 256)] == [2**16] * 4
    assert batch(1024) == 1


# The file and its page


def one_row():
    """A cheap group: its rows."""
    return [Row("|k| ≤ 5: error", 0.02, 0.03), Row("   scatter between seeds", math.nan)]


def another():
    """Another group: ratios."""
    return [Row("ratio", 3.0, 2.0, at_least=True), Row("seconds", 12.345, 10.0, "s"), Row("updates", math.inf, 6)]


GROUPS = {"one": one_row, "another": another, "third": lambda: []}


def test_rows_carry_their_group_and_how_they_were_measured(monkeypatch):
    monkeypatch.setattr(bench, "GROUPS", GROUPS)
    row, _ = bench.run("one")
    assert row.group == "one" and row.date.count("-") == 2 and "torch" in row.machine and "cores" in row.machine
    assert (row.what, row.value, row.bound) == ("|k| ≤ 5: error", 0.02, 0.03)


def test_a_group_that_is_measured_again_replaces_its_rows_and_leaves_the_others(tmp_path):
    file = tmp_path / "rows.json"
    assert page.read(file) == []
    assert page.save(file, page.stamped(one_row(), "one"), GROUPS) == [file]
    page.save(file, page.stamped(another(), "another"), GROUPS)
    page.save(file, page.stamped([Row("fresh", 1.0)], "one"), GROUPS)
    found = page.read(file)
    assert [(row.group, row.what) for row in found] == [*(("another", row.what) for row in another()), ("one", "fresh")]
    assert math.isinf(found[2].value)


def test_a_file_of_something_else_is_refused_before_anything_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "run", lambda only: pytest.fail("measured"))
    for text in ("no JSON", "{}", '[{"what": "x", "size": 1}]', '[{"what": "x"}]'):
        (tmp_path / "rows.json").write_text(text, encoding="utf-8")
        assert __main__.main(["bench", "--only", "bands", "--json", str(tmp_path / "rows.json")]) == 2
        assert "does not hold rows of `bench`" in capsys.readouterr().err
        assert (tmp_path / "rows.json").read_text(encoding="utf-8") == text


def test_the_page_has_a_table_for_each_group_and_names_those_not_measured():
    text = page.page(page.stamped(another(), "another") + page.stamped(one_row(), "one"), GROUPS)
    assert text.index("## one") < text.index("## another") < text.index("## Not measured yet") < text.index("- `third`")
    assert "A cheap group: its rows.\n\n`python -m gfdt_tutorial bench --only one`, 20" in text
    assert "| \\|k\\| ≤ 5: error | 0.02 | ≤ 0.03 | yes |" in text and "| &emsp;scatter between seeds | – |  |  |" in text
    assert "| ratio | 3 | ≥ 2 | yes |" in text and "| seconds | 12.35 s | ≤ 10 | **no** |" in text and "| updates | ∞ | ≤ 6 |" in text


def test_the_command_writes_the_page_beside_a_file_called_benchmarks(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "GROUPS", bench.GROUPS | {"bands": one_row})
    assert __main__.main(["bench", "--only", "bands", "--json", str(tmp_path / "benchmarks.json")]) == 0
    assert [row.group for row in page.read(tmp_path / "benchmarks.json")] == ["bands", "bands"]
    assert "## bands" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.splitlines()[-2:] == [str(tmp_path / "benchmarks.json"), str(tmp_path / "benchmarks.md")]


def test_every_group_says_what_it_measures():
    for name, measure in bench.GROUPS.items():
        first = (measure.__doc__ or "").strip().partition("\n")[0]
        assert first.endswith((".", "minutes.")) and not first.startswith("The same"), name


# Floors


class Work(TorchFunctionMode):
    """Counts the values that go through FFTs and convolutions: what a step and its floor have in common, on however busy a machine."""

    def __init__(self):
        super().__init__()
        self.values = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if "rfft" in name and "freq" not in name:
            real = args[0] if name.startswith("fft_rfft") else result
            self.values += real.numel()
        elif name == "conv2d":
            self.values += result.numel()
        return result


def counted(work, floor, repeats):
    """Instead of the ratio of two times."""
    found = []
    for each in (work, floor):
        with threads.one_thread(), Work() as counter:
            each()
        found.append(counter.values)
    assert min(found) > 0
    return found[0] / found[1]


@pytest.mark.parametrize(
    ("module", "measure"),
    [
        (allen_cahn, lambda: allen_cahn.step((32, 64), intervals=1)),
        (navier_stokes_steps, lambda: navier_stokes_steps.step((32, 64), intervals=1)),
        (ornstein_uhlenbeck, lambda: ornstein_uhlenbeck.simulation_over_floor((32, 64), steps=15)),
    ],
    ids=["allen-cahn", "navier-stokes", "ornstein-uhlenbeck"],
)
def test_a_step_has_the_ffts_of_its_floor_on_every_grid(module, measure, monkeypatch):
    monkeypatch.setattr(module, "ratio", counted)
    found = measure()
    assert ["32 × 32, batch 64" in found[0].what, "64 × 64, batch 16" in found[1].what] == [True, True]
    assert [row.value for row in found] == [1.0, 1.0]


def test_a_training_step_has_the_convolutions_and_ffts_of_its_network(monkeypatch):
    monkeypatch.setattr(training, "ratio", counted)
    (row,) = training.steps(("data",), preset="tiny")
    assert "kind data" in row.what
    assert 1.0 <= row.value < 1.5  # the noise is made by two FFTs more


def test_a_ratio_is_the_median_of_times_taken_in_turn(monkeypatch):
    calls = []
    monkeypatch.setattr(rows, "elapsed", lambda work: work())
    found = rows.ratio(lambda: calls.append("work") or len(calls), lambda: calls.append("floor") or 2.0, 3)
    assert calls == ["work", "floor"] * 4
    assert found == pytest.approx(5 / 2)  # of the calls 3, 5 and 7


# Lessons


TWO_CELLS = """
import torch
held = torch.ones(512, 2**18)  # 512 MB
"""


@pytest.fixture
def checkout(tmp_path):
    """A repository with one notebook of two cells, which the README knows."""
    cells = [nbformat.v4.new_markdown_cell("# 77 · Two cells\n\n**You will** wait. **Time** 5 minutes.")]
    cells += [nbformat.v4.new_code_cell(code) for code in (TWO_CELLS, "import time; time.sleep(1.5); del held")]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / "77_two_cells.ipynb")
    (tmp_path / "README.md").write_text("| [77 Two](notebooks/77_two_cells.ipynb) | wait | 4 | 99 | 9.99 GB |\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_lesson_is_measured_in_a_kernel_of_its_own(checkout):
    done = lessons.execute(checkout / "notebooks" / "77_two_cells.ipynb")
    assert done.seconds > 1.5  # its second cell sleeps as long
    assert 512 < done.peak_mb < 1500 and done.peak_mb - done.held_mb > 300  # what the kernel gave back is not held
    assert len(done.notebook.cells) == 3


def test_rows_of_the_lessons_are_those_of_the_readme_with_numbers_as_measured(checkout, monkeypatch, capsys):
    def execute(path):
        return lessons.Executed(nbformat.read(path, as_version=4), 12.4, 987.0, 400.0)

    monkeypatch.setattr(lessons, "execute", execute)
    seconds, memory, held = lessons.lessons(checkout)
    assert capsys.readouterr().out == "| [77 Two](notebooks/77_two_cells.ipynb) | wait | 5 | 12 | 0.99 GB |\n"
    assert [(row.value, row.bound) for row in (seconds, memory, held)] == [(12.4, 180), (987, 1200), (400, 600)]
    (checkout / "README.md").write_text("", encoding="utf-8")
    lessons.lessons(checkout)
    assert capsys.readouterr().out == "| 77_two_cells |  | 5 | 12 | 0.99 GB |\n"


def test_lessons_of_a_package_without_its_repository_are_said_to_be_missing(tmp_path):
    with pytest.raises(ValueError, match=r"no notebooks in .*run this in a clone"):
        lessons.lessons(tmp_path)


# Matrices


def test_a_matrix_between_pixels_applies_a_response_to_any_kick():
    kernel, kick = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 4, dtype=torch.float64)
    convolved = torch.fft.ifft2(torch.fft.fft2(kernel) * torch.fft.fft2(kick)).real
    torch.testing.assert_close((response.circulant(kernel) @ kick.flatten()).reshape(6, 4), convolved)


@pytest.mark.parametrize("by_matrices", [response.normalised_by_matrices, response.column_by_matrices])
def test_matrices_give_what_a_division_per_wavevector_gives(by_matrices):
    moments = 0.1 * torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
    moments[:, 0, 0] += torch.tensor([2.0, 1.0, 0.5])
    spectra = torch.fft.fft2(moments.double())
    expected = torch.fft.ifft2(spectra / spectra[0]).real.float()
    torch.testing.assert_close(by_matrices(moments), expected, atol=1e-5, rtol=0)
    assert by_matrices(moments)[0, 0, 0] == pytest.approx(1, abs=1e-5)


def test_the_rows_on_matrices_hold_where_they_are_small():
    found = values(response.dense(side=16, members=4, lags=4, steps=2, repeats=1))
    assert found["largest difference of the two"] < 1e-4
    assert all(value > 0 for value in found.values())


def test_growth_is_relative_to_the_smallest():
    found = response.growth((8, 16), (2, 4), (3, 6), repeats=1)
    assert [row.what.split(":")[0] for row in found] == [
        "response, side 16 against 8", "response, members 4 against 2", "response, lags 6 against 3",
    ]  # fmt: skip
    assert all(row.value > 0 for row in found)


@pytest.mark.slow
def test_the_rows_on_cores_are_ratios_and_leave_the_environment_alone(monkeypatch):
    monkeypatch.setenv("GFDT_WORKERS", "3")
    found = cores.cores(repeats=1, scale=0.15)
    assert all(0.2 < row.value < 5 and row.at_least and row.what.startswith("two workers over one") for row in found)
    assert os.environ["GFDT_WORKERS"] == "3"


# Peers


def test_random_waves_are_the_same_on_every_grid():
    coarse, fine = peers.starts(2, 32), peers.starts(2, 64)
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, atol=1e-5)
    assert coarse.std((1, 2)) == pytest.approx([0.7, 0.7], rel=1e-3)


def test_ours_and_the_reference_are_the_local_equation():
    """Also where all is uniform, for which the solution is known: u₀ eᵗ / (1 + u₀² (e²ᵗ − 1))^½."""
    start = peers.starts(2, 32)
    runs = peers.our_splitting(start)
    assert peers.relative_error(runs["ours, order 4, h = 1/16"](), peers.reference(start)) < 2e-5
    flat = np.full((1, 8, 8), 0.25, np.float32)
    known = 0.25 * math.e / math.sqrt(1 + 0.0625 * (math.e**2 - 1))
    np.testing.assert_allclose(peers.reference(flat), known, rtol=1e-8)
    np.testing.assert_allclose(peers.our_splitting(flat)["ours, order 2, h = 1/1"](), known, rtol=1e-6)


def test_the_time_for_an_error_is_interpolated_along_a_curve():
    points = {
        "a, one, h = 1/1": (math.nan, 1.0), "a, one, h = 1/2": (1e-1, 2.0), "a, one, h = 1/4": (1e-3, 8.0),
        "a, two, h = 1/1": (1e-4, 32.0), "b, h = 1/1": (1e-9, 0.5),
    }  # fmt: skip
    found = [peers.seconds_for(points, "a", target) for target in (0.2, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)]
    assert found == pytest.approx([2.0, 2.0, 4.0, 8.0, 32.0, math.inf])


def test_the_flow_over_its_ffts_does_the_same_ffts():
    runs = peers.our_flow(32, 2)
    values = []
    for name in ("ours", "its FFTs"):
        with threads.one_thread(), Work() as counter:
            runs[name]()
        values.append(counter.values)
    assert values[0] == values[1] + 32**2  # the field that is returned


@pytest.mark.slow
def test_a_race_takes_turns_and_returns_what_each_arrives_at():
    seconds, found = race.race({"one": _first, "two": _second}, repeats=2)
    assert {name: len(each) for name, each in seconds.items()} == {"one": 2, "two": 2, "three": 2}
    assert [float(found[name].sum()) for name in ("one", "two", "three")] == [1.0, 2.0, 3.0]


def _first():
    return {"one": lambda: np.ones(1)}


def _second():
    return {"two": lambda: 2 * np.ones(1), "three": lambda: 3 * np.ones(1)}


def test_a_missing_peer_is_named_with_the_remedy():
    with pytest.raises(ValueError, match=r"nowhere-to-be-found not found.*pip install -e '\.\[peers\]'"):
        peers.need({"numpy": "numpy", "nowhere-to-be-found": "nowhere_to_be_found"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "build", "within"),
    [("exponax", peers.exponax_etdrk, 2e-5), ("pde", partial(peers.py_pde_euler, backend="numpy", cases={32: 16}), 0.05)],
    ids=["exponax", "py-pde"],
)
def test_peers_solve_the_same_equation(package, build, within):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; pip install -e '.[peers]'")
    start = peers.starts(2, 32)
    assert min(peers.relative_error(run(), peers.reference(start)) for run in build(start).values()) < within


def test_the_start_has_no_other_waves():
    grid = PeriodicGrid((16, 16))
    spectra = grid.rfft(torch.from_numpy(peers.starts(1, 16)))
    outside = spectra.abs()[:, grid.k_squared > 16.5]
    assert float(outside.max()) < 1e-4 * float(spectra.abs().max())
