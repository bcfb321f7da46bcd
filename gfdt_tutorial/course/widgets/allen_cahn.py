"""The live lab: a running field that can be kicked by a click, and whose response becomes more accurate while it runs."""

import math
import warnings
from collections.abc import Callable

import ipywidgets as widgets
import numpy as np
import torch

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import LiveResponse
from gfdt_tutorial.course.widgets.field_lab import FieldLab
from gfdt_tutorial.course.widgets.live import WIDE, doubtful
from gfdt_tutorial.experiments.pipeline import shipped_truth
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.systems.allen_cahn import AllenCahn


class AllenCahnLab(FieldLab):
    """Start the field, watch the bands shrink, and click on the map to kick it; a moved parameter starts another field.

    Args:
        learned: a score learned at the letter's parameters; its response is shown as generative, and belongs to another field
            once a slider has moved.
        seed: of the field.
    """

    view: LiveResponse

    def __init__(self, learned: Callable[[torch.Tensor], torch.Tensor] | None = None, *, seed: int = 0) -> None:
        self.learned, self.seed = learned, seed
        options = {"style": WIDE, "continuous_update": False, "readout_format": ".3g"}
        letter = AllenCahn()  # its values lie on the steps of the sliders, so that they can be reached again
        middle = math.log10(letter.kappa)
        controls = {
            "alpha": widgets.FloatSlider(letter.alpha, min=2, max=16, step=1, description="double well α", **options),
            "kappa": widgets.FloatLogSlider(
                letter.kappa, min=middle - 0.6, max=middle + 0.6, step=0.05, description="diffusivity κ", **options
            ),
            "epsilon": widgets.FloatSlider(
                letter.epsilon, min=letter.epsilon - 0.015, max=letter.epsilon + 0.055, step=0.005, description="noise ε", **options
            ),
            "advection": widgets.FloatSlider(letter.advection, min=-0.05, max=0.05, step=0.01, description="speed A", **options),
        }
        super().__init__(lambda: panels.live(self.view, self.truth), controls, self._show)

    def _renew(self) -> None:
        letter, moved = AllenCahn(), {name: control.value for name, control in self.controls.items()}
        # the steps of a slider meet the letter's values up to rounding only
        changes = {name: value for name, value in moved.items() if not np.isclose(value, getattr(letter, name), rtol=1e-3)}
        with warnings.catch_warnings(record=True) as caught:  # warnings of a callback are not shown anywhere
            warnings.simplefilter("always")
            system = AllenCahn(**changes)
        self.doubts = [str(one.message) for one in caught]
        self.truth = shipped_truth(system, 40.0, 1.0)
        self.view = LiveResponse(system, self.learned, seed=self.seed)

    def _show(self) -> tuple[list[TraceData], str]:
        view = self.view
        words = f"t = {view.time}: {view.members * view.origins} member × time in the averages; {view.since} since the kick"
        return panels.live_data(view, self.truth), words + doubtful(self.doubts)
