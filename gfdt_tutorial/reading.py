"""Anyone's file as a TimeSeries: .npy, .npz, NetCDF and Zarr, with every axis named, by the file or by the caller, and never guessed."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gfdt_tutorial import checks, storage
from gfdt_tutorial.series import AXES, TimeSeries

# letter → names under which a dimension of a NetCDF or Zarr file is recognised
DIMENSIONS = {
    "t": ("t", "time"),
    "m": ("m", "member", "ensemble", "realization", "realisation", "number", "sample"),
    "y": ("y", "lat", "latitude"),
    "x": ("x", "lon", "longitude", "site"),
}
LETTERS = {name: letter for letter, names in DIMENSIONS.items() for name in names}
LARGEST = 1e15  # powers up to the second must fit single precision
SOME = 1_000_000  # values are enough for quartiles
FARTHEST = 1e4  # from the median, in units of the spread of the middle half: beyond is a mark, not a measurement
APART = 20  # from all others, in the same units: an extreme value that recurs exactly is then a mark too
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
    data are turned round, so that a displacement of +1 is towards larger coordinates.

    Args:
        axes: letters of the axes, in the order of the array: m member, t time, y and x periodic space.
        every: sampling interval, in time units, where the file has no times, or instead of them.
        variable: which of several arrays.
        lengths: sides of the box in the order of the space axes of the array; the file's, else 2π each.

    Raises:
        ValueError: the file is damaged, of another kind, or does not say what an axis is; and all that `TimeSeries` refuses.
        OSError: no such file.

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
    times = _times(path, raw, axes, every)
    order = [axes.index(letter) for letter in "mtyx" if letter in axes]
    u = check_values(raw.u.transpose(order))
    sides = _sides(axes, raw.lengths if lengths is None else tuple(lengths))
    info = {"file": path.name} | (raw.info or {})
    if every is not None:
        info.pop("time_unit", None)  # that of the times which `every` replaces
    return TimeSeries(u, times, "".join(axes[i] for i in order), raw.context, sides, info, copy=False)


def check_values(u: np.ndarray) -> np.ndarray:
    """Values as they are, true and false as 1 and 0, if they can be measurements of one quantity.

    Raises:
        ValueError: not real numbers, none at all, NaN or infinite, too large to be squared in single precision, or one so far from all
            others that it must be a mark for something missing: FARTHEST off, or APART and there again and again.
    """
    if u.dtype.kind not in "fiub":
        raise ValueError(f"the values are {u.dtype}; expected real numbers: analyse real and imaginary part, or the modulus, one at a time")
    if u.dtype.kind == "b":
        u = u.astype(np.float32)
    if u.size == 0:
        raise ValueError(f"the array has shape {u.shape}: there are no values in it")
    if bad := int((~np.isfinite(u)).sum()):
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(u))[0])
        raise ValueError(f"{bad} of {u.size} values are NaN or infinite, the first at index {first}; drop these times, or fill them")
    largest = float(np.abs(u).max())
    low, middle, high, spread = _quartiles(u)
    farthest = float(np.abs(u - middle).max())
    if largest > LARGEST or farthest > FARTHEST * spread > 0:
        raise ValueError(
            f"the largest value is {largest:.3g}, while half of all lie between {low:.3g} and {high:.3g}; "
            "a mark for missing values? Fill them, or change the unit"
        )
    _check_extremes(u)
    return u


def _quartiles(u: np.ndarray) -> tuple[float, float, float, float]:
    """The three quartiles and the spread: of the middle half or, where its values are all equal, as of rain, the typical distance from
    there of those that differ; 0 where none does."""
    some = u.ravel()[:: -(-u.size // SOME)]
    low, middle, high = (float(value) for value in np.quantile(some, [0.25, 0.5, 0.75]))
    off = np.abs(some[some != middle] - middle)
    return low, middle, high, high - low or (float(np.median(off)) if off.size else 0.0)


def _check_extremes(u: np.ndarray) -> None:
    """A value that recurs exactly, more often than the other extreme does, and that no other comes near, is a mark.

    Measured values of any tails do not recur, and those of a sensor that saturates follow close on one another. Spread is that of all
    others, since marks may be many.

    Raises:
        ValueError: there is such a value.
    """
    ends = {float(u.min()): np.min, float(u.max()): np.max}
    times = {end: int((u == end).sum()) for end in ends}
    end = max(times, key=times.get)
    if times[end] > min(times.values()):
        others = u[u != end]
        nearest = float(ends[end](others))
        if abs(nearest - end) > APART * _quartiles(others)[3] > 0:
            raise ValueError(
                f"{times[end]} of {u.size} values are {end:g} exactly, and the nearest other is {nearest:g}; "
                "a mark for missing values? Fill them, or drop these times"
            )


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
    return _Raw(found[name], known, found.get("times"), lengths, found.get("context"), info)


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
    clock = field.coords.get(named.get("t"))
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
