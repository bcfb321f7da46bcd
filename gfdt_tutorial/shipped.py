"""Small results that took long and travel with the package: assets/ and its manifest, which says what each is and how to make it anew."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from gfdt_tutorial import checks, storage
from gfdt_tutorial.responses.curves import Response

ASSETS = Path(__file__).parent / "assets"
LARGEST_MB = 2.0


def load_shipped(name: str, folder: str | Path = ASSETS) -> Response:
    """A shipped result by its name in the manifest, such as "allen-cahn-truth"; its `info["shipped"]` is the manifest's entry.

    Raises:
        ValueError: no such name, or the file is not the one that the manifest describes.
        OSError: a file is missing.
    """
    entry = _entry(name, folder)
    found = Response.load(_checked(entry, folder))
    found.info["shipped"] = entry
    return found


def shipped_names(folder: str | Path = ASSETS) -> list[str]:
    """Names of the shipped responses, in the order of the manifest."""
    return [name for name, entry in _manifest(Path(folder)).items() if entry["file"].endswith(".npz")]


def load_table(name: str, folder: str | Path = ASSETS) -> list[dict]:
    """A shipped table of measurements: a list of rows.

    Raises:
        ValueError, OSError: as `load_shipped`.
    """
    return json.loads(_checked(_entry(name, folder), folder).read_text())


def ship_table(name: str, rows: list[dict], *, command: str, folder: str | Path = ASSETS) -> Path:
    """Write a table of measurements to the assets, and its entry to the manifest."""
    path = storage.save_json(Path(folder) / f"{name}.json", rows)
    _enter(name, path, command=command)
    return path


def ship(name: str, response: Response, *, command: str, folder: str | Path = ASSETS) -> Path:
    """Write a response to the assets, compactly, and its entry to the manifest: hash, configuration, command, seconds and versions.

    Raises:
        ValueError: it would be larger than 2 MB.
    """
    folder = Path(folder)
    path = response.compact().save(folder / f"{name}.npz")
    size = path.stat().st_size / 1e6
    if size > LARGEST_MB:
        path.unlink()
        raise ValueError(f"{path.name} would take {size:.1f} MB; at most {LARGEST_MB:g} are shipped")
    info = dict(response.info)
    config = {key: info[key] for key in info if key not in ("growth", "seconds", "seed", "device")}
    _enter(name, path, command=command, seed=info.get("seed"), seconds=info.get("seconds"), config=config)
    return path


def _enter(name: str, path: Path, **about) -> None:
    entry = {"file": path.name, "sha256": _digest(path)} | about
    entry["versions"] = {package: version(package) for package in ("gfdt-tutorial", "torch", "numpy")}
    storage.save_json(path.parent / "manifest.json", _manifest(path.parent) | {name: entry})


def _checked(entry: dict, folder: str | Path) -> Path:
    path = Path(folder) / entry["file"]
    if _digest(path) != entry["sha256"]:
        remedy = f"fetch it anew, or run `{entry['command']}`"
        raise ValueError(f"{path} is not the file that the manifest describes: damaged or changed; {remedy}")
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _entry(name: str, folder: str | Path) -> dict:
    manifest = _manifest(Path(folder))
    return manifest[checks.choice("shipped result", name, manifest)]


def _manifest(folder: Path) -> dict:
    path = folder / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}
