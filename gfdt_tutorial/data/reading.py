"""Anyone's file as a TimeSeries: .npy, .npz, NetCDF and Zarr, with every axis named, by the file or by the caller, and never guessed."""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.series import AXES, TimeSeries
from gfdt_tutorial.data.missing_value_marks import check_values

# letter → names under which a dimension of a NetCDF or Zarr file is recognised
DIMENSIONS = {
    "t": ("t", "time"),
    "m": ("m", "member", "ensemble", "realization", "realisation", "number", "sample"),
    "y": ("y", "lat", "latitude"),
    "x": ("x", "lon", "longitude", "site"),
}
LETTERS = {name: letter for letter, names in DIMENSIONS.items() for name in names}
CALENDAR = 1.15  # the longest month over the shortest is 31/28


@dataclass(frozen=True)
class _Raw:
    """What a file says: values and the letters of their axes, times, sides of the box, and where all of it came from; None where it
    does not say."""

    u: np.ndarray
    axes: str | None = None
    times: np.ndarray | None = None
    lengths: tuple[float, ...] | None = None
    context: np.ndarray | None = None
    info: dict | None = None
    paired: bool = False


def read_series(
    path: str | Path,
    *,
    axes: str | None = None,
    every: float | None = None,
    variable: str | None = None,
    lengths: tuple[float, ...] | None = None,
) -> TimeSeries:
    """A series from a file, by its ending: .npy, .npz, .nc (and .nc4, .h5, .netcdf) or .zarr.

    An .npy is bare numbers: `axes` and `every` are needed. An .npz has its own (keys u, times, axes, as `TimeSeries.save` writes them), or
    any array by the name `variable`. In NetCDF and Zarr files dimensions are known by usual names (`DIMENSIONS`); the times are taken in
    the unit of the file, and equally spaced coordinates give the sides of the box. Where they fall, as latitudes from north to south, the
    data are turned round, so that a displacement of +1 is towards larger coordinates. So are data whose times fall, whether or not `every`
    replaces these times; `info["notes"]` says so.

    Args:
        axes: letters of the axes, in the order of the array: m member, t time, y and x periodic space.
        every: sampling interval, in time units, where the file has no times, or instead of them.
        variable: which of several arrays.
        lengths: sides of the box in the order of the space axes of the array; the file's, else 2π each.

    Raises:
        ValueError: the file is damaged, of another kind, or does not say what an axis is; and all that `TimeSeries` refuses.
        OSError: no such file.

    Warns:
        UserWarning: the times fall, and the series was turned round; and what `TimeSeries` warns of.

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
            "by the letters m member, t time, y and x space: --axes mtyx"
        )
    checks.choice("axes", axes, [*AXES, *_permuted(axes)])
    if raw.u.ndim != len(axes):
        raise ValueError(f"{path} has an array of shape {raw.u.shape}, {raw.u.ndim} axes; axes={axes!r} names {len(axes)}")
    raw = _forwards(path, raw, axes)
    times = _times(path, raw, axes, every)
    order = [axes.index(letter) for letter in "mtyx" if letter in axes]
    u = check_values(raw.u.transpose(order), time=int("m" in axes))
    sides = _sides(axes, raw.lengths if lengths is None else tuple(lengths))
    info = {"file": path.name} | (raw.info or {})
    if every is not None:
        info.pop("time_unit", None)  # that of the times which `every` replaces
    return TimeSeries(u, times, "".join(axes[i] for i in order), raw.context, sides, info, raw.paired, copy=False)


def _permuted(axes: str) -> list[str]:
    """`axes` itself if it is some order of a known set of letters: a file may hold its time last."""
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
    lengths = tuple(np.atleast_1d(found["lengths"]).tolist()) if "lengths" in found else None
    info = storage.parse(path, "info", found["info"]) if "info" in found else None
    known = str(found["axes"]) if "axes" in found else None
    return _Raw(found[name], known, found.get("times"), lengths, found.get("context"), info, bool(found.get("paired", False)))


OURS = ("u", "times", "lengths", "context")  # keys that `TimeSeries.save` writes and that are arrays with axes


def _chosen(path: Path, variable: str | None, names: Iterable[str]) -> str:
    names = list(names)
    if variable is not None:
        return checks.choice("variable", variable, names)
    if len(names) != 1:
        raise ValueError(f"{path} has {len(names)} arrays, {', '.join(names) or 'none with axes'}; choose one: --variable NAME")
    return names[0]


def _xarray(path: Path, variable: str | None, axes: str | None) -> _Raw:
    try:
        import xarray
    except ImportError:
        raise ValueError(f"reading {path} takes xarray, an optional extra: pip install 'gfdt-tutorial[files]'") from None
    options = {"engine": "zarr", "consolidated": False} if path.suffix.lower() == ".zarr" else {}
    with _readable(path):
        opened = xarray.open_dataset(path, decode_times=False, **options)
    with opened:
        name = _chosen(path, variable, [str(name) for name, array in opened.data_vars.items() if array.ndim])
        with _readable(path):
            field = opened[name].load()
    field = field.squeeze([name for name, size in field.sizes.items() if size == 1 and str(name).lower() not in LETTERS], drop=True)
    letters = [LETTERS.get(str(name).lower()) for name in field.dims] if axes is None else list(axes)
    named = dict(zip(letters, field.dims, strict=False))
    clock = field.coords[named["t"]] if named.get("t") in field.coords else None  # `get` would make one up: 0, 1, 2, ...
    info = {key: str(field.attrs[key]) for key in ("units", "long_name") if key in field.attrs} | {"variable": name}
    if clock is not None and "units" in clock.attrs:
        info["time_unit"] = str(clock.attrs["units"]).split(" since ")[0]
    known = None if None in letters or len(named) < field.ndim else "".join(letters)
    space = [named[letter] for letter in letters if letter in ("y", "x")]
    sides = tuple(_side(field, name) for name in space)
    falling = [name for name in space if name in field.coords and field.coords[name][0] > field.coords[name][-1]]
    field = field.isel(dict.fromkeys(falling, slice(None, None, -1)))
    return _Raw(field.values, known, None if clock is None else clock.values, None if None in sides else sides, info=info)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever fails in here says that the file is damaged, or of another kind."""
    try:
        yield
    except Exception as error:  # each of the libraries behind xarray has exceptions of its own
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} is not a readable {path.suffix} file ({words}); was it truncated, or written by another tool?") from error


