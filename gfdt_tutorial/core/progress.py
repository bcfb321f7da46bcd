"""Progress bars, notes and printed results: GFDT_QUIET=1 silences the first two, and no console can break the work."""

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO, TypeVar

Work = TypeVar("Work", bound=Iterable[Any])


def progress(items: Iterable, *, total: int | None = None, label: str = ""):
    """`items`, with a bar that estimates the time left; it vanishes when done. None in a log file, or when GFDT_QUIET is set."""
    from tqdm.auto import tqdm  # chooses widget or text by where it runs; imported late, as it looks for a notebook

    return tqdm(items, total=total, desc=label, leave=False, disable=True if os.environ.get("GFDT_QUIET") else None)


def run(work: Work, *, rounds: int = 1) -> Work:
    """Run long work to its end, and return it.

    Long work, such as `Training` or `ChangedEnsemble`, is an iterable that keeps its own state: each step of `for _ in work` moves it on,
    and a loop that was left may be entered again. This function is the loop, for a caller who wants nothing between the steps.

    Args:
        work: iterable; one that never ends needs a loop of your own, such as `itertools.islice(work, 100)`.
        rounds: how many times to run it, for work that adds a round each time.

    Raises:
        KeyboardInterrupt: it was interrupted; the work keeps what is done.

    >>> run([1, 2, 3])
    [1, 2, 3]
    """
    for _ in range(rounds):
        for _ in work:
            pass
    return work


def note(text: str) -> None:
    """One line on standard error, unless GFDT_QUIET is set."""
    if not os.environ.get("GFDT_QUIET"):
        say(text, sys.stderr)


def say(text: object, stream: TextIO | None = None) -> None:
    """`text` on standard output, or another stream, at once; no error where the reader has gone away, as after `| head -1`.

    Raises:
        OSError: the output goes into a file, and the disk is full.
    """
    stream = sys.stdout if stream is None else stream
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        _silence(stream)
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # Windows calls a closed pipe an invalid argument
            raise


def accept_all_characters() -> None:
    """Standard output and standard error print a question mark for what their encoding lacks, such as ⟨ in cp1252, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream of another kind, as in a notebook, or none
            stream.reconfigure(errors="replace")


def _silence(stream: TextIO) -> None:
    """What is left in its buffer would fail again when Python ends."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # a stream may have no file
        os.dup2(nowhere.fileno(), stream.fileno())
