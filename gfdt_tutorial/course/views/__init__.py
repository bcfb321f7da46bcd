"""What lessons and widgets look at: a field at some parameters, a training and its response, one that converges, a flow and its twins.

A view computes; the files are named as those of `widgets` and `figures`.
"""

from gfdt_tutorial.course.views.allen_cahn import LiveResponse
from gfdt_tutorial.course.views.double_well import KickedWell
from gfdt_tutorial.course.views.navier_stokes import StirredFlow
from gfdt_tutorial.course.views.ornstein_uhlenbeck import Exploration
from gfdt_tutorial.course.views.score_lab import LearningResponse
from gfdt_tutorial.course.views.score_training import TrainingView

__all__ = [
    "Exploration",
    "KickedWell",
    "LearningResponse",
    "LiveResponse",
    "StirredFlow",
    "TrainingView",
]
