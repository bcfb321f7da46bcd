"""Progress bars and notes, in one place so that one switch silences them: GFDT_QUIET=1."""

import os
import sys
from collections.abc import Iterable


def progress(items: Iterable, *, total: int | None = None, label: str = ""):
    """`items`, with a bar that estimates the time left; it vanishes when done. None in a log file, or when GFDT_QUIET is set."""
    from tqdm.auto import tqdm  # chooses widget or text by where it runs; imported late, as it looks for a notebook

    return tqdm(items, total=total, desc=label, leave=False, disable=True if os.environ.get("GFDT_QUIET") else None)


def note(text: str) -> None:
    """One line on standard error, unless GFDT_QUIET is set."""
    if not os.environ.get("GFDT_QUIET"):
        print(text, file=sys.stderr, flush=True)
