"""Every lesson from a fresh kernel, top to bottom: its time and memory, and what its last cells promise. (nbval runs them too.)"""

import json
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

LESSONS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))

# Binder gives 2 GB to all of one learner's kernels and to the server
PEAK_MB, HELD_MB, SECONDS = 1200, 600, 180

MEASURE = """
import json, psutil
from gfdt_tutorial.experiments import peak_memory_mb
print(json.dumps({"peak": peak_memory_mb(), "held": psutil.Process().memory_info().rss / 2**20}))
"""


def printed(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


@pytest.fixture(scope="module", params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    """The executed notebook, with its seconds, peak and held memory."""
    notebook = nbformat.read(request.param, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(MEASURE))
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(request.param.parent)}})
    start = time.perf_counter()
    client.execute()
    memory = json.loads(printed(notebook.cells[-1]))
    seconds = time.perf_counter() - start
    print(f"\n{request.param.stem}: {seconds:.0f} s, peak {memory['peak']:.0f} MB, {memory['held']:.0f} MB held after it")
    return notebook, seconds, memory


@pytest.mark.slow
def test_a_lesson_runs_in_its_time_and_memory(lesson):
    _, seconds, memory = lesson
    assert seconds < SECONDS
    assert memory["peak"] < PEAK_MB
    assert memory["held"] < HELD_MB


@pytest.mark.slow
def test_every_stub_says_not_attempted_and_every_solution_passes(lesson):
    notebook, _, _ = lesson
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and "check(" in cell.source]
    solutions = [cell for cell in code if "solution" in cell.metadata.get("tags", [])]
    stubs = [cell for cell in code if cell not in solutions]
    assert len(solutions) == len(stubs) >= 3
    assert all("passed." in printed(cell) and cell.metadata["jupyter"]["source_hidden"] for cell in solutions)
    assert all("not attempted yet" in printed(cell) for cell in stubs)


def test_every_lesson_says_how_to_free_the_memory():
    for path in LESSONS:
        last = nbformat.read(path, as_version=4).cells[-1]
        assert "Shut Down Kernel" in last.source, path.name
