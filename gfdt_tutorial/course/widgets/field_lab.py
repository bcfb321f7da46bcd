"""What every live lab has: start, pause, reset, and a kick by a click."""

from collections.abc import Callable, Iterator

import ipywidgets as widgets
import plotly.graph_objects as go

from gfdt_tutorial.course.widgets.live import WIDE
from gfdt_tutorial.course.widgets.running import Running


class FieldLab(Running):
    """A view that runs in a thread, beside a figure whose first trace is a map to click on.

    A subclass makes `view`, an iterator with a `system` and `kick(row, column, amplitude)`, by `_renew` from what the controls say; each
    of them starts another field when it moves.

    Args:
        figure: draws the view.
        controls: parameters of the field.
        show: what each trace shows now, and what the readout says.
        every, pace: see `Runner`.
    """

    def __init__(self, figure: Callable[[], go.Figure], controls: dict[str, widgets.Widget], show: Callable[[], tuple], **timing: float):
        super().__init__(figure, controls, show, **timing)
        self.amplitude = widgets.FloatSlider(1.0, min=-2, max=2, step=0.25, description="size of a kick", style=WIDE)
        self._restart_on(*controls.values())
        self.figure.on_click_at(0, self._guarded(self._clicked))
        self.children[0].children += (self.amplitude,)

    def kick(self, row: int, column: int) -> None:
        """Kick the shown field at a pixel, by the size that the slider says; one that runs is paused meanwhile."""
        running = self.running
        self.stop()  # a step under way would put the twins of the last kick back
        self.view.kick(row, column, self.amplitude.value)
        self.update()
        if running:
            self._toggle()

    def _clicked(self, x: float, y: float) -> None:
        grid = self.view.system.grid
        row, column = (round(at * n / length) % n for at, n, length in zip((y, x), grid.shape, grid.lengths, strict=True))
        self.kick(row, column)

    def _restart(self, _=None) -> None:
        running = self.running
        super()._restart()
        if running:
            self._toggle()

    def _work(self) -> Iterator:
        return iter(self.view)
