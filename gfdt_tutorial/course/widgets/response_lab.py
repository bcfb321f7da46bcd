"""The response lab: kick a field or force it, see the response by every method at once, and check it with an ensemble."""

import html
from collections.abc import Callable, Iterator
from dataclasses import replace

import ipywidgets as widgets
import numpy as np
import torch
from traitlets import Bunch

from gfdt_tutorial.core import checks
from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views.choices import choices
from gfdt_tutorial.course.views.kick_design import KICK_NAMES, TIME_PROFILES, KickDesign, TimeProfile, as_map
from gfdt_tutorial.course.views.response_lab import Predictions
from gfdt_tutorial.course.widgets.kick_pad import KickPad
from gfdt_tutorial.course.widgets.live import WRAPPED, doubtful
from gfdt_tutorial.course.widgets.running import Running
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.responses.forced_ensemble import Departure, ForcedEnsemble
from gfdt_tutorial.systems.base import System

FRAME = 60  # milliseconds between two lags while playing
LIVE = 0.06  # seconds between two updates while an ensemble runs
AMPLITUDES = (-3, 1)  # powers of ten
WIDE = {"description_width": "10em"}
NARROW = {"style": {"description_width": "4em"}, "layout": widgets.Layout(width="108px")}


class KickLab(Running):
    """Draw a kick or choose a predefined one: the responses by all methods follow at once, at any lag, and an ensemble checks them.

    Args:
        system: its name, where to start.
        ready, amplitude: of the first kick; the amplitude is from 0.001 to 10, and a menu sets its sign.

    Raises:
        ValueError: there is no such system or kick, or the amplitude is outside this range.
    """

    lasting = False

    def __init__(self, system: str | System = "navier-stokes", *, ready: str = "bump", amplitude: float = 1.0) -> None:
        self.offered, name = choices(system)
        checks.choice("kick", ready, KICK_NAMES)
        least, most = AMPLITUDES
        if not 10.0**least <= amplitude <= 10.0**most:
            raise ValueError(f"amplitude is {amplitude!r}; expected {10.0**least:g} to {10.0**most:g}: a menu sets the sign")
        self.view = Predictions(self.offered[name], KickDesign(ready, amplitude), TimeProfile() if self.lasting else None)
        self.measured: ForcedEnsemble | None = None
        unit = "u/time" if self.lasting else "u"
        log = {"min": least, "max": most, "step": 0.05, "readout_format": ".3g"}
        controls = {
            "system": widgets.Dropdown(options=list(self.offered), value=name, description="system", style=WIDE),
            "kick": widgets.Dropdown(options=KICK_NAMES, value=ready, description="predefined kick", style=WIDE),
            "amplitude": widgets.FloatLogSlider(amplitude, description=f"amplitude, {unit}", style=WIDE, **log),
            "sign": widgets.Dropdown(options={"+ (raise)": 1, "− (lower)": -1}, value=1, description="sign", style=WIDE),
            "time": self._time_slider("t, time units", 1 / 6),
        } | self._more_controls()
        self.first = {name: control.value for name, control in controls.items()}
        self.canvas = KickPad(as_map(self.view.pattern).shape, label="draw a kick: hold and drag, or arrow keys and space bar")
        self.listed = widgets.ToggleButton(description="show the code")
        self.listing = widgets.HTML()
        self.play = widgets.Play(interval=FRAME, max=len(self.view.times) - 1, repeat=True, description="play")
        super().__init__(
            lambda: panels.predictions(self.view, controls["time"].value), controls, self._show, start="check with an ensemble",
            stop="stop", every=LIVE,
        )  # fmt: skip
        self.go.layout.width = "200px"
        for widget, name in ((self.canvas, "cells"), (self.listed, "value")):
            widget.observe(self.update, names=name)
        self.play.observe(self._guarded(self._frame), names="value")
        self.children[0].children += (self.listed, self.play)
        buttons, sliders, *figure = self.children
        self.children = (buttons, sliders, widgets.HBox(self._pads(), layout=WRAPPED), *figure, self.listing)

    def update(self, change: object = None) -> None:
        """Update the figure to the controls, if one of them moved, and to the ensemble."""
        if change is not None:
            self._guarded(self._follow)()
        super().update(change)

    def add(self, row: int, column: int, value: float) -> None:
        """Raise a pixel of the drawing, in units of the amplitude."""
        drawing = self.canvas.drawing
        drawing[row % len(drawing), column % drawing.shape[1]] += value
        self.canvas.draw(drawing)

    def _time_slider(self, description: str, part: float) -> widgets.FloatSlider:
        times = self.view.times
        options = {"min": 0, "max": float(times[-1]), "step": float(times[1]), "readout_format": ".4g"}
        return widgets.FloatSlider(float(times[int(part * len(times))]), description=description, style=WIDE, **options)

    def _more_controls(self) -> dict[str, widgets.Widget]:
        return {}

    def _pads(self) -> list[widgets.Widget]:
        """The pad, and beside it controls that do the same without a pointer."""
        pen = widgets.ToggleButtons(options={"raise": 1.0, "lower": -1.0, "erase": 0.0}, style={"button_width": "70px"})
        brush = widgets.BoundedIntText(1, min=1, max=6, description="brush", **NARROW)
        for tool, name in ((pen, "value"), (brush, "brush")):
            tool.observe(lambda change, name=name: setattr(self.canvas, name, change.new), names="value")
        fields = [widgets.IntText(0, description=name, **NARROW) for name in ("row", "column")]
        fields.append(widgets.FloatText(1.0, description="× ampl.", **NARROW))
        add = self._button("add this pixel", lambda: self.add(*(field.value for field in fields)))
        clear = self._button("clear the drawing", self.canvas.clear)
        self.pad = {"pen": pen, "brush": brush, "row": fields[0], "column": fields[1], "value": fields[2]}
        self.pad |= {"add": add, "clear": clear}
        words = widgets.HTML("<b>Draw a kick</b>; it is added to the predefined one")
        return [self.canvas, widgets.VBox([words, pen, brush, widgets.HBox(fields, layout=WRAPPED), widgets.HBox([add, clear])])]

    def _button(self, description: str, press: Callable[[], object]) -> widgets.Button:
        button = widgets.Button(description=description)
        button.on_click(self._guarded(lambda _: press()))
        return button

    def _kick(self) -> KickDesign:
        value, drawing = self.values, self.canvas.drawing
        drawn = tuple((int(row), int(column), float(drawing[row, column])) for row, column in np.argwhere(drawing))
        return KickDesign(value["kick"], value["sign"] * value["amplitude"], drawn)

    def _time_profile(self) -> TimeProfile | None:
        return None

    def _follow(self) -> None:
        """Take the prediction from the controls; a measurement belongs to the earlier values and is dropped."""
        before, view = self.view, Predictions(self.offered[self.values["system"]], self._kick(), self._time_profile())
        if view == before:
            return
        self.stop()
        self.view = view
        self._forget()
        if view.name != before.name:
            self.readout.value = "One moment: the Gaussian response of this system is estimated."
            self._another_system()

    def _forget(self) -> None:
        self.measured = None
        self.go.description, self.go.disabled = self._captions[0], False

    def _another_system(self) -> None:
        times = self.view.times
        self.play.max = len(times) - 1
        _rescale(self.controls["time"], times, 1 / 6)
        with self.figure.batch_update():
            for annotation, title in zip(self.figure.layout.annotations, panels.prediction_titles(self.view), strict=False):
                annotation.text = title

    def _frame(self, change: Bunch) -> None:
        self.controls["time"].value = float(self.view.times[change.new])

    def _show(self) -> tuple[list[TraceData], str]:
        view, measured = self.view, self.measured
        self.canvas.show_below(replace(view.kick, amplitude=1.0, drawing=()).pattern(view.grid))
        self.canvas.sign = float(np.sign(view.kick.amplitude))
        row = view.row(self.values["time"])
        time = float(view.times[row])
        code = view.code(time, measured=measured is not None and measured.row >= row) if self.listed.value else ""
        self.listing.value = code and f"<pre class='gfdt-code'>{html.escape(code)}</pre>"
        return panels.predictions_data(view, time, measured), self._words(row)

    def _words(self, row: int) -> str:
        view, measured, size = self.view, self.measured, float(self.view.size[row])
        words = [f"t = {float(view.times[row]):g}: size of the true response {size:.3g} u"]
        if size > 0:
            words.append("relative error: " + ", ".join(f"{name} {float(error[row]) / size:.2f}" for name, error in view.errors.items()))
        lines = [words]
        if measured is not None:
            where = "in the spin-up" if measured.row < 0 else f"at t = {float(view.times[measured.row]):g}"
            run = [f"{measured.members} members {where}"]
            if measured.row > 0:
                numbers = (measured.gain, measured.departure, measured.even_part)
                names = ("measured over linear response", "departure from linearity", "its even part")
                run += [f"{name} {_with_error(number)}" for name, number in zip(names, numbers, strict=True)]
            lines.append(run)
        return "<br>".join("; ".join(line) for line in lines) + doubtful(view.caveats(measured, row))

    def _work(self) -> Iterator[int]:
        if self.measured is None or self.failed:
            self.measured = self.view.ensemble()
            self._steps = iter(self.measured)
        return self._steps

    def _renew(self) -> None:
        self.measured = None

    def _restart(self, _: object = None) -> None:
        self.stop()
        for name, value in self.first.items():
            self.controls[name].value = value
        self.canvas.clear()
        super()._restart()

    def _done(self) -> bool:
        return self.measured is not None and self.measured.row == len(self.view.times) - 1


