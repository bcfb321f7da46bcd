"""Long work off the kernel's main thread: one at a time, stopped by a button, by a new one, or by running the cell again."""

import threading
import time
from collections.abc import Callable, Iterator

_current: "Runner | None" = None


def stop_current() -> None:
    """Stop whatever runs, so that a cell that is run again starts from a quiet kernel."""
    if _current is not None:
        _current.stop()


class Runner:
    """Steps an iterator in a thread until it ends or `stop` is called, and reports now and then.

    Args:
        work: the iterator; it keeps its own state, so another Runner may go on with it.
        report: called from the thread every `every` seconds, and once at the end with None or the exception that ended it.
        pace: seconds to wait after each step, for an eye to follow.
    """

    def __init__(self, work: Iterator, report: Callable[[Exception | None], None], *, every: float = 0.5, pace: float = 0.0):
        global _current
        stop_current()
        _current = self
        self._work, self._report, self._every, self._pace = work, report, every, pace
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop, or has come to its end."""
        return self._asked.is_set()

    @property
    def running(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to stop, and wait until it did; at most one step and one report."""
        self._asked.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        failure, told = None, time.monotonic()
        try:
            for _ in self._work:
                if self._asked.is_set() or (self._pace and self._asked.wait(self._pace)):
                    break
                if time.monotonic() - told > self._every:
                    self._report(None)
                    told = time.monotonic()
        except Exception as error:  # shown by the widget; a thread has nobody else to tell
            failure = error
        self._asked.set()
        self._report(failure)
