"""The double well with sliders that spoil its score and its forecast: the errors of the response by one, by the other, and by both."""

import ipywidgets as widgets

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import SpoiledWell
from gfdt_tutorial.course.widgets.live import Live
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.systems.double_well import DoubleWell

AS_WIDE_AS_NEEDED = {"description_width": "initial"}


class ErrorsMultiply(Live):
    """Sliders for the error δ of the score and δ′ of the forecast.

    Args:
        system: the well.
        score_error, forecast_error: where the sliders start, from −1 to 1.
    """

    def __init__(self, system: DoubleWell | None = None, score_error: float = 0.5, forecast_error: float = 0.3) -> None:
        self.system = system or DoubleWell()
        controls = {
            "score": widgets.FloatSlider(score_error, min=-1, max=1, step=0.05, description="score off by δ", style=AS_WIDE_AS_NEEDED),
            "forecast": widgets.FloatSlider(
                forecast_error, min=-1, max=1, step=0.05, description="forecast off by δ′", style=AS_WIDE_AS_NEEDED
            ),
        }
        self.view = self._look(controls)
        super().__init__(panels.spoiled_well(self.view), controls, self._show)

    def _look(self, controls: dict[str, widgets.Widget]) -> SpoiledWell:
        return SpoiledWell(self.system, controls["score"].value, controls["forecast"].value)

    def _show(self) -> tuple[list[TraceData], str]:
        self.view = self._look(self.controls)
        errors = self.view.errors
        told = ", ".join(f"by {name} {errors[key]:.3f}" for name, key in (("the score", "score"), ("the forecast", "forecast")))
        return panels.spoiled_well_data(self.view), f"largest error of the response: {told}, by both {errors['combined']:.3f}"
