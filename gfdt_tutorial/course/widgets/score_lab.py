"""The score lab: a response that improves while its score is learned; start, pause, resume, and choose the noise level."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import ipywidgets as widgets
import torch

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import LearningResponse
from gfdt_tutorial.course.widgets.live import WIDE
from gfdt_tutorial.course.widgets.running import Running
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.training import Training


class KnownSystem(Protocol):
    """A system with a score in closed form."""

    @property
    def symmetries(self) -> tuple[str, ...]: ...

    def score(self, u: torch.Tensor) -> torch.Tensor: ...


class ScoreLab(Running):
    """The response of a score against that of kicked twins, while a network learns the score from unperturbed data.

    A changed noise level or number of steps starts another training, and the readout says so.

    Args:
        data: the score is learned from half of its members, and the response is averaged over the other half.
        system: that produced the data; the response with its score is shown for comparison.
        truth: its response.
        steps: of the training.
        seed: of weights, batches and noise.
    """

    def __init__(self, data: TimeSeries, system: KnownSystem, truth: Response, *, steps: int = 300, seed: int = 0) -> None:
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
        chosen = replace(budget("quick", kind="white"), level=value["level"], steps=value["steps"])
        training = Training(self.fitted, chosen, seed=self.seed, device="cpu")
        symmetries = tuple(name for name in self.system.symmetries if name != "sign")  # it would evaluate the score twice
        self.view = LearningResponse(training, self.kept, self.truth, self.system.score, symmetries=symmetries)

    def _restart(self, change: object = None) -> None:
        self.moved = ""
        if isinstance(change, dict):  # by a slider, not by the button
            self.moved = f"{change['owner'].description} is now {change['new']:.3g}: another training, from the start; "
        super()._restart()

    def _work(self) -> Iterator[int]:
        return iter(self.view)

    def _done(self) -> bool:
        return self.view.training.step >= self.view.training.budget.steps

    def _show(self) -> tuple[list[TraceData], str]:
        view, training = self.view, self.view.training
        now = {"generative": view.history[-1][1], **view.errors}
        errors = ", ".join(f"{theme.LABELS[name]} {error:.3f}" for name, error in now.items())
        note = "" if training.step else self.moved
        return panels.learning_data(view), f"{note}step {training.step} of {training.budget.steps}; L2 error of the response: {errors}"
