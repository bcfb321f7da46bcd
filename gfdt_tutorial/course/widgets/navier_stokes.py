"""The lab of the flow: kick the vorticity by a click, and compare one pair of twins, the mean of many, and the predicted response."""

import ipywidgets as widgets

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import StirredFlow
from gfdt_tutorial.course.widgets.field_lab import FieldLab
from gfdt_tutorial.course.widgets.live import WIDE
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.systems.navier_stokes import NavierStokes

FRAME = 0.15  # seconds between two pictures
STEP = 0.04  # minimal seconds per sampling step, for the eye to follow


class FlowLab(FieldLab):
    """Start the flow and click on the map: all members are kicked there, and each has a twin that is not.

    Args:
        response: predicted, of the letter's flow, from `respond` or `load_shipped`.
        seed: of the flow.
    """

    view: StirredFlow

    def __init__(self, response: Response, *, seed: int = 0) -> None:
        self.response, self.seed = response, seed
        members = widgets.IntSlider(16, min=8, max=64, step=8, description="pairs", style=WIDE, continuous_update=False)
        super().__init__(lambda: panels.flow(self.view), {"members": members}, self._show, every=FRAME, pace=STEP)

    def _renew(self) -> None:
        self.view = StirredFlow(NavierStokes(), self.response, members=self.controls["members"].value, seed=self.seed)

    def _show(self) -> tuple[list[TraceData], str]:
        view = self.view
        last = float(self.response.times[-1])
        if not view.pattern.any():
            return panels.flow_data(view), f"t = {view.time:.2f}; the twins are not kicked, as the size is 0"
        agreement = f"correlation of the mean of {view.members} pairs with the prediction {view.match:.2f}"
        words = agreement if view.since <= last else f"the prediction ends {last:g} after a kick"
        return panels.flow_data(view), f"t = {view.time:.2f}; {view.since:.2f} since the kick; {words}"
