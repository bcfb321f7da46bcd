"""A plotly FigureWidget that survives a slow start."""

from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import traitlets


class LiveFigure(go.FigureWidget):
    """A FigureWidget whose module for the browser is loaded by a small module that is available at once: see figure.js."""

    _bundle = traitlets.Unicode(str(go.FigureWidget._esm)).tag(sync=True)
    _esm = Path(__file__).with_suffix(".js")

    def on_click_at(self, trace: int, callback: Callable[[float, float], None]) -> None:
        """Call callback(x, y) at each click on a trace, given by its number; no click is lost while the figure is redrawn."""

        def received(_: object, content: dict, buffers: list) -> None:
            if content.get("clicked") == trace:
                callback(content["x"], content["y"])

        self.on_msg(received)
