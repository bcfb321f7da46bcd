"""Reading a TimeSeries from .npy, .npz, NetCDF and Zarr files. The file or the caller names every axis; none is guessed."""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.series import AXES, TimeSeries
from gfdt_tutorial.data.axis_recognition import LETTERS, clock_of, letters_of, variables_of
from gfdt_tutorial.data.missing_value_marks import check_values

CALENDAR = 1.15  # the longest month over the shortest is 31/28


@dataclass(frozen=True)
class _Raw:
    """The contents of a file: values, letters of their axes, times, sides of the box, provenance; None where the file lacks them."""

    u: np.ndarray
    axes: str | None = None
    times: np.ndarray | None = None
    lengths: tuple[float, ...] | None = None
    context: np.ndarray | None = None
    info: dict[str, Any] | None = None
    paired: bool = False
    components: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None


def read_series(
    path: str | Path,
    *,
    axes: str | None = None,
    every: float | None = None,
    variable: str | None = None,
    lengths: tuple[float, ...] | None = None,
    components: Sequence[str] | None = None,
) -> TimeSeries:
    """Read a series from a file, whose ending gives the format: .npy, .npz, .nc (or .nc4, .h5, .netcdf, .cdf) or .zarr.

    An .npy file contains bare numbers, so `axes` and `every` are needed. An .npz file has its own times and axes (keys u, times, axes, as
    `TimeSeries.save` writes them), or any array, selected by `variable`. In NetCDF and Zarr files, dimensions are recognised by their usual
    names or by the attributes of the CF conventions (`data.axis_recognition`); the times keep the unit of the file, and equally spaced
    coordinates determine the sides of the box. If coordinates decrease, as latitudes from north to south, the data are reversed, so that a
    displacement of +1 is towards larger coordinates. If the times decrease, the series is reversed in time, whether or not `every` replaces
    these times; `info["notes"]` records it.

    Args:
        axes: letters of the axes, in the order of the array: m member, t time, c unlike variables, y and x periodic space.
        every: sampling interval, in time units, if the file has no times, or instead of its times.
        variable: name of the array, if the file contains several.
        lengths: sides of the box in the order of the space axes of the array; by default those of the file, or else 2π each.
        components: names of the unlike variables; by default those of the file, or else x1, x2, …

    Raises:
        ValueError: the file is damaged or of another kind, or does not name an axis; or `TimeSeries` refuses its contents.
        OSError: the file does not exist.

    Warns:
        UserWarning: the times decrease, and the series was reversed; and the warnings of `TimeSeries`.

    >>> import tempfile
    >>> name = tempfile.mkdtemp() + "/mine.npy"
    >>> np.save(name, np.random.default_rng(0).normal(size=(50, 16)))
    >>> read_series(name, axes="tx", every=0.5).u.shape
    torch.Size([1, 50, 16])
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} was not found")
    raw = _reader(path)(path, variable, axes)
    axes = raw.axes if axes is None else axes
    if axes is None:
        raise ValueError(
            f"{path} does not say what the axes of its array of shape {raw.u.shape} are; name them, in order, "
            "by the letters m member, t time, c unlike variables, y and x space: --axes mtyx"
        )
    checks.choice("axes", axes, [*AXES, *_permuted(axes)])
    if raw.u.ndim != len(axes):
        raise ValueError(f"{path} has an array of shape {raw.u.shape}, {raw.u.ndim} axes; axes={axes!r} names {len(axes)}")
    raw = _forwards(path, raw, axes)
    times = _times(path, raw, axes, every)
    order = [axes.index(letter) for letter in "mtcyx" if letter in axes]
    u = _checked(raw.u.transpose(order), axes)
    sides = _sides(axes, raw.lengths if lengths is None else tuple(lengths))
    info = {"file": path.name} | (raw.info or {})
    if every is not None:
        info.pop("time_unit", None)  # it is the unit of the times that `every` replaces
    return TimeSeries(
        u, times, "".join(axes[i] for i in order), raw.context, sides, info, raw.paired, copy=False, **_names(raw, components)
    )


def _checked(u: np.ndarray, axes: str) -> np.ndarray:
    """The values, each unlike variable checked by itself."""
    time = int("m" in axes)
    if "c" not in axes:
        return check_values(u, time=time)
    for number in range(u.shape[time + 1]):
        try:
            check_values(u.take(number, time + 1), time=time)
        except ValueError as error:
            raise ValueError(f"component {number + 1} of {u.shape[time + 1]}: {error}") from error
    return u


def _names(raw: _Raw, components: Sequence[str] | None) -> dict[str, Any]:
    return {"components": raw.components if components is None else tuple(components), "units": raw.units}


def _permuted(axes: str) -> list[str]:
    """`axes` itself if it is a permutation of a known set of letters: in a file, time may be the last axis."""
    return [axes] if any(sorted(axes) == sorted(known) for known in AXES) else []


def _reader(path: Path) -> Callable[[Path, str | None, str | None], _Raw]:
    readers = {".npy": _npy, ".npz": _npz, ".zarr": _xarray} | dict.fromkeys((".nc", ".nc4", ".h5", ".netcdf", ".cdf"), _xarray)
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path} ends in {path.suffix or 'nothing'}; expected one of {', '.join(readers)}")
    return readers[path.suffix.lower()]


def _npy(path: Path, variable: str | None, axes: str | None) -> _Raw:
    if variable is not None:
        raise ValueError(f"{path} holds one array without a name; leave --variable out")
    with open(path, "rb") as file:
        start = file.read(len(np.lib.format.MAGIC_PREFIX))
    with _readable(path):
        if start != np.lib.format.MAGIC_PREFIX:
            raise ValueError("it does not begin as one")
        return _Raw(np.load(path, allow_pickle=False), axes)


def _npz(path: Path, variable: str | None, axes: str | None) -> _Raw:
    found = storage.load_npz(path)
    named = "u" if variable is None and "u" in found else variable
    name = _chosen(path, named, [key for key, array in found.items() if array.ndim >= 1 and key not in OURS[1:]])
    components, units = (tuple(map(str, found[key])) if key in found else None for key in OURS[-2:])
    lengths = tuple(np.atleast_1d(found["lengths"]).tolist()) if "lengths" in found else None
    info = storage.parse(path, "info", found["info"]) if "info" in found else None
    known = str(found["axes"]) if "axes" in found else None
    return _Raw(
        found[name], known, found.get("times"), lengths, found.get("context"), info, bool(found.get("paired", False)), components, units
    )


OURS = ("u", "times", "lengths", "context", "components", "units")  # keys of `TimeSeries.save` whose values are arrays with axes


def _chosen(path: Path, variable: str | None, names: Iterable[str]) -> str:
    names = list(names)
    if variable is not None:
        return checks.choice("variable", variable, names)
    if len(names) != 1:
        raise ValueError(f"{path} has {len(names)} arrays, {', '.join(names) or 'none with axes'}; choose one: --variable NAME")
    return names[0]


def _xarray(path: Path, variable: str | None, axes: str | None) -> _Raw:
    try:
        import cf_xarray  # noqa: F401  (adds the accessor .cf)
        import xarray
    except ImportError:
        raise ValueError(f"reading {path} requires xarray and cf_xarray, an optional extra: pip install 'gfdt-tutorial[files]'") from None
    with _readable(path):
        if path.suffix.lower() == ".zarr":
            opened = xarray.open_dataset(path, decode_times=False, engine="zarr", consolidated=False)
        else:
            opened = xarray.open_dataset(path, decode_times=False)
    with opened:
        name = _chosen(path, variable, variables_of(opened))
        with _readable(path):
            field = opened[name].load()
    field = field.squeeze([name for name, size in field.sizes.items() if size == 1 and str(name).lower() not in LETTERS], drop=True)
    letters = letters_of(field) if axes is None else list(axes)
    named = {letter: str(name) for letter, name in zip(letters, field.dims, strict=False)}
    clock = clock_of(field, named.get("t"))
    info = {key: str(field.attrs[key]) for key in ("units", "long_name") if key in field.attrs} | {"variable": name}
    if clock is not None and "units" in clock.attrs:
        info["time_unit"] = str(clock.attrs["units"]).split(" since ")[0]
    known = None if "" in letters or len(named) < field.ndim else "".join(letters)
    space = [named[letter] for letter in letters if letter in ("y", "x")]
    sides = [side for name in space if (side := _side(field, name)) is not None]
    falling = [name for name in space if name in field.coords and field.coords[name][0] > field.coords[name][-1]]
    field = field.isel(dict.fromkeys(falling, slice(None, None, -1)))
    return _Raw(field.values, known, None if clock is None else clock.values, tuple(sides) if len(sides) == len(space) else None, info=info)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Any exception in this context is raised as a ValueError that the file is damaged or of another kind."""
    try:
        yield
    except Exception as error:  # each of the libraries behind xarray raises its own exceptions
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} is not a readable {path.suffix} file ({words}); was it truncated, or written by another tool?") from error


