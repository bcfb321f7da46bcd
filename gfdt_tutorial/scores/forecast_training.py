"""Training of the network of a forecast: least squares on what a dictionary leaves over, at a few lags, the knots."""

import copy
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.scores.descent import Descent
from gfdt_tutorial.scores.forecast import FittedForecast, build_network
from gfdt_tutorial.scores.forecast_network import ForecastNetwork

KNOTS = 8  # at most
SCALE_FIELDS = 512  # fields from which the size of what is left is estimated

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]  # w, what is left at the knots, context


class ForecastTraining(Descent[ForecastNetwork]):
    """Least squares of a network on the rest r_t = w(τ + t) − Σ_c a_c(t) φ_c(w(τ)) of a dictionary, in whitened coordinates.

    The rest is shifted back by the displacement U t of the field, and divided by its standard deviation at each knot, so that the loss is
    the mean over knots of the fraction of the rest that stays unexplained: 1 at the start.

    Args:
        fitted, held: learned from, and held out.
        steps: the largest lag, in sampling steps.
        budget: steps, batch and network; `noise`, `level`, `reach` and `antithetic` have no meaning here.
        seed: of weights and batches.
        closed: the forecast in closed form, with its spectrum and its context.
        coefficients: those of its features, (*spectral_shape, lag, feature).
        velocity: U, one number per axis, in radians of phase per unit wavenumber and sampling step.
        device: "auto", "cpu" or "cuda".
    """

    def __init__(
        self, fitted: TimeSeries, held: TimeSeries, steps: int, budget: Budget, *, seed: int, closed: FittedForecast,
        coefficients: torch.Tensor, velocity: tuple[float, ...], device: str | torch.device = "auto",
    ) -> None:  # fmt: skip
        where = checks.resolve_device(device)
        grid = fitted.grid
        self.closed, self.lag_steps, self.knots = closed, steps, knots_of(steps)
        self.config = {
            "knots": self.knots, "kernels": list(budget.kernels), "width": budget.width, "powers": list(budget.powers),
            "gated": budget.gated, "context": closed.closed - len(closed.dictionary),
        }  # fmt: skip
        network = build_network(grid, self.config, seed)
        network.root.copy_(closed.root)
        network.to(where)
        self.root = network.root
        picked = coefficients[..., self.knots, :].movedim(-2, 0).movedim(-1, 1)  # (knot, feature, *spectral_shape)
        self.propagators = picked.to(where, torch.complex64)
        self.frame = torch.stack([_shift(grid, velocity, knot) for knot in self.knots]).to(where, torch.complex64)
        self.scale = torch.ones(len(self.knots), device=where)
        self.seed = seed
        rest = self.batch(fitted, SCALE_FIELDS, -2)[1]
        self.scale = rest.square().mean((0, *range(2, rest.ndim))).sqrt().clamp_min(1e-12)
        super().__init__(fitted, held, network, budget=budget, seed=seed, grid=grid, device=where)

    def batch(self, data: TimeSeries, count: int, number: int) -> Batch:
        """(w, rest, context) of batch `number` from `data`: the same for the same seed and number."""
        rng, device, grid = generator(self.seed, Stream.FORECAST_BATCH, number + 2), self.root.device, data.grid
        member = torch.randint(len(data.u), (count,), generator=rng).to(data.u.device)
        instant = torch.randint(len(data.times) - self.lag_steps, (count,), generator=rng).to(data.u.device)
        u = data.u[member, instant]
        context = data.context[member, instant] if data.context is not None and self.closed.needs_context else None
        features = grid.rfft(self.closed.features(u, context).to(device))
        rest = []
        for index, knot in enumerate(self.knots):
            later = grid.rfft(data.u[member, instant + knot].to(device) - self.closed.mean)
            left = later - (self.propagators[index] * features).sum(1)
            rest.append(grid.irfft(left * self.frame[index] / self.root) / self.scale[index])
        channels = self.closed.standardised(context)
        w = grid.irfft(grid.rfft(u.to(device) - self.closed.mean) / self.root)
        return w, torch.stack(rest, 1), None if channels is None else channels.to(device)

    def loss(self, network: ForecastNetwork, batch: Batch) -> torch.Tensor:
        """The unexplained fraction, (), averaged over knots."""
        w, rest, context = batch
        return (network(w, context) - rest).square().mean()

    def __iter__(self) -> Iterator[float]:
        """The steps; they end half-way if the network has found nothing that the dictionary leaves over."""
        for loss in super().__iter__():
            yield loss
            if self.step >= self.budget.steps / 2 and not self.found:
                return

    @property
    def found(self) -> bool:
        """Whether the network has explained some of what the dictionary leaves over of held-out data."""
        return any(value < self.validations[0][1] for _, value in self.validations)

    def best_network(self) -> ForecastNetwork:
        """The best so far by held-out loss; further training does not change it."""
        return copy.deepcopy(self.best).eval().requires_grad_(False)

    def resume(self, path: str | Path) -> "ForecastTraining":
        """Continue from a checkpoint of the same training; raises as `restore`."""
        self.restore(path)
        return self

    def _identity(self) -> dict[str, Any]:
        u = self.fitted.u
        data = [list(u.shape), f"{self.closed.mean:.6g}", f"{self.closed.unit:.6g}", f"{float(u[-1, -1].norm()):.6g}"]
        about = {"forecast": self.config, "steps": self.lag_steps, "features": self.closed.closed}
        return about | {"budget": asdict(self.budget), "seed": self.seed, "data": data}


def knots_of(steps: int) -> list[int]:
    """Some lags, in steps, from 1 to the largest, about equally spaced on a logarithmic scale."""
    return sorted({round(steps ** (index / (KNOTS - 1))) for index in range(KNOTS)})


def _shift(grid: PeriodicGrid, velocity: tuple[float, ...], knot: int) -> torch.Tensor:
    """exp(i k·U t), (*spectral_shape)."""
    phase = torch.zeros(grid.spectral_shape, dtype=torch.float64)
    for axis, speed in zip(grid.axes, velocity, strict=True):
        phase = phase + grid.derivative(axis).imag * speed * knot
    return torch.exp(1j * phase)
