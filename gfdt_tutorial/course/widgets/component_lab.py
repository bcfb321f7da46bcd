"""A few unlike variables: kick any of them or change any parameter, and watch means and second moments, predicted and measured."""

from collections.abc import Iterator

import ipywidgets as widgets

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views.component_lab import ROUNDS, ComponentChange, ComponentLab, together
from gfdt_tutorial.course.widgets.live import WIDE, doubtful
from gfdt_tutorial.course.widgets.running import Running
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.responses.response import Response


class ComponentResponses(Running):
    """A choice of what changes and a slider for its size; the prediction follows at once, a measurement comes round by round.

    Args:
        lab: the system and its responses.
        of: the component or the parameter that changes first.
    """

    def __init__(self, lab: ComponentLab, of: str | None = None) -> None:
        self.lab = lab
        components = lab.system.components
        options = [(f"kick {name}" if name in components else f"change {name}", name) for name in lab.sizes]
        controls = {
            "of": widgets.Dropdown(options=options, value=of or components[0], description="what", style=WIDE),
            "size": widgets.IntSlider(20, min=-50, max=50, step=5, description="size, %", style=WIDE, readout_format="+d"),
        }
        super().__init__(lambda: panels.component_changes(self.view, self.measured), controls, self._show, start="measure")
        for control in controls.values():
            control.observe(self._guarded(self._restart), names="value")

    @property
    def measured(self) -> Response | None:
        """The mean over the rounds so far."""
        return together(self.rounds) if self.rounds else None

    def _renew(self) -> None:
        self.view = ComponentChange(self.lab, self.controls["of"].value, float(self.controls["size"].value))
        self.rounds: list[Response] = []

    def _work(self) -> Iterator[int]:
        while not self._done():
            self.rounds.append(self.view.measured(len(self.rounds)))
            yield len(self.rounds)

    def _done(self) -> bool:
        return len(self.rounds) >= ROUNDS or self.view.size == 0

    def _show(self) -> tuple[list[TraceData], str]:
        view, measured = self.view, self.measured
        kicked = view.of in self.lab.system.components
        unit = f"standard deviations of {view.of}" if kicked else f"of the value of {view.of}"
        words = f"{view.per_cent / 100:+.2f} {unit}" if kicked else f"{view.per_cent:+.0f} % {unit}"
        words += f"; {len(self.rounds)} of {ROUNDS} rounds measured" if measured is not None else ""
        return panels.component_changes_data(view, measured), words + doubtful(view.caveats())
