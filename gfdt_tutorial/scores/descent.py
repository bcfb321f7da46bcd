"""Gradient descent as an iterator that its caller owns: the common part of the trainings of scores and of forecasts.

Each iteration takes one step of Adam and yields the training loss. Averaged weights are evaluated on held-out data at intervals, and the
best are kept. A run that was interrupted, saved and resumed ends with the same bits as one that was not.
"""

import copy
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import equal_parts
from gfdt_tutorial.core.progress import progress
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores import checkpoints
from gfdt_tutorial.scores.budgets import Budget

Network = TypeVar("Network", bound=nn.Module)
Drawn = tuple[torch.Tensor | None, ...]  # a batch: tensors whose first axis counts its fields
Losses = Callable[[Drawn], tuple[torch.Tensor, ...]]

VALIDATION_FIELDS = 256
TRAINING_FIELDS = 64  # for a training loss of the averaged weights, which is shown and decides nothing
PART = 2**14  # pixels that are differentiated together, 16 fields of 32 × 32: fewer would leave the workers waiting for each other
CLIP = 5.0  # the largest norm of the gradient
WARM_UP = 10  # steps over which the learning rate rises
SCALES = ("log_gain", "strength")  # parameters that scale a whole part of a network, which learn faster


class Descent(Generic[Network]):
    """Steps of Adam on batches that depend on (seed, step) alone; see this module's page.

    A subclass gives `batch`, `loss`, `average_loss` and `_identity`.

    Args:
        fitted, held: the data that are learned from, and those that the held-out loss is taken over.
        network: to be trained, on its device.
        budget: steps, batch and learning rates.
        seed: of the batches.
        device: on which the network works.
    """

    def __init__(
        self, fitted: TimeSeries, held: TimeSeries, network: Network, *, budget: Budget, seed: int, grid: PeriodicGrid, device: torch.device
    ) -> None:
        self.fitted, self.held, self.budget, self.seed, self.grid, self.device = fitted, held, budget, seed, grid, device
        self.network = network
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

    def batch(self, data: TimeSeries, count: int, number: int) -> Drawn:
        """Batch `number` from `data`: the same for the same seed and number."""
        raise NotImplementedError

    def loss(self, network: Network, batch: Any) -> torch.Tensor:
        """The loss that training minimises."""
        raise NotImplementedError

    def average_loss(self, batch: Any) -> torch.Tensor:
        """The loss of the averaged weights by which the best are chosen."""
        return self.loss(self.average, batch)

    def _identity(self) -> dict[str, Any]:
        """What must agree for a checkpoint to belong to this training, as plain JSON."""
        raise NotImplementedError

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

    def _differentiate(self, batch: Drawn) -> float:
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

    def _over_parts(self, function: Losses, batch: Drawn) -> list[torch.Tensor]:
        """The means over a batch of what a function returns for its parts, in double precision; the pool shares the parts."""
        count = next(len(one) for one in batch if one is not None)

        def weighted(some: slice) -> list[torch.Tensor]:
            part = tuple(None if one is None else one[some] for one in batch)
            return [(some.stop - some.start) / count * one for one in function(part)]

        fields = max(1, PART // self.grid.size)  # whatever the number of workers, which then does not change the rounding
        parts = [slice(first, last) for first, last in equal_parts(count, -(-count // fields))]
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

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint. After an interrupt in the middle of a step nothing is written, and the previous checkpoint stays."""
        if not self.whole:
            return Path(path)
        about = {"step": self.step, "losses": self.losses, "averaged": self.averaged, "validations": self.validations}
        return checkpoints.write(path, self._models, self.adam, about | {"run": self._identity()})

    def restore(self, path: str | Path) -> None:
        """Continue from a checkpoint of the same training.

        Raises:
            ValueError: the file is damaged, or belongs to a training with another configuration or seed.
            OSError: no such file.
        """
        about, tensors = checkpoints.read(path, run=self._identity())
        checkpoints.restore(self._models, self.adam, tensors)
        self.step, self.losses = about["step"], about["losses"]
        self.averaged, self.validations = checkpoints.pairs(about["averaged"]), checkpoints.pairs(about["validations"])

    def run(self, checkpoint: str | Path | None, *, label: str) -> bool:
        """Train to the end with a progress bar, from a checkpoint if there is one; returns whether it was interrupted."""
        if checkpoint is not None and Path(checkpoint).exists():
            self.restore(checkpoint)
        elif checkpoint is not None:
            self.save(checkpoint)  # a path that cannot be written is reported now, not after the first hour
        try:
            for _ in progress(self, total=self.budget.steps - self.step, label=label):
                if checkpoint is not None and self.step == self.validations[-1][0]:
                    self.save(checkpoint)
        except KeyboardInterrupt:
            if checkpoint is not None:
                self.save(checkpoint)
            return True
        return False

    @property
    def _models(self) -> dict[str, nn.Module]:
        return {"network": self.network, "average": self.average, "best": self.best}

    def _optimizer(self) -> tuple[torch.optim.Adam, list[float]]:
        """Adam, and the learning rates of its groups: the weights, and the numbers that scale the parts of a network."""
        slow = [p for n, p in self.network.named_parameters() if n not in SCALES]
        fast = [p for n, p in self.network.named_parameters() if n in SCALES]
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
        return float(self._over_parts(lambda part: (self.average_loss(part),), self.batch(data, fields, -1))[0])
