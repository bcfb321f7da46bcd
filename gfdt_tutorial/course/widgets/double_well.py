"""The double well with sliders for barrier, tilt, noise and kick: the exact response, the linear one, and that with the Gaussian score."""

from dataclasses import replace

import ipywidgets as widgets

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import KickedWell
from gfdt_tutorial.course.widgets.live import WIDE, Live
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.systems.double_well import DoubleWell

PARAMETERS = ("barrier", "tilt", "epsilon")


class DoubleWellExplorer(Live):
    """Sliders for the barrier h, the tilt a, the noise ε and the kick δ; densities and the change of mean and variance follow.

    Args:
        system, kick: where the sliders start; the ranges of the sliders are extended to these values.

    Raises:
        ValueError: a kick beyond ±1.
    """

    def __init__(self, system: DoubleWell | None = None, kick: float = 0.4) -> None:
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

    def _show(self) -> tuple[list[TraceData], str]:
        self.view = self._look(self.controls)
        mean, variance = self.view.rest
        error = self.view.nonlinearity
        unperturbed = f"unperturbed: mean {mean:.3f}, variance {variance:.3f}"
        return panels.kicked_well_data(self.view), unperturbed + f"; relative error of the linear response of the mean: {error:.1%}"


def _slider(name: str, value: float, least: float, most: float) -> widgets.FloatSlider:
    least, most = min(value, least), max(value, most)  # otherwise a slider would start at its end, with another system than the given one
    return widgets.FloatSlider(value, min=least, max=most, step=0.05, description=name, style=WIDE)
