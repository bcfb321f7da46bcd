"""Watch a score being learned: start, stop, resume, and choose the noise level."""

from collections.abc import Iterator
from dataclasses import replace

import ipywidgets as widgets

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import TrainingView
from gfdt_tutorial.course.widgets.live import WIDE
from gfdt_tutorial.course.widgets.running import Running
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck

FIELDS = 128  # on which the score is compared at each report


class ScoreTraining(Running):
    """Loss, Stein's identity and learned over exact score of a network while it trains from a deliberately wrong start.

    Args:
        data: the score is learned from them.
        judge: a system with the exact score, which is compared on members that the training holds out.
        steps: of the whole training.
        seed: of weights, batches and noise.
    """

    def __init__(self, data: TimeSeries, judge: OrnsteinUhlenbeck, *, steps: int = 300, seed: int = 0) -> None:
        self.data, self.judge, self.seed = data, judge, seed
        self.budget = Budget(steps=steps, noise="white", level=0.05, check_every=10)
        level = widgets.FloatLogSlider(0.05, min=-2, max=0, step=0.1, description="noise level σ", style=WIDE, continuous_update=False)
        super().__init__(lambda: panels.training(self.view), {"level": level}, self._show, stop="stop", again="from the start")
        self._restart_on(level)

    @property
    def view(self) -> TrainingView:
        """The state of the training."""
        return TrainingView(self.training, self.judge, self.fields)

    def _work(self) -> Iterator[object]:
        return iter(self.training)

    def _renew(self) -> None:
        self.training = Training(self.data, replace(self.budget, level=self.controls["level"].value), seed=self.seed, start="wrong")
        held = self.training.held.u
        self.fields = held[:, :: max(1, held.shape[1] * len(held) // FIELDS)].flatten(0, 1)[:FIELDS]

    def _done(self) -> bool:
        return self.training.step >= self.training.budget.steps

    def _show(self) -> tuple[list[TraceData], str]:
        view = self.view
        words = f"step {self.training.step} of {self.training.budget.steps}; relative error of the score {view.relative_error:.3f}"
        return panels.training_data(view), words
