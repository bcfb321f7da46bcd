"""Denoising score matching for unlike variables, numbers or fields, and the choice of its noise level.

Noise of standard deviation σ, in whitened coordinates, blurs everything that is thinner than σ. The variance of a cloud says nothing about
this: the attractor of Lorenz is a twentieth as thick as it is wide. The identity ⟨u sᵀ⟩ = −1 usually does, *before* the score is calibrated
to it. It does not see a blur that is confined to rare states, as where the noise of the triad of El Niño vanishes; the loss J of
`rungs` does. So short trainings start with a large σ and halve it until, on held-out data, the identity is missed by no more than MISSED
and half as much noise no longer lowers J.
"""

import copy
import warnings
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.whitening import FieldWhitening, whitening_of
from gfdt_tutorial.scores.batches import context_moments
from gfdt_tutorial.scores.budgets import Budget
from gfdt_tutorial.scores.component_building import AnyComponentNetwork, build
from gfdt_tutorial.scores.component_field_network import ComponentFieldNetwork
from gfdt_tutorial.scores.component_network import ComponentConfig, antithetic_loss
from gfdt_tutorial.scores.component_score import ComponentScore
from gfdt_tutorial.scores.descent import Descent
from gfdt_tutorial.scores.given_context import standardised
from gfdt_tutorial.scores.matching import local_variance
from gfdt_tutorial.scores.rungs import beats, losses

MISSED = 0.1  # the largest entry of |⟨u sᵀ⟩ + 1| that is tolerated before calibration
LEAST = 0.0125  # the smallest noise level that is tried
PILOT = 4  # a pilot takes a quarter of the steps
VALIDATION = 8192  # held-out states, or fields with as many points

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]


