"""What the Makefile asks before it installs anything: is this Python new enough, and how large is the PyTorch that pip would fetch?

Run as a script, by path, when nothing is installed yet: standard library only, and no syntax newer than Python 3.6, so that an old
Python can still say that it is old.
"""

import importlib.util
import os
import re
import subprocess
import sys
import time

MINIMUM = (3, 11)
CUDA_WHEEL_MB = 400  # the Linux wheel with CUDA is above 500 MB, one for the CPU below 250
PAUSE = 10  # seconds


def python_problem(version, modules):
    """What is wrong with a Python of this `version` that has these `modules`, and what to do about it; None if nothing is."""
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


def check_python():
    """Exit with a message unless this Python can make the virtual environment."""
    problem = python_problem(sys.version_info, [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name)])
    if problem:
        sys.exit(problem)


def wants_cuda(lines):
    """Whether pip, by what it prints, is about to fetch PyTorch with CUDA. Reads no further than the line that tells."""
    for line in lines:
        wheel = re.search(r"Downloading torch-\S+\.whl \((\d+)\S* MB\)", line)
        if re.search(r"Collecting (nvidia|cuda)-", line) or (wheel and int(wheel.group(1)) >= CUDA_WHEEL_MB):
            return True
    return False


def pip_plan(requirement):
    """What pip prints while it works out how to install `requirement`, line by line; stopped when the caller stops reading.

    Not `--report`: that comes at the end, and until pip 25.3, or where the index keeps no separate metadata, a dry run downloads
    every wheel on the way there.
    """
    options = ["--dry-run", "--no-input", "--progress-bar=off", "-c", "constraints.txt"]
    pip = subprocess.Popen(
        [sys.executable, "-m", "pip", "install", *options, requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env=dict(os.environ, PYTHONUNBUFFERED="1"),  # each line when it is printed, not when a block is full
    )
    try:
        yield from pip.stdout
    finally:
        pip.terminate()
        pip.wait()
        pip.stdout.close()


def torch_pin(constraints):
    """The line of the constraints that names torch, or plain "torch"."""
    return next((line.strip() for line in constraints if line.startswith("torch==")), "torch")


def cuda_notice(pin):
    """What to say before PyTorch with CUDA is fetched."""
    return (
        "\nPyTorch for NVIDIA graphics cards will now be installed: about 2.8 GB to download. The lessons do not need one.\n"
        "For the much smaller CPU build, press Ctrl-C, do one of these, and call make again:\n"
        f"  pip:    .venv/bin/python -m pip install {pin} --index-url ...   (as the selector on pytorch.org says for CPU)\n"
        f"  uv:     UV_TORCH_BACKEND=cpu uv pip install --python .venv/bin/python {pin}\n"
        "  conda:  conda env create -f environment.yml   (its own environment with pytorch-cpu, instead of make)\n"
    )


def check_torch():
    """Say how large the download will be and how to avoid it, if it is large; a terminal gets time to press Ctrl-C."""
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
        print(f"Going on in {PAUSE} seconds.", flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    try:
        {"python": check_python, "torch": check_torch}[sys.argv[1]]()
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was installed")
