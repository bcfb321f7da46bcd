"""What lessons and widgets look at: a field at some parameters, a training and its response, one that converges, a flow and its twins."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import torch

from gfdt_tutorial import checks, statistics
from gfdt_tutorial.responses.curves import Response, compare, exact_response, lag_times
from gfdt_tutorial.responses.gfdt import respond
from gfdt_tutorial.scores.diagnostics import relative_error, stein
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.systems.double_well import DoubleWell, Moments
from gfdt_tutorial.systems.ornstein_uhlenbeck import OrnsteinUhlenbeck
from gfdt_tutorial.systems.simulate import DivergedError, Trajectory

THIN, RESAMPLES = 8, 20  # a look at a response that is being learned: every 8th origin, and few resamples for its band


@dataclass(frozen=True)
class Exploration:
    """An Ornstein-Uhlenbeck field at some parameters, and its mean answer to a kick, all in closed form.

    Args:
        system: the parameters.
        pattern: (*shape), the kick.
        lag: the time at which the answer is mapped; the nearest of `times` is taken.
        seed: of the white noise that is filtered to the snapshot, so that the same weather is seen under other parameters.
    """

    system: OrnsteinUhlenbeck
    pattern: torch.Tensor
    lag: float = 20.0
    lags: float = 90.0
    seed: int = 0

    @cached_property
    def times(self) -> torch.Tensor:
        """Lags 0, 1, 2, …"""
        return lag_times(self.lags, 1.0)

    @property
    def row(self) -> int:
        """Index of `lag` among `times`."""
        return int((self.times - self.lag).abs().argmin())

    @cached_property
    def snapshot(self) -> torch.Tensor:
        """(*shape): one draw from the stationary law."""
        return self.system.grid.irfft(self.system.initial(range(1), self.seed, torch.device("cpu")))[0]

    @cached_property
    def k(self) -> torch.Tensor:
        """Wavenumbers of the shells."""
        return statistics.shell_average(self.system.grid, self.system.grid.k_squared)[0]

    @cached_property
    def spectrum(self) -> torch.Tensor:
        """C_k by shell."""
        return statistics.shell_average(self.system.grid, self.system.mode_covariance)[1]

    @cached_property
    def reference(self) -> torch.Tensor:
        """C_k by shell at the letter's parameters, on this grid."""
        return statistics.shell_average(self.system.grid, OrnsteinUhlenbeck(grid=self.system.grid).mode_covariance)[1]

    @cached_property
    def answer(self) -> torch.Tensor:
        """(lag, *shape): the mean answer to the kick, in units of the field."""
        return exact_response(self.system, self.lags).to(self.pattern)

    def along(self, displacement: int) -> torch.Tensor:
        """(lag,): the answer `displacement` pixels downstream of the middle of the kick."""
        return self.answer[(slice(None), *(0,) * (len(self.system.grid.shape) - 1), displacement)]


@dataclass(frozen=True)
class KickedWell:
    """A double well whose walkers are all kicked at time 0: what mean and variance do, and what is predicted. No sampling anywhere.

    Args:
        well: the system.
        kick: δ, from −1 to 1.
    """

    well: DoubleWell
    kick: float = 0.4
    lags: float = 3.0

    @cached_property
    def times(self) -> torch.Tensor:
        """Lags 0, 1/20, 2/20, …"""
        return lag_times(self.lags, 0.05)

    @cached_property
    def rest(self) -> tuple[float, float]:
        """Mean and variance undisturbed."""
        return float(self.well.average(torch.clone)), self.well.variance

    @cached_property
    def kicked_density(self) -> torch.Tensor:
        """ρ(x − δ) at the points of the well."""
        return statistics.interpolate(self.well.points, self.well.density, self.well.points - self.kick).clamp_min(0)

    @cached_property
    def exact(self) -> torch.Tensor:
        """(lag, 2): the change of mean and variance after this very kick, of whatever size."""
        mean, variance = self.rest
        first, second = self.well.kicked(self.times, self.kick, Moments(mean)).T
        return torch.stack([first - mean, second - (first - mean).square() - variance], dim=1)

    @cached_property
    def linear(self) -> torch.Tensor:
        """(lag, 2): δ times the impulse response, what the theorem gives with the exact score."""
        return self.kick * self.well.response(self.times, Moments(self.rest[0])).double()

    @cached_property
    def gaussian(self) -> torch.Tensor:
        """(lag, 2): δ times the response with the Gaussian score, −(x − ⟨x⟩)/⟨(x − ⟨x⟩)²⟩."""
        mean, variance = self.rest
        return self.kick * self.well.response(self.times, Moments(mean), lambda x: (mean - x) / variance).double()

    @property
    def nonlinearity(self) -> float:
        """How far the linear answer of the mean is off, over the exact one: root mean square over lags."""
        return float((self.linear - self.exact)[:, 0].norm() / self.exact[:, 0].norm().clamp_min(1e-12))


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
        return statistics.shell_average(self.system.grid, self.system.grid.k_squared)[0]

    @property
    def stein(self) -> torch.Tensor:
        """−⟨û ŝ*⟩/N² by shell: 1 for a true score."""
        return statistics.shell_average(self.system.grid, stein(self.system.grid, self.fields, self.learned).real)[1]

    @property
    def gain(self) -> torch.Tensor:
        """Re ⟨ŝ ŝ_exact*⟩ / ⟨|ŝ_exact|²⟩ by shell: 1 where the learned score is as large as it should be."""
        grid = self.system.grid
        exact = grid.rfft(self.known)
        ratio = (grid.rfft(self.learned) * exact.conj()).mean(0).real / exact.abs().square().mean(0)
        return statistics.shell_average(grid, ratio)[1]

    @property
    def relative_error(self) -> float:
        """(⟨|s − s*|²⟩/⟨|s*|²⟩)^½."""
        return relative_error(self.learned, self.known)


