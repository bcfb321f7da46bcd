"""A figure that follows its controls."""

import html
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from gfdt_tutorial.course.widgets.figure import LiveFigure
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import TraceData

WIDE = {"description_width": "8em"}
TWO_COLUMNS = {"max_width": "860px", "grid_gap": "0 20px"}
# a single column where the page is too narrow for two
TWO_COLUMNS["grid_template_columns"] = "repeat(auto-fill, minmax(min(420px, 100%), 1fr))"
WRAPPED = {"flex_flow": "row wrap"}
CONTROL = {"width": "400px", "max_width": "calc(100% - 4px)"}  # minus its margin


Redraw = Callable[[], tuple[Sequence[TraceData], str]]  # the data of each trace, and the words of the readout


class Live(widgets.VBox):
    """Controls, a readout of one line, and a figure that is updated in place at each move of a control.

    An exception in a callback would appear only in the log of the browser; therefore the readout shows it.

    Args:
        figure: drawn once.
        controls: widgets with a `value`.
        redraw: returns the data of each trace, in order, and the words of the readout.
    """

    def __init__(self, figure: go.Figure, controls: dict[str, widgets.Widget], redraw: Redraw) -> None:
        self.controls = controls
        self.figure = LiveFigure(figure)
        self.readout = widgets.HTML()
        self.milliseconds = 0.0
        self._redraw, self._drawing = redraw, threading.RLock()
        self._shown: list[TraceData] = [{} for _ in self.figure.data]
        for control in controls.values():
            control.layout.set_state(CONTROL)
            control.observe(self.update, names="value")
        super().__init__([widgets.GridBox(list(controls.values()), layout=TWO_COLUMNS), self.readout, self.figure])
        self.update()

    @property
    def values(self) -> dict:
        """The values of the controls."""
        return {name: control.value for name, control in self.controls.items()}

    def update(self, change: object = None) -> None:
        """Update the figure to the values of the controls."""
        start = time.perf_counter()
        try:
            with self._drawing:  # the thread of a running simulation may draw, too
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

    def _guarded(self, callback: Callable[..., object]) -> Callable[..., None]:
        """The callback, with its exceptions shown in the readout."""

        def call(*arguments: object) -> None:
            try:
                callback(*arguments)
            except Exception as error:  # shown to the user, whatever it is
                self._fail(error)

        return call


def doubtful(doubts: Sequence[str]) -> str:
    """Warnings, each on a line of its own below a readout."""
    return "".join(f"<br><span class='gfdt-warning' style='color:{theme.ALARM}'>{html.escape(doubt)}</span>" for doubt in doubts)


def _changes(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """The properties that changed: plotly checks, copies and sends everything that it is given."""
    return {name: value for name, value in new.items() if name not in old or not np.array_equal(np.asarray(old[name]), np.asarray(value))}
