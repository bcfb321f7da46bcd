"""The common part of the live labs: start, pause, reset, and a kick by a click."""

from collections.abc import Callable, Iterator
from typing import Protocol

import ipywidgets as widgets
import plotly.graph_objects as go

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.course.widgets.live import WIDE, Redraw
from gfdt_tutorial.course.widgets.running import Running


class FieldSystem(Protocol):
    """A system of fields."""

    @property
    def grid(self) -> PeriodicGrid: ...


class KickedView(Protocol):
    """A running field, one step per iteration, whose shown member can be kicked."""

    @property
    def system(self) -> FieldSystem: ...

    def kick(self, row: int, column: int, amplitude: float) -> None: ...

    def __iter__(self) -> Iterator[object]: ...


class FieldLab(Running):
    """A view that runs in a thread, with a figure whose first trace is a map to click on.

    A subclass makes `view` from the values of the controls in its `_renew`; a control that moves starts another field.

    Args:
        figure: draws the view.
        controls: parameters of the field.
        show: returns the data of each trace, and the words of the readout.
        every, pace: see `Runner`.
    """

    view: KickedView

    def __init__(
        self, figure: Callable[[], go.Figure], controls: dict[str, widgets.Widget], show: Redraw, *, every: float = 0.5, pace: float = 0.0
    ) -> None:
        super().__init__(figure, controls, show, every=every, pace=pace)
        self.amplitude = widgets.FloatSlider(1.0, min=-2, max=2, step=0.25, description="size of the kick", style=WIDE)
        self._restart_on(*controls.values())
        self.figure.on_click_at(0, self._guarded(self._clicked))
        self.children[0].children += (self.amplitude,)

    def kick(self, row: int, column: int) -> None:
        """Kick the shown field at a pixel, with the size on the slider; a running field is paused meanwhile."""
        running = self.running
        self.stop()  # a step that is under way would restore the twins of the last kick
        self.view.kick(row, column, self.amplitude.value)
        self.update()
        if running:
            self._toggle()

    def _clicked(self, x: float, y: float) -> None:
        grid = self.view.system.grid
        row, column = (round(at * n / length) % n for at, n, length in zip((y, x), grid.shape, grid.lengths, strict=True))
        self.kick(row, column)

    def _restart(self, _: object = None) -> None:
        running = self.running
        super()._restart()
        if running:
            self._toggle()

    def _work(self) -> Iterator[object]:
        return iter(self.view)
