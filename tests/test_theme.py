"""The colours: each method its own, visible on white, and told apart by the colour-blind and in grey."""

from itertools import combinations

import numpy as np
import pytest

from gfdt_tutorial import figures
from gfdt_tutorial.experiments import shipped
from gfdt_tutorial.figures import theme

# Linear RGB as seen without one kind of cone: Machado, Oliveira and Fernandes, IEEE Trans. Vis. Comput. Graph. 15, 1291 (2009), severity 1.
VISIONS = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Linear RGB to Oklab: Ottosson, "A perceptual color space for image processing" (2020). 0.02 is about the least difference that is seen.
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]
APART = 0.08

TOGETHER = {
    "fields": ("truth", "dynamical", "gaussian", "analytic", "generative", "conditioned", "measured"),
    "one variable": ("exact", "gaussian", "analytic", "histogram", "kernel density", "clusters", "generative"),
    "parameters": ("measured", "gaussian", "generative", "regression on one", "regression on all", "kubo"),
    "calibrations": ("gaussian", "analytic", "generative", "finite differences"),
}


def linear(colour):
    """Linear RGB of #RRGGBB."""
    coded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def contrast(colour):
    """On white, as the Web Content Accessibility Guidelines define it."""
    return 1.05 / (linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05)


def oklab(colour, vision):
    seen = np.clip(np.array(VISIONS[vision]) @ linear(colour), 0, 1)
    return np.array(TO_OKLAB) @ np.cbrt(np.array(TO_CONES) @ seen)


def test_the_colour_arithmetic_on_known_values():
    assert contrast("#000000") == pytest.approx(21) and contrast("#FFFFFF") == pytest.approx(1)
    np.testing.assert_allclose(oklab("#FFFFFF", "all cones"), [1, 0, 0], atol=1e-3)
    red, green = (oklab(colour, "deuteranopia") for colour in ("#C85000", "#6B7A00"))
    assert np.linalg.norm(red - green) < 0.5 * np.linalg.norm(oklab("#C85000", "all cones") - oklab("#6B7A00", "all cones"))


@pytest.mark.parametrize("colour", sorted({colour for colour, *_ in theme.METHODS.values()} | set(theme.SEQUENCE)))
def test_every_line_stands_out_from_white(colour):
    assert contrast(colour) >= 3


def test_what_is_no_method_stands_out_from_the_wide_grey_line_of_the_truth():
    assert min(contrast(colour) for colour in theme.SEQUENCE) >= 1.4 * contrast(theme.GREY)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_methods_of_one_figure_are_told_apart_by_everybody(names, vision):
    near = {
        (one, other): float(np.linalg.norm(oklab(theme.METHODS[one][0], vision) - oklab(theme.METHODS[other][0], vision)))
        for one, other in combinations(names, 2)
    }
    assert min(near.values()) >= APART, min(near, key=near.get)


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_methods_of_one_figure_differ_in_grey(names):
    looks = {theme.METHODS[name][1:] for name in names}
    assert len(looks) == len(names)


def test_a_method_has_a_colour_of_its_own_and_only_names_of_the_truth_share_one():
    colours = [colour for name, (colour, *_) in theme.METHODS.items() if name != "truth"] + list(theme.SEQUENCE)
    assert len(set(colours)) == len(colours)


def test_a_calibration_has_the_colours_of_its_scores():
    table = shipped.load_table("allen-cahn-calibration")
    drawn = {trace.name: trace.line.color for trace in figures.calibration(table).data}
    for name, method in {"learned": "generative", "analytic": "analytic", "Gaussian": "gaussian"}.items():
        assert drawn[f"theorem, {name} score"] == theme.METHODS[method][0]
