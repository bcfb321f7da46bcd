"""The memory of this process: its peak, and the return of freed memory to the system.

psutil would not replace these lines: it reports a peak on Windows only (`peak_wset`), and on Linux and macOS the present size alone.
"""

import contextlib
import ctypes
import gc
from pathlib import Path


def peak_memory_mb() -> float | None:
    """Peak resident set size of this process so far, in MB; None where the system does not report it (Windows)."""
    try:
        # not getrusage: on Linux its value is inherited from the parent process
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
    """Return freed memory to the operating system; the C library of Linux would keep it for later allocations."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
