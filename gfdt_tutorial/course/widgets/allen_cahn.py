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
        ends = {name: shown.range(getattr(letter, name)) for name, shown in letter.parameter_table.items()}

        def slider(name: str, step: float, words: str) -> widgets.FloatSlider:
            low, high = ends[name]
            return widgets.FloatSlider(getattr(letter, name), min=low, max=high, step=step, description=words, **options)

        least, most = map(math.log10, ends["kappa"])
        controls = {
            "alpha": slider("alpha", 1, "double well α"),
            "kappa": widgets.FloatLogSlider(letter.kappa, min=least, max=most, step=0.05, description="diffusivity κ", **options),
            "epsilon": slider("epsilon", 0.005, "noise ε"),
            "advection": slider("advection", 0.01, "speed A"),
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
