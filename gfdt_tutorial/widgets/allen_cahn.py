"""The live lab: a field that runs, can be kicked by a click, and tells its response better and better while it runs."""

import html

import ipywidgets as widgets
import numpy as np

from gfdt_tutorial import figures
from gfdt_tutorial.experiments import LiveResponse, shipped_truth
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.widgets.live import WIDE, Live
from gfdt_tutorial.widgets.runner import Runner, stop_current


class AllenCahnLab(Live):
    """Start the field, watch bands shrink, click on the map to kick it; a parameter that is moved starts another field.

    Args:
        learned: a score learned at the letter's parameters; its response is shown as generative, and is no longer the field's own where
            the sliders have moved.
        seed: of the field.
    """

    def __init__(self, learned=None, *, seed: int = 0):
        stop_current()
        self.learned, self.seed = learned, seed
        self.runner: Runner | None = None
        self.go = widgets.Button(description="start", button_style="primary")
        self.again = widgets.Button(description="reset")
        self.go.on_click(self._toggle)
        self.again.on_click(self._restart)
        options = {"style": WIDE, "continuous_update": False, "readout_format": ".3g"}
        letter = AllenCahn()
        controls = {
            "alpha": widgets.FloatSlider(letter.alpha, min=2, max=16, step=1, description="double well α", **options),
            "kappa": widgets.FloatLogSlider(letter.kappa, min=-4, max=-3, step=0.05, description="diffusivity κ", **options),
            "epsilon": widgets.FloatSlider(letter.epsilon, min=0.05, max=0.12, step=0.005, description="noise ε", **options),
            "advection": widgets.FloatSlider(letter.advection, min=-0.05, max=0.05, step=0.01, description="speed A", **options),
        }
        self.amplitude = widgets.FloatSlider(1.0, min=-2, max=2, step=0.25, description="size of a kick", style=WIDE)
        self._renew(letter)
        super().__init__(figures.live(self.view, self.truth), controls, self._show)
        for control in controls.values():
            control.unobserve(self.update, names="value")
            control.observe(self._restart, names="value")
        self.figure.data[0].on_click(self._clicked)
        self.children = (widgets.HBox([self.go, self.again, self.amplitude]), *self.children)

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
        if not (self.runner and self.runner.running):
            self.update()

    def _clicked(self, trace, points, state) -> None:
        grid = self.view.system.grid
        spacing = [length / n for n, length in zip(grid.shape, grid.lengths, strict=True)]
        for x, y in zip(points.xs, points.ys, strict=True):
            self.kick(round(y / spacing[0]) % grid.shape[0], round(x / spacing[1]) % grid.shape[1])

    def _renew(self, system: AllenCahn) -> None:
        self.truth = shipped_truth(system, 40.0, 1.0)
        self.view = LiveResponse(system, self.learned, seed=self.seed)

    def _toggle(self, _=None) -> None:
        if self.runner is not None and self.runner.running:
            self.stop()
            return
        self.go.description = "pause"
        self.runner = Runner(iter(self.view), self._report)

    def _restart(self, _=None) -> None:
        running = self.runner is not None and self.runner.running
        self.stop()
        try:
            letter, moved = AllenCahn(), {name: control.value for name, control in self.controls.items()}
            # a slider's steps do not meet the letter's values to the last digit
            kept = {name: value for name, value in moved.items() if not np.isclose(value, getattr(letter, name), rtol=1e-3)}
            self._renew(AllenCahn(**kept))
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

    def _show(self) -> tuple[list[dict], str]:
        view = self.view
        words = f"t = {view.time}: {view.members * view.origins} member × time averaged over; {view.since} since the kick"
        return figures.live_data(view, self.truth), words
