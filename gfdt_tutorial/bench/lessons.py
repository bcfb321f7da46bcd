"""What the lessons cost: each notebook is run top to bottom in a fresh kernel, and its time and memory are measured."""

import importlib.util
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core.progress import say

if TYPE_CHECKING:
    from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]  # the lessons are not part of the package: they come with its repository
SECONDS, PEAK_MB, HELD_MB = 180.0, 1200.0, 600.0  # Binder gives 2 GB to all kernels of one learner and to the server
HANGS = 1800  # seconds after which a cell counts as hanging, on a machine however busy
MEASURE = """
import json, psutil
from gfdt_tutorial.core.memory import peak_memory_mb
print(json.dumps({"peak": peak_memory_mb(), "held": psutil.Process().memory_info().rss / 2**20}))
"""


@dataclass(frozen=True)
class Executed:
    """A notebook after it was run in a kernel of its own.

    Attributes:
        notebook: with its outputs.
        seconds: from the start of the kernel to the end of the last cell.
        peak_mb, held_mb: largest resident size of the kernel, and its resident size at the end.
    """

    notebook: "NotebookNode"
    seconds: float
    peak_mb: float
    held_mb: float


def lessons(root: Path = ROOT) -> list[Row]:
    """Run every notebook in turn, and print its row of the README's table as soon as it is measured. About 8 min.

    Raises:
        ValueError: nbclient is missing, or there are no notebooks, as in a package that was installed without its repository.
    """
    if importlib.util.find_spec("nbclient") is None:
        raise ValueError("nbclient, which runs the lessons, was not found; pip install -e '.[dev]'")
    paths = sorted((root / "notebooks").glob("*.ipynb"))
    if not paths:
        raise ValueError(f"there are no notebooks in {root / 'notebooks'}; run this in a clone of the repository")
    known = (root / "README.md").read_text(encoding="utf-8").splitlines()
    rows = []
    for path in paths:
        done = execute(path)
        say(table_row(path.stem, known, done))
        rows.append(Row(f"{path.stem}, top to bottom", done.seconds, SECONDS, "s"))
        rows.append(Row("   peak memory of its kernel", done.peak_mb, PEAK_MB, "MB"))
        rows.append(Row("   memory that its kernel holds at the end", done.held_mb, HELD_MB, "MB"))
    return rows


def execute(path: Path) -> Executed:
    """Run a notebook with one more cell, which measures the memory; a cell that fails raises nbclient's CellExecutionError."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(MEASURE))
    start = time.perf_counter()
    NotebookClient(notebook, timeout=HANGS, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    seconds = time.perf_counter() - start
    memory = json.loads(printed(notebook.cells.pop()))
    return Executed(notebook, seconds, memory["peak"], memory["held"])


def printed(cell: "NotebookNode") -> str:
    """What a cell wrote to its standard output."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


def table_row(stem: str, known: Sequence[str], done: Executed) -> str:
    """The README's row of a lesson: title and description as they stand there, minutes from the notebook, measured time and memory."""
    (line,) = [line for line in known if line.startswith("|") and f"notebooks/{stem}.ipynb" in line] or [f"| {stem} | |"]
    title, what = (cell.strip() for cell in line.split("|")[1:3])
    minutes = re.search(r"\*\*Time\*\* (\d+) minutes", done.notebook.cells[0].source)
    return f"| {title} | {what} | {minutes[1] if minutes else ''} | {done.seconds:.0f} | {done.peak_mb / 1000:.2f} GB |"
