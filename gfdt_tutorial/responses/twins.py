"""The kicked experiment as an iterable, batch by batch, with its checkpoint and the response that it gives."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gfdt_tutorial.core import checks, storage, threads
from gfdt_tutorial.responses.response import Response, lag_times
from gfdt_tutorial.responses.symmetries import check_symmetries, symmetrise
from gfdt_tutorial.responses.twin_runs import KICK_KINDS, TwinRuns, TwinSums
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import check_system, parameters

PARTS = 16  # independent parts of the truth, kept so that errors against it can be freed of its own noise
BATCH = 32  # runs of fields stepped together
STATES = 8192  # the same for systems without space, whose steps are too small to be taken by few


class Twins:
    """The kicked experiment as an iterable that its caller owns, a batch of runs at a time; arguments as in `perturb`.

    Attributes:
        batches: (part, runs) of each batch of the whole experiment, BATCH or STATES runs at most.
        batch_pairs: how many pairs a full batch holds.
        done: number of batches that are finished.
        seconds: time that they took, checkpoints before included.
    """

    def __init__(
        self, system: System, *, lags: float, pairs: int, seed: int, every: float = 1.0, kick: str = "pixel", amplitude: float = 1 / 16,
        spinup: float | None = None, restarts: int = 1, control: bool = True, symmetries: tuple[str, ...] = (), device: str = "auto",
        confidence: float = 0.90,
    ) -> None:  # fmt: skip
        check_system(system)
        self.device = checks.resolve_device(device)
        self.times = lag_times(lags, every)
        self.system, self.every, self.seed = system, float(every), checks.whole("seed", seed)
        self.restarts = checks.whole("restarts", restarts, minimum=1)
        self.pairs = checks.whole("pairs", pairs, minimum=PARTS * self.restarts)
        if self.pairs % self.restarts:
            raise ValueError(f"pairs is {pairs}; expected a multiple of restarts, {restarts}")
        self.kick = checks.choice("kick", kick, KICK_KINDS)
        self.confidence = checks.probability("confidence", confidence)
        self.amplitude = checks.positive("amplitude", amplitude)
        self.spinup = system.spinup if spinup is None else checks.positive("spinup", spinup, zero=True)
        if self.kick == "smooth" and not system.grid.shape:
            raise ValueError(f'kick={self.kick!r} needs a field; kick a lone number with kick="pixel"')
        self.symmetries = check_symmetries(symmetries, system.grid)
        self.control = bool(control) and kick == "random signs"
        batch = BATCH if system.grid.shape else STATES
        self.runs, self.batch_pairs = self.pairs // self.restarts, batch * self.restarts
        self.edges = [round(i * self.runs / PARTS) for i in range(PARTS + 1)]
        self.batches = [
            (part, range(first, min(first + batch, self.edges[part + 1])))
            for part in range(PARTS)
            for first in range(self.edges[part], self.edges[part + 1], batch)
        ]
        self.done, self.seconds, self.whole = 0, 0.0, True
        if system.variables is not None and self.kick != "pixel":
            raise ValueError(f'kick={self.kick!r}: components are kicked one by one, and at one place, kick="pixel"')
        lag_count, pairs_of = len(self.times), () if system.variables is None else 2 * (len(system.variables),)
        shape = (*pairs_of, *system.grid.shape)
        self.sums = torch.zeros(PARTS, lag_count, *shape, dtype=torch.float64)
        self.squares = torch.zeros(lag_count, *shape, dtype=torch.float64)
        self.kicks = torch.zeros(PARTS, *system.grid.shape, dtype=torch.float64)  # autocorrelation of the patterns, whose mean is δ
        self.growth = torch.zeros(self.pairs, lag_count)

    def __iter__(self) -> Iterator[int]:
        return self.work()

    def work(self, run: Callable[..., Iterator[TwinSums]] | None = None) -> Iterator[int]:
        """Run the batches that are still to be done, with `run` to map a function over them; yields how many are done.

        By default `core.threads.mapped` maps it, on all cores.

        After an interrupt the experiment is as it was after its last whole batch.
        """
        runs = TwinRuns(
            self.system, len(self.times) - 1, self.seed, self.every, self.kick, self.amplitude, self.spinup, self.restarts, self.device
        )
        run = partial(threads.mapped, device=self.device) if run is None else run
        start = time.perf_counter()
        for sums in run(runs, [members for _, members in self.batches[self.done :]]):
            self.add(sums, start)
            yield self.done
            start = time.perf_counter()

    def add(self, sums: TwinSums, start: float) -> None:
        """Add the next batch, which began at `start`."""
        part, members = self.batches[self.done]
        self.whole = False  # until all sums are taken: a checkpoint from between would count the batch twice
        self.sums[part] += sums.estimates
        self.squares += sums.squares
        self.kicks[part] += sums.kicks
        self.growth[members.start * self.restarts : members.stop * self.restarts] = sums.growth
        self.seconds += time.perf_counter() - start
        self.done += 1
        self.whole = True

    def response(self) -> Response:
        """The response that all batches together give.

        Raises:
            ValueError: some batches are still to be run.
        """
        if self.done < len(self.batches):
            raise ValueError(f"{len(self.batches) - self.done} of {len(self.batches)} batches of twins are still to be run")
        sizes = torch.tensor([b - a for a, b in pairwise(self.edges)], dtype=torch.float64) * self.restarts
        wide = sizes.reshape(-1, *[1] * (self.sums.ndim - 1))
        parts = symmetrise(self._controlled(sizes) if self.control else self.sums / wide, self.symmetries)
        values = (parts * wide).sum(0) / self.pairs
        error, dof = self._error(parts, values, wide)
        return Response(
            times=self.times,
            values=values.float(),
            method="dynamical",
            standard_error=error.float(),
            dof=dof,
            confidence=self.confidence,
            parts=parts.float(),
            grid=self.system.grid,
            components=self.system.variables,
            info=self._identity() | {"device": str(self.device), "seconds": self.seconds, "growth": self._growth()},
        )

    def _error(self, parts: torch.Tensor, values: torch.Tensor, wide: torch.Tensor) -> tuple[torch.Tensor, int]:
        """Standard error and its degrees of freedom, from the scatter of runs; or of parts, where the runs no longer average to them."""
        if self.control or self.symmetries:
            return (((parts - values).square() * wide).sum(0) / (self.pairs * (PARTS - 1))).sqrt(), PARTS - 1
        variance = (self.squares / self.restarts**2 / self.runs - values.square()).clamp_min(0) * (self.runs / (self.runs - 1))
        return (variance / self.runs).sqrt(), self.runs - 1

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint: all sums, and the experiment that they belong to. After an interrupt between two sums the last one stays."""
        if not self.whole:
            return Path(path)
        state: dict[str, Any] = {"done": self.done, "seconds": self.seconds, "about": json.dumps(self._identity(), sort_keys=True)}
        return storage.save_npz(path, self._sums() | state)

    def resume(self, path: str | Path) -> "Twins":
        """Read the checkpoint that `save` wrote, and go on from there.

        Raises:
            ValueError: the file is damaged, or belongs to another experiment.
        """
        sums = self._sums()
        found = storage.load_npz(path, required=[*sums, "done", "seconds", "about"])
        if storage.parse(path, "about", found["about"]) != json.loads(json.dumps(self._identity())):
            raise ValueError(f"{path} is the checkpoint of another experiment; use the same arguments, or another file")
        if any(found[name].shape != tuple(tensor.shape) for name, tensor in sums.items()):
            raise ValueError(f"{path} does not fit this experiment; was it written by another version?")
        for name, tensor in sums.items():
            tensor.copy_(torch.as_tensor(found[name]))
        self.done, self.seconds = int(found["done"]), float(found["seconds"])
        return self

    def _sums(self) -> dict[str, torch.Tensor]:
        return {"sums": self.sums, "squares": self.squares, "kicks": self.kicks, "growth": self.growth}

    def _identity(self) -> dict[str, Any]:
        """The arguments by which a checkpoint is recognised, as plain JSON values."""
        return {
            "system": self.system.name,
            "parameters": parameters(self.system),
            "lags": float(self.times[-1]),
            "every": self.every,
            "pairs": self.pairs,
            "kick": self.kick,
            "amplitude": self.amplitude,
            "seed": self.seed,
            "spinup": self.spinup,
            "restarts": self.restarts,
            "control": self.control,
            "symmetries": list(self.symmetries),
        }

    def _growth(self) -> dict[str, list[float]]:
        median, high = np.quantile(self.growth.numpy(), [0.5, 0.95], axis=0)
        return {"mean": self.growth.mean(0).tolist(), "median": median.tolist(), "q95": high.tolist()}

    def _controlled(self, sizes: torch.Tensor) -> torch.Tensor:
        """Parts T_p = m_p + R₋ₚ ∗ (δ − a_p): m_p the raw mean, a_p the mean autocorrelation of the signs, R₋ₚ from the other parts."""
        grid = self.system.grid
        sums, kicks = grid.rfft(self.sums), grid.rfft(self.kicks)
        others = (sums.sum(0) - sums) / (kicks.sum(0) - kicks)[:, None]
        wide = sizes.reshape(-1, *[1] * len(grid.shape))
        return grid.irfft(sums / wide[:, None] + others * (1 - kicks / wide)[:, None])
