"""figure1, killed at random moments and run again: do the bits come out as if nothing had happened?"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gfdt_tutorial.bench.rows import Row


def kills(count: int = 20, systems: Sequence[str] = (), seed: int = 0) -> list[Row]:
    """SIGKILL at `count` moments, one in each of as many equal parts of an undisturbed run; then the same command again. 15 min.

    Args:
        systems: names; all by default.
        seed: of the moments.
    """
    words = [word for name in systems for word in ("--system", name)]
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed, same = Path(folder) / "undisturbed", 0, 0
        began = time.monotonic()
        _start(words, whole).wait()
        length = time.monotonic() - began
        for trial in range(count):
            out = Path(folder) / f"killed-{trial}"
            killed += _kill(_start(words, out), (trial + rng.random()) / count * length)
            _start(words, out).wait()
            same += _equal(out, whole)
    label = f"figure1, preset tiny, {count} runs"
    return [
        Row(f"{label}: killed before their end", killed),
        Row(f"{label}: equal to the undisturbed run when run again, bit for bit", same),
        Row(f"{label}: not equal", count - same, 0),
    ]


def _start(words: list[str], folder: Path) -> subprocess.Popen:
    """figure1 with a cache and an output of its own."""
    command = [sys.executable, "-m", "gfdt_tutorial", "figure1", *words, "--preset", "tiny", "--device", "cpu", "--out", folder / "out"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=os.environ | {"GFDT_CACHE": str(folder / "cache")}, **quiet)


def _kill(process: subprocess.Popen, after: float) -> bool:
    """SIGKILL after some seconds; whether it was still running."""
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def _equal(one: Path, other: Path) -> bool:
    """Whether two runs wrote the same arrays and the same weights."""
    weights = sorted(path.relative_to(other) for path in other.glob("out/score/*/weights.safetensors"))
    arrays, expected = (np.load(each / "out" / "responses.npz", allow_pickle=False) for each in (one, other))
    return (
        len(weights) > 0
        and all((one / name).read_bytes() == (other / name).read_bytes() for name in weights)
        and arrays.files == expected.files
        and all(np.array_equal(arrays[name], expected[name]) for name in expected.files)
    )
