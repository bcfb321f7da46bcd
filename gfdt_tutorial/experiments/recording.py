"""An unperturbed run that is simulated on first use: it may take a gigabyte, and a cached result needs no run."""

from dataclasses import dataclass
from functools import cached_property

from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import parameters, simulate


@dataclass
class Recording:
    """The arguments of `simulate`, and its series from the first access to `data` on."""

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
        """The series, simulated at the first access."""
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

    def release(self) -> None:
        """Release the memory of the series; the next access simulates it again."""
        vars(self).pop("data", None)

    @property
    def config(self) -> dict:
        """Everything that determines the fields, as plain JSON values; keeping the hidden forcing does not change them."""

        sizes = {name: getattr(self, name) for name in ("members", "spinup", "duration", "every", "seed")}
        return sizes | {"system": self.system.name, "parameters": parameters(self.system)}
