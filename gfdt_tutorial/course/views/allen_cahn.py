"""A running field, and a response that converges as the data accumulate."""

import math
from collections.abc import Callable, Iterator

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.correlations import lagged_sum
from gfdt_tutorial.responses.response import Response, lag_times
from gfdt_tutorial.systems.base import System
from gfdt_tutorial.systems.simulate import DivergedError, Trajectory

Score = Callable[..., torch.Tensor]


class LiveResponse:
    """A response that converges while its data are generated: an endless iterator with one time unit per step.

    A few members run; blocks of samples are correlated as soon as they are complete, and the present estimates are available at any time.
    One member can be kicked: its twin then runs beside it with the same noise.

    Args:
        system: two-dimensional, with a `score`.
        learned: a score learned from other data, which gives the generative response.
        members: at least eight.
        lags: the largest lag, in time units.
    """

    def __init__(
        self, system: System, learned: Score | None = None, *, members: int = 16, lags: int = 40, seed: int = 0, spinup: float = 25.0
    ) -> None:
        self.system, self.lags = system, checks.whole("lags", lags, minimum=1)
        self.members = checks.whole("members", members, minimum=8)
        self.scores: dict[str, Score] = {"analytic": system.score} | ({} if learned is None else {"generative": learned})
        self.times = lag_times(lags, 1.0)
        run = Trajectory(system, range(members), seed, 1.0, torch.device("cpu"))
        self._state, self._noise = run.start(spinup)
        self._step = system.stepper(1.0, run.device)
        self._window = [self._fields]
        shape = (members, lags + 1, math.prod(system.grid.spectral_shape))
        self._covariance = torch.zeros(shape, dtype=torch.complex64)
        self._products = {name: torch.zeros(shape, dtype=torch.complex64) for name in self.scores}
        self.time, self.origins = 0, 0
        self.history: list[tuple[int, float]] = []  # members × origins averaged over, and the mean standard error of R_11
        self.kick(0, 0, 1.0)

    @property
    def _fields(self) -> torch.Tensor:
        return self.system.grid.irfft(self._state)

    @property
    def snapshot(self) -> torch.Tensor:
        """(*shape): the member that is displayed and kicked."""
        return self._fields[0]

    @property
    def difference(self) -> torch.Tensor:
        """(*shape): its kicked twin minus itself."""
        return self.system.grid.irfft(self._twin - self._state[:1])[0]

    @property
    def since(self) -> int:
        """Time since the last kick."""
        return self.time - self._kicked

    def kick(self, row: int, column: int, amplitude: float) -> None:
        """Start a twin of the displayed member from its present state, raised by `amplitude` at one pixel."""
        grid = self.system.grid
        self.pattern = torch.zeros(grid.shape)
        self.pattern[row, column] = amplitude
        self._twin = self._state[:1] + grid.rfft(self.pattern)
        self._kicked = self.time

    def __iter__(self) -> Iterator[int]:
        while True:
            yield self._advance()

    def _advance(self) -> int:
        """Advance by one time unit; returns the time."""
        drawn: list[torch.Tensor] = []

        def noise() -> torch.Tensor:
            normals = self._noise()
            drawn.append(normals[:1].clone())
            return normals

        self._state = self._step(self._state, noise)
        remembered = iter(drawn)
        self._twin = self._step(self._twin, lambda: next(remembered))
        if not checks.all_finite(self._state):
            raise DivergedError(f"{self.system.name} diverged at t = {self.time}: try weaker parameters")
        self.time += 1
        self._window.append(self._fields)
        if len(self._window) == 2 * self.lags + 1:
            self._correlate(torch.stack(self._window, dim=1))
            del self._window[: self.lags + 1]
        return self.time

    def _correlate(self, u: torch.Tensor) -> None:
        """Add the products of the first lags + 1 samples with all later ones, member by member."""
        grid, origins = self.system.grid, self.lags + 1
        later = grid.rfft(u).flatten(2)
        for member in range(self.members):
            one, some = later[member : member + 1], u[member : member + 1, :origins]
            self._covariance[member] += lagged_sum(one, one[:, :origins], self.lags)
            for name, score in self.scores.items():
                s = -grid.rfft(score(some)).flatten(2) / grid.size
                self._products[name][member] += lagged_sum(one, s, self.lags)
        self.origins += origins
        best = self.responses()[list(self.scores)[-1]]
        if best.standard_error is not None:
            self.history.append((self.members * self.origins, float(best.standard_error[:, 0, 0].mean())))

    def responses(self) -> dict[str, Response]:
        """The present estimates: Gaussian, and by each score with the Gaussian control variate; bands by jackknife over members."""
        if not self.origins:
            return {}
        found = {"gaussian": self._estimate("gaussian", None)}
        return found | {name: self._estimate(name, product) for name, product in self._products.items()}

    def _estimate(self, method: str, product: torch.Tensor | None) -> Response:
        covariance, total = self._covariance, self._covariance.sum(0)
        left_out = [total[None], total - covariance]
        covariances = torch.cat(left_out)
        values = covariances / covariances[:, :1].real.clamp_min(1e-30)  # all lags have the same origins, whose number cancels
        if product is not None:
            means = torch.cat([product.sum(0)[None], product.sum(0) - product])
            kept = torch.full((self.members + 1, 1, 1), self.members - 1.0)
            kept[0] = self.members
            means = means / (self.origins * kept)
            values = values + means - means[:, :1] * values
        grid = self.system.grid
        fields = grid.irfft(values.unflatten(-1, grid.spectral_shape))
        error = ((self.members - 1) * (fields[1:] - fields[1:].mean(0)).square().mean(0)).sqrt()
        return Response(self.times, fields[0], method, standard_error=error, dof=self.members - 1, grid=grid)
