"""The files of a forecast, or of two folds of one: what `fit_forecast` returns, saved to a folder and read from it."""

from collections.abc import Sequence
from pathlib import Path

from gfdt_tutorial.core import storage
from gfdt_tutorial.core.folds import Folds
from gfdt_tutorial.scores.dictionary import Feature
from gfdt_tutorial.scores.forecast import FittedForecast

PREFIXES = ("first-", "second-")
ABOUT = "folds.json"


def save_forecast(forecast: FittedForecast | Folds[FittedForecast], folder: str | Path) -> Path:
    """Write what `load_forecast` reads; the folder is created if needed."""
    folder = Path(folder)
    if not isinstance(forecast, Folds):
        return forecast.save(folder)
    for part, prefix in zip(forecast.parts, PREFIXES, strict=True):
        part.save(folder, prefix=prefix)
    return storage.save_json(folder / ABOUT, {"cut": forecast.cut, "in_time": forecast.in_time, "fitted_to": forecast.fitted_to}).parent


def load_forecast(folder: str | Path, *, dictionary: Sequence[Feature] = ()) -> FittedForecast | Folds[FittedForecast]:
    """A forecast, or two folds of one.

    Args:
        dictionary: as in `FittedForecast.load`.

    Raises:
        ValueError: a file is damaged or does not belong to the others.
        OSError: a file is missing.
    """
    folder = Path(folder)
    if not (folder / ABOUT).exists():
        return FittedForecast.load(folder, dictionary=dictionary)
    about = storage.parse(folder / ABOUT, "the file", (folder / ABOUT).read_text(encoding="utf-8"))
    first, second = (FittedForecast.load(folder, dictionary=dictionary, prefix=prefix) for prefix in PREFIXES)
    try:
        return Folds((first, second), about["cut"], about["in_time"], about["fitted_to"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / ABOUT} is damaged ({error}); fit the forecast again") from error
