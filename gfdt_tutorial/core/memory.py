"""How much memory this process takes, and how to hand back what it no longer needs."""

import contextlib
import ctypes
import gc
from pathlib import Path


def peak_memory_mb() -> float | None:
    """The largest resident size of this process so far, in MB; None where the system does not tell."""
    try:
        # not getrusage: on Linux its figure starts from that of the parent process
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except OSError:
        pass
    try:
        import resource  # absent on Windows
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def free_memory() -> None:
    """Hand memory that was let go back to the machine, which the C library of Linux would keep for later."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
