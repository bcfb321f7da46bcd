"""Training as an iterator that its caller owns: the caller can stop it, inspect it, save it and continue it."""

import copy
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.numerics import mean_in_double
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import spectrum_to_whiten
from gfdt_tutorial.scores.batches import Batch, Batches, context_moments
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.scores.configuration import NetworkConfig, build
from gfdt_tutorial.scores.descent import Descent
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.matching import antithetic_loss, naive_loss
from gfdt_tutorial.scores.network import ScoreNetwork
from gfdt_tutorial.scores.own_network import OwnNetwork, described

STARTS = ("gaussian", "wrong")


class Training(Descent[ScoreNetwork]):
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
        self.budget, seed = budget, checks.whole("seed", seed)
        self.device = checks.resolve_device(device)
        self.fitted, self.held = data.split(1 - checks.probability("validation", validation))
        with threads.steady():
            self.mean = mean_in_double(self.fitted.u)
            covariance = spectrum_to_whiten(data.grid, self.fitted.u, self.mean)
        self.context_mean: torch.Tensor | None = None
        self.context_std: torch.Tensor | None = None
        if context:
            self.context_mean, self.context_std = context_moments(self.fitted, self.device)
        self.config = _configuration(data, budget, noise_levels=noise_levels, context=context, start=start)
        self.network = build(self.config, seed, module=network)
        if isinstance(self.network, OwnNetwork):
            self.config["network"] = described(self.network.module)
        self._set_coordinates(covariance)
        moments = self.context_mean, self.context_std
        self._batches = Batches(seed, self.mean, self.network.root, budget.level, noise_levels, *moments)
        super().__init__(self.fitted, self.held, self.network, budget=budget, seed=seed, grid=data.grid, device=self.device)

    def loss(self, network: ScoreNetwork, batch: Batch) -> torch.Tensor:
        """The loss that training minimises."""
        return antithetic_loss(network, *batch, reach=self.budget.reach) if self.budget.antithetic else naive_loss(network, *batch)

    def average_loss(self, batch: Batch) -> torch.Tensor:
        """The antithetic loss, whichever loss is minimised: its noise is small."""
        return antithetic_loss(self.average, *batch, reach=self.budget.reach)

    def batch(self, data: TimeSeries, count: int, number: int) -> Batch:
        """(w, z, angle, context) of batch `number` from `data`: the same for the same seed and number."""
        return self._batches.draw(data, count, number)

    def resume(self, path: str | Path) -> "Training":
        """Continue from a checkpoint of the same training; raises as `restore`."""
        self.restore(path)
        return self

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

    def _identity(self) -> dict[str, Any]:
        """What must agree for a checkpoint to belong to this training."""
        u = self.fitted.u
        sums = self.mean, float(u.square().mean(dtype=torch.float64)), float(u[-1, -1].norm())
        data = [list(u.shape), *(f"{value:.6g}" for value in sums)]  # the rounding of sums depends on the number of threads
        return {"config": self.config, "budget": asdict(self.budget), "seed": self.seed, "data": data}

    @torch.no_grad()
    def _set_coordinates(self, covariance: torch.Tensor) -> None:
        """Give the network its spectra, and move it to the device."""
        grid = self.fitted.grid
        white = torch.full_like(covariance, grid.trace(covariance) / grid.size)
        whitening = white if self.budget.noise == "white" else covariance
        self.network.root.copy_(whitening.sqrt())
        self.network.ratio.copy_((white / 10 if self.config["start"] == "wrong" else covariance) / whitening)
        self.network.to(self.device)


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
