"""TimeSeries: an unperturbed run, anyone's, with its axes named and its contents checked."""

import hashlib
import json
import warnings
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.grid import PeriodicGrid

AXES = ("t", "mt", "tx", "mtx", "tyx", "mtyx")
FINGERPRINT = 2**22  # values, at most, that a fingerprint looks at


@dataclass(frozen=True)
class TimeSeries:
    """Fields sampled at equal intervals, for one or many independent members.

    Args:
        u: the samples, a tensor or anything NumPy can read; stored as float32 of shape (member, time, *space).
        times: (time,), equally spaced and increasing, in time units; two at least.
        axes: what the axes of `u` are, in order: m member, t time, y and x periodic space. Never guessed.
        context: None, or hidden forcing of shape (member, time, channel, *space).
        lengths: sides of the periodic box in the order of the space axes; 2π each by default.
        info: anything worth keeping about where the data came from (plain JSON values); carried along and saved.
        paired: whether members 2i and 2i + 1 are a run and the same run backwards, as `both_ways` makes them; they count as one.
        copy: False saves memory where nobody else will write to `u` and `context`, which the series then keeps as they are if it can.

    Raises:
        ValueError: unknown axes, a shape that does not match them, NaN or infinity, times that are not equally spaced.

    Warns:
        UserWarning: values in double precision that hardly differ from one another, so that rounding to float32 blurs them.

    >>> TimeSeries(np.zeros((50, 16)), np.arange(50.0), axes="tx").u.shape
    torch.Size([1, 50, 16])
    """

    u: torch.Tensor
    times: torch.Tensor
    axes: str = "mtyx"
    context: torch.Tensor | None = None
    lengths: tuple[float, ...] | None = None
    info: dict = field(default_factory=dict)
    paired: bool = False
    copy: InitVar[bool] = True

    def __post_init__(self, copy: bool):
        checks.choice("axes", self.axes, AXES)
        u = checks.real("u", self.u, copy=copy)
        if u.ndim != len(self.axes):
            raise ValueError(f"u has shape {tuple(u.shape)}, {u.ndim} axes; axes={self.axes!r} names {len(self.axes)}")
        if "m" not in self.axes:
            u = u[None]
        if u.numel() == 0:
            raise ValueError(f"u has shape {tuple(u.shape)}: an axis is empty")
        times = _times(self.times)
        if times.shape != u.shape[1:2]:
            raise ValueError(f"times has shape {tuple(times.shape)}; expected ({u.shape[1]},), one for each sample in time")
        _check_spacing(times)
        u = checks.finite("u", u)
        _warn_of_rounding(self.u, u)
        object.__setattr__(self, "u", u)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "axes", "mt" + self.axes.replace("m", "")[1:])
        object.__setattr__(self, "lengths", self.grid.lengths)
        if self.context is not None:
            object.__setattr__(self, "context", _check_context(checks.real("context", self.context, copy=copy), u))
        if self.paired and len(u) % 2:
            raise ValueError(f"paired=True, and there are {len(u)} members; expected each run beside its reverse")

    @cached_property
    def grid(self) -> PeriodicGrid:
        """The grid of the space axes."""
        return PeriodicGrid(tuple(self.u.shape[2:]), self.lengths)

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
        """(run, time, *space): the members that are independent, each run without its reverse."""
        return self.u[::2] if self.paired else self.u

    @cached_property
    def fingerprint(self) -> str:
        """A name that follows from the values: equal series have equal ones, and others differ. A series and its `both_ways` share one."""
        values = self.u.reshape(-1)[:: -(-self.u.numel() // FINGERPRINT)].cpu().numpy()
        about = f"{tuple(self.u.shape)} {self.every:.9g} "
        return hashlib.sha256(about.encode() + np.ascontiguousarray(values).tobytes()).hexdigest()[:32]

    def steps(self, lags: float) -> int:
        """The largest lag `lags`, in sampling steps, to the nearest.

        Raises:
            ValueError: not positive, or beyond half the series, where too few origins remain.
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

    def split(self, share: float) -> tuple["TimeSeries", "TimeSeries"]:
        """Two series that share no sample: the first `share` of the members and the rest; of a lone member, of its time.

        Raises:
            ValueError: a share that is not between 0 and 1; a part would have no member, or fewer than 8 samples; the series is one of
                runs and their reverses.
        """
        share = checks.probability("share", share)
        if self.paired:
            raise ValueError("this series holds each run beside its reverse; split first, and call both_ways on the parts")
        alone = len(self.u) == 1
        count = self.u.shape[1] if alone else len(self.u)
        least = 8 if alone else 1
        cut = min(max(round(count * share), least), count - least)
        if min(cut, count - cut) < least:
            raise ValueError(f"cannot split {count} {'samples' if alone else 'members'} at a share of {share:g}: a part would be too short")
        return self._part(slice(0, cut), alone), self._part(slice(cut, None), alone)

    def both_ways(self) -> "TimeSeries":
        """The series and its film run backwards, as twice the members, each beside its own reverse.

        For reversible systems only, such as one variable in a potential with noise: there the film cannot be told from the series, and
        lagged averages may have less scatter for it. They are no further data: errors count each run with its reverse once.

        Raises:
            ValueError: the series has a hidden forcing, which one direction of time would lead and the other trail.
        """
        if self.context is not None:
            raise ValueError("a series with hidden forcing is not reversible; take it as it is")
        if self.paired:
            return self
        both = torch.stack([self.u, self.u.flip(1)], dim=1).flatten(0, 1)
        found = TimeSeries(both, self.times, self.axes, None, self.lengths, self.info, paired=True, copy=False)
        vars(found)["fingerprint"] = self.fingerprint  # of the same values
        return found

    def _part(self, cut: slice, in_time: bool) -> "TimeSeries":
        where = (slice(None), cut) if in_time else (cut,)
        times = self.times[cut] if in_time else self.times
        context = None if self.context is None else self.context[where]
        return TimeSeries(self.u[where], times, self.axes, context, self.lengths, self.info, copy=False)

    def save(self, path: str | Path) -> Path:
        """Write an .npz with the keys u, times, axes, lengths, info (JSON text) and, where there is one, context."""
        fields = {"u": self.u, "times": self.times, "axes": self.axes, "lengths": np.array(self.lengths), "info": json.dumps(self.info)}
        return storage.save_npz(path, fields | {"context": self.context, "paired": self.paired or None})

    @classmethod
    def load(cls, path: str | Path) -> "TimeSeries":
        """Read what `save` wrote, or any .npz with the keys u, times and axes."""
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
        )


def check_series(data) -> None:
    """Raises ValueError unless it is a TimeSeries."""
    if not isinstance(data, TimeSeries):
        raise ValueError(
            f"data is of type {type(data).__name__}; expected a series: TimeSeries(u, times, axes=...), or what simulate gives"
        )


def _warn_of_rounding(given, u: torch.Tensor) -> None:
    if getattr(given, "dtype", None) not in (np.float64, torch.float64):
        return
    given = given.detach() if isinstance(given, torch.Tensor) else given
    step, spread = float(u.abs().max()) * torch.finfo(torch.float32).eps, float(given.std())
    if step > 1e-3 * spread > 0:
        warnings.warn(
            f"u varies by {spread:.2g} about values as large as {float(u.abs().max()):.3g}, which float32 rounds to {step:.1g}: "
            "take the mean off first",
            stacklevel=4,
        )


def _times(values) -> torch.Tensor:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"times holds {array.dtype}; expected numbers in time units, such as days since the start")
    return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))


def _check_spacing(times: torch.Tensor) -> None:
    if len(times) < 2:
        raise ValueError(f"the series has {len(times)} sample; expected two at least")
    gaps = checks.finite("times", times).diff()
    mean = gaps.mean()
    if bool((gaps < 0).all()):
        raise ValueError("times must increase, and these fall; turn both round: u.flip and times.flip, or [::-1] along time in NumPy")
    if not bool(mean > 0) or bool(((gaps - mean).abs() > 1e-3 * mean).any()):
        raise ValueError(
            f"times must increase in equal steps; the gaps run from {float(gaps.min()):g} to {float(gaps.max()):g}: "
            "interpolate, or cut at the break and pass the pieces as members"
        )


def _check_context(context: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    context = checks.finite("context", context)
    if context.ndim != u.ndim + 1 or context.shape[:2] != u.shape[:2] or context.shape[3:] != u.shape[2:]:
        raise ValueError(f"context has shape {tuple(context.shape)}; expected (member, time, channel, *space) beside u of {tuple(u.shape)}")
    return context
