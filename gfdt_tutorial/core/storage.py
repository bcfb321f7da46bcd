"""Atomic files, which appear complete or not at all, and archives of plain arrays without pickles."""

import contextlib
import hashlib
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch


@contextlib.contextmanager
def atomic(*paths: str | Path) -> Iterator[list[BinaryIO]]:
    """Open binary files that take their names only after all of them are written and flushed; on any error nothing is left.

    Raises:
        OSError: `check_file` refuses one of the paths, before anything is written; or the disk is full.
    """
    targets = [check_file(path) for path in paths]
    drafts: list[str] = []
    try:
        with contextlib.ExitStack() as opened:
            files: list[BinaryIO] = []
            for path in targets:
                handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
                drafts.append(draft)
                files.append(opened.enter_context(os.fdopen(handle, "wb")))
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        for draft in drafts:
            os.chmod(draft, 0o666 & ~_umask())
        for draft, path in zip(drafts, targets, strict=True):
            os.replace(draft, path)
    except BaseException:
        for draft in drafts:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
        raise


def check_file(path: str | Path) -> Path:
    """`path`, if a file can be written there; nothing is created yet.

    Raises:
        OSError: the folder of `path` does not exist, or `path` is itself a folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: the folder {path.parent} does not exist; make it, or name another")
    if path.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a folder; choose another name")
    return path


def check_folder(path: str | Path, names: Iterable[str] = ()) -> Path:
    """`path`, if it is or can become a folder in which files with these `names` can be written; nothing is created yet.

    Raises:
        ValueError: a file has this name, or writing is not permitted.
        OSError: `check_file` refuses one of the names.
    """
    path = Path(path)
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise ValueError(f"{path} cannot be a folder: {there} is a file; choose another name")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{path} cannot be written: you have no permission to write in {there}; choose another folder")
    if path.is_dir():
        for name in names:
            check_file(path / name)
    return path


def write(path: str | Path, writer: Callable[[BinaryIO], Any]) -> Path:
    """Call `writer(file)` on an atomic file, and return the path."""
    with atomic(path) as [file]:
        writer(file)
    return Path(path)


def save_npz(path: str | Path, arrays: Mapping[str, Any]) -> Path:
    """Save tensors, arrays, numbers and text under their names; entries that are None are left out."""
    return write(path, lambda file: write_npz(file, arrays))


def write_npz(file: BinaryIO, arrays: Mapping[str, Any]) -> None:
    """`save_npz` into an open file."""
    plain: dict[str, Any] = {name: _plain(value) for name, value in arrays.items() if value is not None}
    np.savez(file, **plain)


def load_npz(path: str | Path, required: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an .npz file.

    Raises:
        ValueError: the file is not an .npz file, is truncated, contains Python objects, or lacks a `required` name.
        OSError: the file does not exist.
    """
    try:
        with zipfile.ZipFile(path):
            pass  # np.load would also accept an .npy file, which has no names
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # a damaged archive raises any of half a dozen exceptions
        raise ValueError(
            f"{path} is not a readable .npz file of plain arrays ({error}); was it truncated, or written by another tool?"
        ) from error
    if missing := sorted(set(required) - set(arrays)):
        raise ValueError(f"{path} lacks {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'nothing'}")
    return arrays


def parse(path: str | Path, name: str, text: object) -> dict[str, Any]:
    """The JSON object in `text`, which the file `path` contains under `name`."""
    try:
        found = json.loads(str(text))
    except ValueError as error:
        raise ValueError(f"{path}: {name} is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: {name} is not a JSON object")
    return found


def save_json(path: str | Path, value: Any) -> Path:
    """Save `value` as indented JSON."""
    return write(path, lambda file: file.write(json_bytes(value)))


def json_bytes(value: Any) -> bytes:
    """Indented JSON in UTF-8; NaN and infinity are refused, because JSON cannot represent them."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def nulls(value: Any) -> Any:
    """`value` with null in place of each number that is NaN or infinite, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: nulls(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [nulls(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def digest(path: str | Path) -> str:
    """SHA-256 of the content of a file; in JSON files, Windows line ends, which git may have inserted, count as Unix line ends."""
    content = Path(path).read_bytes()
    return hashlib.sha256(content.replace(b"\r\n", b"\n") if Path(path).suffix == ".json" else content).hexdigest()


def _plain(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
