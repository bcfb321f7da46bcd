"""Training, as an iterator that its caller owns: stop it, look at it, save it, go on."""

import copy
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import safetensors.torch
import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.numerics import mean_in_double
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import group_covariances, smooth_spectrum
from gfdt_tutorial.scores.budgets import LARGEST_LEVEL, Budget
from gfdt_tutorial.scores.learned import LearnedScore, build
from gfdt_tutorial.scores.matching import antithetic_loss, naive_loss
from gfdt_tutorial.scores.network import ScoreNetwork

STARTS = ("gaussian", "wrong")
VALIDATION_FIELDS = 256
TRAINING_FIELDS = 64  # behind a training loss of the averaged weights, which is looked at and decides nothing


class Training:
    """A run of denoising score matching on one series.

    Each iteration is one step of Adam and gives the training loss; it ends after `budget.steps`, and can go on at any time from where
    it stopped. Batch and noise of a step depend on (seed, step) alone, so a run that was interrupted, saved and resumed ends with the same
    bits as one that was not.

    Args:
        data: the series; `validation` of its members (or of the time of a lone one) are held out.
        budget: the budget.
        seed: of everything random.
        noise_levels: one network for all noise levels, from `budget.level` to 20, by an input; needed to generate.
        context: whether to give the network `data.context`.
        start: "gaussian", the smoothed spectrum of the data; or "wrong", a white spectrum ten times too large, to see the filter learn
            (noise="white" only, as otherwise the coordinates know the spectrum).
        validation: share held out.
        device: "auto", "cpu" or "cuda".

    Raises:
        ValueError: data too short to split, without variance, or without the context asked for.
    """

    def __init__(
        self,
        data: TimeSeries,
        budget: Budget,
        *,
        seed=0,
        noise_levels=False,
        context=False,
        start="gaussian",
        validation=0.2,
        device="auto",
    ):
        checks.choice("start", start, STARTS)
        if start == "wrong" and budget.noise != "white":
            raise ValueError('start="wrong" needs a budget with noise="white": coordinates whitened by the data know the spectrum')
        if context and data.context is None:
            raise ValueError("context=True, and the series carries none; simulate with context=True, or leave it out")
        self.budget, self.seed = budget, checks.whole("seed", seed)
        self.device = checks.resolve_device(device)
        self.fitted, self.held = data.split(1 - checks.probability("validation", validation))
        self.mean = mean_in_double(self.fitted.u)
        covariance = self._covariance()
        white = torch.full_like(covariance, data.grid.trace(covariance) / data.grid.size)
        self.config = {
            "shape": list(data.grid.shape),
            "lengths": list(data.grid.lengths),
            "noise": budget.noise,
            "angle": math.atan(budget.level),
            "kernels": list(budget.kernels),
            "width": budget.width,
            "powers": list(budget.powers),
            "gated": budget.gated,
            "context": data.context.shape[2] if context else 0,
            "levels": noise_levels,
            "start": start,
        }
        self.network = build(self.config, self.seed)
        with torch.no_grad():
            whitening = white if budget.noise == "white" else covariance
            self.network.root.copy_(whitening.sqrt())
            self.network.ratio.copy_((white / 10 if start == "wrong" else covariance) / whitening)
        self.network.to(self.device)
        self._set_context(context)
        self.average = copy.deepcopy(self.network)
        self.best = copy.deepcopy(self.network)
        slow, fast = [p for n, p in self.network.named_parameters() if n != "log_gain"], [self.network.log_gain]
        groups = [{"params": slow, "lr": budget.rate}, {"params": fast, "lr": budget.filter_rate}]
        self._rates = [budget.rate, budget.filter_rate]
        self.adam = torch.optim.Adam(groups)
        self.step = 0
        self.losses: list[float] = []
        self.averaged: list[tuple[int, float]] = []
        self.validations: list[tuple[int, float]] = []
        self._check()
        self.whole = True

    def __iter__(self) -> Iterator[float]:
        while self.step < self.budget.steps:
            yield self._advance()

    def _advance(self) -> float:
        """One step; returns the training loss."""
        budget = self.budget
        fraction = self.step / budget.steps
        for group, rate in zip(self.adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * fraction)) * min(1.0, (self.step + 1) / 10)
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(self.network, self.batch(self.fitted, budget.pairs, self.step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.whole = False  # until the step is done: a checkpoint of half a step would take it twice
        self.adam.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - budget.average)
        self.step += 1
        self.losses.append(float(loss.detach()))
        if not math.isfinite(self.losses[-1]):
            raise ValueError(
                f"the loss is not finite at step {self.step}: try a Budget with a smaller rate, or look at the data for outliers"
            )
        if self.step % budget.check_every == 0 or self.step == budget.steps:
            self._check()
        self.whole = True
        return self.losses[-1]

    def loss(self, network: ScoreNetwork, batch: tuple) -> torch.Tensor:
        """What is minimised."""
        return antithetic_loss(network, *batch, self.budget.reach) if self.budget.antithetic else naive_loss(network, *batch)

    def batch(self, data: TimeSeries, count: int, number: int) -> tuple:
        """(w, z, angle, context) of batch `number` from `data`: the same for the same seed and number."""
        rng = generator(self.seed, Stream.BATCH, number + 1)
        member = torch.randint(data.u.shape[0], (count,), generator=rng)
        instant = torch.randint(data.u.shape[1], (count,), generator=rng)
        noise = torch.randn(count, *data.grid.shape, generator=rng).to(self.device)
        fields = data.u[member.to(data.u.device), instant.to(data.u.device)].to(self.device)
        w = self.network.grid.irfft(self.network.grid.rfft(fields - self.mean) / self.network.root)
        given = None
        if self.context_mean is not None:
            given = data.context[member.to(data.u.device), instant.to(data.u.device)].to(self.device)
            given = (given - self._wide(self.context_mean)) / self._wide(self.context_std)
        return w, noise, self._angles(count, rng).to(self.device), given

    def score(self) -> LearnedScore:
        """The best so far by validation loss, as a score; training may go on without touching it."""
        validation = min(value for _, value in self.validations)
        metrics = {"steps": self.step, "validation": validation, "seed": self.seed, "at_start": self.validations[0][1]}
        return self._frozen(self.best, metrics)

    def current(self) -> LearnedScore:
        """The averaged weights as they stand, better or worse."""
        return self._frozen(self.average, {"steps": self.step, "seed": self.seed})

    def _frozen(self, network: ScoreNetwork, metrics: dict) -> LearnedScore:
        copied = copy.deepcopy(network).eval().requires_grad_(False)
        options = {"metrics": metrics, "fitted_to": self.fitted.fingerprint}
        return LearnedScore(copied, self.mean, self.config, self.context_mean, self.context_std, **options)

    def save(self, path: str | Path) -> Path:
        """A checkpoint, one safetensors file; after an interrupt in the middle of a step, nothing is written and the last one stays."""
        if not self.whole:
            return Path(path)
        tensors = {f"{part}.{name}": t for part in MODELS for name, t in getattr(self, part).state_dict().items()}
        for index, state in self.adam.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
        tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        looks = {"averaged": self.averaged, "validations": self.validations}
        about = {"step": self.step, "losses": self.losses, **looks, "run": self._identity()}
        content = safetensors.torch.save(tensors, metadata={"about": json.dumps(about)})
        return storage.write(path, lambda file: file.write(content))

    def resume(self, path: str | Path) -> "Training":
        """Go on from a checkpoint of the same training.

        Raises:
            ValueError: the file is damaged, or of a training with another configuration or seed.
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
        if about["run"] != json.loads(json.dumps(self._identity())):
            raise ValueError(
                f"{path} belongs to another training: its data, configuration, budget or seed differ; use those, or start anew"
            )
        for part in MODELS:
            getattr(self, part).load_state_dict({n.removeprefix(f"{part}."): t for n, t in tensors.items() if n.startswith(f"{part}.")})
        state: dict[int, dict] = {}
        for name, tensor in tensors.items():
            if name.startswith("adam."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = tensor
        self.adam.load_state_dict(self.adam.state_dict() | {"state": state})
        self.step, self.losses = about["step"], about["losses"]
        self.averaged, self.validations = ([(step, value) for step, value in about[name]] for name in ("averaged", "validations"))
        return self

    def _identity(self) -> dict:
        """What must agree for a checkpoint to be of this training."""
        u = self.fitted.u
        sums = self.mean, float(u.square().mean(dtype=torch.float64)), float(u[-1, -1].norm())
        data = [list(u.shape), *(f"{value:.6g}" for value in sums)]  # how sums round depends on the number of threads
        return {"config": self.config, "budget": asdict(self.budget), "seed": self.seed, "data": data}

    def _covariance(self) -> torch.Tensor:
        grid = self.fitted.grid
        covariances = group_covariances(grid, self.fitted.u, self.mean)
        mean = covariances.mean(0)
        empty = int((mean <= 1e-12 * mean.max()).sum())
        if empty:
            raise ValueError(
                f"{empty} of {mean.numel()} wavevectors carry no variance: the data are constant or filtered; take a coarser grid"
            )
        return smooth_spectrum(grid, covariances).cpu()

    def _set_context(self, context: bool) -> None:
        self.context_mean = self.context_std = None
        if context:
            rows = self.fitted.context.movedim(2, 0).flatten(1)
            self.context_mean, self.context_std = rows.mean(1).to(self.device), rows.std(1).clamp_min(1e-12).to(self.device)

    def _wide(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers.reshape(-1, *[1] * len(self.network.grid.shape))

    def _angles(self, count: int, rng: torch.Generator) -> torch.Tensor:
        """Noise angles: one, or spread evenly in ln tan φ, a different part of the range to each field."""
        lowest = self.budget.level
        if not self.config["levels"]:
            return torch.full((count,), math.atan(lowest))
        spread = (torch.arange(count) + torch.rand(count, generator=rng)) / count
        return torch.atan(lowest * (LARGEST_LEVEL / lowest) ** spread)

    @torch.no_grad()
    def _check(self) -> None:
        """Both losses of the averaged weights, on the same fields and noise each time; those of the least validation loss are kept."""
        training = self._loss_of_average(self.fitted, TRAINING_FIELDS)
        validation = self._loss_of_average(self.held, VALIDATION_FIELDS)
        if all(validation < value for _, value in self.validations):
            self.best.load_state_dict(self.average.state_dict())
        self.averaged.append((self.step, training))
        self.validations.append((self.step, validation))

    def _loss_of_average(self, data: TimeSeries, fields: int) -> float:
        return float(antithetic_loss(self.average, *self.batch(data, fields, -1), self.budget.reach))


MODELS = ("network", "average", "best")
