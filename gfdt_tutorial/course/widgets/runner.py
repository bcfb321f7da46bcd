"""Long work in a thread of the kernel: one at a time, stopped by a button, by other work, or by running the cell again."""

import threading
import time
from collections.abc import Callable, Iterator

_current: "Runner | None" = None


def stop_current() -> None:
    """Stop the work that is running, so that a cell that is run again finds an idle kernel."""
    if _current is not None:
        _current.stop()


class Runner:
    """Advances an iterator in a thread until it ends or `stop` is called, and reports at intervals.

    Args:
        work: the iterator, which keeps its own state, so that another Runner may continue it.
        report: called from the thread every `every` seconds, and once at the end; with None, or the exception that ended the work.
        pace: seconds to wait after each step, for the eye to follow.
    """

    def __init__(
        self, work: Iterator[object], report: Callable[[Exception | None], None], *, every: float = 0.5, pace: float = 0.0
    ) -> None:
        global _current
        stop_current()
        _current = self
        self._work, self._report, self._every, self._pace = work, report, every, pace
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop, or has ended."""
        return self._asked.is_set()

    @property
    def running(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to stop, and wait for at most one step and one report."""
        self._asked.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        failure, reported = None, time.monotonic()
        try:
            for _ in self._work:
                if self._asked.is_set() or (self._pace and self._asked.wait(self._pace)):
                    break
                if time.monotonic() - reported > self._every:
                    self._report(None)
                    reported = time.monotonic()
        except Exception as error:  # the widget shows it
            failure = error
        self._asked.set()
        self._report(failure)
