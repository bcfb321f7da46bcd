"""Small results of long computations that the package ships: assets/ and its manifest, which says what each is and how to recompute it."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.learned import LearnedScore

ASSETS = Path(__file__).parent / "assets"
LARGEST_MB = 2.0


def load_shipped(name: str, *, folder: str | Path = ASSETS) -> Response:
    """A shipped result by its name in the manifest, such as "allen-cahn-truth"; `info["shipped"]` is its entry there.

    Raises:
        ValueError: no such name, or the file differs from the one that the manifest describes.
        OSError: a file is missing.
    """
    entry = _entry(name, folder)
    found = Response.load(_checked(entry, folder))
    found.info["shipped"] = entry
    return found


def load_shipped_score(system: str, *, folder: str | Path = ASSETS) -> LearnedScore:
    """The shipped score of a system, learned with the preset that the manifest names.

    Raises:
        ValueError: no score is shipped for this name, or its files differ from those that the manifest describes.
        OSError: a file is missing.
    """
    return LearnedScore.load(_checked(_entry(f"{system}-score", folder), folder).parent)


def shipped_names(folder: str | Path = ASSETS) -> list[str]:
    """Names of the shipped responses, in the order of the manifest."""
    return [name for name, entry in manifest(folder).items() if entry["file"].endswith(".npz")]


def load_table(name: str, *, folder: str | Path = ASSETS) -> list[dict]:
    """A shipped table of measurements, a list of rows.

    Raises:
        ValueError, OSError: as `load_shipped`.
    """
    return json.loads(_checked(_entry(name, folder), folder).read_text(encoding="utf-8"))


def ship_table(name: str, rows: list[dict], *, command: str, folder: str | Path = ASSETS) -> Path:
    """Write a table of measurements to the assets, and its entry to the manifest."""
    path = storage.save_json(Path(folder) / f"{name}.json", rows)
    _enter(name, path, {"command": command})
    return path


def ship(name: str, response: Response, *, command: str, folder: str | Path = ASSETS, **about: Any) -> Path:
    """Write a response to the assets, by `Response.compact`, and its entry to the manifest: hash, configuration, command,
    seconds and versions.

    Args:
        command: the command line that recomputes the result.
        about: further JSON values of the entry, such as `seed` and `seconds`; they replace those of the response's `info`.

    Raises:
        ValueError: the file would be larger than 2 MB.
    """
    folder = Path(folder)
    path = response.compact().save(folder / f"{name}.npz")
    _check_size(path)
    info = dict(response.info)
    config = {key: info[key] for key in info if key not in ("growth", "seconds", "seed", "device")}
    _enter(name, path, {"command": command, "seed": info.get("seed"), "seconds": info.get("seconds"), "config": config} | about)
    return path


def ship_score(system: str, score: LearnedScore, *, command: str, folder: str | Path = ASSETS, **about: Any) -> Path:
    """Write a learned score to the assets, as the folder <system>-score, and its entry to the manifest.

    The entry contains the hash of score.json, which contains that of the weights.

    Args:
        command: the command line that recomputes the score.
        about: further JSON values of the entry.

    Raises:
        ValueError: the weights would be larger than 2 MB.
    """
    name = f"{system}-score"
    path = score.save(Path(folder) / name)
    _check_size(path / "weights.safetensors")
    _enter(name, path / "score.json", {"command": command} | about, folder=folder)
    return path


def _check_size(path: Path) -> None:
    size = path.stat().st_size / 1e6
    if size > LARGEST_MB:
        path.unlink()
        raise ValueError(f"{path.name} would take {size:.1f} MB; at most {LARGEST_MB:g} are shipped")


def _enter(name: str, path: Path, about: dict[str, Any], *, folder: str | Path | None = None) -> None:
    folder = Path(folder or path.parent)
    entry = {"file": path.relative_to(folder).as_posix(), "sha256": storage.digest(path)} | about
    entry["versions"] = {package: version(package) for package in ("gfdt-tutorial", "torch", "numpy")}
    storage.save_json(folder / "manifest.json", manifest(folder) | {name: entry})


def _checked(entry: dict, folder: str | Path) -> Path:
    path = Path(folder) / entry["file"]
    if storage.digest(path) != entry["sha256"]:
        remedy = f"fetch it again, or run `{entry['command']}`"
        raise ValueError(f"{path} is not the file that the manifest describes: it is damaged or was changed; {remedy}")
    return path


def _entry(name: str, folder: str | Path) -> dict:
    known = manifest(folder)
    return known[checks.choice("shipped result", name, known)]


def manifest(folder: str | Path = ASSETS) -> dict[str, dict]:
    """Name → entry of the manifest: file, hash, command, seconds and versions."""
    path = Path(folder) / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
