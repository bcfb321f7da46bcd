"""A flow and its kicked twins."""

from collections.abc import Iterator

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import DivergedError, Trajectory


class StirredFlow:
    """A flow and its kicked twins side by side: an endless iterator with one sampling interval of the response per step.

    All members have a twin that is kicked at the same pixel and has the same forcing.

    Args:
        system: the flow.
        response: the predicted mean response; its spacing of lags is the step.
        members: number of pairs.

    Raises:
        ValueError: the response belongs to another grid.
    """

    def __init__(self, system: System, response: Response, *, members: int = 16, seed: int = 0, spinup: float = 20.0) -> None:
        if response.grid != system.grid:
            raise ValueError(f"the response is of the grid {response.grid}, the system of {system.grid}; give a response of this system")
        self.system, self.response = system, response
        self.members = checks.whole("members", members, minimum=1)
        self.every = float(response.times[1] - response.times[0])
        run = Trajectory(system, range(members), seed, self.every, torch.device("cpu"))
        self._state, self._noise = run.start(spinup)
        self._step = system.stepper(self.every, run.device)
        self.steps = 0
        self.kick(0, 0, 1.0)

    @property
    def time(self) -> float:
        """Time since the start."""
        return self.steps * self.every

    @property
    def since(self) -> float:
        """Time since the last kick."""
        return len(self.size) * self.every - self.every

    @property
    def snapshot(self) -> torch.Tensor:
        """(*shape): the first member."""
        return self.system.grid.irfft(self._state[0])

    @property
    def kicked(self) -> torch.Tensor:
        """(*shape): its kicked twin."""
        return self.system.grid.irfft(self._twins[0])

    @property
    def mean(self) -> torch.Tensor:
        """(*shape): kicked minus unperturbed, averaged over all pairs."""
        return self.system.grid.irfft((self._twins - self._state).mean(0))

    @property
    def predicted(self) -> torch.Tensor:
        """(*shape): the predicted mean response; zero beyond the largest lag of the response."""
        row = len(self.size) - 1
        return self.prediction[row] if row < len(self.prediction) else torch.zeros(self.system.grid.shape)

    @property
    def match(self) -> float:
        """Correlation between `mean` and `predicted` over pixels; NaN if the prediction is zero."""
        both = torch.stack([self.mean.flatten(), self.predicted.flatten()])
        return float(torch.corrcoef(both)[0, 1])

    def kick(self, row: int, column: int, amplitude: float) -> None:
        """Start a twin of each member from its present state, raised by `amplitude` at one pixel."""
        grid = self.system.grid
        self.pattern = torch.zeros(grid.shape)
        self.pattern[row, column] = amplitude
        self._twins = self._state + grid.rfft(self.pattern)
        self.prediction = self.response.to(self.pattern)
        self.size = [abs(float(amplitude))]  # L2 norm of `mean` at each step since the kick

    def __iter__(self) -> Iterator[float]:
        while True:
            yield self._advance()

    def _advance(self) -> float:
        """Advance by one step; returns the time."""
        self._state, self._twins = self._step(torch.stack([self._state, self._twins]), self._noise)
        if not checks.all_finite(self._twins):
            raise DivergedError(f"{self.system.name} diverged at t = {self.time:g}: try a smaller kick")
        self.steps += 1
        self.size.append(float(self.mean.norm()))
        return self.time
