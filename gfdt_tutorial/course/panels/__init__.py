"""Figures of the widgets. Each file has the name of the file in `widgets` and `views` whose content it draws."""

from gfdt_tutorial.course.panels.allen_cahn import live, live_data
from gfdt_tutorial.course.panels.component_lab import component_changes, component_changes_data
from gfdt_tutorial.course.panels.kicked_well import kicked_well, kicked_well_data
from gfdt_tutorial.course.panels.navier_stokes import flow, flow_data
from gfdt_tutorial.course.panels.ornstein_uhlenbeck import explorer, explorer_data
from gfdt_tutorial.course.panels.parameter_lab import parameters, parameters_data
from gfdt_tutorial.course.panels.response_lab import MAPS, prediction_titles, predictions, predictions_data
from gfdt_tutorial.course.panels.score_lab import learning, learning_data
from gfdt_tutorial.course.panels.score_training import training, training_data
from gfdt_tutorial.course.panels.spoiled_well import spoiled_well, spoiled_well_data

__all__ = [
    "MAPS",
    "component_changes",
    "component_changes_data",
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
    "prediction_titles",
    "predictions",
    "predictions_data",
    "spoiled_well",
    "spoiled_well_data",
    "training",
    "training_data",
]