class LearningResponse:
    """The response that a score gives while it is learned: an iterator, one step of training at a time, with a look every few.

    A training that starts from the Gaussian score starts from the Gaussian response. Looks come at fixed steps, so that a training which
    was stopped and resumed has the same history as one which was not.

    Args:
        training: at any step.
        series: that the training does not see; responses are averaged over it, with the Gaussian part as control variate.
        truth: what they should become.
        known: a score to compare with.
        lags: the largest.
        symmetries: see `respond`.
        every: steps between two looks, at some 0.2 s each for 16 × 161 fields of 32 × 32.

    Attributes:
        responses: "gaussian", "analytic" by the known score, and "generative" as of the last look.
        errors: L2 against the truth over lags > 0 of the first two.
        history: (step, the same of "generative"), one a look.
    """

    def __init__(
        self, training: Training, series: TimeSeries, truth: Response, known: Callable, *, lags: float = 40.0,
        symmetries: tuple[str, ...] = (), every: int = 20,
    ):  # fmt: skip
        self.training, self.series, self.truth = training, series, truth
        self.every = checks.whole("every", every, minimum=1)
        self._averaged = partial(respond, series, lags=lags, symmetries=symmetries, resamples=RESAMPLES)
        self.responses = {"gaussian": self._averaged(GaussianScore.fit(series)), "analytic": self._answer(known)}
        self.errors = {name: self._error(response) for name, response in self.responses.items()}
        self.history: list[tuple[int, float]] = []
        self.look()

    def __iter__(self) -> Iterator[int]:
        for _ in self.training:
            if self.training.step % self.every == 0 or self.training.step == self.training.budget.steps:
                self.look()
            yield self.training.step

    def look(self) -> None:
        """Take the response of the averaged network as it stands."""
        self.responses["generative"] = self._answer(self.training.current())
        self.history.append((self.training.step, self._error(self.responses["generative"])))

    def _answer(self, score: Callable) -> Response:
        return self._averaged(score, control=True, thin=THIN)

    def _error(self, response: Response) -> float:
        return compare(response, self.truth).quoted["l2"]