class ComponentTraining(Descent[AnyComponentNetwork]):
    """Denoising score matching on one series of unlike variables; `Descent` says how it is iterated, saved and resumed.

    Args:
        data: with an axis of components; the fraction `validation` is held out.
        budget: steps, noise level and network; its kernels are the hidden layers, whose sides have no meaning without space.
        seed: of weights, batches and noise.
        context: whether to give the network `data.context`.
        validation: the fraction held out.
        device: "auto", "cpu" or "cuda".

    Raises:
        ValueError: data too short to split, a variable without variance, or no context where one is asked for.
    """

    def __init__(
        self,
        data: TimeSeries,
        budget: Budget,
        *,
        seed: int = 0,
        context: bool = False,
        validation: float = 0.2,
        device: str | torch.device = "auto",
    ) -> None:
        seed, device = checks.whole("seed", seed), checks.resolve_device(device)
        fitted, held = data.split(1 - checks.probability("validation", validation))
        self.context_mean: torch.Tensor | None = None
        self.context_std: torch.Tensor | None = None
        if context:
            self.context_mean, self.context_std = context_moments(fitted, device)
        with threads.steady():
            self.whitening = whitening_of(fitted)
        self._states = {id(part): part.u.flatten(0, 1) for part in (fitted, held)}
        self.config: ComponentConfig = {
            "components": list(data.components or ()),
            "width": budget.width,
            "layers": len(budget.kernels),
            "context": data.context.shape[2] if context and data.context is not None else 0,
            "level": budget.level,
        }
        if data.grid.shape:
            self.config |= {"shape": list(data.grid.shape), "lengths": list(data.grid.lengths), "kernels": list(budget.kernels)}
            self.config |= {"gated": budget.gated}
        network = build(self.config, seed)
        if isinstance(network, ComponentFieldNetwork) and isinstance(self.whitening, FieldWhitening):
            network.set_root(self.whitening.root)
        network = network.to(device)
        super().__init__(fitted, held, network, budget=budget, seed=seed, grid=data.grid, device=device)

    def batch(self, data: TimeSeries, count: int, number: int) -> Batch:
        """(y, z, context) of batch `number`: the same for the same seed and number."""
        rng, states = generator(self.seed, Stream.BATCH, number + 1), self._states[id(data)]
        count = count if number >= 0 else min(-(-VALIDATION // data.grid.size), len(states))
        where = torch.randint(len(states), (count,), generator=rng)
        noise = torch.randn(count, *data.shape, generator=rng)
        context = data.context.flatten(0, 1)[where] if data.context is not None and self.context_mean is not None else None
        given = standardised(context, (count,), data.grid.shape, self.context_mean, self.context_std)
        y = self.whitening(states[where.to(states.device)].to(self.device))
        return y.float(), noise.to(self.device), given

    def loss(self, network: AnyComponentNetwork, batch: Batch) -> torch.Tensor:
        """The antithetic loss."""
        y, noise, given = batch
        reach = self.budget.reach if self.grid.shape else 0.0
        weight = partial(local_variance, self.grid, reach=reach) if reach else None
        return antithetic_loss(network, y, noise, network.level, given, weight)

    def score(self) -> ComponentScore:
        """The best so far by validation loss, as a score; further training does not change it."""
        network = copy.deepcopy(self.best).eval().requires_grad_(False)
        metrics = {"steps": self.step, "validation": min(value for _, value in self.validations), "seed": self.seed}
        metrics |= {"at_start": self.validations[0][1], "level": self.budget.level}
        found = ComponentScore(
            network, self.whitening, self.config, self.context_mean, self.context_std, metrics, fitted_to=self.fitted.fingerprint
        )
        metrics["missed"] = found.missed(self.held)
        return found

    def _identity(self) -> dict[str, Any]:
        u = self.fitted.u
        sums = float(u.square().mean(dtype=torch.float64)), float(u[-1, -1].norm())
        data = [list(u.shape), *(f"{value:.6g}" for value in sums)]  # the rounding of sums depends on the number of threads
        return {"config": self.config, "budget": asdict(self.budget), "seed": self.seed, "data": data}


def with_level(data: TimeSeries, budget: Budget, **options: Any) -> Budget:
    """The budget with the noise level that pilots, short trainings at σ, σ/2, σ/4, … ≥ LEAST, recommend.

    It is the largest at which ⟨u sᵀ⟩ = −1 is missed by MISSED at most and which half as much noise does not beat (`rungs.beats`); LEAST, if
    there is none. With a context, for which J is not defined here, the identity decides alone.

    Args:
        options: as those of `ComponentTraining`.

    Raises:
        KeyboardInterrupt: a pilot was interrupted.
    """
    here = _Pilot.of(data, budget, options)
    while budget.level > LEAST:
        if here.losses is None and here.missed <= MISSED:
            break
        finer = replace(budget, level=max(LEAST, budget.level / 2))
        there = _Pilot.of(data, finer, options)
        if here.missed <= MISSED and not there.beats(here):
            break
        budget, here = finer, there
    return budget


@dataclass(frozen=True)
class _Pilot:
    """What a short training misses of the identity, and its losses J on held-out data, (piece,), or None with a context."""

    missed: float
    losses: torch.Tensor | None

    @classmethod
    def of(cls, data: TimeSeries, budget: Budget, options: dict[str, Any]) -> "_Pilot":
        """Train it."""
        training = ComponentTraining(data, replace(budget, steps=-(-budget.steps // PILOT)), **options)
        if training.run(None, label=f"try noise level {budget.level:g}"):
            raise KeyboardInterrupt
        score = training.score()
        return cls(score.metrics["missed"], None if score.needs_context else losses(training.held, score.calibrated(training.fitted)))

    def beats(self, other: "_Pilot") -> bool:
        """Whether its J is surely smaller."""
        return self.losses is not None and other.losses is not None and beats(self.losses, other.losses)


def warn_if_thick(score: ComponentScore) -> None:
    """Warns where the noise of training, or too short a training, blurs the data."""
    missed, level = score.metrics["missed"], score.metrics["level"]
    if missed > MISSED:
        warnings.warn(
            f"before calibration the score misses ⟨u sᵀ⟩ = −1 by {missed:.2f} (more than {MISSED:g}) at a noise level of {level:g}. In "
            "some direction the data are thinner than that, as those of a nearly deterministic system are, or training was too short. "
            "Calibration hides this from the identity, not from the responses: take a longer preset, or a smaller Budget(level=…)",
            stacklevel=4,
        )
