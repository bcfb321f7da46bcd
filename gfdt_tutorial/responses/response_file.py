"""The file of a response, in this format or the first: an .npz of arrays, and `about`, a JSON text."""

from pathlib import Path
from typing import Any

import torch

from gfdt_tutorial.core import storage

FORMAT = 2  # in format 1 a response with a control variate was called normalised


def read_response(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The arrays by name, in single precision or double, and what the file says about them.

    Raises:
        ValueError: the file is damaged, is not a response, or has a later format.
        OSError: there is no such file.
    """
    found = storage.load_npz(path, required=("times", "values", "about"))
    about = storage.parse(path, "about", found["about"])
    if (version := about.get("format", 1)) not in (1, FORMAT):
        raise ValueError(f"{path} was written in format {version}; this version reads formats 1 and {FORMAT}: update the package")
    arrays = {name: torch.as_tensor(array) for name, array in found.items() if name != "about"}
    return {name: array.float() if array.dtype == torch.float16 else array for name, array in arrays.items()}, about


def form_of(about: dict[str, Any]) -> str:
    """Of a response. Format 1 had one flag, and called a response normalised that has a control variate and so R(0) = 1 to begin with."""
    if "form" in about:
        return str(about["form"])
    controlled = about["info"].get("control") and "pairs" not in about["info"]
    return "controlled" if controlled else "normalised" if about["normalised"] else "raw"
