"""Stages "fit" and "forecast": data, and the score or the forecasts learned from them."""

from pathlib import Path
from typing import cast

from gfdt_tutorial.core.folds import Folds
from gfdt_tutorial.experiments.recording import Recording
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.forecast import FittedForecast
from gfdt_tutorial.scores.forecast_fit import fit_forecast
from gfdt_tutorial.scores.learned import LearnedScore


def learn(recording: Recording, preset: str, seed: int, context: bool, checkpoint: Path | None = None) -> LearnedScore:
    """The score of a completed `fit_score`; an interrupted training leaves a checkpoint and no result.

    Raises:
        KeyboardInterrupt: the training was interrupted; its checkpoint is written.
    """

    score = fit_score(recording.data, preset=preset, seed=seed, context=context, device=recording.device, checkpoint=checkpoint)
    score = cast(LearnedScore, score)  # of one field
    if score.metrics["interrupted"]:
        raise KeyboardInterrupt
    return score


def learn_forecast(
    recording: Recording, lags: float, preset: str, seed: int, context: bool, checkpoint: Path | None = None
) -> Folds[FittedForecast]:
    """The two folds of a completed `fit_forecast`; an interrupted training leaves a checkpoint and no result.

    Raises:
        KeyboardInterrupt: the training was interrupted; its checkpoint is written.
    """
    found = fit_forecast(recording.data, lags, preset=preset, seed=seed, context=context, device=recording.device, checkpoint=checkpoint)
    assert isinstance(found, Folds)
    if any(part.metrics.get("interrupted") for part in found.parts):
        raise KeyboardInterrupt
    return found
