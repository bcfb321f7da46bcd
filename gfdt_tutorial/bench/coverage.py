"""Standard errors against the actual scatter, and the coverage of confidence bands, on series whose response is known."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.signal
import torch

from gfdt_tutorial.bench.rows import Row, present
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.sensitivities import sensitivities
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.systems.double_well import DoubleWell, Moments
from gfdt_tutorial.systems.simulate import simulate

MEMORY, TAU = 0.9, 19.0  # of the series u ← 0.9 u + noise; its decorrelation time, (1 + 0.9)/(1 − 0.9) steps
LAGS, LOOK = 20, 5  # steps; the lag of the standard error that is quoted
FLAT_WELL = DoubleWell(barrier=0.2, tilt=0.1, epsilon=1.2)  # whose departure from the regression hypothesis is faint


@dataclass(frozen=True)
class Repeated:
    """The same experiment on many series.

    Attributes:
        values, errors: (seed, lag > 0, ...), responses and standard errors.
        covered: likewise, whether the 90 % band covers the true value.
        warned: fraction of series for which a warning named the shortfall of the band.
    """

    values: np.ndarray
    errors: np.ndarray
    covered: np.ndarray
    warned: float

    def ratio(self, lag: int) -> float:
        """Quoted standard error, root mean square over seeds, over the scatter of the response at one lag."""
        return float(np.sqrt((self.errors[:, lag - 1] ** 2).mean()) / self.values[:, lag - 1].std(ddof=1))


def autoregressive(members: int, steps: int, seed: int, memory: float = MEMORY) -> TimeSeries:
    """A stationary series u ← memory · u + noise, of unit variance; its response is memory^t, and its score −u."""
    z = np.random.default_rng(seed).normal(size=(members, steps + 200))
    u = scipy.signal.lfilter([(1 - memory**2) ** 0.5], [1, -memory], z)[:, 200:]
    return TimeSeries(torch.from_numpy(u), torch.arange(float(steps), dtype=torch.float64), "mt")


def repeated(experiment: Callable[[int], Response], truth: Callable[[torch.Tensor], torch.Tensor], seeds: int) -> Repeated:
    """The experiment, a function of a seed, once for each seed from 0."""
    values, errors, covered, warned = [], [], [], 0
    for seed in range(seeds):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            response = experiment(seed)
        warned += any("too narrow" in str(one.message) for one in caught)
        low, high = present(response.band)
        exact = truth(response.times).to(low)
        values.append(response.values[1:].numpy())
        errors.append(present(response.standard_error)[1:].numpy())
        covered.append(((low <= exact) & (exact <= high))[1:].numpy())
    return Repeated(np.stack(values), np.stack(errors), np.stack(covered), warned / seeds)


def of_series(members: int, steps: int, seeds: int, *, both_ways: bool = False, fitted: bool = False, lags: int = LAGS) -> Repeated:
    """The response of autoregressive series, with the exact score or, `fitted`, with a Gaussian one of the same data."""

    def experiment(seed: int) -> Response:
        data = autoregressive(members, steps, seed)
        data = data.both_ways() if both_ways else data
        return respond(data, GaussianScore.fit(data) if fitted else torch.neg, lags=float(lags))

    return repeated(experiment, lambda times: MEMORY**times, seeds)


def shrunk(seeds: int, members: int = 10, duration: float = 5.0) -> tuple[Repeated, float]:
    """Mean and variance in a flat double well under a force, shrunk towards the regression hypothesis; and the mean χ² of the departure."""
    moments, change = Moments(float(FLAT_WELL.average(torch.clone))), FLAT_WELL.drift_derivative("tilt")
    chi2 = []

    def experiment(seed: int) -> Response:
        data = simulate(FLAT_WELL, members=members, duration=duration, every=0.25, seed=seed, device="cpu")
        found = sensitivities(data, FLAT_WELL.score, moments, {"tilt": change}, lags=2.0, integrate=False, form="shrunk")["tilt"]
        chi2.append(found.info["departure_chi2"])
        return found

    return repeated(experiment, lambda times: FLAT_WELL.response(times, moments), seeds), float(np.mean(chi2))


def tied(seeds: int, members: int = 64, steps: int = 1600) -> float:
    """Fraction of white series for which the band at lag 0, with the exact score, vanishes, as if the score had been fitted to them."""
    found = [respond(autoregressive(members, steps, seed, 0.0), torch.neg, lags=2.0, resamples=20) for seed in range(seeds)]
    return float(np.mean([float(present(response.standard_error)[0]) < 1e-5 for response in found]))


SIZES = {"one way": (8, 400, False), "both ways": (8, 400, True), "four members": (4, 800, False), "one member": (1, 3200, False)}


def coverage(seeds: int = 400) -> list[Row]:
    """Standard errors over the scatter, and coverage of 90 % bands, for autoregressive series and a double well; some minutes."""
    rows = []
    for name, (members, steps, both_ways) in SIZES.items():
        found = of_series(members, steps, seeds, both_ways=both_ways)
        label = f"AR(1) of memory {MEMORY}, {members} × {steps}, {name}"
        rows.append(Row(f"{label}: standard error over scatter, lag {LOOK}", found.ratio(LOOK)))
    for members, times in ((1, 40), (8, 10), (1, 10), (1, 4)):
        for fitted in (False, True):
            found = of_series(members, round(times * TAU), seeds, fitted=fitted, lags=min(LAGS, round(times * TAU / 4)))
            label = f"AR(1), {members} × {times} τ, {'Gaussian score of the same data' if fitted else 'exact score'}"
            rows.append(Row(f"{label}: 90 % bands that cover, all lags", float(found.covered.mean())))
            rows.append(Row("   the smallest over lags", float(found.covered.mean(0).min())))
            rows.append(Row("   fraction of series with a warning", found.warned))
    found, chi2 = shrunk(seeds)
    rows.append(Row(f"flat double well, shrunk at a mean χ² of {chi2:.2f}: 90 % bands that cover, all lags", float(found.covered.mean())))
    rows.append(Row("   the smallest over lags and observables", float(found.covered.mean(0).min())))
    rows.append(Row("white series, 64 × 1600, exact score: R(0) tied to the identity", tied(min(seeds, 200)), 0.0))
    return rows
