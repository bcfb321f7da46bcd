"""fit_score: one training, from a preset to a score, with a bar, safe to interrupt."""

import math
from dataclasses import replace
from pathlib import Path

from gfdt_tutorial.core.progress import progress
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import mode_covariance
from gfdt_tutorial.scores.budgets import Budget, budget, wide
from gfdt_tutorial.scores.diagnostics import kurtosis
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.scores.training import Training

SOME = 4096  # fields are enough to see a spectrum
VALUES = 64  # pixels a field, below which more fields make up for it
INTERMITTENCY = 3.5  # kurtosis of whitened fields; 3 for Gaussian ones


def fit_score(
    data: TimeSeries,
    *,
    preset: str = "quick",
    seed: int = 0,
    context: bool = False,
    noise_levels: bool = False,
    budget: Budget | None = None,
    start: str = "gaussian",
    validation: float = 0.2,
    calibrate: bool = True,
    device: str = "auto",
    checkpoint: str | Path | None = None,
) -> LearnedScore:
    """Learn ∇ ln ρ from an unperturbed series by denoising score matching, and tune its linear part to them (`LearnedScore.calibrated`).

    Interrupt it while it trains (Ctrl-C, or the stop button of a notebook): the best score so far comes back, and `metrics["interrupted"]`
    says so; with a checkpoint, the next call goes on from there. An interrupt of the tuning that follows is passed on; what was trained
    is in the checkpoint.

    Args:
        data: the series. Keep another part of it to average over: `fit, use = data.split(0.5)`.
        preset: how long to train: "tiny", "quick", "standard", "paper"; `suited` says with which noise.
        seed: of weights, batches and noise.
        context: give the network `data.context`, hidden forcing.
        noise_levels: know every noise level, so that `sample` can generate.
        budget: a Budget of your own instead of the preset's.
        start, validation, device: see `Training`.
        calibrate: whether to tune the linear part at the end.
        checkpoint: a file to go on from, if it exists, and to write at each look at the validation loss.

    Raises:
        ValueError: an unknown preset, data too short to split or without variance, a checkpoint that is damaged or another training's.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, simulate
    >>> data = simulate(OrnsteinUhlenbeck(), members=8, duration=20.0)
    >>> fit_score(data, preset="tiny")(data.u[0, :3]).shape
    torch.Size([3, 32, 32])
    """
    check_series(data)
    budget = suited(data, preset, noise_levels) if budget is None else budget
    training = Training(
        data, budget, seed=seed, noise_levels=noise_levels, context=context, start=start, validation=validation, device=device
    )
    if checkpoint is not None and Path(checkpoint).exists():
        training.resume(checkpoint)
    elif checkpoint is not None:
        training.save(checkpoint)  # a path that cannot be written shows now, and not after the first hour
    interrupted = False
    try:
        for _ in progress(training, total=budget.steps - training.step, label="fit score"):
            if checkpoint is not None and training.step == training.validations[-1][0]:
                training.save(checkpoint)
    except KeyboardInterrupt:
        interrupted = True
        if checkpoint is not None:
            training.save(checkpoint)
    score = training.score()
    if calibrate:
        score = score.calibrated(training.fitted)
    score.metrics["interrupted"] = interrupted
    return score


def suited(data: TimeSeries, preset: str = "quick", noise_levels: bool = False) -> Budget:
    """The budget of a preset that suits the data.

    White noise where even the weakest wavevector has ten times the variance of the (least) noise. Else noise with the spectrum of the
    data; and if fields that are whitened by it have a kurtosis above 3.5, and one level is all that is asked for, the budget for
    intermittent ones: where every wavevector is as strong as any other, a wide density shows strength that varies from place to place.
    Small fields, and lone numbers, come in larger batches: a step learns from pixels. On one axis, where it costs little, the network sees
    far (`wide`), and on a side of two points no further than round the box.
    """
    budget, largest = _suited(data, preset, noise_levels), 2 * min(data.grid.shape, default=math.inf) + 1
    return replace(budget, pairs=budget.pairs * max(1, VALUES // data.grid.size), kernels=tuple(min(k, largest) for k in budget.kernels))


def _suited(data: TimeSeries, preset: str, noise_levels: bool) -> Budget:
    if len(data.grid.shape) == 1 and not noise_levels:
        return _of_noise(data, wide(budget(preset, "white")), wide(budget(preset)), preset)
    return _of_noise(data, budget(preset, "white", noise_levels), budget(preset), None if noise_levels else preset)


def _of_noise(data: TimeSeries, white: Budget, coloured: Budget, preset: str | None) -> Budget:
    """`white` or `coloured`, or for a preset the budget for intermittent fields."""
    grid, some = data.grid, data.u[:, :: -(-data.snapshots // SOME)]
    covariance = mode_covariance(grid, some, float(some.mean()))
    noise = white.level**2 * grid.trace(covariance) / grid.size
    if float(covariance.min()) >= 10 * noise:
        return white
    whitened = grid.apply(covariance.clamp_min(1e-12 * float(covariance.max())).rsqrt(), some.flatten(0, 1) - some.mean())
    return budget(preset, "intermittent") if preset and kurtosis(whitened) > INTERMITTENCY else coloured
