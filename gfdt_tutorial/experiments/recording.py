"""An undisturbed run as a promise: up to a gigabyte, made only if something looks at it."""

from dataclasses import dataclass
from functools import cached_property

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import parameters, simulate


@dataclass
class Recording:
    """The arguments of `simulate`, and its series once somebody has looked at `data`."""

    system: System
    members: int
    spinup: float
    duration: float
    every: float
    seed: int
    device: str
    context: bool = False

    @cached_property
    def data(self) -> TimeSeries:
        """The series, simulated at the first look."""
        return simulate(
            self.system,
            members=self.members,
            spinup=self.spinup,
            duration=self.duration,
            every=self.every,
            seed=self.seed,
            device=self.device,
            context=self.context,
        )

    def let_go(self) -> None:
        """Forget the series; the next look makes it anew."""
        vars(self).pop("data", None)

    @property
    def config(self) -> dict:
        """What decides the fields, as plain JSON values; they are the same whether their hidden forcing is kept or not."""
        sizes = {name: getattr(self, name) for name in ("members", "spinup", "duration", "every", "seed")}
        return sizes | {"system": self.system.name, "parameters": parameters(self.system)}
