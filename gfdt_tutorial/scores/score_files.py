"""The two files of a learned score: weights.safetensors, and score.json with the hash of the former."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from gfdt_tutorial.core import storage

FORMAT = 2
READABLE = (1, FORMAT)


def write(folder: str | Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> Path:
    """Write both files, whole or not at all; the folder is created if needed."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = safetensors.torch.save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
    told = {"format": FORMAT, **about, "sha256": hashlib.sha256(content).hexdigest()}
    with storage.atomic(folder / "weights.safetensors", folder / "score.json") as [weights, description]:
        weights.write(content)
        description.write(storage.json_bytes(told))
    return folder


def read(folder: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and what score.json says.

    Raises:
        ValueError: a file is damaged or truncated, the two do not belong together, or another version wrote them.
        OSError: a file is missing.
    """
    folder = Path(folder)
    content = (folder / "weights.safetensors").read_bytes()
    try:
        about = json.loads((folder / "score.json").read_text(encoding="utf-8"))
        digest, version = about["sha256"], about.get("format")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / 'score.json'} is damaged ({error}); fit the score again, or fetch the folder anew") from error
    if version not in READABLE:
        raise ValueError(f"{folder} was written in format {version}; this version reads formats 1 and {FORMAT}: fit the score again")
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{folder / 'weights.safetensors'} is not what score.json describes: damaged, truncated, or of another score")
    try:
        return safetensors.torch.load(content), about
    except safetensors.SafetensorError as error:
        raise ValueError(f"{folder / 'weights.safetensors'} is damaged ({error}); fit the score again") from error
