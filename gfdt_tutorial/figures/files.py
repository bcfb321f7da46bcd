"""Figures as files: a page that opens offline, an image."""

import hashlib
from importlib.metadata import version
from pathlib import Path

import plotly.graph_objects as go

from gfdt_tutorial.core import storage
from gfdt_tutorial.core.progress import say
from gfdt_tutorial.experiments.cache import Cache, Serializer, Stage, fetch

IMAGE = Serializer(lambda image, folder: (folder / "image").write_bytes(image), lambda folder: (folder / "image").read_bytes())


def save_html(figure: go.Figure, path: str | Path) -> Path:
    """A page that opens offline: plotly.js is inside (about 5 MB)."""
    page = figure.to_html(include_plotlyjs=True, full_html=True)
    return storage.write(path, lambda file: file.write(page.encode()))


def save_image(figure: go.Figure, path: str | Path, *, scale: float = 2, cache: Cache | None = None) -> Path | None:
    """PNG or SVG by the path's ending; None, with nothing written, where kaleido finds no Chromium.

    Args:
        cache: where an image of the very same figure is looked for and kept, as starting Chromium takes seconds.
    """
    options = {"format": Path(path).suffix.lstrip("."), "scale": scale}
    drawn = {"figure": hashlib.sha256(figure.to_json().encode()).hexdigest(), "plotly": version("plotly"), **options}
    stage = Stage("figure", "image", drawn, (__name__,), "cpu")
    try:
        image = fetch(cache, stage, lambda checkpoint: figure.to_image(**options), IMAGE).value
    except Exception as error:  # kaleido has its own exceptions, which differ between its versions
        say(f"no image {path}: {type(error).__name__} (pip install kaleido, and Chromium, make images)")
        return None
    return storage.write(path, lambda file: file.write(image))
