"""The first widget a learner meets: one slider, one map. If the map follows the slider, the installation works."""

from importlib.metadata import version

import ipywidgets as widgets
import torch

from gfdt_tutorial import figures
from gfdt_tutorial.course.widgets.live import WIDE, Live
from gfdt_tutorial.figures.lines import TraceData
from gfdt_tutorial.responses.response import Response


class FirstKick(Live):
    """The mean response of a field to a unit kick of one pixel, at the lag on the slider.

    Args:
        response: of the field, from `exact_response`, `respond` or `perturb`.

    Raises:
        ValueError: the response is not one of a field.
    """

    def __init__(self, response: Response) -> None:
        if response.grid is None:
            raise ValueError("response has no grid; expected that of a field, from `exact_response`, `respond` or `perturb`")
        self.response, self.grid = response, response.grid
        lags = widgets.IntSlider(value=0, min=0, max=len(response.times) - 1, description="lag, in samples", style=WIDE)
        figure = figures.field_map(self.grid, response.values[0], "mean response to a unit kick", unit="R")
        figure.data[0].update(zmin=-0.5, zmax=0.5)  # half the kick, so that the wake stays visible
        super().__init__(figure, {"lag": lags}, self._show)

    def _show(self) -> tuple[list[TraceData], str]:
        row = self.controls["lag"].value
        field = self.response.values[row]
        n = field.shape[-1]
        where = (int(field.argmax()) + n // 2) % n - n // 2  # the shorter way round
        words = f"t = {float(self.response.times[row]):g}: largest {float(field.max()):.3f}, {where} pixels downstream"
        return [{"z": figures.centred(self.grid, field)}], words


def installation() -> str:
    """One line with the versions that are installed."""
    cuda = f"CUDA ({torch.cuda.get_device_name()})" if torch.cuda.is_available() else "no GPU, none needed"
    names = ("torch", "plotly", "ipywidgets", "jupyterlab")
    return ", ".join(f"{name} {version(name)}" for name in names) + f"; {torch.get_num_threads()} threads; {cuda}"
