"""Validation of arguments: each message says what was wrong, what was expected and what to try."""

import contextlib
import math
import sys
import warnings
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

Values = torch.Tensor | npt.ArrayLike  # a tensor, or anything that NumPy can read


def positive(name: str, value: float, *, zero: bool = False) -> float:
    """`value` as a finite float > 0 (≥ 0 with `zero`)."""
    found = number(name, value)
    if not math.isfinite(found) or found < 0 or (found == 0 and not zero):
        raise ValueError(f"{name} is {value!r}; expected a finite number {'≥' if zero else '>'} 0")
    return found


def whole(name: str, value: int, *, minimum: int = 0) -> int:
    """`value` as an int ≥ `minimum`."""
    found = number(name, value)
    if isinstance(value, bool) or not math.isfinite(found) or found != int(found) or found < minimum:
        raise ValueError(f"{name} is {value!r}; expected a whole number ≥ {minimum}")
    return int(value)


def steps(name: str, time: float, every: float) -> int:
    """The number of intervals `every` in `time`, to the nearest whole number.

    Warns:
        UserWarning: `time` is not a multiple of the interval (to a relative 10⁻⁶), so another time is taken. The warning points at the
            line outside this package that gave the time.
    """
    count = round(positive(name, time) / positive("every", every))
    if count and abs(count * every - time) > 1e-6 * time:
        level, frame = 2, sys._getframe(1)
        while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] == __name__.split(".")[0]:
            level, frame = level + 1, frame.f_back
        warnings.warn(
            f"{name}={time:g} is not a multiple of the sampling interval {every:g}; {count * every:g} is used instead. "
            f"Give {name} as a multiple of {every:g}, or choose another interval",
            stacklevel=level,
        )
    return count


def probability(name: str, value: float) -> float:
    """`value`, strictly between 0 and 1."""
    found = number(name, value)
    if not 0 < found < 1:
        raise ValueError(f"{name} is {value!r}; expected a probability between 0 and 1, such as 0.9")
    return found


def choice(name: str, value: str, options: Iterable[str]) -> str:
    """`value`, which must be one of `options`."""
    options = list(options)
    if value not in options:
        raise ValueError(f"{name} {value!r} is unknown; expected one of {', '.join(map(repr, options))}")
    return value


def real(name: str, values: Values, *, copy: bool = True) -> torch.Tensor:
    """Real numbers, in a tensor or anything that NumPy can read, as a float32 tensor.

    Args:
        copy: False where nobody else holds `values`; the tensor may then share their memory.

    Raises:
        ValueError: the values are complex, or not numbers.
    """
    if isinstance(values, torch.Tensor):
        if values.is_complex():
            raise ValueError(f"{name} is complex; expected real numbers")
        return values.detach().to(torch.float32, copy=copy)
    if np.ma.isMaskedArray(values):
        values = np.ma.filled(values.astype(np.float32), np.nan)  # masked values are missing: the check for NaN will say where
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}; expected real numbers")
    needed = None if array.flags.writeable and not copy else True  # None copies what is not float32 already
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C", copy=needed))


def finite(name: str, array: torch.Tensor) -> torch.Tensor:
    """`array`, which must contain no NaN and no infinity; the message gives the index of the first."""
    if not all_finite(array):
        ok = torch.isfinite(array)
        first = tuple(int(i) for i in torch.nonzero(~ok)[0])
        raise ValueError(f"{name} has {int((~ok).sum())} values that are NaN or infinite, the first at index {first}; drop or fill them")
    return array


def all_finite(array: torch.Tensor) -> bool:
    """Whether every value is finite. The sum settles this in one pass, unless it overflows; then each value is tested."""
    real = torch.view_as_real(array) if array.is_complex() else array
    return bool(torch.isfinite(real.sum())) or bool(torch.isfinite(real).all())


def ends_with(name: str, array: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """`array`, which must be a tensor whose last axes have the given shape."""
    if not isinstance(array, torch.Tensor):
        raise ValueError(f"{name} is of type {type(array).__name__}; expected a tensor: torch.as_tensor({name})")
    if tuple(array.shape[array.ndim - len(shape) :]) != tuple(shape) or array.ndim < len(shape):
        raise ValueError(f"{name} has shape {tuple(array.shape)}; its last axes must be {tuple(shape)}, the shape of the grid")
    return array


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The torch device named by "auto" (CUDA if available, else the CPU), "cpu", "cuda" or "cuda:1".

    Raises:
        ValueError: the name is unknown, or this machine has no such device.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device {device!r} is unknown; expected 'auto', 'cpu' or 'cuda'") from error
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device {device!r} is not supported; expected 'auto', 'cpu' or 'cuda'")
    if found.type == "cuda" and (not torch.cuda.is_available() or (found.index or 0) >= torch.cuda.device_count()):
        raise ValueError(f"device {device!r} is not available on this machine; try device='auto' or 'cpu'")
    return found


def number(name: str, value: float) -> float:
    """`value` as a float; text is refused."""
    with contextlib.suppress(TypeError, ValueError):
        if not isinstance(value, str):
            return float(value)
    raise ValueError(f"{name} is {value!r}; expected a number")
