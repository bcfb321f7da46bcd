"""The combined response of several fields: a score, and a forecast by regression on fields that are made from the present ones.

At each wavevector, with ψ the components and the fields φ(u) of a dictionary, such as products of neighbours,

    R(t) = M(t) ⟨∂ψ/∂u⟩ − ⟨[u(t) − M(t) ψ] s†⟩,    M(t) = ⟨u(t) ψ†⟩ ⟨ψ ψ†⟩⁻¹

M(t) is learned from one half of the members and used in the other. The mean Jacobian ⟨∂ψ_a(x + d)/∂u_j(x)⟩ is taken along random signs at
all places at once, whose products at different places average to zero. `kick_response` proves that the errors of score and forecast
multiply; `component_forecasts` is the same without space.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.confidence_bands import bootstrap_error
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import blocks_of, equal_parts
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.estimation import Estimation, method_of
from gfdt_tutorial.responses.observables import neighbour_products
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import AnyScore, Field, along, score_of

GROUPS = 16  # of whole members
LARGEST = 600  # fields in all, between which there is a matrix at each wavevector
COLLINEAR = 1e-6  # of the largest eigenvalue of their correlations
JACOBIANS = 16_384  # fields, about, along whose signs the mean Jacobian is taken
VALUES = 2**22  # of ψ at a time


def combined_fields(common: Estimation, score: AnyScore, dictionary: Field | None, thin: int) -> Response:
    """The matrix of responses in the form "combined", values (lag, to, from, *shape); see this module's page.

    Args:
        dictionary: φ, from fields (..., component, *shape) to further fields (..., m, *shape), which move along when the fields are moved;
            smooth and written in torch. By default the products of neighbours.

    Raises:
        ValueError: fewer than four members; a dictionary that is too large or does not move along.
    """
    data = common.data
    if len(data.u) < 4:
        raise ValueError(
            f'the form "combined" of several fields needs four members or more, and has {len(data.u)}: cut the series into pieces'
        )
    regression = _Regression.of(data, neighbour_products(data) if dictionary is None else dictionary, common.steps, thin)
    cuts = equal_parts(len(data.u), min(GROUPS, len(data.u)))
    half = len(cuts) // 2
    with threads.steady():
        sums = list(threads.mapped(partial(_of_group, regression, score), cuts, device=data.u.device))
        learned = [_operator(sums[half:]), _operator(sums[:half])]  # for the first half from the second, and the other way round
        each = torch.stack([one.response(learned[number >= half]) for number, one in enumerate(sums)])
        values = regression.back(each.mean(0))
        deviations = torch.stack([(values - regression.back(one)) / (len(each) - 1) for one in each])

        def mean_of(drawn: torch.Tensor) -> torch.Tensor:
            return regression.back(torch.tensordot(drawn.to(each), each, 1) / len(each))

        error = bootstrap_error(mean_of, len(each), resamples=common.resamples, seed=common.seed)
    return common.response(
        values.float(),
        error.float(),
        len(each),
        method=method_of(score),
        info={"form": "combined", "thin": thin, "dictionary": regression.count - data.u.shape[2], "spread": data.spread},
        grid=data.grid,
        form="combined",
        deviations=deviations.bfloat16(),
        components=data.components,
    )


@dataclass(frozen=True)
class _Regression:
    """ψ, centred and of about unit size, and the averages that the response needs."""

    data: TimeSeries
    dictionary: Field
    centre: torch.Tensor  # (ψ, 1, …)
    size: torch.Tensor
    steps: int
    thin: int

    @classmethod
    def of(cls, data: TimeSeries, dictionary: Field, steps: int, thin: int) -> "_Regression":
        """Check the dictionary on a few fields, and measure the mean and the size of each field."""
        some = data.u[:, :: -(-data.snapshots // 1024)].flatten(0, 1)
        found = _with_variables(dictionary, some)
        if found.shape[1] > LARGEST:
            raise ValueError(
                f"variables and dictionary are {found.shape[1]} fields; at most {LARGEST} are regressed on: take a smaller one"
            )
        moved = _with_variables(dictionary, some[:4].roll(1, -1))
        if not torch.allclose(moved, found[:4].roll(1, -1), rtol=1e-3, atol=1e-4 * float(found.abs().max())):
            raise ValueError("the dictionary does not move along when the fields are moved: its fields must not depend on the place")
        wide = (slice(None), *[None] * len(data.grid.shape))
        rows = found.movedim(1, 0).flatten(1).double()
        return cls(data, dictionary, rows.mean(1)[wide].float(), rows.std(1).clamp_min(1e-30)[wide].float(), steps, thin)

    @property
    def count(self) -> int:
        """How many fields ψ has."""
        return len(self.centre)

    @property
    def grid(self) -> PeriodicGrid:
        """Of the fields."""
        return self.data.grid

    def psi(self, u: torch.Tensor) -> torch.Tensor:
        """(field, component, *shape) → (field, ψ, *shape)."""
        return (_with_variables(self.dictionary, u) - self.centre) / self.size

    def spectra(self, fields: torch.Tensor) -> torch.Tensor:
        """(field, n, *shape) → (wavevector, n, field), over the root of the number of places."""
        return (self.grid.rfft(fields) / self.grid.size**0.5).flatten(2).permute(2, 1, 0)

    def back(self, modes: torch.Tensor) -> torch.Tensor:
        """(..., lag, wavevector, to, from), for variables of unit size, → (..., lag, to, from, *shape) in their units."""
        shape = modes.movedim(-3, -1).unflatten(-1, self.grid.spectral_shape)
        size = self.size[: self.data.u.shape[2]]
        ratio = (size.reshape(-1, 1) / size.reshape(1, -1)).reshape(len(size), len(size), *[1] * len(self.grid.shape))
        return self.grid.irfft(shape) * ratio

    def origins(self, member: int) -> Iterator[slice]:
        """Blocks of the origins τ of a member, all of which have u(τ + steps)."""
        size = max(self.thin, VALUES // (self.count * self.grid.size) // self.thin * self.thin)
        return blocks_of(self.data.u.shape[1] - self.steps, size)


@dataclass(frozen=True)
class _Sums:
    """Averages over one group of members, at each wavevector, for variables and ψ of unit size.

    Args:
        plain: −⟨u(t) s†⟩, (lag, wavevector, to, from).
        missing: ⟨∂ψ/∂u⟩ + ⟨ψ s†⟩, (wavevector, ψ, from).
        later: Σ u(t) ψ†, (lag, wavevector, to, ψ).
        gram: Σ ψψ†, (wavevector, ψ, ψ).
    """

    plain: torch.Tensor
    missing: torch.Tensor
    later: torch.Tensor
    gram: torch.Tensor

    def response(self, operator: torch.Tensor) -> torch.Tensor:
        """R(t) of this group, with M(t) from elsewhere, (lag, wavevector, to, from)."""
        return self.plain + operator @ self.missing


def _operator(sums: list[_Sums]) -> torch.Tensor:
    """M(t), (lag, wavevector, to, ψ); fields that are redundant at a wavevector are left out there."""
    gram = sum((one.gram for one in sums), torch.zeros(())).to(torch.complex128)
    later = sum((one.later for one in sums), torch.zeros(())).to(torch.complex128)
    scale = gram.diagonal(dim1=-2, dim2=-1).real.clamp_min(1e-300).sqrt()
    inverse = torch.linalg.pinv(gram / (scale[..., :, None] * scale[..., None, :]), rtol=COLLINEAR, hermitian=True)
    return (later / scale[..., None, :] @ inverse) / scale[..., None, :]


def _of_group(regression: _Regression, score: AnyScore, members: tuple[int, int]) -> _Sums:
    data, steps, count = regression.data, regression.steps, regression.data.u.shape[2]
    centre, size = regression.centre[:count], regression.size[:count]
    totals: list[torch.Tensor] = [torch.zeros(())] * 4
    seen, thin = 0, regression.thin  # the score is evaluated at every `thin`-th origin; M is learned from all
    for member in range(*members):
        later = regression.spectra((data.u[member] - centre) / size)  # (wavevector, component, time)
        for some in regression.origins(member):
            u = data.u[member, some]
            context = None if data.context is None else data.context[member, some][None, ::thin]
            weights = regression.spectra(-score_of(score, u[None, ::thin], context)[0] * size).mH  # (wavevector, origin, from)
            psi = regression.spectra(regression.psi(u))
            ahead = [later[..., some.start + lag : some.stop + lag] for lag in range(steps + 1)]
            found = [
                torch.stack([one[..., ::thin] @ weights for one in ahead]),
                psi[..., ::thin] @ weights,
                torch.stack([one @ psi.mH for one in ahead]),
                psi @ psi.mH,
            ]
            totals = [total + part.cpu() for total, part in zip(totals, found, strict=True)]
            seen += weights.shape[1]
    jacobian = _jacobian(regression, members)
    plain, products, learned, gram = totals
    return _Sums((plain / seen).to(torch.complex128), jacobian - (products / seen).to(torch.complex128), learned, gram)


def _jacobian(regression: _Regression, members: tuple[int, int]) -> torch.Tensor:
    """⟨∂ψ/∂u⟩ at each wavevector, (wavevector, ψ, from)."""
    data, grid = regression.data, regression.grid
    own = data.u[slice(*members)].flatten(0, 1)
    wanted = max(1, JACOBIANS * (members[1] - members[0]) // len(data.u))
    u = own[:: -(-len(own) // wanted)]
    signs = 2.0 * torch.randint(2, (len(u), *grid.shape), generator=generator(0, Stream.PROBE, members[0])).to(u) - 1
    columns = []
    for j in range(data.u.shape[2]):
        total = torch.zeros(())
        for some in blocks_of(len(u), max(1, VALUES // (regression.count * grid.size))):
            direction = torch.zeros_like(u[some])
            direction[:, j] = signs[some]
            slopes = along(regression.psi, u[some], direction, "the forecast takes the derivative of the dictionary; write it in torch")
            both = regression.spectra(slopes) @ regression.spectra(signs[some][:, None]).mH
            total = total + both.cpu()
        columns.append(total[..., 0] / len(u) * regression.size[j].item())
    return torch.stack(columns, -1).to(torch.complex128)


def _with_variables(dictionary: Field, u: torch.Tensor) -> torch.Tensor:
    """The components, and the fields of the dictionary after them, (field, ψ, *shape)."""
    return torch.cat([u, torch.as_tensor(threads.in_turn(dictionary)(u)).to(u.dtype)], 1)
