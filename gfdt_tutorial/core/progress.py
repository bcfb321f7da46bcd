"""Progress bars, notes and printed results. GFDT_QUIET=1 silences the first two, and a failing console never stops the work."""

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, TextIO, TypeVar

Item = TypeVar("Item")
Work = TypeVar("Work", bound=Iterable[Any])


def progress(items: Iterable[Item], *, total: int | None = None, label: str = "") -> Iterable[Item]:
    """`items`, with a progress bar that estimates the time left and disappears at the end. No bar in a log file or if GFDT_QUIET is set."""
    from tqdm.auto import tqdm  # chooses a widget or text; imported late, because the import looks for a notebook

    return tqdm(items, total=total, desc=label, leave=False, disable=True if os.environ.get("GFDT_QUIET") else None)


def run(work: Work, *, rounds: int = 1) -> Work:
    """Run long work to its end, and return it.

    Long work, such as `Training` or `ChangedEnsemble`, is an iterable that keeps its own state: each step of `for _ in work` advances it,
    and after a `break` a new loop continues where the last one stopped. This function is that loop, for callers who need nothing between
    the steps.

    Args:
        work: an iterable that ends; for one that does not, write the loop yourself, for instance over `itertools.islice(work, 100)`.
        rounds: number of passes, for work that adds a round in each pass.

    Raises:
        KeyboardInterrupt: is re-raised; the work keeps the steps that were completed.

    >>> run([1, 2, 3])
    [1, 2, 3]
    """
    for _ in range(rounds):
        for _ in work:
            pass
    return work


def note(text: str) -> None:
    """Print one line on standard error, unless GFDT_QUIET is set."""
    if not os.environ.get("GFDT_QUIET"):
        say(text, sys.stderr)


def say(text: object, stream: TextIO | None = None) -> None:
    """Print `text` on standard output, or another stream, and flush it; no error if the reader has closed the pipe, as `| head -1` does.

    Raises:
        OSError: the output goes to a file, and the disk is full.
    """
    stream = sys.stdout if stream is None else stream
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        _silence(stream)
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # Windows reports a closed pipe as an invalid argument
            raise


def accept_all_characters() -> None:
    """Make standard output and standard error print a question mark, instead of failing, for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a notebook has streams of another kind, and a program without a console has none
            stream.reconfigure(errors="replace")


def _silence(stream: TextIO) -> None:
    """Redirect a stream to the null device, because flushing the rest of its buffer would fail again when Python exits."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # a stream need not have a file descriptor
        os.dup2(nowhere.fileno(), stream.fileno())
