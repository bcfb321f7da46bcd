"""Figures of the widgets. The files are named as those of `widgets` and `views` that hold what they show."""

from gfdt_tutorial.course.panels.allen_cahn import live, live_data
from gfdt_tutorial.course.panels.kicked_well import kicked_well, kicked_well_data
from gfdt_tutorial.course.panels.navier_stokes import flow, flow_data
from gfdt_tutorial.course.panels.ornstein_uhlenbeck import explorer, explorer_data
from gfdt_tutorial.course.panels.parameter_lab import parameters, parameters_data
from gfdt_tutorial.course.panels.response_lab import MAPS, answer_titles, answers, answers_data
from gfdt_tutorial.course.panels.score_lab import learning, learning_data
from gfdt_tutorial.course.panels.score_training import training, training_data

__all__ = [
    "MAPS",
    "answer_titles",
    "answers",
    "answers_data",
    "explorer",
    "explorer_data",
    "flow",
    "flow_data",
    "kicked_well",
    "kicked_well_data",
    "learning",
    "learning_data",
    "live",
    "live_data",
    "parameters",
    "parameters_data",
    "training",
    "training_data",
]
