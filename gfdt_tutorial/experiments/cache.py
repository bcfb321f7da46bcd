"""A cache of the results of long computations: each stage is stored under a hash of everything that its result depends on.

    $GFDT_CACHE, or the user's cache folder
      <subject>-<stage>-<key>/         a completed stage: its files, and stage.json with their hashes and its run time in seconds
      <subject>-<stage>-<key>.work/    a stage in progress: its checkpoint
      <subject>-<stage>-<key>.lock     held while a process works on the stage, so that another process waits for the result
      seconds/                         the last run time of each stage, at any seed

The folder, or any part of it, may be deleted at any time when nothing runs.
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from gfdt_tutorial.core import storage, threads
from gfdt_tutorial.core.progress import note
from gfdt_tutorial.experiments import source_files

ABOUT = "stage.json"


@dataclass(frozen=True)
class Stage:
    """One step of a computation, and everything that its result depends on.

    Args:
        subject, name: such as "allen-cahn" and "fit".
        config: plain JSON values: parameters, sizes, budget, seeds.
        modules: the modules that do the work; their source and that of all modules they import enter the key.
        device: its type, "cpu" or "cuda".
        upstream: stages whose results this one uses.
    """

    subject: str
    name: str
    config: dict
    modules: tuple[str, ...]
    device: str
    upstream: tuple["Stage", ...] = ()

    @functools.cached_property
    def identity(self) -> dict:
        """Everything that the result depends on, as plain JSON values."""
        return self._setting | {
            "config": self.config,
            "upstream": [stage.key for stage in self.upstream],
            "versions": {name: version(name) for name in ("torch", "numpy")},
            "sources": source_files.digest(self.modules),
        }

    @functools.cached_property
    def key(self) -> str:
        """The sha256 of `identity` as canonical JSON."""
        return _sha256(self.identity)

    @functools.cached_property
    def family(self) -> str:
        """A hash that is the same for all seeds and versions, and so for stages of about the same run time."""
        return _sha256(self._setting | {"workers": threads.workers(), "config": _without_seeds(self.config)})

    @property
    def _setting(self) -> dict:
        return {"subject": self.subject, "stage": self.name, "device": self.device}


@dataclass(frozen=True)
class Serializer:
    """How a result is written to a folder and read from it; reading raises ValueError if a file is damaged."""

    save: Callable[[Any, Path], Any]
    load: Callable[[Path], Any]


@dataclass(frozen=True)
class StageResult:
    """The result of a stage, and how it was obtained.

    Attributes:
        seconds: run time of its computation; if it was `resumed`, since the last interruption only.
        cached: whether it was read from the cache.
        resumed: whether its computation continued from a checkpoint.
    """

    value: Any
    seconds: float
    cached: bool = False
    resumed: bool = False


class Cache:
    """A folder of results of stages.

    Args:
        folder: by default `$GFDT_CACHE` or, if that is not set, the user's cache folder.

    Raises:
        ValueError: the folder cannot be created.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder or os.environ.get("GFDT_CACHE") or platformdirs.user_cache_dir("gfdt_tutorial", appauthor=False))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"the cache {self.folder} cannot be made ({error}): set GFDT_CACHE to another folder, or work without the cache"
            ) from error

    def has(self, stage: Stage) -> bool:
        """Whether there is an entry for the stage, intact or damaged."""
        return self._path(stage).exists()

    def expected_seconds(self, stage: Stage) -> float | None:
        """The last run time of the stage, at any seed; 0 if its result is cached; None if it never ran here."""
        if self.has(stage):
            return 0.0
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
            return json.loads(self._record(stage).read_text(encoding="utf-8"))["seconds"]
        return None

    def fetch(self, stage: Stage, make: Callable[..., Any], form: Serializer) -> StageResult:
        """The result of a stage: read from the cache, or computed and stored.

        Args:
            make: called with `checkpoint`, the path of a file to continue from if it exists. If it raises an exception, the checkpoint is
                kept and nothing is stored.
        """
        with self._alone(stage):
            return self._read(stage, form) or self._enter(stage, self._made(stage, make), form)

    @contextlib.contextmanager
    def _alone(self, stage: Stage) -> Iterator[None]:
        lock = FileLock(self._path(stage, ".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            note(f"{stage.subject}, {stage.name}: another process is computing this stage; waiting for its result")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _read(self, stage: Stage, form: Serializer) -> StageResult | None:
        entry = self._path(stage)
        if not entry.exists():
            return None
        try:
            about = json.loads((entry / ABOUT).read_text(encoding="utf-8"))
            for name, digest in about["files"].items():
                if storage.digest(entry / name) != digest:
                    raise ValueError(f"{name} is not what was written")
            kept = StageResult(form.load(entry), about["seconds"], cached=True, resumed=about["resumed"])
        except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError) as error:
            note(f"{stage.subject}, {stage.name}: the cache entry is damaged ({error}); computing it again")
            shutil.rmtree(entry)
            return None
        shutil.rmtree(self._path(stage, ".work"), ignore_errors=True)  # left by a process that was killed just after storing the entry
        return kept

    def _made(self, stage: Stage, make: Callable[..., Any]) -> StageResult:
        checkpoint = self._path(stage, ".work") / "checkpoint"
        checkpoint.parent.mkdir(exist_ok=True)
        start, resumed = time.perf_counter(), checkpoint.exists()
        try:
            value = make(checkpoint=checkpoint)
        except ValueError as error:
            if not resumed:
                raise
            note(f"{stage.subject}, {stage.name}: the checkpoint cannot be used ({error}); starting again")
            checkpoint.unlink()
            start, resumed = time.perf_counter(), False
            value = make(checkpoint=checkpoint)
        return StageResult(value, time.perf_counter() - start, resumed=resumed)

    def _enter(self, stage: Stage, made: StageResult, form: Serializer) -> StageResult:
        draft = self._path(stage, ".work") / "entry"
        shutil.rmtree(draft, ignore_errors=True)  # left by a process that was killed here
        draft.mkdir()
        form.save(made.value, draft)
        files = {path.name: storage.digest(path) for path in sorted(draft.iterdir())}
        about = {"seconds": made.seconds, "resumed": made.resumed, "files": files, "identity": stage.identity}
        storage.save_json(draft / ABOUT, about)
        draft.rename(self._path(stage))
        shutil.rmtree(draft.parent)
        if not made.resumed:
            self._record(stage).parent.mkdir(exist_ok=True)
            storage.save_json(self._record(stage), {"seconds": made.seconds})
        return made

    def _path(self, stage: Stage, ending: str = "") -> Path:
        return self.folder / f"{stage.subject}-{stage.name}-{stage.key}{ending}"

    def _record(self, stage: Stage) -> Path:
        return self.folder / "seconds" / f"{stage.subject}-{stage.name}-{stage.family}.json"


def fetch(cache: Cache | None, stage: Stage, make: Callable[..., Any], form: Serializer) -> StageResult:
    """`cache.fetch`; without a cache the result is computed, without a checkpoint."""

    if cache is not None:
        return cache.fetch(stage, make, form)
    start = time.perf_counter()
    value = make(checkpoint=None)
    return StageResult(value, time.perf_counter() - start)


def _sha256(value: dict) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


def _without_seeds(config: dict) -> dict:
    return {name: _without_seeds(value) if isinstance(value, dict) else value for name, value in config.items() if name != "seed"}
