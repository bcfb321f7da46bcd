"""A training beside a score that is known."""

from dataclasses import dataclass
from functools import cached_property

import torch

from gfdt_tutorial.core.spectra import shell_average
from gfdt_tutorial.scores.diagnostics import relative_error
from gfdt_tutorial.scores.steins_identity import stein
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck


@dataclass(frozen=True)
class TrainingView:
    """How a training stands, judged by a score that is known.

    Args:
        training: at any step.
        system: its `score` is the judge.
        fields: (field, *shape), clean data that the training does not see.
    """

    training: Training
    system: OrnsteinUhlenbeck
    fields: torch.Tensor

    @cached_property
    def learned(self) -> torch.Tensor:
        """The averaged network's score of the fields."""
        return self.training.current()(self.fields)

    @cached_property
    def known(self) -> torch.Tensor:
        """The exact score of the fields."""
        return self.system.score(self.fields)

    @cached_property
    def k(self) -> torch.Tensor:
        """Wavenumbers of the shells."""
        return shell_average(self.system.grid, self.system.grid.k_squared)[0]

    @property
    def stein(self) -> torch.Tensor:
        """−⟨û ŝ*⟩/N² by shell: 1 for a true score."""
        return shell_average(self.system.grid, stein(self.system.grid, self.fields, self.learned).real)[1]

    @property
    def gain(self) -> torch.Tensor:
        """Re ⟨ŝ ŝ_exact*⟩ / ⟨|ŝ_exact|²⟩ by shell: 1 where the learned score is as large as it should be."""
        grid = self.system.grid
        exact = grid.rfft(self.known)
        ratio = (grid.rfft(self.learned) * exact.conj()).mean(0).real / exact.abs().square().mean(0)
        return shell_average(grid, ratio)[1]

    @property
    def relative_error(self) -> float:
        """(⟨|s − s*|²⟩/⟨|s*|²⟩)^½."""
        return relative_error(self.learned, self.known)
