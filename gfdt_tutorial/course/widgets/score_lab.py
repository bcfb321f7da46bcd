"""Watch a response get better while its score is learned: start, pause, resume, and choose the noise."""

from collections.abc import Iterator
from dataclasses import replace

import ipywidgets as widgets

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import LearningResponse
from gfdt_tutorial.course.widgets.live import WIDE
from gfdt_tutorial.course.widgets.running import Running
from gfdt_tutorial.figures import theme
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.training import Training


class ScoreLab(Running):
    """The response of a score against that of kicked twins, while a network learns the score from undisturbed data.

    A noise level or a number of steps that is changed is another training: it begins anew, and the readout says so.

    Args:
        data: half of its members are learned from, the other half is averaged over.
        system: that made them; its score is shown beside.
        truth: its response.
        seed: of weights, batches and noise.
    """

    def __init__(self, data: TimeSeries, system, truth: Response, *, steps: int = 300, seed: int = 0):
        self.fitted, self.kept = data.split(0.5)
        self.system, self.truth, self.seed, self.moved = system, truth, seed, ""
        options = {"style": WIDE, "continuous_update": False}
        controls = {
            "level": widgets.FloatLogSlider(0.01, min=-2, max=0, step=0.1, description="noise level σ", readout_format=".2g", **options),
            "steps": widgets.IntSlider(steps, min=20, max=1000, step=20, description="learning steps", **options),
        }
        super().__init__(lambda: panels.learning(self.view), controls, self._show, again="from the start")
        self._restart_on(*controls.values())

    def _renew(self) -> None:
        value = self.values
        spent = replace(budget("quick", kind="white"), level=value["level"], steps=value["steps"])
        training = Training(self.fitted, spent, seed=self.seed, device="cpu")
        symmetries = tuple(name for name in self.system.symmetries if name != "sign")  # which would evaluate the score twice
        self.view = LearningResponse(training, self.kept, self.truth, self.system.score, symmetries=symmetries)

    def _restart(self, change=None) -> None:
        moved = isinstance(change, dict)  # a slider, not the button
        self.moved = f"{change['owner'].description} is now {change['new']:.3g}: another training, from the start; " if moved else ""
        super()._restart()

    def _work(self) -> Iterator:
        return iter(self.view)

    def _done(self) -> bool:
        return self.view.training.step >= self.view.training.budget.steps

    def _show(self) -> tuple[list[dict], str]:
        view, training = self.view, self.view.training
        now = {"generative": view.history[-1][1], **view.errors}
        errors = ", ".join(f"{theme.LABELS[name]} {error:.3f}" for name, error in now.items())
        note = "" if training.step else self.moved
        return panels.learning_data(view), f"{note}step {training.step} of {training.budget.steps}; L2 error of the response: {errors}"
