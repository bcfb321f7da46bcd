"""Learned scores from their files, whatever their kind."""

from pathlib import Path

from gfdt_tutorial.scores import score_files
from gfdt_tutorial.scores.component_clusters import ComponentClusterScore
from gfdt_tutorial.scores.component_score import ComponentScore
from gfdt_tutorial.scores.learned import LearnedScore


def load_score(folder: str | Path) -> LearnedScore | ComponentScore:
    """The score of a field, of a plain number, or of unlike variables, from the folder that its `save` wrote.

    A score with a network of the user's own needs `LearnedScore.load`, which takes the network.

    Raises:
        ValueError: a file is damaged, or the two do not belong together.
        OSError: a file is missing.
    """
    _, about = score_files.read(folder)
    for kind in (ComponentScore, ComponentClusterScore):
        if about.get("kind") == kind.kind:
            return kind.load(folder)
    return LearnedScore.load(folder)
