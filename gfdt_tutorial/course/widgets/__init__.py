"""Explorers: figures that follow sliders. They contain no mathematics: a view computes, and a panel draws.

Write one as the last line of a cell, or `display` it. Every lesson shows the same content as a static figure first.
"""

import sys

# Before the first FigureWidget jsonschema would spend 4 to 19 s on a grammar of IRIs, which nothing here uses; it skips a missing module.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None blocks an import; typeshed knows modules only

from gfdt_tutorial.course.widgets.allen_cahn import AllenCahnLab  # noqa: E402
from gfdt_tutorial.course.widgets.double_well import DoubleWellExplorer  # noqa: E402
from gfdt_tutorial.course.widgets.first_kick import FirstKick  # noqa: E402
from gfdt_tutorial.course.widgets.navier_stokes import FlowLab  # noqa: E402
from gfdt_tutorial.course.widgets.ornstein_uhlenbeck import OrnsteinUhlenbeckExplorer  # noqa: E402
from gfdt_tutorial.course.widgets.parameter_lab import ParameterLab  # noqa: E402
from gfdt_tutorial.course.widgets.response_lab import ForceLab, KickLab  # noqa: E402
from gfdt_tutorial.course.widgets.score_lab import ScoreLab  # noqa: E402
from gfdt_tutorial.course.widgets.score_training import ScoreTraining  # noqa: E402

__all__ = [
    "AllenCahnLab",
    "DoubleWellExplorer",
    "FirstKick",
    "FlowLab",
    "ForceLab",
    "KickLab",
    "OrnsteinUhlenbeckExplorer",
    "ParameterLab",
    "ScoreLab",
    "ScoreTraining",
]
