"""What every widget with long work has: a button that starts and stops it, another that starts anew, and failures that are shown."""

from collections.abc import Callable, Iterator

import ipywidgets as widgets
import plotly.graph_objects as go

from gfdt_tutorial.course.widgets.live import WRAPPED, Live
from gfdt_tutorial.course.widgets.runner import Runner, stop_current


class Running(Live):
    """A figure that follows its controls, and work in a thread.

    A subclass says what is done, by `_work`, how to start anew, by `_renew`, and whether anything is left to do, by `_done`.

    Args:
        figure: draws what there is, once `_renew` was called.
        controls, redraw: see `Live`.
        start, stop, again: what the buttons say.
        every, pace: see `Runner`.
    """

    runner: Runner | None = None

    def __init__(
        self, figure: Callable[[], go.Figure], controls: dict[str, widgets.Widget], redraw: Callable[[], tuple], *, start: str = "start",
        stop: str = "pause", again: str = "reset", every: float = 0.5, pace: float = 0.0,
    ):  # fmt: skip
        stop_current()
        self.failed = False
        self._says, self._timing = (start, stop), {"every": every, "pace": pace}
        self.go = widgets.Button(description=start, button_style="primary")
        self.again = widgets.Button(description=again)
        self.go.on_click(self._guarded(self._toggle))
        self.again.on_click(self._guarded(self._restart))
        self.controls = controls
        self._renew()
        super().__init__(figure(), controls, redraw)
        self.children = (widgets.HBox([self.go, self.again], layout=WRAPPED), *self.children)

    @property
    def running(self) -> bool:
        """Whether the thread is at work."""
        return self.runner is not None and self.runner.running

    def stop(self) -> None:
        """Pause the thread, if there is one; the work can go on."""
        if self.runner is not None:
            self.runner.stop()

    def close(self) -> None:
        """Stop, and take the widget away."""
        self.stop()
        super().close()

    def _work(self) -> Iterator:
        raise NotImplementedError

    def _renew(self) -> None:
        raise NotImplementedError

    def _done(self) -> bool:
        return False

    def _toggle(self, _=None) -> None:
        if self.running:
            self.stop()
            return
        self.go.description = self._says[1]
        with self._drawing:  # no report before it is known whose
            self.runner = Runner(self._work(), self._report, **self._timing)

    def _restart(self, _=None) -> None:
        self.stop()
        self._renew()
        self.go.description, self.go.disabled = self._says[0], False
        self.update()

    def _restart_on(self, *controls: widgets.Widget) -> None:
        """Let a move of these controls start anew."""
        for control in controls:
            control.unobserve(self.update, names="value")
            control.observe(self._guarded(self._restart), names="value")

    def _report(self, failure: Exception | None) -> None:
        self.update()
        self.failed = failure is not None
        if self.failed:
            self._fail(failure)
        start, stop = self._says
        resting = "done" if self._done() else start if self.failed else "resume"
        self.go.description = resting if self._done() or self.runner.stopping else stop
        self.go.disabled = self._done()
