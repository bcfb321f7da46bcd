"""Training as an iterator that its caller owns: the caller can stop it, inspect it, save it and continue it."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.numerics import equal_parts, mean_in_double
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import group_covariances, smooth_spectrum
from gfdt_tutorial.scores import checkpoints
from gfdt_tutorial.scores.batches import Batch, Batches, context_moments
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.scores.configuration import NetworkConfig, build
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.matching import antithetic_loss, naive_loss
from gfdt_tutorial.scores.network import ScoreNetwork
from gfdt_tutorial.scores.own_network import OwnNetwork, described

STARTS = ("gaussian", "wrong")
VALIDATION_FIELDS = 256
TRAINING_FIELDS = 64  # for a training loss of the averaged weights, which is shown and decides nothing
PART = 2**14  # pixels that are differentiated together, 16 fields of 32 × 32: fewer would leave the workers waiting for each other
CLIP = 5.0  # the largest norm of the gradient
WARM_UP = 10  # steps over which the learning rate rises


class Training:
    """Denoising score matching on one series.

    Each iteration takes one step of Adam and yields the training loss. The iterator ends after `budget.steps`; a loop that was left can be
    entered again at any time. Batch and noise of a step depend only on (seed, step), so a run that was interrupted, saved and resumed ends
    with the same bits as one that was not.

    Args:
        data: the series; the fraction `validation` of its members (or of the time of a single member) is held out.
        budget: steps, noise and network.
        seed: of weights, batches and noise.
        noise_levels: train one network for all noise levels, from `budget.level` to 20, which takes the level as an input; needed to
            generate fields.
        context: whether to give the network `data.context`.
        network: a `torch.nn.Module` of your own in place of the built-in convolutions; `own_network.NonlinearPart` states its contract.
            The linear part stays, so training starts from the Gaussian score. `kernels`, `width`, `powers` and `gated` of the budget then
            have no effect.
        start: "gaussian", the smoothed spectrum of the data; or "wrong", a white spectrum ten times too large, which shows how the filter
            learns (only with noise="white", since otherwise the coordinates contain the spectrum).
        validation: the fraction held out.
        device: "auto", "cpu" or "cuda".

    Raises:
        ValueError: data too short to split, without variance, or without the context asked for; a network that breaks its contract.
    """

    def __init__(
        self,
        data: TimeSeries,
        budget: Budget,
        *,
        seed: int = 0,
        noise_levels: bool = False,
        context: bool = False,
        network: nn.Module | None = None,
        start: str = "gaussian",
        validation: float = 0.2,
        device: str | torch.device = "auto",
    ) -> None:
        checks.choice("start", start, STARTS)
        if start == "wrong" and budget.noise != "white":
            raise ValueError('start="wrong" needs a budget with noise="white": coordinates whitened by the data contain the spectrum')
        self.budget, self.seed = budget, checks.whole("seed", seed)
        self.device = checks.resolve_device(device)
        self.fitted, self.held = data.split(1 - checks.probability("validation", validation))
        with threads.steady():
            self.mean = mean_in_double(self.fitted.u)
            covariance = self._covariance()
        self.context_mean: torch.Tensor | None = None
        self.context_std: torch.Tensor | None = None
        if context:
            self.context_mean, self.context_std = context_moments(self.fitted, self.device)
        self.config = _configuration(data, budget, noise_levels=noise_levels, context=context, start=start)
        self.network = build(self.config, self.seed, module=network)
        if isinstance(self.network, OwnNetwork):
            self.config["network"] = described(self.network.module)
        self._set_coordinates(covariance)
        moments = self.context_mean, self.context_std
        self._batches = Batches(self.seed, self.mean, self.network.root, budget.level, noise_levels, *moments)
        self.average = copy.deepcopy(self.network)
        self.best = copy.deepcopy(self.network)
        self._move_average = get_ema_multi_avg_fn(budget.average)
        self.adam, self._rates = self._optimizer()
        self.step = 0
        self.losses: list[float] = []
        self.averaged: list[tuple[int, float]] = []
        self.validations: list[tuple[int, float]] = []
        self._check()
        self.whole = True

    def __iter__(self) -> Iterator[float]:
        while self.step < self.budget.steps:
            yield self._advance()

    @threads.steady()
    def _advance(self) -> float:
        """Take one step; returns the training loss."""
        budget = self.budget
        self._set_rates()
        self.adam.zero_grad(set_to_none=True)
        loss = self._differentiate(self.batch(self.fitted, budget.pairs, self.step))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.whole = False  # until the step is complete: a checkpoint of half a step would repeat it
        self.adam.step()
        self._move_average(list(self.average.parameters()), list(self.network.parameters()), None)
        self.step += 1
        self.losses.append(loss)
        if not math.isfinite(self.losses[-1]):
            raise ValueError(
                f"the loss is not finite at step {self.step}: try a Budget with a smaller rate, or look at the data for outliers"
            )
        if self.step % budget.check_every == 0 or self.step == budget.steps:
            self._check()
        self.whole = True
        return self.losses[-1]

    def _differentiate(self, batch: Batch) -> float:
        """Set the gradients to those of the loss, which is returned.

        `torch.autograd.grad` leaves the parameters alone, as several threads at once must.
        """
        parameters = list(self.network.parameters())

        def part_of(loss: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return loss.detach(), *torch.autograd.grad(loss, parameters)

        loss, *gradients = self._over_parts(lambda part: part_of(self.loss(self.network, part)), batch)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.to(parameter)
        return float(loss)

    def _over_parts(self, function: Callable[[Batch], tuple[torch.Tensor, ...]], batch: Batch) -> list[torch.Tensor]:
        """The means over a batch of what a function returns for its parts, in double precision; the pool shares the parts."""
        w, z, angle, context = batch

        def weighted(some: slice) -> list[torch.Tensor]:
            part = (w[some], z[some], angle[some], None if context is None else context[some])
            return [len(w[some]) / len(w) * one for one in function(part)]

        fields = max(1, PART // self.fitted.grid.size)  # whatever the number of workers, which then does not change the rounding
        parts = [slice(first, last) for first, last in equal_parts(len(w), -(-len(w) // fields))]
        found = list(threads.mapped(weighted, parts, device=self.device))
        return [torch.stack(each).sum(0, dtype=torch.float64) for each in zip(*found, strict=True)]

    def _set_rates(self) -> None:
        """A cosine after a short rise.

        It is a function of the step alone, so a checkpoint need not hold it. The schedules of torch.optim.lr_scheduler keep a state of
        their own and are evaluated in another order, which would change the bits of training.
        """
        fraction = self.step / self.budget.steps
        for group, rate in zip(self.adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * fraction)) * min(1.0, (self.step + 1) / WARM_UP)

    def loss(self, network: ScoreNetwork, batch: Batch) -> torch.Tensor:
        """The loss that training minimises."""
        return antithetic_loss(network, *batch, reach=self.budget.reach) if self.budget.antithetic else naive_loss(network, *batch)

    def batch(self, data: TimeSeries, count: int, number: int) -> Batch:
        """(w, z, angle, context) of batch `number` from `data`: the same for the same seed and number."""
        return self._batches.draw(data, count, number)

    def score(self) -> LearnedScore:
        """The best so far by validation loss, as a score; further training does not change it."""
        validation = min(value for _, value in self.validations)
        metrics = {"steps": self.step, "validation": validation, "seed": self.seed, "at_start": self.validations[0][1]}
        return self._frozen(self.best, metrics)

    def current(self) -> LearnedScore:
        """The averaged weights as they are now, better or worse than the best."""
        return self._frozen(self.average, {"steps": self.step, "seed": self.seed})

    def _frozen(self, network: ScoreNetwork, metrics: dict[str, float]) -> LearnedScore:
        copied = copy.deepcopy(network).eval().requires_grad_(False)
        fitted_to = self.fitted.fingerprint
        return LearnedScore(copied, self.mean, self.config, self.context_mean, self.context_std, metrics, fitted_to=fitted_to)

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint. After an interrupt in the middle of a step nothing is written, and the previous checkpoint stays."""
        if not self.whole:
            return Path(path)
        about = {"step": self.step, "losses": self.losses, "averaged": self.averaged, "validations": self.validations}
        return checkpoints.write(path, self._models, self.adam, about | {"run": self._identity()})

    def resume(self, path: str | Path) -> "Training":
        """Continue from a checkpoint of the same training.

        Raises:
            ValueError: the file is damaged, or belongs to a training with another configuration or seed.
            OSError: no such file.
        """
        about, tensors = checkpoints.read(path, run=self._identity())
        checkpoints.restore(self._models, self.adam, tensors)
        self.step, self.losses = about["step"], about["losses"]
        self.averaged, self.validations = checkpoints.pairs(about["averaged"]), checkpoints.pairs(about["validations"])
        return self

    @property
    def _models(self) -> dict[str, ScoreNetwork]:
        return {"network": self.network, "average": self.average, "best": self.best}

    def _identity(self) -> dict[str, Any]:
        """What must agree for a checkpoint to belong to this training."""
        u = self.fitted.u
        sums = self.mean, float(u.square().mean(dtype=torch.float64)), float(u[-1, -1].norm())
        data = [list(u.shape), *(f"{value:.6g}" for value in sums)]  # the rounding of sums depends on the number of threads
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

    @torch.no_grad()
    def _set_coordinates(self, covariance: torch.Tensor) -> None:
        """Give the network its spectra, and move it to the device."""
        grid = self.fitted.grid
        white = torch.full_like(covariance, grid.trace(covariance) / grid.size)
        whitening = white if self.budget.noise == "white" else covariance
        self.network.root.copy_(whitening.sqrt())
        self.network.ratio.copy_((white / 10 if self.config["start"] == "wrong" else covariance) / whitening)
        self.network.to(self.device)

    def _optimizer(self) -> tuple[torch.optim.Adam, list[float]]:
        """Adam, and the learning rates of its groups: the weights, and the numbers that scale the parts of the score."""
        scales = ("log_gain", "strength")
        slow = [p for n, p in self.network.named_parameters() if n not in scales]
        fast = [p for n, p in self.network.named_parameters() if n in scales]
        rates = [self.budget.rate, self.budget.filter_rate]
        groups: list[dict[str, Any]] = [{"params": slow, "lr": rates[0]}, {"params": fast, "lr": rates[1]}]
        return torch.optim.Adam(groups), rates

    @torch.no_grad()
    @threads.steady()
    def _check(self) -> None:
        """Both losses of the averaged weights, on the same fields and noise each time; the weights of least validation loss are kept."""
        training = self._loss_of_average(self.fitted, TRAINING_FIELDS)
        validation = self._loss_of_average(self.held, VALIDATION_FIELDS)
        if all(validation < value for _, value in self.validations):
            self.best.load_state_dict(self.average.state_dict())
        self.averaged.append((self.step, training))
        self.validations.append((self.step, validation))

    def _loss_of_average(self, data: TimeSeries, fields: int) -> float:
        def loss(part: Batch) -> tuple[torch.Tensor, ...]:
            return (antithetic_loss(self.average, *part, reach=self.budget.reach),)

        return float(self._over_parts(loss, self.batch(data, fields, -1))[0])


def _configuration(data: TimeSeries, budget: Budget, *, noise_levels: bool, context: bool, start: str) -> NetworkConfig:
    return {
        "shape": list(data.grid.shape),
        "lengths": list(data.grid.lengths or ()),
        "noise": budget.noise,
        "angle": math.atan(budget.level),
        "kernels": list(budget.kernels),
        "width": budget.width,
        "powers": list(budget.powers),
        "gated": budget.gated,
        "context": data.context.shape[2] if context and data.context is not None else 0,
        "levels": noise_levels,
        "start": start,
    }
