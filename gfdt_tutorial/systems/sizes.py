"""Sizes of the runs of a system: the dataclasses, and the defaults for a system that defines none of its own.

tiny       tests only; no accuracy is claimed
quick      a lesson or Binder: two CPU cores, minutes
standard   a laptop, for a coffee break
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

    `fit_members`, `fit_duration` and `fit_every` are the sizes of the run that the score is fitted to, by default those of the run that
    the response is averaged over. The score is evaluated at every `thin`-th sample. The spin-ups are the system's own by default.
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
    """Sizes of the unperturbed run for responses to parameters, and their largest lag; times are in the units of the system.

    `every` is small enough for the trapezoid rule to resolve the initial decay. For `resolved` see `gfdt_tutorial.sensitivities`.
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
    """Sizes of the long reference truth of a system, with `restarts` kicks per run."""

    pairs: int
    lags: float
    every: float
    restarts: int
    seed: int
    kick: str = "random signs"
    amplitude: float = 1 / 16
    spinup: float | None = None


def default_ensembles(lags: float, every: float) -> Mapping[str, Ensemble]:
    """Sizes for a system whose response is followed up to the lag `lags`, in steps of `every`."""

    def times(factor: int) -> float:
        return _whole_steps(factor * lags, every)

    return {
        "tiny": Ensemble(members=8, duration=times(4), every=every, lags=lags, pairs=16),
        "quick": Ensemble(members=64, duration=times(8), every=every, lags=lags, pairs=256),
        "standard": Ensemble(members=256, duration=times(10), every=every, lags=lags, pairs=1024),
        "paper": Ensemble(members=128, duration=times(20), every=every, lags=lags, pairs=12_800),
        LAB: Ensemble(members=16, duration=times(8), every=every, lags=lags, pairs=64),
    }


def default_samplings(lags: float, every: float) -> Mapping[str, Sampling]:
    """The same for responses to parameters."""
    return {
        "tiny": Sampling(8, _whole_steps(4 * lags, every), every, lags),
        "quick": Sampling(64, _whole_steps(8 * lags, every), every, lags),
        "standard": Sampling(256, _whole_steps(10 * lags, every), every, lags),
        LAB: Sampling(32, _whole_steps(4 * lags, every), every, lags),
    }


def _whole_steps(duration: float, every: float) -> float:
    """The multiple of `every` nearest to a duration, at least one."""
    return max(1, round(duration / every)) * every
