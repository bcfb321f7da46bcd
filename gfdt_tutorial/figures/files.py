"""Figures as files: an HTML page that opens offline, or an image."""

import hashlib
from importlib.metadata import version
from pathlib import Path

import plotly.graph_objects as go

from gfdt_tutorial.core import storage
from gfdt_tutorial.core.progress import say
from gfdt_tutorial.experiments.cache import Cache, Serializer, Stage, fetch

IMAGE = Serializer(lambda image, folder: (folder / "image").write_bytes(image), lambda folder: (folder / "image").read_bytes())


def save_html(figure: go.Figure, path: str | Path) -> Path:
    """Write an HTML page that opens offline, because it contains plotly.js (about 5 MB)."""
    page = figure.to_html(include_plotlyjs=True, full_html=True)
    return storage.write(path, lambda file: file.write(page.encode()))


def save_image(figure: go.Figure, path: str | Path, *, scale: float = 2, cache: Cache | None = None) -> Path | None:
    """Write PNG or SVG by the ending of the path; return None, with nothing written, where kaleido finds no Chromium.

    Args:
        cache: where an image of the same figure is looked up and stored, because starting Chromium takes seconds.
    """
    kind = Path(path).suffix.lstrip(".")
    drawn = {"figure": hashlib.sha256(figure.to_json().encode()).hexdigest(), "plotly": version("plotly"), "format": kind, "scale": scale}
    stage = Stage("figure", "image", drawn, (__name__,), "cpu")
    try:
        image = fetch(cache, stage, lambda checkpoint: figure.to_image(format=kind, scale=scale), IMAGE).value
    except Exception as error:  # kaleido has exceptions of its own, which differ between versions
        say(f"{path} was not written: {type(error).__name__}. Images need kaleido (pip install kaleido) and Chromium")
        return None
    return storage.write(path, lambda file: file.write(image))
