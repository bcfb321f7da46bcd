"""The response container."""

import json
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.confidence_bands import band_factor
from gfdt_tutorial.core.grid import PeriodicGrid

FORMS = ("raw", "normalised", "controlled")
FORMAT = 2  # of the file; in format 1 a response with a control variate was called normalised


@dataclass(frozen=True)
class Response:
    """The mean response to a small change, against lag.

    For the response of the field to a kick, `values[m, y, x]` is R(d, t): what pixel x + d shows a time t after pixel x was raised by
    one, indexed by displacement d = (y, x), periodic. Unit-free: field per field.

    Attributes:
        times: (lag,), in time units, from 0.
        values: (lag, *shape), or (lag, ...) for another observable.
        method: "gaussian", "analytic", "generative", "dynamical" or "exact".
        standard_error: like `values`, one standard error of sampling; None where the values are exact.
        dof: degrees of freedom of that error, which widen the band when few groups stand behind it.
        confidence: level of `band`.
        parts: (part, lag, ...), means over independent parts of the sample, or None; `perturb` keeps 16.
        grid: None where the values are no field.
        form: "raw", as averaged; "normalised", R(t) R(0)⁻¹, the letter's; or "controlled", with the Gaussian response as control variate.
        info: plain JSON values about how it was made (device, seconds, pairs …).
        deviations: (group, lag, ...), by how much the values differ without each group of the data in turn, or None; `difference` compares
            two responses on the same data by them. They are saved on request.
    """

    times: torch.Tensor
    values: torch.Tensor
    method: str
    standard_error: torch.Tensor | None = None
    dof: float = math.inf
    confidence: float = 0.90
    parts: torch.Tensor | None = None
    grid: PeriodicGrid | None = None
    form: str = "raw"
    info: dict = field(default_factory=dict)
    deviations: torch.Tensor | None = None

    def __post_init__(self):
        checks.choice("form", self.form, FORMS)
        if self.values.shape[:1] != self.times.shape:
            raise ValueError(f"values of shape {tuple(self.values.shape)} do not match {len(self.times)} lags")
        if self.grid is not None and tuple(self.values.shape[1:]) != self.grid.shape:
            raise ValueError(f"values of shape {tuple(self.values.shape)} do not match lags and a grid of shape {self.grid.shape}")
        if self.standard_error is not None and self.standard_error.shape != self.values.shape:
            raise ValueError(f"the standard error has shape {tuple(self.standard_error.shape)}, the values {tuple(self.values.shape)}")
        checks.probability("confidence", self.confidence)

    @property
    def band(self) -> torch.Tensor | None:
        """(2, lag, ...): lower and upper edge of the pointwise confidence band; None where the values are exact.

        Over repetitions of the experiment, such an interval covers the true value in a fraction `confidence` of cases, lag by lag.
        """
        if self.standard_error is None:
            return None
        half = band_factor(self.confidence, self.dof) * self.standard_error
        return torch.stack([self.values - half, self.values + half])

    @property
    def halves(self) -> torch.Tensor | None:
        """(2, lag, ...): means over the even and the odd parts, two independent truths of equal weight a part; None without parts."""
        return None if self.parts is None else torch.stack([self.parts[::2].mean(0), self.parts[1::2].mean(0)])

    def along(self, displacement: int) -> torch.Tensor:
        """(lag,): the response `displacement` pixels downstream, along +x; 0, 2, 4, 6 are the letter's R_11, R_31, R_51, R_71."""
        return self.values[(slice(None), *self._index(displacement))]

    def band_along(self, displacement: int) -> torch.Tensor | None:
        """(2, lag): the band of `along`."""
        return None if self.band is None else self.band[(slice(None), slice(None), *self._index(displacement))]

    def to(self, pattern: torch.Tensor, time_profile: torch.Tensor | None = None) -> torch.Tensor:
        """The mean answer to a kick of any shape: the convolution Σ_j R(i − j, t) p_j, one product a wavevector.

        With a time profile f, the answer at each lag to pushes f(t) p that last, by the trapezoid rule over the lags t_m,

            u(t_n) = h Σ_m w_m R(t_m)·p f(t_n − t_m),    w = ½ at both ends, else 1

        exact for kicks that come once every h, the spacing of the lags (`responses.forced_ensemble`); to order h² for a continuous force,
        where R changes little within h.

        Args:
            pattern: (*shape), the kick, in units of the field; per unit time if there is a time profile.
            time_profile: (lag,), f at the times of the lags.

        Returns:
            (lag, *shape), in units of the field.

        Raises:
            ValueError: the pattern or the time profile has another shape or holds NaN, or this response is not one of the field to a kick.
        """
        grid = self._need_grid()
        pattern = checks.finite("pattern", checks.real("pattern", pattern))
        if tuple(pattern.shape) != grid.shape:
            raise ValueError(f"pattern has shape {tuple(pattern.shape)}; expected one kick of the grid's shape {grid.shape}")
        answer = grid.irfft(self._spectra * grid.rfft(pattern.to(self.values.device)))
        return answer if time_profile is None else torch.tensordot(self._trapezoid(time_profile).to(answer), answer, dims=1)

    def _trapezoid(self, time_profile: torch.Tensor) -> torch.Tensor:
        """(time, lag): h w_m f(t_n − t_m), zero where t_m > t_n."""
        time_profile = checks.finite("time_profile", torch.as_tensor(time_profile, dtype=torch.float64))
        if time_profile.shape != self.times.shape:
            raise ValueError(
                f"time_profile has shape {tuple(time_profile.shape)}; expected one value at each of the {len(self.times)} lags"
            )
        rows = torch.arange(len(time_profile))
        gaps = rows[:, None] - rows
        weights = torch.where(gaps >= 0, time_profile[gaps.clamp_min(0)], 0.0) * float(self.times[1] - self.times[0])
        weights[:, 0] /= 2
        weights.diagonal().div_(2)
        weights[0] = 0  # nothing has acted yet
        return weights

    def normalise(self) -> "Response":
        """R(t) R(0)⁻¹, one complex division a wavevector; the values alone, as a band needs the sample (`respond(..., normalise=True)`)."""
        grid = self._need_grid()
        if bool((self._spectra[0].abs() < 1e-6).any()):
            raise ValueError("R(0) vanishes for some wavevector, so R(t) R(0)⁻¹ does not exist")
        values = grid.irfft(self._spectra / self._spectra[:1])
        return replace(self, values=values, standard_error=None, parts=None, form="normalised", deviations=None)

    def compact(self, parts: int = 4) -> "Response":
        """The same in less room: neighbouring parts averaged to `parts`, and they and the standard error in half precision.

        Raises:
            ValueError: `parts` does not divide the number of parts.
        """
        if self.parts is not None and len(self.parts) % checks.whole("parts", parts, minimum=1):
            raise ValueError(f"parts is {parts}; expected a divisor of the {len(self.parts)} parts that there are")
        kept = None if self.parts is None else self.parts.unflatten(0, (parts, -1)).mean(1).half()
        error = None if self.standard_error is None else self.standard_error.half()
        return replace(self, parts=kept, standard_error=error, deviations=None)

    @cached_property
    def _spectra(self) -> torch.Tensor:
        return self._need_grid().rfft(self.values)

    def _index(self, displacement: int) -> tuple[int, ...]:
        grid = self._need_grid()
        return (*(0,) * (len(grid.shape) - 1), displacement % grid.shape[-1]) if grid.shape else ()

    def _need_grid(self) -> PeriodicGrid:
        if self.grid is None:
            raise ValueError("this is the response of an observable, not of the field to a kick: it has no displacements")
        return self.grid

    def save(self, path: str | Path, *, deviations: bool = False) -> Path:
        """Write an .npz with the keys times, values, standard_error, parts (where there are such) and about (JSON text, `format` 2).

        Args:
            deviations: write these too, which takes as much room as the values once for each group of the data.
        """
        grid = self.grid and {"shape": self.grid.shape, "lengths": self.grid.lengths}
        dof = self.dof if math.isfinite(self.dof) else None
        about = {"format": FORMAT, "method": self.method, "form": self.form, "level": self.confidence, "freedom": dof}
        about |= {"grid": grid, "info": self.info}
        arrays = {"times": self.times, "values": self.values, "standard_error": self.standard_error, "parts": self.parts}
        arrays |= {"deviations": self.deviations.float() if deviations and self.deviations is not None else None}
        return storage.save_npz(path, arrays | {"about": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> "Response":
        """Read what `save` wrote, in this format or the first.

        Raises:
            ValueError: the file is damaged, no response, or of a later format.
            OSError: no such file.
        """
        found = storage.load_npz(path, required=("times", "values", "about"))
        about = storage.parse(path, "about", found["about"])
        if (version := about.pop("format", 1)) not in (1, FORMAT):
            raise ValueError(f"{path} was written in format {version}; this version reads formats 1 and {FORMAT}: update the package")
        names = ("times", "values", "standard_error", "parts", "deviations")
        arrays = {name: torch.as_tensor(found[name]) for name in names if name in found}
        arrays = {name: array.float() if array.dtype == torch.float16 else array for name, array in arrays.items()}
        try:
            box = about["grid"]
            about["grid"] = None if box is None else PeriodicGrid(tuple(box["shape"]), tuple(box["lengths"]))
            degrees = about.pop("freedom")
            about["dof"] = math.inf if degrees is None else degrees
            about["confidence"] = about.pop("level")
            if "form" not in about:
                about["form"] = _form_of_first_format(about.pop("normalised"), about["info"])
            return cls(**arrays, **about)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no response that this version wrote: {error}") from error


class ClosedForm(Protocol):
    """A system whose response is known in closed form."""

    @property
    def grid(self) -> PeriodicGrid:
        """Of the field."""
        ...

    def response(self, lags: torch.Tensor) -> torch.Tensor:
        """R(d, t), (lag, *shape)."""
        ...


def exact_response(system: ClosedForm, *, lags: float = 90.0, every: float = 1.0) -> Response:
    """The closed-form response of a system that has one, at the lags of `lag_times`.

    Raises:
        ValueError: the system has no closed form; its truth comes from `perturb`.
    """
    times = lag_times(lags, every)
    return Response(times, system.response(times), "exact", grid=system.grid)


def lag_times(lags: float, every: float) -> torch.Tensor:
    """0, every, 2 every, … to the multiple nearest to `lags`."""
    every = checks.positive("every", every)
    return every * torch.arange(
        checks.whole("lags / every", round(checks.positive("lags", lags) / every), minimum=1) + 1, dtype=torch.float64
    )


def _form_of_first_format(normalised: bool, info: dict) -> str:
    """Format 1 knew one flag, and called a response normalised that has a control variate, and so R(0) = 1 to begin with."""
    return "controlled" if info.get("control") and "pairs" not in info else "normalised" if normalised else "raw"
