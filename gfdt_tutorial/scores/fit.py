"""fit_score: one training, from a preset to a score, with a progress bar, safe to interrupt."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gfdt_tutorial.core.score import Score
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import mode_covariance
from gfdt_tutorial.scores.budgets import Budget, budget, component_budget, suited_to, wide
from gfdt_tutorial.scores.component_score import ComponentScore
from gfdt_tutorial.scores.component_training import ComponentTraining, warn_if_thick, with_level
from gfdt_tutorial.scores.diagnostics import kurtosis
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.polynomial import PolynomialScore
from gfdt_tutorial.scores.rungs import compare_rungs
from gfdt_tutorial.scores.training import Training

SOME = 4096  # fields are enough to estimate a spectrum
INTERMITTENCY = 3.5  # kurtosis of whitened fields; 3 for Gaussian ones
MARGIN = 10  # by which the variance of every wavevector must exceed that of white noise


def fit_score(
    data: TimeSeries,
    *,
    preset: str = "quick",
    seed: int = 0,
    context: bool = False,
    noise_levels: bool = False,
    network: nn.Module | None = None,
    budget: Budget | None = None,
    start: str = "gaussian",
    validation: float = 0.2,
    calibrate: bool = True,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
) -> LearnedScore | ComponentScore:
    """Learn ∇ ln ρ from an unperturbed series by denoising score matching, and adjust its linear part (`LearnedScore.calibrated`).

    If training is interrupted (Ctrl-C, or the stop button of a notebook), the best score so far is returned, and `metrics["interrupted"]`
    is True; with a checkpoint, the next call continues from there. An interrupt of the adjustment that follows is re-raised; the
    checkpoint then holds the whole training.

    A series of components gets a `ComponentScore`. Without a budget its noise level is that which
    `component_training.with_level` chooses. Its `recommended` names the simplest score that does as well on held-out data.

    Args:
        data: the series. Keep another part of it to average over: `fit, use = data.split(0.5)`.
        preset: how long to train: "tiny", "quick", "standard", "paper"; `suited` states with which noise.
        seed: of weights, batches and noise.
        context: give the network `data.context`, the hidden forcing.
        noise_levels: learn the score at every noise level, so that `sample` can generate fields.
        network: a `torch.nn.Module` of your own, (batch, *shape) → the same, in place of the built-in convolutions. The linear part of the
            score stays, so that training starts from the Gaussian score. `scores.own_network.NonlinearPart` states the whole contract.
        budget: a Budget of your own instead of that of the preset.
        start, validation, device: see `Training`.
        calibrate: whether to adjust the linear part at the end.
        checkpoint: a file to continue from, if it exists, and to write at each evaluation of the validation loss.

    Raises:
        ValueError: an unknown preset, data too short to split or without variance, a checkpoint that is damaged or of another training, or
            a network that breaks its contract.

    Warns:
        UserWarning: the noise of training is thicker than the cloud of the components in some direction.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=8, duration=20.0)
    >>> fit_score(data, preset="tiny")(data.u[0, :3]).shape
    torch.Size([3, 32, 32])

    The same with a network of one's own, which adds the channel axis that convolutions need:

    >>> class Neighbours(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.first = torch.nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular")
    ...         self.second = torch.nn.Conv2d(8, 1, 1)
    ...
    ...     def forward(self, y):
    ...         return self.second(torch.tanh(self.first(y[:, None])))[:, 0]
    >>> score = fit_score(data, preset="tiny", network=Neighbours())
    >>> score(data.u[0, :3]).shape
    torch.Size([3, 32, 32])
    """
    check_series(data, components=True)
    if data.components is not None:
        if noise_levels or network is not None or start != "gaussian":
            raise ValueError("noise_levels, network and start are for one field; leave them out for a series of components")
        options = {"seed": seed, "context": context, "validation": validation, "device": device}
        return _of_components(data, budget, preset, calibrate, checkpoint, options)
    budget = suited(data, preset=preset, noise_levels=noise_levels) if budget is None else budget
    training = Training(
        data,
        budget,
        seed=seed,
        noise_levels=noise_levels,
        context=context,
        network=network,
        start=start,
        validation=validation,
        device=device,
    )
    interrupted = training.run(checkpoint, label="fit score")
    score = training.score()
    if calibrate:
        score = score.calibrated(training.fitted)
    score.metrics["interrupted"] = interrupted
    return score


def _of_components(
    data: TimeSeries, budget: Budget | None, preset: str, calibrate: bool, checkpoint: str | Path | None, options: dict[str, Any]
) -> ComponentScore:
    chosen = with_level(data, component_budget(preset, data.grid), **options) if budget is None else budget
    training = ComponentTraining(data, chosen, **options)
    interrupted = training.run(checkpoint, label="fit score")
    score = training.score()
    warn_if_thick(score)
    score = score.calibrated(training.fitted) if calibrate else score
    score.metrics["interrupted"] = interrupted
    if score.needs_context:
        return score
    return replace(score, rungs=compare_rungs(training.held, _simpler(training.fitted) | {"network": score}))


def _simpler(data: TimeSeries) -> dict[str, Score]:
    """The lower rungs of the ladder, as far as the data are long enough for them."""
    found: dict[str, Score] = {}
    for name, fit in (("gaussian", GaussianScore.fit), ("polynomial", PolynomialScore.fit)):
        with suppress(ValueError):
            found[name] = fit(data)
    return found


def suited(data: TimeSeries, *, preset: str = "quick", noise_levels: bool = False) -> Budget:
    """The budget of a preset that suits the data.

    White noise is chosen where the variance of even the weakest wavevector is ten times that of the (least) noise. Otherwise the noise has
    the spectrum of the data. If fields that are whitened by this spectrum have a kurtosis above 3.5, and only one noise level is asked for,
    the budget is that for intermittent fields: where all wavevectors are equally strong, a density with heavy tails indicates that the
    variance changes from place to place.

    A step learns from pixels, so small fields, and single numbers, come in larger batches. On one axis, where it costs little, the network
    sees far (`budgets.wide`), but no further than once round the box.
    """
    return suited_to(_suited(data, preset, noise_levels), data.grid)


def _suited(data: TimeSeries, preset: str, noise_levels: bool) -> Budget:
    white, coloured = budget(preset, kind="white", noise_levels=noise_levels), budget(preset)
    if len(data.grid.shape) == 1 and not noise_levels:
        white, coloured = wide(white), wide(coloured)
    grid, some = data.grid, data.u[:, :: -(-data.snapshots // SOME)]
    covariance = mode_covariance(grid, some, float(some.mean()))
    noise = white.level**2 * grid.trace(covariance) / grid.size
    if float(covariance.min()) >= MARGIN * noise:
        return white
    return budget(preset, kind="intermittent") if not noise_levels and intermittent(data) else coloured


def intermittent(data: TimeSeries) -> bool:
    """Whether the variance changes from place to place: whitened fields then have a kurtosis above 3.5, where Gaussian ones have 3."""
    grid, some = data.grid, data.u[:, :: -(-data.snapshots // SOME)]
    covariance = mode_covariance(grid, some, float(some.mean()))
    whitened = grid.apply(covariance.clamp_min(1e-12 * float(covariance.max())).rsqrt(), some.flatten(0, 1) - some.mean())
    return kurtosis(whitened) > INTERMITTENCY
