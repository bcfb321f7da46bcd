"""fit_forecast: the mean of the later field given the present one, from a dictionary in closed form to a network.

1. lagged products give the coefficients of several dictionaries; the one with the least error on held-out data is the start
2. a network learns what that dictionary leaves over, at a few lags, for as long as the preset says
3. its outputs join the dictionary, and the coefficients are computed again, for all lags and wavevectors
4. about each lag, and in each shell of wavenumbers, the simplest of the three (the field alone, the dictionary, everything) is kept
   unless a richer one has less error on held-out data: at long lags rich forecasts fit noise
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.folds import Folds, check_number, cross_fitted
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import mean_in_double
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import spectrum_to_whiten
from gfdt_tutorial.scores.batches import context_moments
from gfdt_tutorial.scores.budgets import Budget, forecast_budget
from gfdt_tutorial.scores.dictionary import DICTIONARIES, LINEAR, Feature, Power, check_dictionary
from gfdt_tutorial.scores.fit import intermittent
from gfdt_tutorial.scores.forecast import FittedForecast
from gfdt_tutorial.scores.forecast_training import ForecastTraining
from gfdt_tutorial.scores.propagators import ProductSums, product_sums, smoothed

POWERS = DICTIONARIES[-1]  # the largest, which contains the others


def fit_forecast(
    data: TimeSeries,
    lags: float = 90.0,
    *,
    preset: str | None = "quick",
    seed: int = 0,
    context: bool = False,
    folds: int = 2,
    dictionary: Sequence[Feature] | None = None,
    budget: Budget | None = None,
    validation: float = 0.2,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
) -> "FittedForecast | Folds[FittedForecast]":
    """Learn m_t(u) = E[u(τ + t) | u(τ) = u] for all lags by least squares, from an unperturbed series.

    The mean Jacobian of a forecast is a response, R(t) = ⟨∇m_t⟩, learned without a score; together with a score it gives an estimate whose
    error is the product of both errors: `respond(data, score, forecast=...)`.

    If training is interrupted (Ctrl-C, or the stop button of a notebook), the best network so far is used, and `metrics["interrupted"]`
    is True; with a checkpoint, the next call continues from there.

    Args:
        data: the series. With `folds=2`, average over the same series; with `folds=1`, over another.
        lags: the largest lag, in time units; at most half the series.
        preset: how long to train the network: "tiny", "quick", "standard", "paper"; None for a dictionary without a network.
        seed: of weights and batches.
        context: give the network `data.context`, the hidden forcing. With hidden forcing, score and forecast of the field alone answer
            another question than a kicked run does: give it to both, or to none.
        folds: 2 fits one forecast to each half of the members (of a lone member, to each half of its time, with a gap between), for
            averages over the half that it has not seen; 1 fits one to all.
        dictionary: features of your own, functions of the centred field in units of its standard deviation, (batch, *shape) → the same,
            differentiable by torch; the field itself need not be named. By default, powers up to the third, as held-out data choose.
        budget: a Budget of your own instead of that of the preset.
        validation: the fraction of the data that is held out.
        device: "auto", "cpu" or "cuda".
        checkpoint: a file to continue from, if it exists, and to write at each evaluation of the held-out loss. The second of two folds
            adds ".second" to the name.

    Returns:
        FittedForecast, or with `folds=2` a pair of them that knows its members.

    Raises:
        ValueError: an unknown preset, lags beyond half the series, data too short to split or without variance, a feature that breaks its
            contract, a checkpoint that is damaged or of another training.

    >>> from gfdt_tutorial import GaussianScore, OrnsteinUhlenbeck, respond, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=16, duration=40.0)
    >>> ahead = fit_forecast(data, lags=10.0, preset=None)
    >>> respond(data, GaussianScore.fit(data), lags=10.0, forecast=ahead).form
    'combined'
    """
    check_series(data)
    steps = data.steps(lags)
    if context and data.context is None:
        raise ValueError("context=True, and the series carries none; simulate with context=True, or leave it out")
    if budget is None and preset is not None:
        with threads.steady():
            budget = forecast_budget(preset, data.grid, intermittent=intermittent(data))
    own = None if dictionary is None else check_dictionary(dictionary)
    one = _Fit(steps, budget, checks.whole("seed", seed), context, own, validation, device)
    if check_number(folds) == 1:
        return one.forecast(data, checkpoint)
    where = None if checkpoint is None else Path(checkpoint)
    names = [where, None if where is None else where.with_name(where.name + ".second")]
    return cross_fitted(data, lambda half, number: one.forecast(half, names[number]), gap=steps)


@dataclass(frozen=True)
class _Fit:
    """The arguments of `fit_forecast`, checked; `own` is the user's dictionary, and no network is trained without a budget."""

    steps: int
    budget: Budget | None
    seed: int
    context: bool
    own: tuple[Feature, ...] | None
    validation: float
    device: str | torch.device

    def forecast(self, data: TimeSeries, checkpoint: str | Path | None) -> FittedForecast:
        fitted, held = data.split(1 - checks.probability("validation", self.validation))
        for part in (fitted, held):
            if len(part.times) <= self.steps + 1:
                raise ValueError(
                    f"a part of the series has {len(part.times)} samples, too few for forecasts {self.steps} steps ahead: ask for shorter "
                    "lags, or take a longer series"
                )
        with threads.steady():
            return self._forecast(data, fitted, held, checkpoint)

    def _forecast(self, data: TimeSeries, fitted: TimeSeries, held: TimeSeries, checkpoint: str | Path | None) -> FittedForecast:
        grid = data.grid
        mean = mean_in_double(fitted.u)
        spectrum = spectrum_to_whiten(grid, fitted.u, mean)
        unit = (grid.trace(spectrum) / grid.size) ** 0.5
        features = POWERS if self.own is None else self.own
        moments = context_moments(fitted, torch.device("cpu")) if self.context else (None, None)
        given = () if moments[0] is None else tuple(range(len(features), len(features) + len(moments[0])))
        plain = FittedForecast(
            grid,
            mean,
            unit,
            spectrum,
            data.every,
            dictionary=features,
            network=None,
            context_mean=moments[0],
            context_std=moments[1],
            coefficients=self._no_coefficients(grid, len(features) + len(given)),
            means=torch.zeros(len(features) + len(given), dtype=torch.float64),
            fitted_to=data.fingerprint,
        )
        sums = _Halves.of(fitted, held, plain, self.steps)
        candidates = [tuple(range(len(features)))] if self.own is not None else [_where(one) for one in DICTIONARIES]
        best = min([(0, *given), *((*one, *given) for one in candidates)], key=sums.held_error)
        kept = tuple(features[index] for index in best if index < len(features))
        centre = sums.means[list(best)] * unit
        plain = replace(plain, dictionary=kept, coefficients=self._no_coefficients(grid, len(best)), means=centre)
        metrics: dict[str, Any] = {"dictionary": [_name(one) for one in kept], "held_out_dictionary": sums.held_error(best)}
        ladder = [(0, *range(len(kept), len(best))), tuple(range(len(best)))]
        in_closed_form = sums.subset(best)
        if self.budget is None:
            return replace(plain, coefficients=in_closed_form.chosen(grid, ladder, metrics), metrics=metrics)
        start = in_closed_form.fitted.solve(range(len(best)))
        training = ForecastTraining(
            fitted, held, self.steps, self.budget, seed=self.seed, closed=plain, coefficients=start,
            velocity=_velocity(grid, spectrum, start), device=self.device,
        )  # fmt: skip
        metrics["interrupted"] = training.run(checkpoint, label="fit forecast")
        metrics |= {"steps": training.step, "seed": self.seed, "validation": min(value for _, value in training.validations)}
        if not training.found:  # the network would cost time and tell nothing
            return replace(plain, coefficients=in_closed_form.chosen(grid, ladder, metrics), metrics=metrics)
        count = len(best) + len(training.knots)
        network = training.best_network().cpu()
        centre = torch.cat([centre, torch.zeros(len(training.knots), dtype=torch.float64)])
        rich = replace(plain, network=network, config=training.config, coefficients=self._no_coefficients(grid, count), means=centre)
        again = _Halves.of(fitted, held, rich, self.steps)
        coefficients = again.chosen(grid, [*ladder, tuple(range(count))], metrics)
        return replace(rich, coefficients=coefficients, means=centre + again.means * unit, metrics=metrics)

    def _no_coefficients(self, grid: PeriodicGrid, features: int) -> torch.Tensor:
        return torch.zeros(self.steps + 1, features, *grid.spectral_shape, dtype=torch.complex64)


