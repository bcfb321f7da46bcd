"""The common part of the widgets with long work: a button that starts and stops it, a button that resets it, and failures shown."""

from collections.abc import Callable, Iterator

import ipywidgets as widgets
import plotly.graph_objects as go

from gfdt_tutorial.course.widgets.live import WRAPPED, Live, Redraw
from gfdt_tutorial.course.widgets.runner import Runner, stop_current


class Running(Live):
    """A figure that follows its controls, and work in a thread.

    A subclass defines the work by `_work`, how it starts anew by `_renew`, and whether it is finished by `_done`.

    Args:
        figure: draws the initial state, after `_renew` was called.
        controls, redraw: see `Live`.
        start, stop, again: captions of the buttons.
        every, pace: see `Runner`.
    """

    runner: Runner | None = None

    def __init__(
        self, figure: Callable[[], go.Figure], controls: dict[str, widgets.Widget], redraw: Redraw, *, start: str = "start",
        stop: str = "pause", again: str = "reset", every: float = 0.5, pace: float = 0.0,
    ) -> None:  # fmt: skip
        stop_current()
        self.failed = False
        self._captions, self._every, self._pace = (start, stop), every, pace
        self.go = widgets.Button(description=start, button_style="primary")
        self.again = widgets.Button(description=again)
        self.go.on_click(self._guarded(self._toggle))
        self.again.on_click(self._guarded(self._restart))
        self.controls = controls
        self._renew()
        super().__init__(figure(), controls, redraw)
        self.children: tuple[widgets.Widget, ...] = (widgets.HBox([self.go, self.again], layout=WRAPPED), *self.children)

    @property
    def running(self) -> bool:
        """Whether the thread is running."""
        return self.runner is not None and self.runner.running

    def stop(self) -> None:
        """Pause the thread if there is one; the work can be continued."""
        if self.runner is not None:
            self.runner.stop()

    def close(self) -> None:
        """Stop the work, and remove the widget."""
        self.stop()
        super().close()

    def _work(self) -> Iterator[object]:
        raise NotImplementedError

    def _renew(self) -> None:
        raise NotImplementedError

    def _done(self) -> bool:
        return False

    def _toggle(self, _: object = None) -> None:
        if self.running:
            self.stop()
            return
        self.go.description = self._captions[1]
        with self._drawing:  # so that the first report finds the runner set
            self.runner = Runner(self._work(), self._report, every=self._every, pace=self._pace)

    def _restart(self, _: object = None) -> None:
        self.stop()
        self._renew()
        self.go.description, self.go.disabled = self._captions[0], False
        self.update()

    def _restart_on(self, *controls: widgets.Widget) -> None:
        """Start the work anew when one of these controls moves."""
        for control in controls:
            control.unobserve(self.update, names="value")
            control.observe(self._guarded(self._restart), names="value")

    @property
    def _stopping(self) -> bool:
        return self.runner is None or self.runner.stopping

    def _report(self, failure: Exception | None) -> None:
        self.update()
        self.failed = failure is not None
        if failure is not None:
            self._fail(failure)
        start, stop = self._captions
        resting = "done" if self._done() else start if self.failed else "resume"
        self.go.description = resting if self._done() or self._stopping else stop
        self.go.disabled = self._done()
