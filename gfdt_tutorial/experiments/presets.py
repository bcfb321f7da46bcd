"""How large an ensemble each preset takes, for each system.

tiny       tests only; no accuracy claimed
quick      Binder, a lesson: two CPU cores, minutes
standard   a laptop over coffee
paper      the sizes of the letter, for a GPU
"""

from dataclasses import dataclass

from gfdt_tutorial.core import checks

PRESETS = ("tiny", "quick", "standard", "paper")


@dataclass(frozen=True)
class Ensemble:
    """Sizes of an undisturbed run and of the kicked twins; times in the units of the system.

    `fit_members`, `fit_duration` and `fit_every` are the sizes of the run that the score is fitted to; those of the other by default. The
    score is evaluated at every `thin`-th sample. The spin-ups are the system's own by default.
    """

    members: int
    duration: float
    every: float
    lags: float
    pairs: int
    fit_members: int | None = None
    fit_duration: float | None = None
    fit_every: float | None = None
    thin: int = 1
    amplitude: float = 1 / 16
    spinup: float | None = None
    twin_spinup: float | None = None

    @property
    def snapshots(self) -> int:
        """Fields in the undisturbed run."""
        return self.members * (round(self.duration / self.every) + 1)


TWINS = {"amplitude": 1 / 64, "twin_spinup": 20.0}

ENSEMBLES = {
    "ornstein-uhlenbeck": {
        "tiny": Ensemble(members=8, duration=63, every=1.0, lags=20, pairs=16),
        "quick": Ensemble(members=64, duration=767, every=1.0, lags=90, pairs=64),
        "standard": Ensemble(members=256, duration=1023, every=1.0, lags=90, pairs=64),
        "paper": Ensemble(members=128, duration=2000, every=1.0, lags=90, pairs=12_800),
    },
    "allen-cahn": {
        "tiny": Ensemble(members=8, duration=63, every=1.0, lags=20, pairs=16),
        "quick": Ensemble(members=128, duration=400, every=1.0, lags=90, pairs=256, fit_members=64),
        "standard": Ensemble(members=256, duration=800, every=1.0, lags=90, pairs=1024, fit_members=128),
        "paper": Ensemble(members=128, duration=2000, every=1.0, lags=90, pairs=12_800),
    },
    # twins start from the stationary spectrum, whose response differs little from that of turbulence: a shorter spin-up will do
    "navier-stokes": {
        "tiny": Ensemble(8, 8, 1 / 8, 2, 16, 8, 16, 2.0, thin=4, amplitude=1 / 64, spinup=10.0, twin_spinup=2.0),
        "quick": Ensemble(64, 40, 1 / 16, 4, 128, 64, 60, 2.0, thin=8, **TWINS),
        "standard": Ensemble(192, 64, 1 / 16, 4, 512, 128, 96, 2.0, thin=8, **TWINS),
        "paper": Ensemble(128, 64, 1 / 16, 4, 128, 2048, 64, 2.0, thin=8, **TWINS),
    },
}


@dataclass(frozen=True)
class Truth:
    """The long reference truth of a system, `restarts` kicks a run."""

    pairs: int
    lags: float
    every: float
    restarts: int
    seed: int
    kick: str = "random signs"
    amplitude: float = 1 / 16
    spinup: float | None = None


# No preset: computed once by the verb `truth`, resumable, and shipped
TRUTHS = {
    "allen-cahn": Truth(pairs=55_296, lags=90, every=1.0, restarts=12, seed=1_000_000),
    "navier-stokes": Truth(pairs=20_480, lags=4, every=1 / 16, restarts=40, seed=1_000_000, kick="pixel", amplitude=1 / 64, spinup=200.0),
}


def ensemble(system: str, preset: str = "quick") -> Ensemble:
    """The sizes for a system's name and a preset.

    Raises:
        ValueError: an unknown system or preset.
    """
    return ENSEMBLES[checks.choice("system", system, ENSEMBLES)][checks.choice("preset", preset, PRESETS)]
