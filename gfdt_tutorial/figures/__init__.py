"""Plotly figures: data in, Figure out, no mathematics. A widget may wrap any of them and update it in place.

The files named as those of `widgets` and `views` hold what these show.
"""

from gfdt_tutorial.figures.allen_cahn import live, live_data
from gfdt_tutorial.figures.cloud import kicked_cloud
from gfdt_tutorial.figures.curves import (
    DISPLACEMENTS,
    add_errors,
    add_responses,
    calibration,
    comparison,
    error_curves,
    name_of,
    observable_curves,
    observable_panels,
    response_curves,
    spectrum,
)
from gfdt_tutorial.figures.denoising import noisy_targets
from gfdt_tutorial.figures.double_well import kicked_well, kicked_well_data, mean_and_variance, one_variable_scores, walkers, well
from gfdt_tutorial.figures.fields import centred, field_map, heatmap, response_maps, square_maps
from gfdt_tutorial.figures.files import save_html, save_image
from gfdt_tutorial.figures.navier_stokes import flow, flow_data
from gfdt_tutorial.figures.ornstein_uhlenbeck import explorer, explorer_data
from gfdt_tutorial.figures.parameter_lab import parameters, parameters_data
from gfdt_tutorial.figures.response_lab import MAPS, answer_titles, answers, answers_data
from gfdt_tutorial.figures.score_lab import learning, learning_data
from gfdt_tutorial.figures.score_training import training, training_data

__all__ = [
    "DISPLACEMENTS",
    "MAPS",
    "add_errors",
    "add_responses",
    "answer_titles",
    "answers",
    "answers_data",
    "calibration",
    "centred",
    "comparison",
    "error_curves",
    "explorer",
    "explorer_data",
    "field_map",
    "flow",
    "flow_data",
    "heatmap",
    "kicked_cloud",
    "kicked_well",
    "kicked_well_data",
    "learning",
    "learning_data",
    "live",
    "live_data",
    "mean_and_variance",
    "name_of",
    "noisy_targets",
    "observable_curves",
    "observable_panels",
    "one_variable_scores",
    "parameters",
    "parameters_data",
    "response_curves",
    "response_maps",
    "save_html",
    "save_image",
    "spectrum",
    "square_maps",
    "training",
    "training_data",
    "walkers",
    "well",
]
