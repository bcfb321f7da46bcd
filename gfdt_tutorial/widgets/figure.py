"""A plotly FigureWidget that survives a slow start."""

from pathlib import Path

import plotly.graph_objects as go
import traitlets


class LiveFigure(go.FigureWidget):
    """The FigureWidget, whose module for the browser is loaded by a small one that is there at once: see figure.js."""

    _bundle = traitlets.Unicode(str(go.FigureWidget._esm)).tag(sync=True)
    _esm = Path(__file__).with_suffix(".js")
