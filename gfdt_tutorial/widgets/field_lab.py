"""What every live lab has: start, pause, reset, a kick by a click, and failures that are shown."""

import html
from collections.abc import Callable

import ipywidgets as widgets
import plotly.graph_objects as go

from gfdt_tutorial.widgets.live import WIDE, Live
from gfdt_tutorial.widgets.runner import Runner, stop_current


class FieldLab(Live):
    """A view that runs in a thread, beside a figure whose first trace is a map to click on.

    A subclass makes `view`, an iterator with a `system` and `kick(row, column, amplitude)`, by `renew`.

    Args:
        renew: makes a new `view` from what the controls say; called at a reset and when a control that is in `controls` moves.
        figure: draws the view.
        controls: parameters of the field, each of which starts another one.
        show: what each trace shows now, and what the readout says.
        beside: more widgets for the row of buttons.
        every, pace: see `Runner`.
    """

    def __init__(
        self,
        renew: Callable[[], None],
        figure: Callable[[], go.Figure],
        controls: dict[str, widgets.Widget],
        show: Callable[[], tuple],
        *,
        beside: tuple = (),
        every: float = 0.5,
        pace: float = 0.0,
    ):
        stop_current()
        self.runner: Runner | None = None
        self._make, self._timing = renew, {"every": every, "pace": pace}
        self.go = widgets.Button(description="start", button_style="primary")
        self.again = widgets.Button(description="reset")
        self.go.on_click(self._toggle)
        self.again.on_click(self._restart)
        self.amplitude = widgets.FloatSlider(1.0, min=-2, max=2, step=0.25, description="size of a kick", style=WIDE)
        self.controls = controls
        renew()
        super().__init__(figure(), controls, show)
        for control in controls.values():
            control.unobserve(self.update, names="value")
            control.observe(self._restart, names="value")
        self.figure.data[0].on_click(self._clicked)
        self.children = (widgets.HBox([self.go, self.again, self.amplitude, *beside]), *self.children)

    @property
    def running(self) -> bool:
        """Whether the field runs."""
        return self.runner is not None and self.runner.running

    def stop(self) -> None:
        """Pause the thread, if there is one."""
        if self.runner is not None:
            self.runner.stop()

    def close(self) -> None:
        """Stop, and take the widget away."""
        self.stop()
        super().close()

    def kick(self, row: int, column: int) -> None:
        """Kick the shown field at a pixel, by the size that the slider says."""
        self.view.kick(row, column, self.amplitude.value)
        if not self.running:
            self.update()

    def _clicked(self, trace, points, state) -> None:
        grid = self.view.system.grid
        spacing = [length / n for n, length in zip(grid.shape, grid.lengths, strict=True)]
        for x, y in zip(points.xs, points.ys, strict=True):
            self.kick(round(y / spacing[0]) % grid.shape[0], round(x / spacing[1]) % grid.shape[1])

    def _toggle(self, _=None) -> None:
        if self.running:
            self.stop()
            return
        self.go.description = "pause"
        self.runner = Runner(iter(self.view), self._report, **self._timing)

    def _restart(self, _=None) -> None:
        running = self.running
        self.stop()
        try:
            self._make()
        except Exception as error:  # shown to the user, whatever it is
            self._fail(error)
            return
        self.go.description = "start"
        self.update()
        if running:
            self._toggle()

    def _report(self, failure: Exception | None) -> None:
        self.update()
        if failure is not None:
            self._fail(failure)
        self.go.description = "pause" if failure is None and not self.runner.stopping else "resume"

    def _fail(self, error: Exception) -> None:
        words = html.escape(f"{type(error).__name__}: {error}")
        self.readout.value = f"<span class='gfdt-error' style='color:#D55E00'>{words}</span>"
