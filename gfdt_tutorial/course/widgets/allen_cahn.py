"""The live lab: a field that runs, can be kicked by a click, and tells its response better and better while it runs."""

import math
import warnings

import ipywidgets as widgets
import numpy as np

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import LiveResponse
from gfdt_tutorial.course.widgets.field_lab import FieldLab
from gfdt_tutorial.course.widgets.live import WIDE, doubtful
from gfdt_tutorial.experiments.pipeline import shipped_truth
from gfdt_tutorial.systems.allen_cahn import AllenCahn


class AllenCahnLab(FieldLab):
    """Start the field, watch bands shrink, click on the map to kick it; a parameter that is moved starts another field.

    Args:
        learned: a score learned at the letter's parameters; its response is shown as generative, and is no longer the field's own where
            the sliders have moved.
        seed: of the field.
    """

    def __init__(self, learned=None, *, seed: int = 0):
        self.learned, self.seed = learned, seed
        options = {"style": WIDE, "continuous_update": False, "readout_format": ".3g"}
        letter = AllenCahn()  # its values lie on the sliders' steps, so that one finds back to them
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
        # a slider's steps do not meet the letter's values to the last digit
        changes = {name: value for name, value in moved.items() if not np.isclose(value, getattr(letter, name), rtol=1e-3)}
        with warnings.catch_warnings(record=True) as said:  # a callback's warnings reach nobody
            warnings.simplefilter("always")
            system = AllenCahn(**changes)
        self.doubts = [str(one.message) for one in said]
        self.truth = shipped_truth(system, 40.0, 1.0)
        self.view = LiveResponse(system, self.learned, seed=self.seed)

    def _show(self) -> tuple[list[dict], str]:
        view = self.view
        words = f"t = {view.time}: {view.members * view.origins} member × time averaged over; {view.since} since the kick"
        return panels.live_data(view, self.truth), words + doubtful(self.doubts)
