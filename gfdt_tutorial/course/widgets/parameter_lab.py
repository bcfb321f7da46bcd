"""The parameter lab: change the parameters of a field; the change of its statistics is predicted at once and measured round by round."""

from collections.abc import Iterator

import ipywidgets as widgets

from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views.choices import choices
from gfdt_tutorial.course.views.parameter_lab import ParameterChange, lab_system
from gfdt_tutorial.course.widgets.live import CONTROL, WIDE, doubtful
from gfdt_tutorial.course.widgets.running import Running
from gfdt_tutorial.experiments.parameter_responses import sliders
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.responses.changed_ensemble import ChangedEnsemble
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.systems.base import System

LIVE = 0.2  # seconds between two pictures


class ParameterLab(Running):
    """A slider for each parameter, in per cent of its value; measured statistics of the changed field beside the predicted ones.

    A slider that moves changes the prediction and starts the measurement anew; a running measurement goes on running.

    Args:
        system: its name, where to start.

    Raises:
        ValueError: no such system.
    """

    def __init__(self, system: str | System = "allen-cahn") -> None:
        self.offered, name = choices(system)
        options = {"min": -30, "max": 30, "style": WIDE, "readout_format": "+d"}
        self.choice = widgets.Dropdown(options=list(self.offered), value=name, description="system", style=WIDE)
        self.sliders = [widgets.IntSlider(0, **options) for _ in range(max(len(sliders(one)) for one in self.offered.values()))]
        super().__init__(lambda: panels.parameters(self.view, self.measured), {}, self._show, start="measure", every=LIVE)
        self.controls = self._named()
        self.children[1].children = (self.choice, *self.sliders)
        for control in self.children[1].children:
            control.layout.set_state(CONTROL)
        self.choice.observe(self._guarded(self._another_system), names="value")
        for slider in self.sliders:
            slider.observe(self._guarded(self._restart), names="value")
        self.update()

    def _named(self) -> dict[str, widgets.Widget]:
        """The controls of this system: a slider for each of its parameters; the other sliders are hidden."""
        system = self.offered[self.choice.value]
        names = sliders(system)
        for slider, name in zip(self.sliders, (*names, *[None] * len(self.sliders)), strict=False):
            slider.description = f"{system.parameter_table[name].symbol}, %" if name else ""
            slider.layout.display = None if name else "none"
        return {"system": self.choice, **dict(zip(names, self.sliders, strict=False))}

    def _another_system(self, _: object) -> None:
        self.stop()
        self.readout.value = "One moment: the unperturbed means of this system are simulated."
        lab_system(self.offered[self.choice.value])
        self._restart()

    def _renew(self) -> None:
        moved = {name: value / 100 for name, value in self.values.items() if name != "system" and value}
        self.view = ParameterChange(self.offered[self.choice.value], tuple(moved.items()))
        self.measured: ChangedEnsemble | None = None

    def _restart(self, change: object = None) -> None:
        running, by_slider = self.running, isinstance(change, dict)
        if not by_slider:
            self.stop()
            self.controls = {}  # the values of the sliders no longer apply, and may belong to another system
            for slider in self.sliders:
                slider.value = 0
            self.controls = self._named()
        super()._restart()
        if running and by_slider:
            self._toggle()

    def _work(self) -> Iterator[int]:
        if self.measured is None or self.failed:
            self.measured = self.view.ensemble()
            self._steps = _rounds(self.measured)
        return self._steps

    def _show(self) -> tuple[list[TraceData], str]:
        view, run = self.view, self.measured
        return panels.parameters_data(view, run), self._words() + doubtful(view.caveats(run))

    def _words(self) -> str:
        view, run = self.view, self.measured
        row = view.row(run)
        changes = dict(view.predicted)
        if run is not None and row > 0:
            changes["measured"] = run.response()
        words = ", ".join(f"{theme.LABELS[method]} {_with_error(response, row)}" for method, response in changes.items())
        where = "" if run is None else "; spin-up" if row < 0 else f"; {int(run.response().info['members'])} members"
        return f"t = {view.times[row]:g}: change of ⟨u²⟩: {words}{where}"


def _with_error(response: Response, row: int) -> str:
    error = "" if response.standard_error is None else f" ± {float(response.standard_error[row, 0]):.4f}"
    return f"{float(response.values[row, 0]):+.4f}{error}"


def _rounds(run: ChangedEnsemble) -> Iterator[int]:
    while True:
        yield from run
