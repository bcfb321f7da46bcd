"""Two questions that the Makefile asks before it installs anything: is this Python new enough, and how large a PyTorch would pip fetch?

The Makefile runs this file as a script when nothing is installed yet. It therefore uses the standard library only, and no syntax newer than
Python 3.6 (annotations of later versions are quoted), so that an old Python can still report that it is too old.
"""

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Sequence

MINIMUM = (3, 11)
CUDA_WHEEL_MB = 400  # the Linux wheel with CUDA is above 500 MB, one for the CPU below 250
PAUSE = 10  # seconds


def python_problem(version: "Sequence[int]", modules: "Iterable[str]") -> "str | None":
    """Say what is wrong with a Python of this `version` that has these `modules`, and what to do about it; None if nothing is wrong."""
    name = ".".join(map(str, version[:3]))
    if tuple(version[:2]) < MINIMUM:
        return (
            f"Python {name} was found ({sys.executable}); this project needs {MINIMUM[0]}.{MINIMUM[1]} or newer.\n"
            "  Install a newer one and name it:  make lab PYTHON=python3.12\n"
            "  Or use conda, which brings its own:  conda env create -f environment.yml"
        )
    missing = sorted({"venv", "ensurepip"} - set(modules))
    if missing:
        return (
            f"Python {name} was found ({sys.executable}), without {' and '.join(missing)}: it cannot make a virtual environment.\n"
            "  On Debian or Ubuntu:  sudo apt install python3-venv\n"
            "  Elsewhere, name another Python:  make lab PYTHON=python3.12\n"
            "  Or use conda:  conda env create -f environment.yml"
        )
    return None


def check_python() -> None:
    """Exit with a message unless this Python can create the virtual environment."""
    problem = python_problem(sys.version_info[:3], [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name)])
    if problem:
        sys.exit(problem)


def wants_cuda(lines: "Iterable[str]") -> bool:
    """Whether pip's output shows that it is about to fetch PyTorch with CUDA. Reading stops at the first line that decides it."""
    for line in lines:
        wheel = re.search(r"Downloading torch-\S+\.whl \((\d+)\S* MB\)", line)
        if re.search(r"Collecting (nvidia|cuda)-", line) or (wheel and int(wheel.group(1)) >= CUDA_WHEEL_MB):
            return True
    return False


def pip_plan(requirement: str) -> "Generator[str, None, None]":
    """Yield, line by line, what pip prints while it resolves `requirement`; pip is stopped when the caller stops reading.

    The option `--report` would not do: its report comes at the end, and before pip 25.3, or where the index keeps no separate metadata,
    a dry run downloads every wheel before it gets there.
    """
    options = ["--dry-run", "--no-input", "--progress-bar=off", "-c", "constraints.txt"]
    pip = subprocess.Popen(
        [sys.executable, "-m", "pip", "install", *options, requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env=dict(os.environ, PYTHONUNBUFFERED="1"),  # each line arrives when it is printed, not when a buffer is full
    )
    assert pip.stdout is not None  # it was asked for above
    try:
        yield from pip.stdout
    finally:
        pip.terminate()
        pip.wait()
        pip.stdout.close()


def torch_pin(constraints: "Iterable[str]") -> str:
    """The line of the constraints that pins torch, or the bare name "torch"."""
    return next((line.strip() for line in constraints if line.startswith("torch==")), "torch")


def cuda_notice(pin: str) -> str:
    """The notice to print before PyTorch with CUDA is fetched."""
    return (
        "\nPyTorch for NVIDIA graphics cards will now be installed: about 2.8 GB to download. The lessons do not need one.\n"
        "To get the much smaller CPU build instead, press Ctrl-C, run one of these commands, and call make again:\n"
        f"  pip:    .venv/bin/python -m pip install {pin} --index-url URL   (the selector on pytorch.org gives the URL for CPU)\n"
        f"  uv:     UV_TORCH_BACKEND=cpu uv pip install --python .venv/bin/python {pin}\n"
        "  conda:  conda env create -f environment.yml   (a separate environment with pytorch-cpu; use it in place of make)\n"
    )


def check_torch() -> None:
    """If the download will be large, say how large and how to avoid it; in a terminal, leave time to press Ctrl-C."""
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
        sys.exit("Stopped. Nothing was installed.")
