"""Stage "fit": data, and the score learned from them."""

from pathlib import Path

from gfdt_tutorial.experiments.recording import Recording
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.learned import LearnedScore


def learn(recording: Recording, preset: str, seed: int, context: bool, checkpoint: Path | None = None) -> LearnedScore:
    """The score of a completed `fit_score`; an interrupted training leaves a checkpoint and no result.

    Raises:
        KeyboardInterrupt: the training was interrupted; its checkpoint is written.
    """

    score = fit_score(recording.data, preset=preset, seed=seed, context=context, device=recording.device, checkpoint=checkpoint)
    if score.metrics["interrupted"]:
        raise KeyboardInterrupt
    return score
