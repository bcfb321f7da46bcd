"""A pad on which a kick or a time profile is drawn, by pointer or by keys."""

# The pad is our own widget and not one of ipycanvas, which sends each pointer and key event to Python and draws from there: a stroke would
# be seen only when the kernel answers, and the labs keep it busy. The label for screen readers and the cursor that is moved by keys would
# be our own code with ipycanvas too.

from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets

FLOAT = np.dtype("<f4")  # what the browser reads


class KickPad(anywidget.AnyWidget):
    """Values on a grid that are drawn with a pointer; arrow keys move a cursor, and the space bar draws there.

    A time profile has one row of values in [−1, 1]; the arrow keys up and down change the value under the cursor.

    Args:
        shape: (rows, columns).
        kind: "map", periodic with the origin in the middle, or "profile".
        label: for a screen reader, and shown when the pointer rests.
    """

    _esm = Path(__file__).with_suffix(".js")
    kind = traitlets.Enum(("map", "profile"), "map").tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    rows = traitlets.Int().tag(sync=True)
    columns = traitlets.Int().tag(sync=True)
    cells = traitlets.Bytes().tag(sync=True)
    base = traitlets.Bytes().tag(sync=True)
    brush = traitlets.Int(1).tag(sync=True)
    value = traitlets.Float(1.0).tag(sync=True)
    sign = traitlets.Float(1.0).tag(sync=True)
    heard = traitlets.Int(0).tag(sync=True)

    def __init__(self, shape: Sequence[int], kind: str = "map", label: str = "") -> None:
        rows, columns = shape
        nothing = bytes(FLOAT.itemsize * rows * columns)
        super().__init__(kind=kind, label=label, rows=rows, columns=columns, cells=nothing, base=nothing)
        self.on_msg(self._stroked)

    @property
    def drawing(self) -> np.ndarray:
        """(rows, columns): the values drawn."""
        return np.frombuffer(self.cells, FLOAT).reshape(self.rows, self.columns).copy()

    def draw(self, drawing: np.ndarray) -> None:
        """Replace the drawing by another, of any shape."""
        drawing = np.atleast_2d(drawing).astype(FLOAT)
        with self.hold_sync():
            self.rows, self.columns = drawing.shape
            self.cells = drawing.tobytes()

    def show_below(self, base: torch.Tensor) -> None:
        """Show a map below the drawing."""
        self.base = np.asarray(base, FLOAT).tobytes()

    def clear(self) -> None:
        """Erase the drawing."""
        self.draw(np.zeros((self.rows, self.columns)))

    def _stroked(self, _: object, message: dict, buffers: list) -> None:
        """Apply the changes of a stroke, [[index, value], ...], and acknowledge them to the browser."""
        cells = np.frombuffer(self.cells, FLOAT).copy()
        for index, value in message["strokes"]:
            if index < len(cells):  # otherwise it belongs to a time profile of another length, from before a change of the system
                cells[index] = value
        try:
            self.cells = cells.tobytes()
        finally:
            self.heard += 1