class LiveResponse:
    """A response that converges while its data are made: an iterator, one time unit a step, that never ends.

    A handful of members run; blocks of them are correlated as they come, and every estimate so far can be asked for at any time. One
    member can be kicked: its twin goes on beside it with the same noise.

    Args:
        system: two-dimensional, with a `score`.
        learned: a score learned from other data, shown as the generative response.
        lags: the largest lag, in time units.
    """

    def __init__(self, system, learned: Callable | None = None, *, members: int = 16, lags: int = 40, seed: int = 0, spinup: float = 25.0):
        self.system, self.lags = system, checks.whole("lags", lags, minimum=1)
        self.members = checks.whole("members", members, minimum=8)
        self.scores = {"analytic": system.score} | ({} if learned is None else {"generative": learned})
        self.times = lag_times(lags, 1.0)
        run = Trajectory(system, range(members), seed, 1.0, torch.device("cpu"))
        self._state, self._noise = run.start(spinup)
        self._step = system.stepper(1.0, run.device)
        self._window = [self._fields]
        shape = (members, lags + 1, math.prod(system.grid.half))
        self._covariance = torch.zeros(shape, dtype=torch.complex64)
        self._products = {name: torch.zeros(shape, dtype=torch.complex64) for name in self.scores}
        self.time, self.origins = 0, 0
        self.history: list[tuple[int, float]] = []  # member-times averaged over, and the mean standard error of R_11
        self.kick(0, 0, 1.0)

    @property
    def _fields(self) -> torch.Tensor:
        return self.system.grid.irfft(self._state)

    @property
    def snapshot(self) -> torch.Tensor:
        """(*shape): the member that is shown and kicked."""
        return self._fields[0]

    @property
    def difference(self) -> torch.Tensor:
        """(*shape): its kicked twin less itself."""
        return self.system.grid.irfft(self._twin - self._state[:1])[0]

    @property
    def since(self) -> int:
        """Time since the last kick."""
        return self.time - self._kicked

    def kick(self, row: int, column: int, amplitude: float) -> None:
        """Start a twin of the shown member from where it is now, raised by `amplitude` at one pixel."""
        grid = self.system.grid
        self.pattern = torch.zeros(grid.shape)
        self.pattern[row, column] = amplitude
        self._twin = self._state[:1] + grid.rfft(self.pattern)
        self._kicked = self.time

    def __iter__(self) -> Iterator[int]:
        while True:
            yield self.advance()

    def advance(self) -> int:
        """One time unit; returns the time."""
        drawn = []

        def noise():
            kicks = self._noise()
            drawn.append(kicks[:1].clone())
            return kicks

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
        """Add the products of the first lags + 1 times with all that follow, member by member."""
        grid, origins = self.system.grid, self.lags + 1
        later = grid.rfft(u).flatten(2)
        for member in range(self.members):
            one, some = later[member : member + 1], u[member : member + 1, :origins]
            self._covariance[member] += statistics.lagged_sum(one, one[:, :origins], self.lags)
            for name, score in self.scores.items():
                s = -grid.rfft(score(some)).flatten(2) / grid.size
                self._products[name][member] += statistics.lagged_sum(one, s, self.lags)
        self.origins += origins
        best = self.responses()[list(self.scores)[-1]]
        self.history.append((self.members * self.origins, float(best.standard_error[:, 0, 0].mean())))

    def responses(self) -> dict[str, Response]:
        """The estimates so far: Gaussian, and by each score with the Gaussian part as control variate; bands by jackknife over members."""
        if not self.origins:
            return {}
        # a window has lags + 1 origins, and reaches lags beyond the first: later ones see fewer large lags
        reach = torch.arange(self.lags + 1)
        counts = (self.origins // (self.lags + 1)) * ((2 * self.lags + 1) - reach).clamp(0, self.lags + 1)
        found = {"gaussian": self._estimate(None, counts)}
        return found | {name: self._estimate(product, counts) for name, product in self._products.items()}

    def _estimate(self, product: torch.Tensor | None, counts: torch.Tensor) -> Response:
        covariance, total = self._covariance, self._covariance.sum(0)
        left_out = [total[None], total - covariance]
        covariances = torch.cat(left_out) / counts[:, None]
        values = covariances / covariances[:, :1].real.clamp_min(1e-30)
        if product is not None:
            means = torch.cat([product.sum(0)[None], product.sum(0) - product])
            kept = torch.full((self.members + 1, 1, 1), self.members - 1.0)
            kept[0] = self.members
            means = means / counts[:, None] / kept
            values = values + means - means[:, :1] * values
        grid = self.system.grid
        fields = grid.irfft(values.unflatten(-1, grid.half))
        error = ((self.members - 1) * (fields[1:] - fields[1:].mean(0)).square().mean(0)).sqrt()
        method = "gaussian" if product is None else next(name for name, each in self._products.items() if each is product)
        return Response(self.times, fields[0], method, standard_error=error, freedom=self.members - 1, grid=grid)


class StirredFlow:
    """A flow and its kicked twins, side by side: an iterator, one sampling step of the response at a time, that never ends.

    All members are kicked at the same pixel; each has a twin that was not, and feels the same forcing.

    Args:
        system: with a forcing of its own.
        response: the mean answer that is predicted; its spacing of lags is the step.
        members: pairs.
    """

    def __init__(self, system, response: Response, *, members: int = 16, seed: int = 0, spinup: float = 20.0):
        if response.grid != system.grid:
            raise ValueError(f"the response is of the grid {response.grid}, the system of {system.grid}: use one of both")
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
        """(*shape): kicked less not kicked, in the mean over all pairs."""
        return self.system.grid.irfft((self._twins - self._state).mean(0))

    @property
    def predicted(self) -> torch.Tensor:
        """(*shape): the mean answer predicted; zero beyond the lags that the response knows."""
        row = len(self.size) - 1
        return self.answer[row] if row < len(self.answer) else torch.zeros(self.system.grid.shape)

    @property
    def match(self) -> float:
        """Correlation between `mean` and `predicted` over pixels; NaN where nothing is predicted."""
        both = torch.stack([self.mean.flatten(), self.predicted.flatten()])
        return float(torch.corrcoef(both)[0, 1])

    def kick(self, row: int, column: int, amplitude: float) -> None:
        """Start a twin of each member from where it is now, raised by `amplitude` at one pixel."""
        grid = self.system.grid
        self.pattern = torch.zeros(grid.shape)
        self.pattern[row, column] = amplitude
        self._twins = self._state + grid.rfft(self.pattern)
        self.answer = self.response.to(self.pattern)
        self.size = [abs(float(amplitude))]  # (time since the kick): L2 norm of `mean`

    def __iter__(self) -> Iterator[float]:
        while True:
            yield self.advance()

    def advance(self) -> float:
        """One step; returns the time."""
        self._state, self._twins = self._step(torch.stack([self._state, self._twins]), self._noise)
        if not checks.all_finite(self._twins):
            raise DivergedError(f"{self.system.name} diverged at t = {self.time:g}: try a smaller kick")
        self.steps += 1
        self.size.append(float(self.mean.norm()))
        return self.time
