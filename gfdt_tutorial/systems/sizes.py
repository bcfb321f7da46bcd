"""How large the runs of a system are: dataclasses, and the sizes of a system that names none of its own.

tiny       tests only; no accuracy claimed
quick      Binder, a lesson: two CPU cores, minutes
standard   a laptop over coffee
paper      the sizes of the letter, for a GPU
lab        what a widget simulates while its user waits
"""

from collections.abc import Mapping
from dataclasses import dataclass

PRESETS = ("tiny", "quick", "standard", "paper")
LAB = "lab"


@dataclass(frozen=True)
class Ensemble:
    """Sizes of an unperturbed run and of the kicked twins; times are in the units of the system.

    `fit_members`, `fit_duration` and `fit_every` are the sizes of the run that the score is fitted to; by default they are those of the
    other run. The score is evaluated at every `thin`-th sample. The spin-ups are the system's own by default.
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
        """Number of fields in the unperturbed run."""
        return self.members * (round(self.duration / self.every) + 1)


@dataclass(frozen=True)
class Sampling:
    """Sizes of the unperturbed run for responses to parameters, and how far these are followed; times are in the units of the system.

    `every` is what the trapezoid rule needs over the first decay. For `resolved` see `gfdt_tutorial.sensitivities`.
    """

    members: int
    duration: float
    every: float
    lags: float
    spinup: float | None = None
    thin: int = 1
    resolved: float | None = None


@dataclass(frozen=True)
class Truth:
    """Sizes of the long reference truth of a system, with `restarts` kicks a run."""

    pairs: int
    lags: float
    every: float
    restarts: int
    seed: int
    kick: str = "random signs"
    amplitude: float = 1 / 16
    spinup: float | None = None


def default_ensembles(lags: float, every: float) -> Mapping[str, Ensemble]:
    """Sizes for a system that is followed up to `lags`, by steps of `every`."""
    return {
        "tiny": Ensemble(members=8, duration=4 * lags, every=every, lags=lags, pairs=16),
        "quick": Ensemble(members=64, duration=8 * lags, every=every, lags=lags, pairs=256),
        "standard": Ensemble(members=256, duration=10 * lags, every=every, lags=lags, pairs=1024),
        "paper": Ensemble(members=128, duration=20 * lags, every=every, lags=lags, pairs=12_800),
        LAB: Ensemble(members=16, duration=8 * lags, every=every, lags=lags, pairs=64),
    }


def default_samplings(lags: float, every: float) -> Mapping[str, Sampling]:
    """The same for responses to parameters."""
    return {
        "tiny": Sampling(8, 4 * lags, every, lags),
        "quick": Sampling(64, 8 * lags, every, lags),
        "standard": Sampling(256, 10 * lags, every, lags),
        LAB: Sampling(32, 4 * lags, every, lags),
    }
