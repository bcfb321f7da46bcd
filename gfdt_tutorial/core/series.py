"""TimeSeries: an unperturbed time series with named axes and checked contents."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.grid import PeriodicGrid

AXES = ("t", "mt", "tx", "mtx", "tyx", "mtyx", "tc", "mtc", "tcx", "mtcx", "tcyx", "mtcyx")
FINGERPRINT = 2**22  # the largest number of values that enter a fingerprint


@dataclass(frozen=True)
class TimeSeries:
    """Fields sampled at equal intervals, for one or many independent members.

    Args:
        u: the samples, a tensor or anything that NumPy can read; stored as float32 of shape (member, time, *space), or (member, time,
            component, *space).
        times: (time,), two or more, equally spaced and increasing, in time units.
        axes: letters of the axes of `u`, in order: m member, t time, c components, which are unlike variables such as two indices or the
            rows of a channel, y and x periodic space. They are never guessed.
        context: None, or the hidden forcing, of shape (member, time, channel, *space).
        lengths: sides of the periodic box in the order of the space axes; 2π each by default.
        info: provenance of the data, as plain JSON values; carried along and saved.
        components: names of the components; "x1", "x2", … by default. None where the series has no such axis.
        units: of the components, for figures; None if they are not known.
        paired: whether members 2i and 2i + 1 are a run and the same run reversed in time, as `both_ways` makes them; they count as one.
        copy: False saves memory if nobody else will write to `u` and `context`: the series then keeps these arrays where it can.

    Raises:
        ValueError: unknown axes, a shape that does not match them, NaN or infinity, or times that are not equally spaced.

    Warns:
        UserWarning: the values are given in double precision and vary so little about their mean that rounding to float32 blurs them.

    >>> TimeSeries(np.zeros((50, 16)), np.arange(50.0), axes="tx").u.shape
    torch.Size([1, 50, 16])
    >>> TimeSeries(np.zeros((50, 2)), np.arange(50.0), axes="tc", components=("SST", "wind")).components
    ('SST', 'wind')
    """

    u: torch.Tensor
    times: torch.Tensor
    axes: str
    context: torch.Tensor | None
    lengths: tuple[float, ...]
    info: dict[str, Any]
    paired: bool
    components: tuple[str, ...] | None
    units: tuple[str, ...] | None

    def __init__(
        self,
        u: checks.Values,
        times: checks.Values,
        axes: str = "mtyx",
        context: checks.Values | None = None,
        lengths: Sequence[float] | None = None,
        info: dict[str, Any] | None = None,
        paired: bool = False,
        copy: bool = True,
        components: Sequence[str] | None = None,
        units: Sequence[str] | None = None,
    ) -> None:
        checks.choice("axes", axes, AXES)
        samples = _samples(u, axes, copy)
        instants = _times(times)
        if instants.shape != samples.shape[1:2]:
            raise ValueError(f"times has shape {tuple(instants.shape)}; expected ({samples.shape[1]},), one for each sample in time")
        _check_spacing(instants)
        samples = checks.finite("u", samples)
        _warn_of_rounding(u, samples)
        grid = PeriodicGrid(tuple(samples.shape[3 if "c" in axes else 2 :]), lengths)
        forcing = None if context is None else _check_context(checks.real("context", context, copy=copy), samples, grid)
        names = _names("components", components, samples, axes)
        if "c" in axes and names is None:
            names = tuple(f"x{number}" for number in range(1, samples.shape[2] + 1))
        if paired and len(samples) % 2:
            raise ValueError(f"paired=True, but the number of members is {len(samples)}; expected each run beside its reverse")
        found = {"u": samples, "times": instants, "axes": "mt" + axes.replace("m", "")[1:], "context": forcing, "lengths": grid.lengths}
        found |= {"info": {} if info is None else info, "paired": paired, "components": names}
        for name, value in (found | {"units": _names("units", units, samples, axes)}).items():
            object.__setattr__(self, name, value)

    @cached_property
    def grid(self) -> PeriodicGrid:
        """The grid of the space axes."""
        return PeriodicGrid(tuple(self.u.shape[2 if self.components is None else 3 :]), self.lengths)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (*space), or (component, *space)."""
        return tuple(self.u.shape[2:])

    @cached_property
    def centre(self) -> torch.Tensor:
        """⟨u⟩ over members, times and space: a number, or (component, 1, …) to broadcast over a sample; in single precision."""
        if self.components is None:
            return self.u.mean()
        means = self.u.double().mean((0, 1)).flatten(1).mean(1) if self.grid.shape else self.u.double().mean((0, 1))
        return means.to(self.u.dtype).reshape(-1, *[1] * len(self.grid.shape))

    @cached_property
    def spread(self) -> list[float]:
        """Standard deviation of each component over members, times and space, as plain numbers; of one field, a list of one."""
        values = self.u.unsqueeze(2) if self.components is None else self.u
        return values.double().movedim(2, 0).flatten(1).std(1, correction=0).tolist()

    @property
    def every(self) -> float:
        """Sampling interval, in time units."""
        return float(self.times[-1] - self.times[0]) / (len(self.times) - 1)

    @property
    def snapshots(self) -> int:
        """Number of fields, members × times."""
        return self.u.shape[0] * self.u.shape[1]

    @property
    def runs(self) -> torch.Tensor:
        """The independent members, (run, time, *space): each run without its reverse."""
        return self.u[::2] if self.paired else self.u

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the values, equal for equal series. A series and its `both_ways` share one."""
        values = self.u.reshape(-1)[:: -(-self.u.numel() // FINGERPRINT)].cpu().numpy()
        about = f"{tuple(self.u.shape)} {self.every:.9g} "
        return hashlib.sha256(about.encode() + np.ascontiguousarray(values).tobytes()).hexdigest()[:32]

    def steps(self, lags: float) -> int:
        """The largest lag, in sampling steps.

        Args:
            lags: in time units; rounded to the nearest multiple of the sampling interval.

        Raises:
            ValueError: `lags` is not positive, or beyond half the series, where too few origins remain.

        Warns:
            UserWarning: rounding changes `lags` by more than a millionth of itself.
        """
        steps = checks.steps("lags", lags, self.every)
        limit = (len(self.times) - 1) // 2
        if limit < 1:
            raise ValueError(f"a series of {len(self.times)} samples is too short for any lag; take three samples at least")
        if not 1 <= steps <= limit:
            raise ValueError(
                f"lags={lags:g} is {steps} sampling steps of {self.every:g}; "
                f"expected 1 to {limit}, half the series of {len(self.times)} samples: "
                f"ask for lags ≤ {limit * self.every:g} or take a longer series"
            )
        return steps

    def split(self, fraction: float) -> tuple["TimeSeries", "TimeSeries"]:
        """Two series without a common sample: the first `fraction` of the members (of a single member, of its samples) and the rest.

        Raises:
            ValueError: `fraction` is not between 0 and 1; a part would have no member, or fewer than 8 samples; the series contains runs
                and their reverses.
        """
        fraction = checks.probability("fraction", fraction)
        if self.paired:
            raise ValueError("this series contains each run beside its reverse; split first, and call both_ways on the parts")
        alone = len(self.u) == 1
        count = self.u.shape[1] if alone else len(self.u)
        least = 8 if alone else 1
        cut = min(max(round(count * fraction), least), count - least)
        if min(cut, count - cut) < least:
            raise ValueError(
                f"cannot split {count} {'samples' if alone else 'members'} at a fraction of {fraction:g}: a part would be too short"
            )
        return self._part(slice(0, cut), alone), self._part(slice(cut, None), alone)

    def cut(self, first: int, last: int) -> "TimeSeries":
        """The samples `first` … `last` − 1 of every member.

        Raises:
            ValueError: fewer than two samples.
        """
        return self._part(slice(first, last), True)

    def both_ways(self) -> "TimeSeries":
        """The series with each member followed by its time reverse, which doubles the number of members.

        For reversible systems only (detailed balance), such as one variable in a potential with noise: a reversed run then has the same
        statistics as the run, and lagged averages over both may scatter less. The reverses are no additional data: standard errors count
        each run with its reverse once.

        Raises:
            ValueError: the series has a hidden forcing, which breaks time reversal.
        """
        if self.context is not None:
            raise ValueError("a series with hidden forcing is not reversible in time; use it without both_ways")
        if self.paired:
            return self
        both = torch.stack([self.u, self.u.flip(1)], dim=1).flatten(0, 1)
        found = self.with_values(both, paired=True)
        vars(found)["fingerprint"] = self.fingerprint  # the values are the same
        return found

    def context_as_components(self, field: str = "u", *channels: str) -> "TimeSeries":
        """The series of field and context together as unlike variables: what is conditioned on becomes what is kicked, too.

        Args:
            field: the name of the field.
            channels: a name for each channel of the context; "context", or "context 1", "context 2", … by default.

        Raises:
            ValueError: a series without context, or one that has components already; not one name for each channel.

        >>> flow = TimeSeries(np.zeros((2, 9, 4, 4)), np.arange(9.0), "mtyx", context=np.zeros((2, 9, 1, 4, 4)))
        >>> flow.context_as_components("vorticity", "forcing").components
        ('vorticity', 'forcing')
        """
        if self.context is None or self.components is not None:
            raise ValueError("this makes components of one field and its context; the series has no context, or has components already")
        count = self.context.shape[2]
        names = channels or (("context",) if count == 1 else tuple(f"context {number}" for number in range(1, count + 1)))
        u = torch.cat([self.u.unsqueeze(2), self.context.to(self.u)], 2)
        return TimeSeries(u, self.times, self.axes[:2] + "c" + self.axes[2:], None, self.lengths, self.info, components=(field, *names))

    def _part(self, cut: slice, in_time: bool) -> "TimeSeries":
        where = (slice(None), cut) if in_time else (cut,)
        times = self.times[cut] if in_time else self.times
        context = None if self.context is None else self.context[where]
        return self.with_values(self.u[where], times=times, context=context)

    def with_values(
        self,
        u: torch.Tensor,
        *,
        times: torch.Tensor | None = None,
        context: torch.Tensor | None = None,
        info: dict[str, Any] | None = None,
        paired: bool = False,
    ) -> "TimeSeries":
        """Other values with the same axes, components and box; times and provenance are the same unless given, the context is not."""
        times, info = self.times if times is None else times, self.info if info is None else info
        return TimeSeries(u, times, self.axes, context, self.lengths, info, paired, False, self.components, self.units)

    def save(self, path: str | Path) -> Path:
        """Write an .npz with the keys u, times, axes, lengths, info (JSON text) and, if present, context, paired, components and units."""
        fields = {"u": self.u, "times": self.times, "axes": self.axes, "lengths": np.array(self.lengths), "info": json.dumps(self.info)}
        names = {"components": self.components and np.array(self.components), "units": self.units and np.array(self.units)}
        return storage.save_npz(path, fields | {"context": self.context, "paired": self.paired or None} | names)

    @classmethod
    def load(cls, path: str | Path) -> "TimeSeries":
        """Read a file that `save` wrote, or any .npz with the keys u, times and axes."""
        found = storage.load_npz(path, required=("u", "times", "axes"))
        lengths = tuple(found["lengths"].flatten().tolist()) if "lengths" in found else None
        info = storage.parse(path, "info", found["info"]) if "info" in found else {}
        return cls(
            found["u"],
            found["times"],
            str(found["axes"]),
            found.get("context"),
            lengths,
            info,
            bool(found.get("paired", False)),
            copy=False,
            components=_texts(found.get("components")),
            units=_texts(found.get("units")),
        )


def check_series(data: object, components: bool = False) -> None:
    """Raises ValueError unless `data` is a TimeSeries.

    Args:
        components: whether the caller can do with an axis of components.
    """
    if not isinstance(data, TimeSeries):
        raise ValueError(
            f"data is of type {type(data).__name__}; expected a series: TimeSeries(u, times, axes=...), or the result of simulate"
        )
    if data.components is not None and not components:
        raise ValueError(
            f"these data have {len(data.components)} components ({', '.join(data.components)}), which this function does not take; "
            "give it one of them, as a series without the axis c"
        )


def _names(what: str, given: Sequence[str] | None, samples: torch.Tensor, axes: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = tuple(str(name) for name in given)
    if (
        "c" not in axes
        or isinstance(given, str)
        or len(names) != samples.shape[2]
        or (what == "components" and len(set(names)) < len(names))
    ):
        expected = f"{samples.shape[2]} different names" if "c" in axes else "none, as axes has no letter c"
        raise ValueError(f"{what} is {given!r} for axes={axes!r} and u of {tuple(samples.shape)}; expected {expected}")
    return names


def _texts(stored: object) -> tuple[str, ...] | None:
    return None if stored is None else tuple(str(one) for one in np.asarray(stored))


def _samples(given: checks.Values, axes: str, copy: bool) -> torch.Tensor:
    """(member, time, *space), in single precision."""
    u = checks.real("u", given, copy=copy)
    if u.ndim != len(axes):
        raise ValueError(f"u has shape {tuple(u.shape)}, {u.ndim} axes; axes={axes!r} names {len(axes)}")
    if "m" not in axes:
        u = u[None]
    if u.numel() == 0:
        raise ValueError(f"u has shape {tuple(u.shape)}: an axis is empty")
    return u


def _warn_of_rounding(given: checks.Values, u: torch.Tensor) -> None:
    if not isinstance(given, np.ndarray | torch.Tensor) or given.dtype not in (np.float64, torch.float64):
        return
    spread = float(given.detach().std() if isinstance(given, torch.Tensor) else given.std())
    step = float(u.abs().max()) * torch.finfo(torch.float32).eps
    if step > 1e-3 * spread > 0:
        warnings.warn(
            f"u varies by {spread:.2g} about values as large as {float(u.abs().max()):.3g}, which float32 rounds to {step:.1g}: "
            "subtract the mean first",
            stacklevel=4,
        )


def _times(values: checks.Values) -> torch.Tensor:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"times holds {array.dtype}; expected numbers in time units, such as days since the start")
    return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))


def _check_spacing(times: torch.Tensor) -> None:
    if len(times) < 2:
        raise ValueError(f"the series has {len(times)} sample; expected at least two")
    gaps = checks.finite("times", times).diff()
    mean = gaps.mean()
    if bool((gaps < 0).all()):
        raise ValueError(
            "times must increase, but these decrease; reverse u and times: u.flip and times.flip, or [::-1] along time in NumPy"
        )
    if not bool(mean > 0) or bool(((gaps - mean).abs() > 1e-3 * mean).any()):
        raise ValueError(
            f"times must increase in equal steps; the gaps run from {float(gaps.min()):g} to {float(gaps.max()):g}: "
            "interpolate, or cut the series at the break and pass the pieces as members"
        )


def _check_context(context: torch.Tensor, u: torch.Tensor, grid: PeriodicGrid) -> torch.Tensor:
    context = checks.finite("context", context)
    if context.ndim != 3 + len(grid.shape) or context.shape[:2] != u.shape[:2] or context.shape[3:] != grid.shape:
        raise ValueError(f"context has shape {tuple(context.shape)}; expected (member, time, channel, *space) beside u of {tuple(u.shape)}")
    return context
