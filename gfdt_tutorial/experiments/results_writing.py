"""The public form of metrics.json and responses.npz."""

from importlib.metadata import version

import torch

from gfdt_tutorial.core.memory import peak_memory_mb
from gfdt_tutorial.experiments.pipeline import Comparison
from gfdt_tutorial.responses.errors import Errors
from gfdt_tutorial.responses.response import FORMAT


def metrics(found: list[Comparison], preset: str, seed: int) -> dict:
    """The public form of metrics.json."""
    versions = {name: version(name) for name in ("gfdt-tutorial", "torch", "numpy", "scipy")}
    about = {"format": FORMAT, "preset": preset, "seed": seed, "device": found[0].device, "versions": versions}
    about |= {"peak_rss_mb": peak_memory_mb()}
    return about | {"systems": {one.system.name: _system_metrics(one) for one in found}}


def error_metrics(error: Errors) -> dict:
    """One method's entry in metrics.json."""
    return {name: getattr(error, name).tolist() for name in ("l2", "linf", "l2_sq_unbiased", "l2_sq_se")} | {"quoted": error.quoted}


def arrays(found: list[Comparison]) -> dict[str, torch.Tensor]:
    """The public form of responses.npz: format, <system>/times, and <system>/<method>, <method>_normalised and <method>_controlled, each
    (lag, y, x)."""
    values = {f"{one.system.name}/{name}": response.values for one in found for name, response in one.responses.items()}
    return {"format": torch.tensor(FORMAT)} | {f"{one.system.name}/times": one.truth.times for one in found} | values


def _system_metrics(one: Comparison) -> dict:
    twins = one.responses.get("dynamical")
    noise = [] if twins is None else twins.standard_error.flatten(1).norm(dim=1).tolist()
    source = "closed form" if one.truth.method == "exact" else "shipped" if "shipped" in one.truth.info else "computed"
    truth = {"source": source, "pairs": 0 if twins is None else twins.info["pairs"], "l2_se": noise}
    return {
        "seconds": one.seconds,
        "stages": one.stages,
        "truth": truth,
        "checks": one.checks,
        "methods": {name: error_metrics(error) for name, error in one.errors.items()},
    }
