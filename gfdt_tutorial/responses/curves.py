"""The response container, its error metrics, and how two responses are compared."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from gfdt_tutorial import checks, storage
from gfdt_tutorial.spectral import PeriodicGrid
from gfdt_tutorial.statistics import band_factor

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
        freedom: degrees of freedom of that error, which widen the band when few groups stand behind it.
        level: of `band`.
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
    freedom: float = math.inf
    level: float = 0.90
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
        checks.probability("level", self.level)

    @property
    def band(self) -> torch.Tensor | None:
        """(2, lag, ...): lower and upper edge of the pointwise confidence band; None where the values are exact.

        Over repetitions of the experiment, such an interval covers the true value in a fraction `level` of cases, lag by lag.
        """
        if self.standard_error is None:
            return None
        half = band_factor(self.level, self.freedom) * self.standard_error
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

    def to(self, pattern: torch.Tensor, course: torch.Tensor | None = None) -> torch.Tensor:
        """The mean answer to a kick of any shape: the convolution Σ_j R(i − j, t) p_j, one product a wavevector.

        With a time course f, the answer at each lag to pushes f(t) p that last, by the trapezoid rule over the lags t_m,

            u(t_n) = h Σ_m w_m R(t_m)·p f(t_n − t_m),    w = ½ at both ends, else 1

        exact for pushes that come once every h, the spacing of the lags (`responses.pushes`); to order h² for a force that never pauses,
        where R changes little within h.

        Args:
            pattern: (*shape), the kick, in units of the field; per unit time if there is a course.
            course: (lag,), f at the times of the lags.

        Returns:
            (lag, *shape), in units of the field.

        Raises:
            ValueError: the pattern or the course has another shape or holds NaN, or this response is not one of the field to a kick.
        """
        grid = self._need_grid()
        pattern = checks.finite("pattern", checks.real("pattern", pattern))
        if tuple(pattern.shape) != grid.shape:
            raise ValueError(f"pattern has shape {tuple(pattern.shape)}; expected one kick of the grid's shape {grid.shape}")
        answer = grid.irfft(self._spectra * grid.rfft(pattern.to(self.values.device)))
        return answer if course is None else torch.tensordot(self._trapezoid(course).to(answer), answer, dims=1)

    def _trapezoid(self, course: torch.Tensor) -> torch.Tensor:
        """(time, lag): h w_m f(t_n − t_m), zero where t_m > t_n."""
        course = checks.finite("course", torch.as_tensor(course, dtype=torch.float64))
        if course.shape != self.times.shape:
            raise ValueError(f"course has shape {tuple(course.shape)}; expected one value at each of the {len(self.times)} lags")
        rows = torch.arange(len(course))
        gaps = rows[:, None] - rows
        weights = torch.where(gaps >= 0, course[gaps.clamp_min(0)], 0.0) * float(self.times[1] - self.times[0])
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
        freedom = self.freedom if math.isfinite(self.freedom) else None
        about = {"format": FORMAT, "method": self.method, "form": self.form, "level": self.level, "freedom": freedom}
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
            about["freedom"] = math.inf if about["freedom"] is None else about["freedom"]
            if "form" not in about:
                about["form"] = _form_of_first_format(about.pop("normalised"), about["info"])
            return cls(**arrays, **about)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no response that this version wrote: {error}") from error


def exact_response(system, lags: float = 90.0, every: float = 1.0) -> Response:
    """The closed-form response of a system that has one, at the lags of `lag_times`.

    Raises:
        ValueError: the system has no closed form; its truth comes from `perturb`.
    """
    if not hasattr(system, "response"):
        raise ValueError(f"{type(system).__name__} has no closed-form response; use perturb(system, ...)")
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


@dataclass(frozen=True)
class Errors:
    """How far a response is from the truth, at each lag and in two quoted numbers.

    Attributes:
        times: (lag,).
        l2: (Σ_i (R_i − T_i)²)^½ over the whole field, the letter's "rms"; it counts the noise of the truth as error.
        linf: max_i |R_i − T_i|, likewise.
        l2_sq_unbiased: the mean of ⟨R − T_p, R − T_q⟩ over pairs p ≠ q of independent parts of the truth: the noise of the truth
            drops out. Signed: it may fall below zero where the error is within that noise. Equal to l2² for an exact truth.
        l2_sq_se: its standard error from the truth's noise, by jackknife over parts; 0 for an exact truth. For an answer that is right it
            comes out √2 too large, as the jackknife counts a quadratic form twice.
        quoted: "l2", the root of the mean over lags > 0 of l2_sq_unbiased (negative means give a negative "l2"); "l2_se_truth", its
            standard error from the truth's noise; "l2_se_data", that from the finite series, by jackknife over the groups of the data,
            where the response has `deviations`; and "linf", the mean of linf over the same lags. Two responses on the same data share
            most of both errors: compare them by `difference`.
    """

    times: torch.Tensor
    l2: torch.Tensor
    linf: torch.Tensor
    l2_sq_unbiased: torch.Tensor
    l2_sq_se: torch.Tensor
    quoted: dict[str, float]


def compare(answer: Response, truth: Response) -> Errors:
    """Errors of a response against `truth`, at its own lags.

    Args:
        truth: a Response at the same lags or more; from `perturb`, whose parts free the error of the truth's own noise, or exact.

    Raises:
        ValueError: another grid, or a lag that the truth does not have.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck
    >>> truth = exact_response(OrnsteinUhlenbeck(), lags=10.0)
    >>> compare(truth, truth).quoted["l2"]
    0.0
    """
    rows = _rows(answer, truth)
    values = answer.values.double().cpu().flatten(1)
    difference = values - truth.values.double().cpu()[rows].flatten(1)
    unbiased = difference.square().sum(1)
    without = None
    if truth.parts is not None:
        each = values - truth.parts.double().cpu()[:, rows].flatten(2)
        unbiased, without = _free_of_noise(each), torch.stack([_free_of_noise(_drop(each, i)) for i in range(len(each))])
    return Errors(
        times=answer.times,
        l2=difference.norm(dim=1),
        linf=difference.abs().amax(1),
        l2_sq_unbiased=unbiased,
        l2_sq_se=torch.zeros_like(unbiased) if without is None else _jackknife(without),
        quoted=_quoted(unbiased, difference, without) | _from_data(answer, truth, rows),
    )


def wave_errors(answer: Response, truth: Response) -> torch.Tensor:
    """|R̂_k(t) − R_k(t)|² by wavevector, (lag, *half), at the lags of `answer`; their sum over all wavevectors is N² times the squared L2.

    Where the truth has parts it is freed of the truth's noise, and signed: the mean of Re ⟨R̂ − T_p, R̂ − T_q⟩ over p ≠ q.

    Raises:
        ValueError: as `compare`; or the answers are no fields.
    """
    grid, rows = answer._need_grid(), _rows(answer, truth)
    if truth.parts is None:
        return grid.rfft((answer.values.cpu() - truth.values.cpu()[rows]).double()).abs().square()
    each = grid.rfft((answer.values.cpu() - truth.parts.cpu()[:, rows]).double())
    count = len(each)
    return (each.sum(0).abs().square() - each.abs().square().sum(0)) / (count * (count - 1))


@dataclass(frozen=True)
class Sources:
    """What the squared L2 of a response is made of, at each lag: `score` + `sampling` + `truth` = l2².

    Attributes:
        times: (lag,).
        score: |R_s − R|², by which the answer would be off with endless data: what is wrong with the score. Signed, as it is what is left.
        sampling: Σ_i ⟨δR_i²⟩, from the finite series, by the bootstrap.
        truth: the same for the truth, by its parts; 0 for an exact one.
    """

    times: torch.Tensor
    score: torch.Tensor
    sampling: torch.Tensor
    truth: torch.Tensor

    @property
    def quoted(self) -> dict[str, float]:
        """Roots of the means over lags > 0, signed."""
        return {name: signed_root(float(getattr(self, name)[1:].mean())) for name in ("score", "sampling", "truth")}


def error_sources(answer: Response, truth: Response) -> Sources:
    """The squared error of `answer`, split by where it comes from.

    With answer and truth independent and without bias by sampling, ⟨|R̂ − T̂|²⟩ = |R_s − R|² + Σ_i ⟨δR̂_i²⟩ + Σ_i ⟨δT̂_i²⟩.

    Raises:
        ValueError: as `compare`; or the answer has no standard error.
    """
    if answer.standard_error is None:
        raise ValueError("this answer has no standard error, so what sampling adds is not known; take one from respond")
    errors = compare(answer, truth)
    sampling = answer.standard_error.double().square().flatten(1).sum(1)
    return Sources(errors.times, errors.l2_sq_unbiased - sampling, sampling, errors.l2.square() - errors.l2_sq_unbiased)


def signed_root(value: float) -> float:
    """sign(v) |v|^½, so that an unbiased square within its noise stays visibly so."""
    return math.copysign(math.sqrt(abs(value)), value)


def _quoted(unbiased: torch.Tensor, difference: torch.Tensor, without: torch.Tensor | None) -> dict[str, float]:
    mean = float(unbiased[1:].mean())
    spread = 0.0 if without is None else float(_jackknife(without[:, 1:].mean(1)))
    l2 = signed_root(mean)
    # d√v = dv / 2√v, but no more than √dv where v itself is within its noise
    error = min(spread / (2 * abs(l2)), math.sqrt(spread)) if spread else 0.0
    return {"l2": l2, "l2_se_truth": error, "linf": float(difference[1:].abs().amax(1).mean())}


def _from_data(answer: Response, truth: Response, rows: torch.Tensor) -> dict[str, float]:
    if answer.deviations is None or len(answer.deviations) < 2:
        return {}
    return {"l2_se_data": float(_jackknife(torch.stack([_l2(each, truth, rows) for each in _replicates(answer)])))}


def _replicates(answer: Response) -> Iterator[torch.Tensor]:
    """The values without each group in turn, one after the other: all at once would take their room many times."""
    return (answer.values.cpu().double() + each.double() for each in answer.deviations)


def _l2(values: torch.Tensor, truth: Response, rows: torch.Tensor) -> torch.Tensor:
    """The quoted L2 of some values, signed, as a tensor."""
    each = values.double().flatten(1) - (truth.values[None] if truth.parts is None else truth.parts).double().cpu()[:, rows].flatten(2)
    square = (each[0].square().sum(1) if truth.parts is None else _free_of_noise(each))[1:].mean()
    return square.sign() * square.abs().sqrt()


@dataclass(frozen=True)
class Difference:
    """By how much the quoted L2 of one response exceeds that of another on the same data.

    Attributes:
        value: L2 of the first less L2 of the second.
        standard_error: of that difference, from the data and the truth together.
        from_data, from_truth: its two parts.
    """

    value: float
    standard_error: float
    from_data: float
    from_truth: float


def difference(one: Response, other: Response, truth: Response) -> Difference:
    """Two responses on the same data compared: what their errors have in common, of the data and of the truth, drops out.

    Standard errors by the jackknife, over the groups of the data, which both responses must have alike, and over the parts of the truth.

    Raises:
        ValueError: as `compare`; the responses have no `deviations` (a saved one has none), or are not of the same data.
    """
    if one.deviations is None or other.deviations is None:
        raise ValueError(
            "a response read from a file, or made otherwise than by respond, does not say how groups of its data deviate; "
            "compute both from their data"
        )
    if len(one.deviations) != len(other.deviations) or one.info.get("data") != other.info.get("data"):
        raise ValueError("the two responses are not of the same data; compare each with the truth on its own")
    rows = _rows(one, truth)
    if not torch.equal(rows, _rows(other, truth)):
        raise ValueError("the two responses have different lags; ask for the same")

    def gap(first: torch.Tensor, second: torch.Tensor, against: Response) -> torch.Tensor:
        return _l2(first, against, rows) - _l2(second, against, rows)

    data = _jackknife(torch.stack([gap(*pair, truth) for pair in zip(_replicates(one), _replicates(other), strict=True)]))
    noise = torch.zeros(())
    if truth.parts is not None and len(truth.parts) > 2:
        without = [replace(truth, parts=_drop(truth.parts, i), standard_error=None) for i in range(len(truth.parts))]
        noise = _jackknife(torch.stack([gap(one.values.cpu(), other.values.cpu(), each) for each in without]))
    value = gap(one.values.cpu(), other.values.cpu(), truth)
    return Difference(float(value), float((data.square() + noise.square()).sqrt()), float(data), float(noise))


def _free_of_noise(each: torch.Tensor) -> torch.Tensor:
    """Mean of ⟨R − T_p, R − T_q⟩ over p ≠ q, from (part, lag, pixel): (|Σ_p e_p|² − Σ_p |e_p|²) / (P(P − 1))."""
    count = len(each)
    return (each.sum(0).square().sum(-1) - each.square().sum((0, 2))) / (count * (count - 1))


def _drop(each: torch.Tensor, index: int) -> torch.Tensor:
    return torch.cat([each[:index], each[index + 1 :]])


def _jackknife(without: torch.Tensor) -> torch.Tensor:
    count = len(without)
    return ((count - 1) / count * (without - without.mean(0)).square().sum(0)).sqrt()


def _rows(answer: Response, truth: Response) -> torch.Tensor:
    """Where the truth, of the same grid and shape, has the lags of the answer."""
    if answer.grid is not None and truth.grid is not None and answer.grid != truth.grid:
        raise ValueError(f"grids differ: answer {answer.grid}, truth {truth.grid}")
    if answer.values.shape[1:] != truth.values.shape[1:]:
        raise ValueError(f"shapes differ: answer {tuple(answer.values.shape[1:])}, truth {tuple(truth.values.shape[1:])}")
    wanted, present = answer.times, truth.times
    gaps = np.abs(np.asarray(wanted)[:, None] - np.asarray(present)[None, :])
    rows = gaps.argmin(1)
    worst = gaps.min(1)
    if (worst > 1e-6 * float(present.max())).any():
        missing = float(wanted[int(worst.argmax())])
        raise ValueError(
            f"the truth has no lag {missing:g}; its lags run from {float(present[0]):g} to {float(present[-1]):g}: use the same lags"
        )
    return torch.as_tensor(rows)