def _side(field: Any, name: str) -> float | None:
    """Side n Δx of the box along an axis with equally spaced coordinates; None if it has no coordinates.

    Raises:
        ValueError: the spacing is uneven.
    """
    if name not in field.coords or field.sizes[name] < 2:
        return None
    gaps = np.diff(field.coords[name].values.astype(float))
    if np.ptp(gaps) > 1e-3 * abs(gaps.mean()):
        raise ValueError(f"the coordinate {name} is unevenly spaced, its gaps run from {gaps.min():g} to {gaps.max():g}; regrid first")
    return float(abs(gaps.mean()) * field.sizes[name])


def _sides(axes: str, lengths: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Reorder sides from the order of `axes` to (y, x); the grid reports a wrong number of them."""
    space = [letter for letter in axes if letter in "yx"]
    if lengths is None or len(lengths) != len(space):
        return lengths
    return tuple(lengths[space.index(letter)] for letter in "yx" if letter in space)


def _forwards(path: Path, raw: _Raw, axes: str) -> _Raw:
    """The same contents with increasing times."""
    times = raw.times
    if times is None or times.ndim != 1 or len(times) < 2 or times.dtype.kind not in "fiuM" or not (times[1:] < times[:-1]).all():
        return raw
    words = f"the times of {path.name} decrease from {times[0]} to {times[-1]}: the series was reversed, so that time increases"
    warnings.warn(words, stacklevel=3)
    info = (raw.info or {}) | {"notes": [*(raw.info or {}).get("notes", []), words]}
    context = None if raw.context is None else np.flip(raw.context, 1)
    return replace(raw, u=np.flip(raw.u, axes.index("t")), times=times[::-1], context=context, info=info)


def _times(path: Path, raw: _Raw, axes: str, every: float | None) -> np.ndarray:
    count = raw.u.shape[axes.index("t")]
    if every is not None:
        return checks.positive("every", every) * np.arange(count)
    if raw.times is None:
        raise ValueError(f"{path} has no times; give the sampling interval, in the time unit you want lags in: --every 0.5")
    if raw.times.dtype.kind == "M":
        raise ValueError(f"the times of {path} are dates; give the sampling interval, in the time unit you want lags in: --every 1")
    if raw.times.shape == (count,) and raw.times.dtype.kind in "fiu" and len(raw.times) > 1 and math.isfinite(raw.times[0]):
        _check_calendar(path, np.diff(raw.times.astype(float)))
        return raw.times - raw.times[0]  # times since a distant date would lose precision
    return raw.times


def _check_calendar(path: Path, gaps: np.ndarray) -> None:
    """Refuse times whose gaps are those of months or years in days: counted in months or years, they would be equally spaced."""
    uneven = np.abs(gaps - gaps.mean()).max() > 1e-3 * gaps.mean()  # as in TimeSeries
    if uneven and 0 < gaps.max() < CALENDAR * gaps.min():
        raise ValueError(
            f"the gaps between the times of {path} run from {gaps.min():g} to {gaps.max():g}; "
            "if these are months or years, count in them: --every 1, else interpolate"
        )
