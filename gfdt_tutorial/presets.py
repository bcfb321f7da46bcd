"""How large an ensemble each preset takes, for each system.

tiny       tests only; no accuracy claimed
quick      Binder, a lesson: two CPU cores, minutes
standard   a laptop over coffee
paper      the sizes of the letter, for a GPU
"""

from dataclasses import dataclass

from gfdt_tutorial import checks

PRESETS = ("tiny", "quick", "standard", "paper")


@dataclass(frozen=True)
class Ensemble:
    """Sizes of an undisturbed run and of the kicked twins; times in the units of the system."""

    members: int
    duration: float
    every: float
    lags: float
    pairs: int

    @property
    def snapshots(self) -> int:
        """Fields in the undisturbed run."""
        return self.members * (round(self.duration / self.every) + 1)


ENSEMBLES = {
    "ornstein-uhlenbeck": {
        "tiny": Ensemble(members=8, duration=63, every=1.0, lags=20, pairs=16),
        "quick": Ensemble(members=64, duration=767, every=1.0, lags=90, pairs=64),
        "standard": Ensemble(members=256, duration=1023, every=1.0, lags=90, pairs=64),
        "paper": Ensemble(members=128, duration=2000, every=1.0, lags=90, pairs=12_800),
    },
}


def ensemble(system: str, preset: str = "quick") -> Ensemble:
    """The sizes for a system's name and a preset.

    Raises:
        ValueError: an unknown system or preset.
    """
    return ENSEMBLES[checks.choice("system", system, ENSEMBLES)][checks.choice("preset", preset, PRESETS)]
