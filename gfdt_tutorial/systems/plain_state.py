"""Systems whose state is just what their series contains."""

import torch

from gfdt_tutorial.systems.base import System


class PlainState(System):
    """A system whose state is the sample itself, (member, *shape), such as the values of several variables, and not a spectrum."""

    def field(self, state: torch.Tensor) -> torch.Tensor:
        """The state itself."""
        return state

    def state(self, field: torch.Tensor) -> torch.Tensor:
        """The change itself."""
        return field