def _side(field: Any, name: str) -> float | None:
    """n Δx of an axis with equally spaced coordinates; None where it has none.

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
    """From the order of `axes` to (y, x); a wrong number of them is left to the grid."""
    space = [letter for letter in axes if letter in "yx"]
    if lengths is None or len(lengths) != len(space):
        return lengths
    return tuple(lengths[space.index(letter)] for letter in "yx" if letter in space)


def _forwards(path: Path, raw: _Raw, axes: str) -> _Raw:
    """The same with time running forwards."""
    times = raw.times
    if times is None or times.ndim != 1 or len(times) < 2 or times.dtype.kind not in "fiuM" or not (times[1:] < times[:-1]).all():
        return raw
    words = f"the times of {path.name} fall from {times[0]} to {times[-1]}: the series was turned round, so that time runs forwards"
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
        return raw.times - raw.times[0]  # years since a distant date would cost precision
    return raw.times


def _check_calendar(path: Path, gaps: np.ndarray) -> None:
    """Months and years are as good as equal steps, once they are counted instead of their days."""
    uneven = np.abs(gaps - gaps.mean()).max() > 1e-3 * gaps.mean()  # as TimeSeries asks
    if uneven and 0 < gaps.max() < CALENDAR * gaps.min():
        raise ValueError(
            f"the gaps between the times of {path} run from {gaps.min():g} to {gaps.max():g}; "
            "if these are months or years, count in them: --every 1, else interpolate"
        )
