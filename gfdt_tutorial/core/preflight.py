"""Checks that the Makefile runs before it installs anything: is this Python new enough, and how large is the PyTorch that pip would fetch?

It runs as a script, by its path, when nothing is installed yet. It therefore uses the standard library only, and no syntax newer than
Python 3.6 (which includes its annotations), so that an old Python can still report that it is old.
"""

# ruff: noqa: UP007, UP035, UP045  (newer forms of annotations fail in an old Python)

import importlib.util
import os
import re
import subprocess
import sys
import time
from typing import Collection, Generator, Iterable, Optional, Sequence, Union

MINIMUM = (3, 11)
CUDA_WHEEL_MB = 400  # the Linux wheel with CUDA is above 500 MB, one for the CPU below 250
PAUSE = 10  # seconds


def python_problem(version: Sequence[Union[int, str]], modules: Collection[str]) -> Optional[str]:
    """The problem with a Python of this `version` and with these `modules`, and what to do about it; None if there is none."""
    name = ".".join(map(str, version[:3]))
    if tuple(version[:2]) < MINIMUM:
        return (
            f"Python {name} was found ({sys.executable}); this project needs {MINIMUM[0]}.{MINIMUM[1]} or newer.\n"
            "  Install a newer one and name it:  make lab PYTHON=python3.12\n"
            "  or use conda, which brings its own:  conda env create -f environment.yml"
        )
    missing = sorted({"venv", "ensurepip"} - set(modules))
    if missing:
        return (
            f"Python {name} was found ({sys.executable}), without {' and '.join(missing)}: it cannot make a virtual environment.\n"
            "  On Debian or Ubuntu:  sudo apt install python3-venv\n"
            "  elsewhere, another Python:  make lab PYTHON=python3.12\n"
            "  or conda:  conda env create -f environment.yml"
        )
    return None


def check_python() -> None:
    """Exit with a message unless this Python can make the virtual environment."""
    problem = python_problem(sys.version_info, [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name)])
    if problem:
        sys.exit(problem)


def wants_cuda(lines: Iterable[str]) -> bool:
    """Whether the output of pip shows that it would download PyTorch with CUDA. Stops reading at the first line that shows it."""
    for line in lines:
        wheel = re.search(r"Downloading torch-\S+\.whl \((\d+)\S* MB\)", line)
        if re.search(r"Collecting (nvidia|cuda)-", line) or (wheel and int(wheel.group(1)) >= CUDA_WHEEL_MB):
            return True
    return False


def pip_plan(requirement: str) -> Generator[str, None, None]:
    """The lines that pip prints while it resolves `requirement`; pip is terminated when the caller stops reading.

    `--report` would not do: it is written at the end, and until pip 25.3, or where the index has no separate metadata, a dry run downloads
    every wheel before that.
    """
    options = ["--dry-run", "--no-input", "--progress-bar=off", "-c", "constraints.txt"]
    pip = subprocess.Popen(
        [sys.executable, "-m", "pip", "install", *options, requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env=dict(os.environ, PYTHONUNBUFFERED="1"),  # lines arrive when they are printed, not when a block is full
    )
    output = pip.stdout
    assert output is not None  # because of stdout=PIPE
    try:
        yield from output
    finally:
        pip.terminate()
        pip.wait()
        output.close()


def torch_pin(constraints: Iterable[str]) -> str:
    """The line of the constraints that names torch, or plain "torch"."""
    return next((line.strip() for line in constraints if line.startswith("torch==")), "torch")


def cuda_notice(pin: str) -> str:
    """The message before PyTorch with CUDA is downloaded."""
    return (
        "\nPyTorch for NVIDIA graphics cards will now be installed: about 2.8 GB to download. The lessons do not need one.\n"
        "For the much smaller CPU build, press Ctrl-C, do one of these, and call make again:\n"
        f"  pip:    .venv/bin/python -m pip install {pin} --index-url ...   (as the selector on pytorch.org says for CPU)\n"
        f"  uv:     UV_TORCH_BACKEND=cpu uv pip install --python .venv/bin/python {pin}\n"
        "  conda:  conda env create -f environment.yml   (its own environment with pytorch-cpu, instead of make)\n"
    )


def check_torch() -> None:
    """If the download of PyTorch is large, say so and how to avoid it; on a terminal, leave time to press Ctrl-C."""
    if importlib.util.find_spec("torch"):
        return
    with open("constraints.txt", encoding="utf-8") as constraints:
        pin = torch_pin(constraints)
    plan = pip_plan(pin)
    large = wants_cuda(plan)
    plan.close()
    if not large:
        return
    print(cuda_notice(pin), flush=True)
    if sys.stdin is not None and sys.stdin.isatty():
        print(f"Continuing in {PAUSE} seconds.", flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    try:
        {"python": check_python, "torch": check_torch}[sys.argv[1]]()
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was installed")