@dataclass(frozen=True)
class _Halves:
    """Lagged products of the part that is learned from and of the part that is held out."""

    fitted: ProductSums
    held: ProductSums

    @classmethod
    def of(cls, fitted: TimeSeries, held: TimeSeries, forecast: FittedForecast, steps: int) -> "_Halves":
        sums = partial(product_sums, features=forecast.features, steps=steps, mean=forecast.mean, unit=forecast.unit)
        return cls(sums(fitted), sums(held))

    def subset(self, chosen: Sequence[int]) -> "_Halves":
        index = torch.as_tensor(list(chosen))
        return _Halves(
            *(
                replace(one, among=one.among[..., index[:, None], index], ahead=one.ahead[..., index], means=one.means[index])
                for one in (self.fitted, self.held)
            )
        )

    @property
    def means(self) -> torch.Tensor:
        """(feature,), over both."""
        return self.fitted.together(self.held).means

    def held_error(self, chosen: Sequence[int]) -> float:
        """The unexplained fraction of held-out data, averaged over wavevectors and lags beyond 0, each counting alike."""
        return float(self.held.error(self.fitted.solve(chosen))[..., 1:].mean())

    def chosen(self, grid: PeriodicGrid, ladder: Sequence[Sequence[int]], metrics: dict[str, Any]) -> torch.Tensor:
        """a_ck(t), (lag, feature, *spectral_shape), by the rung of the ladder with the least held-out error about each lag and shell."""
        errors = torch.stack([smoothed(grid, self.held.error(self.fitted.solve(rung))) for rung in ladder])
        least = errors.argmin(0)  # the first of equals, which is the simplest
        everything = self.fitted.together(self.held)
        solved = torch.stack([everything.solve(rung) for rung in ladder])
        picked = torch.take_along_dim(solved, least[None, ..., None], 0)[0]
        metrics["held_out"] = float(errors.min(0).values[..., 1:].mean())
        metrics["held_out_linear"] = float(errors[0][..., 1:].mean())
        metrics["rungs"] = [float((least[..., 1:] == index).double().mean()) for index in range(len(ladder))]
        return picked.movedim(-2, 0).movedim(-1, 1).to(torch.complex64).contiguous()


def _velocity(grid: PeriodicGrid, spectrum: torch.Tensor, coefficients: torch.Tensor) -> tuple[float, ...]:
    """The displacement of the field in one sampling step along each axis, from the phases −k·U of its linear propagator at that lag."""
    if not grid.shape:
        return ()
    propagator = coefficients[..., 1, 0]
    weight = spectrum * propagator.abs() * grid.multiplicity
    slopes = torch.stack([grid.derivative(axis).imag.expand(grid.spectral_shape) for axis in grid.axes], -1)
    normal = torch.einsum("...,...a,...b->ab", weight, slopes, slopes)
    wanted = -torch.einsum("...,...a->a", weight * propagator.angle(), slopes)
    return tuple((torch.linalg.pinv(normal, hermitian=True) @ wanted).tolist())


def _where(dictionary: Sequence[Feature]) -> tuple[int, ...]:
    return tuple(index for index, one in enumerate(POWERS) if one in dictionary)


def _name(feature: Feature) -> str:
    if isinstance(feature, Power):
        return "u" if feature == LINEAR[0] else f"u^{feature.degree}"
    return getattr(feature, "__name__", "your own")
