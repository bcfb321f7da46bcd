"""A plotly FigureWidget that survives a slow start."""

from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import traitlets


class LiveFigure(go.FigureWidget):
    """The FigureWidget, whose module for the browser is loaded by a small one that is there at once: see figure.js."""

    _bundle = traitlets.Unicode(str(go.FigureWidget._esm)).tag(sync=True)
    _esm = Path(__file__).with_suffix(".js")

    def on_click_at(self, trace: int, callback: Callable[[float, float], None]) -> None:
        """Have callback(x, y) called at each click on a trace, given by its number; none is lost while the figure is redrawn."""

        def told(_, content: dict, buffers) -> None:
            if content.get("clicked") == trace:
                callback(content["x"], content["y"])

        self.on_msg(told)
