"""The Ornstein-Uhlenbeck field with sliders for its parameters and a kick; everything else follows in closed form."""

import math
from dataclasses import replace

import ipywidgets as widgets

from gfdt_tutorial.core import checks
from gfdt_tutorial.course import panels
from gfdt_tutorial.course.views import Exploration
from gfdt_tutorial.course.widgets.live import WIDE, Live
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.responses.kick_patterns import PATTERNS, kick_pattern
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck


class OrnsteinUhlenbeckExplorer(Live):
    """Sliders for λ, κ, A, ε, the kick and the lag; snapshot, spectrum and mean response follow.

    Args:
        system: where the sliders start.

    Raises:
        ValueError: λ or κ is 0, which a logarithmic slider cannot show.
    """

    def __init__(self, system: OrnsteinUhlenbeck | None = None) -> None:
        self.system = system or OrnsteinUhlenbeck()
        fastest = max(self.system.parameter_table["advection"].range(0.0)[1], abs(self.system.advection))
        controls = {
            "lam": _log_slider("λ, relaxation", self.system.lam),
            "kappa": _log_slider("κ, diffusivity", self.system.kappa),
            "advection": widgets.FloatSlider(
                self.system.advection, min=-fastest, max=fastest, step=0.005, readout_format=".3f", description="A, advection", style=WIDE
            ),
            "epsilon": _log_slider("ε, noise", self.system.epsilon),
            "kick": widgets.Dropdown(options=PATTERNS, value="bump", description="kick", style=WIDE),
            "amplitude": widgets.FloatSlider(1.0, min=-2.0, max=2.0, step=0.1, description="amplitude", style=WIDE),
            "lag": widgets.IntSlider(20, min=0, max=90, description="lag t, map", style=WIDE),
        }
        self.view = self._look(controls)
        super().__init__(panels.explorer(self.view), controls, self._show)

    def _look(self, controls: dict[str, widgets.Widget]) -> Exploration:
        value = {name: control.value for name, control in controls.items()}
        system = replace(self.system, **{name: value[name] for name in ("lam", "kappa", "advection", "epsilon")})
        return Exploration(system, kick_pattern(system.grid, value["kick"], value["amplitude"]), value["lag"])

    def _show(self) -> tuple[list[TraceData], str]:
        self.view = self._look(self.controls)
        system, slowest = self.view.system, float((-1 / self.view.system.rates.real).max())
        largest = float(self.view.response[self.view.row].abs().max())
        statistics = f"std u = {system.variance**0.5:.3f}; longest decay time of a wavevector {slowest:.0f}"
        return panels.explorer_data(self.view), f"{statistics}; largest response at lag {self.view.lag}: {largest:.3f}"


def _log_slider(name: str, value: float) -> widgets.FloatLogSlider:
    """A logarithmic slider over a decade and a half on either side of a value."""
    middle = math.log10(checks.positive(name, value))
    return widgets.FloatLogSlider(value, min=middle - 1.5, max=middle + 1.5, step=0.05, readout_format=".3g", description=name, style=WIDE)
