"""The truth: kicked twin runs. This file and pushes.py are the only ones of this folder that know the systems, as they run them."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.cluster import workers
from gfdt_tutorial.core.progress import progress
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.responses.response import Response, lag_times
from gfdt_tutorial.responses.symmetries import check_symmetries, symmetrise
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import Trajectory, check_system, parameters

PARTS = 16  # independent parts of the truth, kept so that errors against it can be freed of its own noise
BATCH = 32  # pairs stepped together
SAVE_EVERY = 512  # pairs, about, between two checkpoints

KICK_KINDS = ("pixel", "random signs")


def perturb(
    system: System,
    *,
    lags: float = 90.0,
    pairs: int = 512,
    seed: int = 1,
    every: float = 1.0,
    kick: str = "pixel",
    amplitude: float = 1 / 16,
    spinup: float | None = None,
    restarts: int = 1,
    control: bool = True,
    symmetries: tuple[str, ...] = (),
    device: str = "auto",
    confidence: float = 0.90,
    checkpoint: str | Path | None = None,
    cluster: str | None = None,
) -> Response:
    """The dynamical response: (u₊ − u₋)/2δ for twins kicked by ±δ, with the same noise, averaged over pairs.

    The central difference removes the quadratic term of the kick. In a linear system the common noise cancels exactly, and a single
    pair gives the response to rounding; in a chaotic one the pairs scatter, and `standard_error` says by how much.

    Args:
        system: to be kicked.
        lags: the largest lag, in time units.
        pairs: how many; PARTS or more, so that the truth can be split in parts.
        seed: of start and noise; use another than that of the data.
        every: spacing of the lags.
        kick: "pixel", ±δ at pixel (0, 0); or "random signs", ±δ with an independent sign at every pixel, correlated out afterwards:
            every pixel then serves as the kicked one. With J one column of the propagator, the L2 error is ((⟨|J|²⟩ − |R|²)/n)^½ for
            one pixel and (⟨|J|²⟩/n)^½ for random signs, or that of one pixel again with `control`.
        amplitude: δ, in units of the field; the letter's 1/16.
        spinup: time before the kick; the system's own by default.
        restarts: kicks that follow one another in each run, each from where the last pair ended, so that the spin-up is paid once.
            `pairs` must be a multiple; the kicks of one run count as one in the standard error.
        control: for random signs: take the answer that the mean response predicts for these very signs off each part, and add its mean
            back. As R for a part is taken from the other parts, nothing is biased.
        symmetries: of the system, to average over; see `responses.symmetries`. `system.symmetries` names its own.
        device: "auto", "cpu" or "cuda".
        confidence: level of the band.
        checkpoint: a file to go on from, if it exists, and to write now and then and when interrupted.
        cluster: address of a dask.distributed scheduler, such as "tcp://host:8786", whose workers run the batches; see `cluster.workers`.
            The answer has the bits that one thread of this process gives.

    Returns:
        Response, on the CPU, with method "dynamical", a standard error, and PARTS independent parts. `info["growth"]` tells how the
        pairs diverge: mean, median and 95 % quantile of |J|² at each lag.

    Raises:
        ValueError: too few pairs, an unknown kick, a size out of range, a checkpoint that is damaged or of another experiment, no such
            cluster.
        DivergedError: a twin left the finite numbers.
        ConnectionError: the cluster went away; as it came, once the checkpoint is written.
        KeyboardInterrupt: likewise.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck
    >>> perturb(OrnsteinUhlenbeck(), lags=10.0, pairs=16).values.shape
    torch.Size([11, 32, 32])
    """
    experiment = Twins(
        system, lags=lags, pairs=pairs, seed=seed, every=every, kick=kick, amplitude=amplitude, spinup=spinup, restarts=restarts,
        control=control,
        symmetries=symmetries, device=device, confidence=confidence,
    )  # fmt: skip
    with workers(cluster) as run:
        if checkpoint is not None and Path(checkpoint).exists():
            experiment.resume(checkpoint)
        elif checkpoint is not None:
            experiment.save(checkpoint)  # a path that cannot be written shows now, and not after an hour
        try:
            for done in progress(experiment.work(run), total=len(experiment.batches) - experiment.done, label=f"twins {system.name}"):
                if checkpoint is not None and done % max(1, SAVE_EVERY // (BATCH * experiment.restarts)) == 0:
                    experiment.save(checkpoint)
        except (KeyboardInterrupt, ConnectionError):
            if checkpoint is not None:
                experiment.save(checkpoint)
            raise
    return experiment.response()


class Sums(NamedTuple):
    """What a batch adds to the experiment.

    answers, squares: (lag, *shape), of the estimates of R: their sum, and that of the squares of what each run's kicks sum to.
    kicks: (*shape), the sum of the autocorrelations of the patterns.
    growth: (pair, lag), |J|² of each pair.
    """

    answers: torch.Tensor
    squares: torch.Tensor
    kicks: torch.Tensor
    growth: torch.Tensor


@dataclass(frozen=True)
class Kicks:
    """The experiment done to any runs, as a function of their range; arguments as in `perturb`, `lags` in steps."""

    system: System
    lags: int
    seed: int
    every: float
    kick: str
    amplitude: float
    spinup: float
    restarts: int
    device: torch.device

    def __call__(self, members: range) -> Sums:
        grid = self.system.grid
        run = Trajectory(self.system, members, self.seed, self.every, self.device)
        state, noise = run.start(self.spinup)
        total = torch.zeros(self.lags + 1, len(members), *grid.shape, device=self.device)
        norms = torch.zeros(len(members), self.restarts, self.lags + 1)
        kicks = torch.zeros(grid.shape, dtype=torch.float64)
        for restart in range(self.restarts):
            pattern = self._pattern(members, restart)
            shift = self.amplitude * self.system.state(pattern)
            kicked = torch.stack([state + shift, state - shift])
            for lag, twins in enumerate(run.steps(kicked, noise, self.lags)):
                difference = (twins[0] - twins[1]) / (2 * self.amplitude)
                total[lag] += self._answers(difference, pattern)
                norms[:, restart, lag] = self._norm(difference).cpu()
            state = twins[0]
            kicks += self._answers(self.system.state(pattern), pattern).double().sum(0).cpu()
        if self.kick == "pixel":
            kicks *= len(members)  # all are kicked alike, and one pattern stands for them
        squares = total.double().square().sum(1).cpu()
        return Sums(total.sum(1, dtype=torch.float64).cpu(), squares, kicks, norms.flatten(0, 1))

    def _pattern(self, members: range, restart: int) -> torch.Tensor:
        """(member, *shape), or (1, *shape) where all members are kicked alike; unit amplitude."""
        grid = self.system.grid
        if self.kick == "pixel":
            pattern = torch.zeros(1, *grid.shape, device=self.device)
            pattern[(0,) * (len(grid.shape) + 1)] = 1
            return pattern
        streams = [generator(self.seed, Stream.KICK_SIGNS, member * self.restarts + restart) for member in members]
        return torch.stack([2.0 * torch.randint(2, grid.shape, generator=stream) - 1 for stream in streams]).to(self.device)

    def _answers(self, spectra: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
        """One estimate of R(d) a pair. Random signs: (1/N²) Σ_x p(x) δu(x + d), whose mean is R(d) as ⟨p(x) p(x')⟩ = δ."""
        grid = self.system.grid
        if self.kick == "pixel":
            return self.system.field(spectra)
        return grid.irfft(spectra * grid.rfft(pattern).conj()) / grid.size

    def _norm(self, difference: torch.Tensor) -> torch.Tensor:
        """|J|² for each pair: of the kicked pixel's column, or the mean over all columns."""
        grid = self.system.grid
        squares = self.system.field(difference).square().sum(grid.axes)
        return squares if self.kick == "pixel" else squares / grid.size


class Twins:
    """The kicked experiment as an iterator that its caller owns, a batch of runs at a time; arguments as in `perturb`.

    Attributes:
        batches: (part, runs), of all that is to be done.
        done: batches behind us.
        seconds: that they were waited for, checkpoints before included.
    """

    def __init__(
        self, system: System, *, lags: float, pairs: int, seed: int, every=1.0, kick="pixel", amplitude=1 / 16, spinup=None, restarts=1,
        control=True, symmetries=(), device="auto", confidence=0.90,
    ):  # fmt: skip
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
        self.symmetries = check_symmetries(symmetries, system.grid)
        self.control = bool(control) and kick == "random signs"
        self.runs = self.pairs // self.restarts
        self.edges = [round(i * self.runs / PARTS) for i in range(PARTS + 1)]
        self.batches = [
            (part, range(first, min(first + BATCH, self.edges[part + 1])))
            for part in range(PARTS)
            for first in range(self.edges[part], self.edges[part + 1], BATCH)
        ]
        self.done, self.seconds, self.whole = 0, 0.0, True
        lag_count, shape = len(self.times), system.grid.shape
        self.sums = torch.zeros(PARTS, lag_count, *shape, dtype=torch.float64)
        self.squares = torch.zeros(lag_count, *shape, dtype=torch.float64)
        self.kicks = torch.zeros(PARTS, *shape, dtype=torch.float64)  # autocorrelation of the patterns, whose mean is δ
        self.growth = torch.zeros(self.pairs, lag_count)

    def __iter__(self) -> Iterator[int]:
        return self.work()

    def work(self, run: Callable = map) -> Iterator[int]:
        """The batches still to be done, with `run` to map a function over them; yields how many are done. Interrupted, all is as it was."""
        kicks = Kicks(
            self.system, len(self.times) - 1, self.seed, self.every, self.kick, self.amplitude, self.spinup, self.restarts, self.device
        )
        start = time.perf_counter()
        for sums in run(kicks, [members for _, members in self.batches[self.done :]]):
            self.add(sums, start)
            yield self.done
            start = time.perf_counter()

    def add(self, sums: Sums, start: float) -> None:
        """Count the next batch, waited for since `start`."""
        part, members = self.batches[self.done]
        self.whole = False  # until all sums are taken: a checkpoint from between would count the batch twice
        self.sums[part] += sums.answers
        self.squares += sums.squares
        self.kicks[part] += sums.kicks
        self.growth[members.start * self.restarts : members.stop * self.restarts] = sums.growth
        self.seconds += time.perf_counter() - start
        self.done += 1
        self.whole = True

    def response(self) -> Response:
        """What all batches together say.

        Raises:
            ValueError: some are still to be done.
        """
        if self.done < len(self.batches):
            raise ValueError(f"{len(self.batches) - self.done} of {len(self.batches)} batches of twins are still to be run")
        sizes = torch.tensor([b - a for a, b in pairwise(self.edges)], dtype=torch.float64) * self.restarts
        wide = sizes.reshape(-1, *[1] * (self.sums.ndim - 1))
        parts = self._controlled(sizes) if self.control else self.sums / wide
        parts = symmetrise(parts, self.symmetries)
        values = (parts * wide).sum(0) / self.pairs
        if self.control or self.symmetries:
            # what pairs scatter by has changed; the parts still tell
            error, dof = (((parts - values).square() * wide).sum(0) / (self.pairs * (PARTS - 1))).sqrt(), PARTS - 1
        else:
            variance = (self.squares / self.restarts**2 / self.runs - values.square()).clamp_min(0) * (self.runs / (self.runs - 1))
            error, dof = (variance / self.runs).sqrt(), self.runs - 1
        return Response(
            times=self.times,
            values=values.float(),
            method="dynamical",
            standard_error=error.float(),
            dof=dof,
            confidence=self.confidence,
            parts=parts.float(),
            grid=self.system.grid,
            info=self._identity() | {"device": str(self.device), "seconds": self.seconds, "growth": self._growth()},
        )

    def save(self, path: str | Path) -> Path:
        """A checkpoint: all sums, and of which experiment they are; after an interrupt between two sums the last one stays."""
        if not self.whole:
            return Path(path)
        progress = {"done": self.done, "seconds": self.seconds}
        return storage.save_npz(path, self._sums() | progress | {"about": json.dumps(self._identity(), sort_keys=True)})

    def resume(self, path: str | Path) -> "Twins":
        """Go on from what `save` wrote.

        Raises:
            ValueError: the file is damaged, or of another experiment.
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

    def _identity(self) -> dict:
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
        """Parts T_p = m_p + R₋ₚ ∗ (δ − a_p): m_p their raw means, a_p the mean autocorrelation of their signs, R₋ₚ from the other parts."""
        grid = self.system.grid
        sums, kicks = grid.rfft(self.sums), grid.rfft(self.kicks)
        others = (sums.sum(0) - sums) / (kicks.sum(0) - kicks)[:, None]
        wide = sizes.reshape(-1, *[1] * len(grid.shape))
        return grid.irfft(sums / wide[:, None] + others * (1 - kicks / wide)[:, None])
