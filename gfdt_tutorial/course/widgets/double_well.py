"""The double well under the hand: hill, tilt, noise and kick on sliders; exact answer, linear prediction and the Gaussian's."""

from dataclasses import replace

import ipywidgets as widgets

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import KickedWell
from gfdt_tutorial.course.widgets.live import WIDE, Live
from gfdt_tutorial.systems.double_well import DoubleWell

PARAMETERS = ("barrier", "tilt", "epsilon")


class DoubleWellExplorer(Live):
    """Sliders for the barrier h, the tilt a, the noise ε and the kick δ; densities and the change of mean and variance follow.

    Args:
        system, kick: where the sliders start; those of the system reach that far, if they do not anyway.

    Raises:
        ValueError: a kick beyond ±1.
    """

    def __init__(self, system: DoubleWell | None = None, kick: float = 0.4):
        self.system = system or DoubleWell()
        controls = {
            "barrier": _slider("h, barrier", self.system.barrier, 0.2, 1.5),
            "tilt": _slider("a, tilt", self.system.tilt, -0.5, 0.5),
            "epsilon": _slider("ε, noise", self.system.epsilon, 0.6, 1.4),
            "kick": _slider("δ, kick", kick, -1.0, 1.0),
        }
        self.view = self._look(controls)
        super().__init__(panels.kicked_well(self.view), controls, self._show)

    def _look(self, controls: dict[str, widgets.Widget]) -> KickedWell:
        changes = {name: controls[name].value for name in PARAMETERS}
        return KickedWell(replace(self.system, **changes), controls["kick"].value)

    def _show(self) -> tuple[list[dict], str]:
        self.view = self._look(self.controls)
        mean, variance = self.view.rest
        climate = f"undisturbed: mean {mean:.3f}, variance {variance:.3f}"
        return panels.kicked_well_data(self.view), f"{climate}; the linear answer of the mean is off by {self.view.nonlinearity:.1%}"


def _slider(name: str, value: float, least: float, most: float) -> widgets.FloatSlider:
    least, most = min(value, least), max(value, most)  # a slider would start at its end instead, on another system than given
    return widgets.FloatSlider(value, min=least, max=most, step=0.05, description=name, style=WIDE)
