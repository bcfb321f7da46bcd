"""Watch a score being learned: start, stop, resume, and choose the noise."""

from dataclasses import replace

import ipywidgets as widgets

from gfdt_tutorial import figures
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.views import TrainingView
from gfdt_tutorial.widgets.live import WIDE, Live
from gfdt_tutorial.widgets.runner import Runner, stop_current

FIELDS = 128  # judged at each report


class ScoreTraining(Live):
    """Loss, Stein identity and learned-over-exact score of a network, while it trains from a deliberately wrong start.

    Args:
        data: to learn from.
        judge: to compare with, on members that the training holds out.
        steps: of the whole training.
    """

    def __init__(self, data: TimeSeries, judge: OrnsteinUhlenbeck, *, steps: int = 300, seed: int = 0):
        stop_current()
        self.data, self.judge, self.seed = data, judge, seed
        self.spent = Budget(steps=steps, noise="white", level=0.05, check_every=10)
        self.runner: Runner | None = None
        self.go = widgets.Button(description="start", button_style="primary")
        self.again = widgets.Button(description="from the start")
        self.go.on_click(self._toggle)
        self.again.on_click(self._restart)
        level = widgets.FloatLogSlider(0.05, min=-2, max=0, step=0.1, description="noise level σ", style=WIDE, continuous_update=False)
        self._renew(0.05)
        super().__init__(figures.training(self.view), {"level": level}, self._show)
        level.unobserve(self.update, names="value")
        level.observe(self._restart, names="value")
        self.children = (widgets.HBox([self.go, self.again]), *self.children)

    @property
    def view(self) -> TrainingView:
        """How the training stands."""
        return TrainingView(self.training, self.judge, self.fields)

    def stop(self) -> None:
        """Stop the thread, if there is one; the training can go on."""
        if self.runner is not None:
            self.runner.stop()

    def close(self) -> None:
        """Stop, and take the widget away."""
        self.stop()
        super().close()

    def _renew(self, level: float) -> None:
        self.training = Training(self.data, replace(self.spent, level=level), seed=self.seed, start="wrong")
        held = self.training.held.u
        self.fields = held[:, :: max(1, held.shape[1] * len(held) // FIELDS)].flatten(0, 1)[:FIELDS]

    def _toggle(self, _=None) -> None:
        if self.runner is not None and self.runner.running:
            self.stop()
            return
        self.go.description = "stop"
        self.runner = Runner(iter(self.training), self._report)

    def _restart(self, _=None) -> None:
        self.stop()
        self._renew(self.controls["level"].value)
        self.go.description, self.go.disabled = "start", False
        self.update()

    def _report(self, failure: Exception | None) -> None:
        self.update()
        if failure is not None:
            self.readout.value = f"<span class='gfdt-error' style='color:#D55E00'>{type(failure).__name__}: {failure}</span>"
        done = self.training.step >= self.training.budget.steps
        running = failure is None and not done and not self.runner.stopping
        self.go.description = "stop" if running else ("done" if done else "resume")
        self.go.disabled = done

    def _show(self) -> tuple[list[dict], str]:
        view = self.view
        words = f"step {self.training.step} of {self.training.budget.steps}; relative error of the score {view.relative_error:.3f}"
        return figures.training_data(view), words
