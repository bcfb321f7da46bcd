"""The computations behind lessons and widgets, such as a field at given parameters, a training and its response, a flow and its twins.

A view computes and draws nothing; its file has the name of the widget and of the panel that show it.
"""

from gfdt_tutorial.course.views.allen_cahn import LiveResponse
from gfdt_tutorial.course.views.component_lab import ComponentChange, ComponentLab
from gfdt_tutorial.course.views.double_well import KickedWell
from gfdt_tutorial.course.views.navier_stokes import StirredFlow
from gfdt_tutorial.course.views.ornstein_uhlenbeck import Exploration
from gfdt_tutorial.course.views.score_lab import LearningResponse
from gfdt_tutorial.course.views.score_training import TrainingView
from gfdt_tutorial.course.views.spoiled_well import SpoiledWell

__all__ = [
    "ComponentChange",
    "ComponentLab",
    "Exploration",
    "KickedWell",
    "LearningResponse",
    "LiveResponse",
    "SpoiledWell",
    "StirredFlow",
    "TrainingView",
]
