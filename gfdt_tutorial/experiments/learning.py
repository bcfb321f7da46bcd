"""Stage "fit": data, and the score that is learned from them."""

from pathlib import Path

from gfdt_tutorial.experiments.recording import Recording
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.learned import LearnedScore


def learn(recording: Recording, preset: str, seed: int, context: bool, checkpoint: Path | None = None) -> LearnedScore:
    """`fit_score` to the end, or not at all: half a training is a checkpoint and no result.

    Raises:
        KeyboardInterrupt: it was interrupted; the checkpoint is written.
    """
    score = fit_score(recording.data, preset=preset, seed=seed, context=context, device=recording.device, checkpoint=checkpoint)
    if score.metrics["interrupted"]:
        raise KeyboardInterrupt
    return score
