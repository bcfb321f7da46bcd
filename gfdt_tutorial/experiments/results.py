"""What `figure1` wrote, read again: metrics.json and responses.npz, in this format or the first.

Keys of responses are <method> for the raw form, <method>_normalised for R(t) R(0)⁻¹ and <method>_controlled for the form with the Gaussian
control variate. Format 1 called the controlled form normalised, except for the Ornstein-Uhlenbeck field, where it was R(t) R(0)⁻¹.
"""

from pathlib import Path
from typing import Any

import numpy as np

from gfdt_tutorial.core import storage
from gfdt_tutorial.responses.response import FORMAT

REALLY_NORMALISED = "ornstein-uhlenbeck"  # in format 1: its closed form needs no control variate


def load_metrics(path: str | Path) -> dict[str, Any]:
    """metrics.json with the keys of this format; `format` says in which the file was written.

    Raises:
        ValueError: the file is damaged, or of a later format.
        OSError: no such file.
    """
    found = storage.parse(path, "the file", Path(path).read_text(encoding="utf-8"))
    version = _check_format(path, found.setdefault("format", 1))
    for name, system in found.get("systems", {}).items():
        system["methods"] = {_key(version, name, key): errors for key, errors in system["methods"].items()}
    return found


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """responses.npz with the keys of this format, <system>/times and <system>/<key>, each (lag, y, x).

    Raises:
        ValueError: the file is damaged, or of a later format.
        OSError: no such file.
    """
    found = storage.load_npz(path)
    version = _check_format(path, int(found.pop("format", 1)))
    names = {key: key.rpartition("/") for key in found}
    return {f"{name}/{_key(version, name, key)}": found[whole] for whole, (name, _, key) in names.items()}


def _key(version: int, system: str, key: str) -> str:
    if version == 1 and system != REALLY_NORMALISED and key.endswith("_normalised"):
        return key.removesuffix("_normalised") + "_controlled"
    return key


def _check_format(path: str | Path, version: int) -> int:
    if version not in (1, FORMAT):
        raise ValueError(f"{path} was written in format {version}; this version reads formats 1 and {FORMAT}: update the package")
    return version
