"""The public files of `figure1`, metrics.json and responses.npz: their contents, and how to read them, in this format or the first.

The keys of responses are <method> for the raw form, <method>_normalised for R(t) R(0)⁻¹, <method>_controlled for the form with the
Gaussian control variate and <method>_combined for that with a forecast. Format 1 called the controlled form normalised, except for the
Ornstein-Uhlenbeck field, where it was R(t) R(0)⁻¹.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gfdt_tutorial.core import storage
from gfdt_tutorial.core.memory import peak_memory_mb
from gfdt_tutorial.experiments.pipeline import Comparison
from gfdt_tutorial.responses.errors import Errors
from gfdt_tutorial.responses.response import FORMAT

REALLY_NORMALISED = "ornstein-uhlenbeck"  # in format 1: its closed form needs no control variate


def metrics(found: list[Comparison], preset: str, seed: int) -> dict[str, Any]:
    """The contents of metrics.json, as plain JSON values."""
    versions = {name: version(name) for name in ("gfdt-tutorial", "torch", "numpy", "scipy")}
    about = {"format": FORMAT, "preset": preset, "seed": seed, "device": found[0].device, "versions": versions}
    about |= {"peak_rss_mb": peak_memory_mb()}
    return about | {"systems": {one.system.name: _system_metrics(one) for one in found}}


def error_metrics(error: Errors) -> dict[str, Any]:
    """The entry of one response in metrics.json."""
    return {name: getattr(error, name).tolist() for name in ("l2", "linf", "l2_sq_unbiased", "l2_sq_se")} | {"quoted": error.quoted}


def arrays(found: list[Comparison]) -> dict[str, torch.Tensor]:
    """The contents of responses.npz: format, <system>/times, and <system>/<key> for each response, (lag, y, x)."""
    values = {f"{one.system.name}/{name}": response.values for one in found for name, response in one.responses.items()}
    return {"format": torch.tensor(FORMAT)} | {f"{one.system.name}/times": one.truth.times for one in found} | values


def _system_metrics(one: Comparison) -> dict[str, Any]:
    twins = one.responses.get("dynamical")
    noise = [] if twins is None or twins.standard_error is None else twins.standard_error.flatten(1).norm(dim=1).tolist()
    source = "closed form" if one.truth.method == "exact" else "shipped" if "shipped" in one.truth.info else "computed"
    truth = {"source": source, "pairs": 0 if twins is None else twins.info["pairs"], "l2_se": noise}
    return {
        "seconds": one.seconds,
        "stages": one.stages,
        "truth": truth,
        "checks": one.checks,
        "methods": {name: error_metrics(error) | _by_scale(one, name) for name, error in one.errors.items()},
    }


def _by_scale(one: Comparison, name: str) -> dict[str, Any]:
    """The errors by band of wavenumbers, and of the response to a bump."""
    found: dict[str, Any] = {"by_wavenumber": {band: values.tolist() for band, values in one.bands.get(name, {}).items()}}
    bump = one.bumps.get(name)
    if bump is not None:
        columns = {key: getattr(bump, key).tolist() for key in ("times", "relative", "standard_error", "truth_error")}
        found["bump"] = columns | {"quoted": bump.quoted}
    return found


def load_metrics(path: str | Path) -> dict[str, Any]:
    """metrics.json with the keys of the present format; its entry `format` is the format of the file.

    Raises:
        ValueError: the file is damaged, or of a later format.
        OSError: no such file.
    """
    found = storage.parse(path, "the file", Path(path).read_text(encoding="utf-8"))
    written = _check_format(path, found.setdefault("format", 1))
    for name, system in found.get("systems", {}).items():
        system["methods"] = {_key(written, name, key): errors for key, errors in system["methods"].items()}
    return found


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """responses.npz with the keys of the present format: <system>/times and <system>/<key>, each (lag, y, x).

    Raises:
        ValueError: the file is damaged, or of a later format.
        OSError: no such file.
    """
    found = storage.load_npz(path)
    written = _check_format(path, int(found.pop("format", 1)))
    names = {key: key.rpartition("/") for key in found}
    return {f"{name}/{_key(written, name, key)}": found[whole] for whole, (name, _, key) in names.items()}


def _key(written: int, system: str, key: str) -> str:
    if written == 1 and system != REALLY_NORMALISED and key.endswith("_normalised"):
        return key.removesuffix("_normalised") + "_controlled"
    return key


def _check_format(path: str | Path, written: int) -> int:
    if written not in (1, FORMAT):
        raise ValueError(f"{path} was written in format {written}; this version reads formats 1 and {FORMAT}: update the package")
    return written
