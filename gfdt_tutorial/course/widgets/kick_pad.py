"""A pad to draw on, by pointer or by keys: a kick, or a time profile."""

from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets

FLOAT = np.dtype("<f4")  # what the browser reads


class Canvas(anywidget.AnyWidget):
    """Values on a grid that a pointer paints: held down, it draws; arrow keys move a cursor and the space bar paints there.

    As a time profile it has one row, whose values lie in [−1, 1]; arrow keys up and down change the one under the cursor.

    Args:
        shape: (rows, columns).
        kind: "map", periodic, drawn with the origin in the middle, or "profile".
        label: what a screen reader, and a pointer that rests, is told.
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

    def __init__(self, shape: tuple[int, int], kind: str = "map", label: str = ""):
        nothing = bytes(FLOAT.itemsize * shape[0] * shape[1])
        super().__init__(kind=kind, label=label, rows=shape[0], columns=shape[1], cells=nothing, base=nothing)
        self.on_msg(self._stroked)

    @property
    def drawing(self) -> np.ndarray:
        """(rows, columns), what is drawn."""
        return np.frombuffer(self.cells, FLOAT).reshape(self.rows, self.columns).copy()

    def draw(self, drawing: np.ndarray) -> None:
        """Replace what is drawn; another shape is welcome."""
        drawing = np.atleast_2d(drawing).astype(FLOAT)
        with self.hold_sync():
            self.rows, self.columns = drawing.shape
            self.cells = drawing.tobytes()

    def show_below(self, base: torch.Tensor) -> None:
        """Show a map below what is drawn."""
        self.base = np.asarray(base, FLOAT).tobytes()

    def clear(self) -> None:
        """Wipe what is drawn."""
        self.draw(np.zeros((self.rows, self.columns)))

    def _stroked(self, _, message: dict, buffers: list) -> None:
        """Take over what the pointer changed, [[index, value], ...], and tell the browser that it was heard."""
        cells = np.frombuffer(self.cells, FLOAT).copy()
        for index, value in message["strokes"]:
            if index < len(cells):  # else drawn on a time profile that has changed its length since
                cells[index] = value
        try:
            self.cells = cells.tobytes()
        finally:
            self.heard += 1
