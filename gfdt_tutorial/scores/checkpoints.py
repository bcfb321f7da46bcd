"""Checkpoints of a training: one safetensors file, from which an interrupted run continues with the same bits."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from gfdt_tutorial.core import storage

HISTORY = ("averaged", "validations")  # (step, loss) pairs


def write(path: str | Path, models: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, about: Mapping[str, Any]) -> Path:
    """Save models and optimizer, and `about`, which must be plain JSON."""
    tensors = {f"{part}.{name}": t for part, model in models.items() for name, t in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    content = safetensors.torch.save(tensors, metadata={"about": json.dumps(about)})
    return storage.write(path, lambda file: file.write(content))


def read(path: str | Path, *, run: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """`about` and the tensors of a checkpoint.

    Args:
        run: what must agree with `about["run"]` for the checkpoint to belong to the same training.

    Raises:
        ValueError: the file is damaged, of another version, or of another training.
        OSError: no such file.
    """
    try:
        with safetensors.safe_open(str(path), "pt") as file:
            about = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a readable checkpoint ({error}); start anew without it") from error
    if "averaged" not in about:
        raise ValueError(f"{path} was written by another version of the package; start anew without it")
    if about["run"] != json.loads(json.dumps(run)):
        raise ValueError(
            f"{path} belongs to another training: its data, configuration, budget, network or seed differ; use those, or start anew"
        )
    return about, tensors


def restore(models: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put the tensors of a checkpoint back into models and optimizer."""
    for part, model in models.items():
        model.load_state_dict({n.removeprefix(f"{part}."): t for n, t in tensors.items() if n.startswith(f"{part}.")})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def pairs(history: Iterable[Iterable[float]]) -> list[tuple[int, float]]:
    """(step, loss) pairs, which JSON keeps as lists."""
    return [(int(step), value) for step, value in history]
