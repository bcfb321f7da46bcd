"""The response container, and the exact response of a system that has one."""

import json
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.confidence_bands import band_factor, jackknife
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.responses.response_file import FORMAT, form_of, read_response

FORMS = ("raw", "normalised", "controlled", "combined")


@dataclass(frozen=True)
class Response:
    """The mean response to a small change, against lag.

    For the response of the field to a kick, `values[m, y, x]` is R(d, t): the change of pixel x + d a time t after pixel x was raised
    by one, indexed by displacement d = (y, x), periodic. It has no unit: field per field.

    With unlike variables, `values[m, i, j]` is that of component i after component j was raised by one, in units of i per unit of j, and
    for several fields `values[m, i, j, y, x]`; `between` gives one of them.

    Attributes:
        times: (lag,), in time units, from 0.
        values: (lag, *shape), (lag, to, from, *shape) with components, or (lag, ...) for another observable.
        method: "gaussian", "analytic", "generative", "dynamical" or "exact".
        standard_error: like `values`, one standard error of sampling; None where the values are exact.
        dof: degrees of freedom of that error, which widen the band when few groups stand behind it.
        confidence: the confidence level of `band`.
        parts: (part, lag, ...), means over independent parts of the sample, or None; `perturb` keeps 16.
        grid: None where the values are not a field.
        form: "raw", as averaged; "normalised", R(t) R(0)⁻¹, the letter's; "controlled", with the Gaussian response as control variate; or
            "combined", with a forecast.
        info: plain JSON values about how it was made, such as device, seconds and pairs.
        deviations: (group, lag, ...), by how much the values differ without each group of the data in turn, or None; `difference` compares
            two responses on the same data by them. They are saved on request.
        components: names of the unlike variables, or None.

    Raises:
        ValueError: shapes that do not match one another, an unknown form, or a confidence that is not between 0 and 1.
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
    info: dict[str, Any] = field(default_factory=dict)
    deviations: torch.Tensor | None = None
    components: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        checks.choice("form", self.form, FORMS)
        if self.values.shape[:1] != self.times.shape:
            raise ValueError(f"values of shape {tuple(self.values.shape)} do not match {len(self.times)} lags")
        if self.components is not None:
            object.__setattr__(self, "components", tuple(self.components))
        pairs = () if self.components is None else (len(self.components),) * 2
        if self.grid is not None and tuple(self.values.shape[1:]) != (*pairs, *self.grid.shape):
            among = f", {pairs[0]} components" if pairs else ""
            raise ValueError(f"values of shape {tuple(self.values.shape)} do not match lags{among} and a grid of shape {self.grid.shape}")
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
        """(2, lag, ...): means over the even and the odd parts, two independent responses; None without parts."""
        return None if self.parts is None else torch.stack([self.parts[::2].mean(0), self.parts[1::2].mean(0)])

    def between(self, to: str, source: str) -> "Response":
        """How one component responds to a kick of another, or of itself: (lag, *shape), in units of `to` per unit of `source`.

        Raises:
            ValueError: an unknown component, or a response without components.

        >>> import torch
        >>> answer = Response(torch.arange(2.0), torch.eye(2).expand(2, 2, 2), "exact", components=("SST", "wind"))
        >>> answer.between("SST", "wind").values
        tensor([0., 0.])
        """
        if self.components is None:
            raise ValueError("this response is not one of several components, so there is nothing to choose between")
        i, j = (self.components.index(checks.choice("component", name, self.components)) for name in (to, source))

        def of(values: torch.Tensor | None, leading: int) -> torch.Tensor | None:
            return None if values is None else values.select(leading, i).select(leading, j)

        return replace(
            self,
            values=self.values[:, i, j],
            standard_error=of(self.standard_error, 1),
            parts=of(self.parts, 2),
            deviations=of(self.deviations, 2),
            info=self.info | {"between": [to, source]},
            components=None,
        )

    def along(self, displacement: int) -> torch.Tensor:
        """(lag,): the response `displacement` pixels downstream, along +x; 0, 2, 4, 6 are the letter's R_11, R_31, R_51, R_71."""
        return self.values[self._index(displacement, leading=1)]

    def band_along(self, displacement: int) -> torch.Tensor | None:
        """(2, lag): the band of `along`."""
        return None if self.band is None else self.band[self._index(displacement, leading=2)]

    def to(self, pattern: torch.Tensor, time_profile: torch.Tensor | None = None) -> torch.Tensor:
        """The mean response to a kick of any shape: the convolution Σ_j R(i − j, t) p_j, one product per wavevector.

        With a time profile f, the response to the forcing f(t) p, by the trapezoid rule over the lags t_m,

            u(t_n) = h Σ_m w_m R(t_m)·p f(t_n − t_m),    w = ½ at both ends, else 1

        exact for a forcing by kicks at intervals h, the spacing of the lags (`responses.forced_ensemble`); accurate to order h² for a
        continuous forcing, where R changes little within h.

        Args:
            pattern: (*shape), p, the kick in units of the field; with a time profile, the forcing in these units per unit time. With
                components (component, *shape), each in its unit.
            time_profile: (lag,), f at the times of the lags.

        Returns:
            (lag, *shape), in units of the field; (lag, component, *shape).

        Raises:
            ValueError: the pattern or the time profile has another shape or holds NaN; or this is not the response of the field to a kick.
        """
        grid = self._need_grid()
        pattern = checks.finite("pattern", checks.real("pattern", pattern))
        if self.components is None and tuple(pattern.shape) != grid.shape:
            raise ValueError(f"pattern has shape {tuple(pattern.shape)}; expected one kick of the grid's shape {grid.shape}")
        if self.components is not None and tuple(pattern.shape) != (len(self.components), *grid.shape):
            among = f"{len(self.components)} components on a grid of shape {grid.shape}"
            raise ValueError(f"pattern has shape {tuple(pattern.shape)}; expected one kick of {among}")
        moved = self._spectra * grid.rfft(pattern.to(self.values.device))
        kicked = grid.irfft(moved if self.components is None else moved.sum(2))
        return kicked if time_profile is None else torch.tensordot(self._trapezoid(time_profile).to(kicked), kicked, dims=1)

    def standard_error_to(self, pattern: torch.Tensor) -> torch.Tensor:
        """One standard error of the response `to` a kick p of any shape, (lag, *shape), in units of the field.

        Neighbouring pixels err together, so the errors of R at single pixels do not add up to it. It is the jackknife over the groups of
        the data, times the ratio, lag by lag, by which the bootstrap error of the pixels exceeds their jackknife error. The variance v
        between two folds (`info["between_folds"]`), known only as a mean over pixels, enters as v Σ_j p_j²: as if another fit changed
        every pixel of R independently.

        Raises:
            ValueError: as `to`; or fewer than two groups, or no `deviations`, as in a response that was read from a file without them.
        """
        self._one_field("standard_error_to")
        if self.standard_error is None or self.deviations is None or len(self.deviations) < 2:
            raise ValueError("the error of a response to a kick needs `deviations`, which saved responses lack: compute it from its data")
        lags = (len(self.times), *[1] * len(self._need_grid().shape))
        refits = torch.as_tensor(self.info.get("between_folds", 0.0)).double().square().expand(len(self.times)).reshape(lags)
        each = self.deviations.double().cpu()
        bootstrap = (self.standard_error.double().cpu().square() - refits).clamp_min(0).reshape(len(self.times), -1).sum(1)
        ratio = bootstrap / jackknife(each).square().reshape(len(self.times), -1).sum(1).clamp_min(1e-300)
        kicked = torch.stack([replace(self, values=one, standard_error=None, deviations=None).to(pattern) for one in each])
        return (ratio.reshape(lags) * jackknife(kicked).square() + refits * pattern.double().cpu().square().sum()).sqrt()

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
        weights[0] = 0  # the forcing has not acted yet
        return weights

    def normalise(self) -> "Response":
        """R(t) R(0)⁻¹, one complex division per wavevector.

        Only the values: a band needs the sample (`respond(..., form="normalised")`).

        Raises:
            ValueError: R(0) vanishes for some wavevector, or this is not the response of the field to a kick.
        """
        grid = self._need_grid()
        self._one_field("normalise")
        if bool((self._spectra[0].abs() < 1e-6).any()):
            raise ValueError("R(0) vanishes for some wavevector, so R(t) R(0)⁻¹ does not exist")
        values = grid.irfft(self._spectra / self._spectra[:1])
        return replace(self, values=values, standard_error=None, parts=None, form="normalised", deviations=None)

    def compact(self, parts: int = 4) -> "Response":
        """The same with less memory: neighbouring parts averaged to `parts`, and these and the standard error in half precision.

        Raises:
            ValueError: `parts` does not divide the number of parts.
        """
        if self.parts is not None and len(self.parts) % checks.whole("parts", parts, minimum=1):
            raise ValueError(f"parts is {parts}; expected a divisor of the number of parts, {len(self.parts)}")
        kept = None if self.parts is None else self.parts.unflatten(0, (parts, -1)).mean(1).half()
        error = None if self.standard_error is None else self.standard_error.half()
        return replace(self, parts=kept, standard_error=error, deviations=None)

    @cached_property
    def _spectra(self) -> torch.Tensor:
        return self._need_grid().rfft(self.values)

    def _index(self, displacement: int, *, leading: int) -> tuple[slice | int, ...]:
        """Where `displacement` pixels along +x stand in a tensor with some leading axes."""
        self._one_field("along")
        grid = self._need_grid()
        place = (*(0,) * (len(grid.shape) - 1), displacement % grid.shape[-1]) if grid.shape else ()
        return (*(slice(None),) * leading, *place)

    def _one_field(self, what: str) -> None:
        if self.components is not None:
            raise ValueError(
                f"{what} is for the response of one field; choose one: between({self.components[0]!r}, {self.components[-1]!r})"
            )

    def _need_grid(self) -> PeriodicGrid:
        if self.grid is None:
            raise ValueError("this is the response of an observable, not of the field to a kick: it has no displacements")
        return self.grid

    def save(self, path: str | Path, *, deviations: bool = False) -> Path:
        """Write an .npz with the keys times, values, standard_error, parts (where there are any) and about (JSON text, `format` 2).

        Args:
            deviations: write these too; they take as much space as the values, once for each group of the data.
        """
        grid = self.grid and {"shape": self.grid.shape, "lengths": self.grid.lengths}
        dof = self.dof if math.isfinite(self.dof) else None
        # "level" and "freedom" are the confidence and the degrees of freedom: the keys of the file stay as they were first written
        about = {"format": FORMAT, "method": self.method, "form": self.form, "level": self.confidence, "freedom": dof}
        arrays = {"times": self.times, "values": self.values, "standard_error": self.standard_error, "parts": self.parts}
        arrays |= {"deviations": self.deviations.float() if deviations and self.deviations is not None else None}
        about |= {"grid": grid, "info": self.info} | ({"components": self.components} if self.components else {})
        return storage.save_npz(path, arrays | {"about": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> "Response":
        """Read what `save` wrote, in this format or the first.

        Raises:
            ValueError: the file is damaged, is not a response, or has a later format.
            OSError: there is no such file.
        """
        arrays, about = read_response(path)
        try:
            box, dof = about["grid"], about["freedom"]
            return cls(
                times=arrays["times"],
                values=arrays["values"],
                method=about["method"],
                standard_error=arrays.get("standard_error"),
                dof=math.inf if dof is None else dof,
                confidence=about["level"],
                parts=arrays.get("parts"),
                grid=None if box is None else PeriodicGrid(tuple(box["shape"]), tuple(box["lengths"])),
                form=form_of(about),
                info=about["info"],
                deviations=arrays.get("deviations"),
                components=about.get("components"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a response that this version can read: {error}") from error


class ExactlySolvable(Protocol):
    """A system with a closed-form response."""

    @property
    def grid(self) -> PeriodicGrid:
        """The grid of its field."""
        ...

    def response(self, times: torch.Tensor) -> torch.Tensor:
        """(lag, *shape): the response of the field to a kick, at these lags."""
        ...


def exact_response(system: ExactlySolvable, *, lags: float = 90.0, every: float = 1.0) -> Response:
    """The closed-form response of a system that has one, at the lags of `lag_times`.

    Raises:
        ValueError: the system has no closed form; its truth comes from `perturb`.

    Warns:
        UserWarning: `lags` is not a multiple of `every`.
    """
    times = lag_times(lags, every)
    return Response(times, system.response(times), "exact", grid=system.grid, components=getattr(system, "variables", None))


def lag_times(lags: float, every: float) -> torch.Tensor:
    """0, every, 2 every, … up to the multiple of `every` that is nearest to `lags`.

    Raises:
        ValueError: either is not positive, or `lags` is shorter than half of `every`.

    Warns:
        UserWarning: `lags` is not a multiple of `every`.
    """
    every = checks.positive("every", every)
    count = checks.whole("lags / every", checks.steps("lags", lags, every), minimum=1)
    return every * torch.arange(count + 1, dtype=torch.float64)