class ForceLab(KickLab):
    """Force a field, with a step, a ramp, a wave or a time profile drawn by hand; the responses are convolutions over lags.

    Args:
        system: its name, where to start.
        ready, amplitude: the pattern of the forcing, and its strength per time unit.
    """

    lasting = True

    def _more_controls(self) -> dict[str, widgets.Widget]:
        self.profile_pad = KickPad((1, len(self.view.times)), "profile", "draw a time profile: hold and drag, or arrow keys")
        self.profile_pad.observe(self._guarded(self._profile_drawn), names="cells")
        return {
            "time_profile": widgets.Dropdown(options=TIME_PROFILES, value="step", description="time profile", style=WIDE),
            "scale": self._time_slider("ramp, period", 1 / 4),
        }

    def _pads(self) -> list[widgets.Widget]:
        fields = [widgets.FloatText(value, description=name, **NARROW) for name, value in (("from t", 0.0), ("to t", 1.0), ("f", 1.0))]
        put = self._button("set", lambda: self.set_time_profile(*(field.value for field in fields)))
        clear = self._button("clear the profile", self.profile_pad.clear)
        self.profile_controls = {"from": fields[0], "to": fields[1], "f": fields[2], "set": put, "clear": clear}
        words = widgets.HTML("<b>Draw a time profile</b> f(t) from −1 to 1")
        return [*super()._pads(), widgets.VBox([words, self.profile_pad, widgets.HBox(fields, layout=WRAPPED), widgets.HBox([put, clear])])]

    def set_time_profile(self, start: float, end: float, value: float) -> None:
        """Set the drawn time profile to `value` from one time to another.

        Raises:
            ValueError: the value is not between −1 and 1, or the end is before the start.
        """
        if not start <= end:
            raise ValueError(f"the time profile was to be set from t = {start:g} to {end:g}; expected an end that is not before the start")
        if not -1 <= value <= 1:
            raise ValueError(f"f is {value:g}; expected a number from −1 to 1; set the strength by the amplitude")
        drawing = self.profile_pad.drawing
        drawing[0, self.view.row(start) : self.view.row(end) + 1] = value
        self.profile_pad.draw(drawing)

    def _profile_drawn(self, change: Bunch) -> None:
        if any(change.new) and self.controls["time_profile"].value != "drawn":
            self.controls["time_profile"].value = "drawn"
        else:
            self.update(change)

    def _time_profile(self) -> TimeProfile:
        value = self.values
        drawn = tuple(round(float(f), 3) for f in self.profile_pad.drawing[0]) if value["time_profile"] == "drawn" else ()
        return TimeProfile(value["time_profile"], max(value["scale"], float(self.view.times[1])), drawn)

    def _another_system(self) -> None:
        self.profile_pad.draw(np.zeros(len(self.view.times)))
        _rescale(self.controls["scale"], self.view.times, 1 / 4)
        super()._another_system()

    def _restart(self, _: object = None) -> None:
        self.profile_pad.clear()
        super()._restart()


def _rescale(slider: widgets.FloatSlider, times: torch.Tensor, part: float) -> None:
    """Change the range of a slider to other times."""
    slider.value = 0.0
    slider.max, slider.step = float(times[-1]), float(times[1])
    slider.value = float(times[int(part * len(times))])


def _with_error(found: Departure) -> str:
    return f"{found.value:z.2f} ± {found.error:.2f}"
