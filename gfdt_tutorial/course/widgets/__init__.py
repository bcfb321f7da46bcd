"""Explorers: figures that follow sliders. They contain no mathematics: a view computes, and a panel draws.

Write one as the last line of a cell, or `display` it. Every lesson shows the same content as a static figure first.
"""

import importlib
import sys


def _require_jupyter_widgets() -> None:
    """Name the extra that brings the packages of Jupyter, which the base install leaves out."""
    try:
        for name in ("anywidget", "ipywidgets"):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        message = f'{error}. The widgets of the lessons need Jupyter, which the base install leaves out: pip install "gfdt-tutorial[lab]"'
        raise ModuleNotFoundError(message, name=error.name) from error


# jsonschema would compile a grammar of IRIs that nothing here uses, for 4 to 19 s before the first FigureWidget; missing, it is skipped.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None blocks an import; typeshed knows modules only
_require_jupyter_widgets()

from gfdt_tutorial.course.widgets.allen_cahn import AllenCahnLab  # noqa: E402
from gfdt_tutorial.course.widgets.component_lab import ComponentResponses  # noqa: E402
from gfdt_tutorial.course.widgets.double_well import DoubleWellExplorer  # noqa: E402
from gfdt_tutorial.course.widgets.first_kick import FirstKick  # noqa: E402
from gfdt_tutorial.course.widgets.navier_stokes import FlowLab  # noqa: E402
from gfdt_tutorial.course.widgets.ornstein_uhlenbeck import OrnsteinUhlenbeckExplorer  # noqa: E402
from gfdt_tutorial.course.widgets.parameter_lab import ParameterLab  # noqa: E402
from gfdt_tutorial.course.widgets.response_lab import ForceLab, KickLab  # noqa: E402
from gfdt_tutorial.course.widgets.score_lab import ScoreLab  # noqa: E402
from gfdt_tutorial.course.widgets.score_training import ScoreTraining  # noqa: E402
from gfdt_tutorial.course.widgets.spoiled_well import ErrorsMultiply  # noqa: E402

__all__ = [
    "AllenCahnLab",
    "ComponentResponses",
    "DoubleWellExplorer",
    "ErrorsMultiply",
    "FirstKick",
    "FlowLab",
    "ForceLab",
    "KickLab",
    "OrnsteinUhlenbeckExplorer",
    "ParameterLab",
    "ScoreLab",
    "ScoreTraining",
]
