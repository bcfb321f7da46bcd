"""A figure that follows its controls."""

import html
import json
import threading
import time
from collections.abc import Callable, Sequence

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from gfdt_tutorial.course.widgets.figure import LiveFigure
from gfdt_tutorial.figures import theme

WIDE = {"description_width": "8em"}
TWO_COLUMNS = {"max_width": "860px", "grid_gap": "0 20px"}
TWO_COLUMNS["grid_template_columns"] = "repeat(auto-fill, minmax(min(420px, 100%), 1fr))"  # one, where the page is too narrow for two
WRAPPED = {"flex_flow": "row wrap"}
CONTROL = {"width": "400px", "max_width": "calc(100% - 4px)"}  # less its margin


class Live(widgets.VBox):
    """Controls above, a one-line readout, the figure below; the figure is updated in place at each move of a control.

    An exception in a callback would vanish into the browser's log: it is shown in the readout instead.

    Args:
        figure: drawn once.
        controls: widgets with a `value`.
        redraw: returns what each trace shows now, in the order of the traces, and what the readout says.
    """

    def __init__(self, figure: go.Figure, controls: dict[str, widgets.Widget], redraw: Callable[[], tuple[Sequence[dict], str]]):
        self.controls = controls
        self.figure = LiveFigure(figure)
        self.readout = widgets.HTML()
        self.milliseconds = 0.0
        self._redraw, self._drawing = redraw, threading.RLock()
        self._shown: list[dict] = [{} for _ in self.figure.data]
        for control in controls.values():
            control.layout.set_state(CONTROL)
            control.observe(self.update, names="value")
        super().__init__([widgets.GridBox(list(controls.values()), layout=TWO_COLUMNS), self.readout, self.figure])
        self.update()

    @property
    def values(self) -> dict:
        """What the controls say."""
        return {name: control.value for name, control in self.controls.items()}

    def update(self, change=None) -> None:
        """Bring the figure in step with the controls."""
        start = time.perf_counter()
        try:
            with self._drawing:  # a thread that runs beside may draw, too
                traces, words = self._redraw()
                changes = [_changes(old, new) for old, new in zip(self._shown, traces, strict=True)]
                with self.figure.batch_update():
                    for trace, changed in zip(self.figure.data, changes, strict=True):
                        for name, value in changed.items():
                            trace[name] = value
                self._shown = list(traces)
        except Exception as error:  # shown to the user, whatever it is
            self._fail(error)
            return
        self.milliseconds = 1e3 * (time.perf_counter() - start)
        state = html.escape(json.dumps(self.values), quote=True)
        self.readout.value = f"<span class='gfdt-readout' data-values=\"{state}\">{words} ({self.milliseconds:.0f} ms)</span>"

    def _fail(self, error: Exception) -> None:
        words = html.escape(f"{type(error).__name__}: {error}")
        self.readout.value = f"<span class='gfdt-error' style='color:{theme.ALARM}'>{words}</span>"

    def _guarded(self, callback: Callable) -> Callable:
        """The callback, whose exceptions are shown."""

        def call(*arguments):
            try:
                callback(*arguments)
            except Exception as error:  # shown to the user, whatever it is
                self._fail(error)

        return call


def doubtful(doubts: Sequence[str]) -> str:
    """Doubts, each on a line of its own below a readout."""
    return "".join(f"<br><span class='gfdt-warning' style='color:{theme.ALARM}'>{html.escape(doubt)}</span>" for doubt in doubts)


def _changes(old: dict, new: dict) -> dict:
    """What is not shown already: plotly checks, copies and sends all that it is given."""
    return {name: value for name, value in new.items() if name not in old or not np.array_equal(old[name], value)}
