"""Plotly figures, which take data and return a Figure without any mathematics; and the page that `analyse` writes.

This room imports the rooms below: `experiments`, `data`, `responses`, `scores`, `systems` and `core`. A widget may wrap any figure and
update it in place.
"""

from gfdt_tutorial.figures.causal_maps import causal_graphs, causal_matrices
from gfdt_tutorial.figures.cloud import kicked_cloud
from gfdt_tutorial.figures.denoising import noisy_targets
from gfdt_tutorial.figures.double_well import mean_and_variance, one_variable_scores, walkers, well
from gfdt_tutorial.figures.fields import centred, field_map, heatmap, response_maps, square_maps
from gfdt_tutorial.figures.files import save_html, save_image
from gfdt_tutorial.figures.response_curves import (
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
from gfdt_tutorial.figures.response_matrix import response_matrix

__all__ = [
    "DISPLACEMENTS",
    "add_errors",
    "add_responses",
    "calibration",
    "causal_graphs",
    "causal_matrices",
    "centred",
    "comparison",
    "error_curves",
    "field_map",
    "heatmap",
    "kicked_cloud",
    "mean_and_variance",
    "name_of",
    "noisy_targets",
    "observable_curves",
    "observable_panels",
    "one_variable_scores",
    "response_curves",
    "response_maps",
    "response_matrix",
    "save_html",
    "save_image",
    "spectrum",
    "square_maps",
    "walkers",
    "well",
]
