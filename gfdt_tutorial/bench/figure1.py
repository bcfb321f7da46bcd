"""figure1, killed at random moments and run again: the result must be bit-identical to an uninterrupted run."""

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
    """figure1, killed by SIGKILL at 20 random moments and run again: are the results bit-identical? 15 minutes.

    Args:
        count: of kills, one in each of as many equal parts of an uninterrupted run.
        systems: names; all by default.
        seed: of the moments.
    """
    words = [word for name in systems for word in ("--system", name)]
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed, same = Path(folder) / "uninterrupted", 0, 0
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
        Row(f"{label}: bit-identical to the uninterrupted run when run again", same),
        Row(f"{label}: not equal", count - same, 0),
    ]


def _start(words: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """figure1 with a cache and an output of its own."""
    options = ["--preset", "tiny", "--device", "cpu", "--out", str(folder / "out")]
    command = [sys.executable, "-m", "gfdt_tutorial", "figure1", *words, *options]
    environment = os.environ | {"GFDT_CACHE": str(folder / "cache")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kill(process: subprocess.Popen[bytes], after: float) -> bool:
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
