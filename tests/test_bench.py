"""The measurements themselves, in small: what they compare is the same thing done twice, and a bound is read the right way round."""

import importlib.util
import math
from functools import partial

import nbformat
import numpy as np
import pytest
import torch

from gfdt_tutorial import PeriodicGrid, bench
from gfdt_tutorial.bench import allen_cahn, lessons, navier_stokes, ornstein_uhlenbeck, peers, response, training
from gfdt_tutorial.bench.rows import Row, batch


def values(rows):
    return {row.what.strip(): row.value for row in rows}


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


# Floors


@pytest.mark.parametrize(
    "measure",
    [
        lambda: allen_cahn.step((32, 64), repeats=5, intervals=1),
        lambda: navier_stokes.step((32, 64), repeats=5, intervals=1),
        lambda: ornstein_uhlenbeck.simulation_over_floor((32, 64), steps=15, repeats=5),
    ],
    ids=["allen-cahn", "navier-stokes", "ornstein-uhlenbeck"],
)
def test_a_step_takes_longer_than_its_floor_on_every_grid(measure):
    rows = measure()
    assert ["32 × 32, batch 64" in rows[0].what, "64 × 64, batch 16" in rows[1].what] == [True, True]
    assert all(0.6 < row.value < 20 for row in rows)  # 1.2-2 on a calm machine; a step that does nothing, or a floor twice as high, shows


def test_a_training_step_takes_longer_than_its_network():
    (row,) = training.steps(("data",), repeats=5, preset="tiny")
    assert "kind data" in row.what
    assert 0.6 < row.value < 20


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
    assert 1.5 < done.seconds < 60
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
    rows = response.growth((8, 16), (2, 4), (3, 6), repeats=1)
    assert [row.what.split(":")[0] for row in rows] == [
        "response, side 16 against 8", "response, members 4 against 2", "response, lags 6 against 3",
    ]  # fmt: skip
    assert all(0 < row.value < 50 for row in rows)


# Peers


def test_random_waves_are_the_same_on_every_grid():
    coarse, fine = peers.starts(2, 32), peers.starts(2, 64)
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, atol=1e-5)
    assert coarse.std((1, 2)) == pytest.approx([0.7, 0.7], rel=1e-3)


def test_ours_and_the_reference_are_the_local_equation():
    """Also where all is uniform, for which the solution is known: u₀ eᵗ / (1 + u₀² (e²ᵗ − 1))^½."""
    start = peers.starts(2, 32)
    assert peers.relative_error(peers.ours(start)(), peers.reference(start)) < 3e-4
    flat = np.full((1, 8, 8), 0.25, np.float32)
    known = 0.25 * math.e / math.sqrt(1 + 0.0625 * (math.e**2 - 1))
    np.testing.assert_allclose(peers.reference(flat), known, rtol=1e-8)
    np.testing.assert_allclose(peers.ours(flat)(), known, rtol=1e-3)


def test_noise_is_drawn_where_it_is_asked_for():
    start = peers.starts(1, 32)
    assert peers.relative_error(peers.ours(start, epsilon=0.1)(), peers.reference(start)) > 0.1


@pytest.mark.slow
def test_a_race_takes_turns_and_returns_what_each_arrives_at():
    seconds, found = peers.race({"one": _first, "two": _second}, repeats=2)
    assert {name: len(each) for name, each in seconds.items()} == {"one": 2, "two": 2}
    assert [float(found[name].sum()) for name in ("one", "two")] == [1.0, 2.0]


def _first():
    return lambda: np.ones(1)


def _second():
    return lambda: 2 * np.ones(1)


def test_a_missing_peer_is_named_with_the_remedy():
    with pytest.raises(ValueError, match=r"nowhere-to-be-found not found.*pip install -e '\.\[peers\]'"):
        peers.need({"numpy": "numpy", "nowhere-to-be-found": "nowhere_to_be_found"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "build", "within"),
    [("exponax", peers.exponax_etdrk2, 0.02), ("pde", partial(peers.py_pde_euler, backend="numpy"), 0.03)],
    ids=["exponax", "py-pde"],
)
def test_peers_solve_the_same_equation(package, build, within):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; pip install -e '.[peers]'")
    start = peers.starts(2, 32)
    assert peers.relative_error(build(start)(), peers.reference(start)) < within


def test_the_start_has_no_other_waves():
    grid = PeriodicGrid((16, 16))
    spectra = grid.rfft(torch.from_numpy(peers.starts(1, 16)))
    outside = spectra.abs()[:, grid.k_squared > 16.5]
    assert float(outside.max()) < 1e-4 * float(spectra.abs().max())
