"""Principal components of a series, and the way back to maps.

The covariance C = V Λ Vᵀ has patterns V, and the amplitudes a = Vᵀ (u − ⟨u⟩) of the n strongest are unlike variables. What is reduced
depends on the axes:

    mtyx, mtx      the field, place by place, as empirical orthogonal functions; the amplitudes are numbers (axes mtc)
    mtc            the components; the amplitudes are numbers (mtc)
    mtcx, mtcyx    the components at each wavevector, C_k = V_k Λ_k V_k†, such as the latitudes of a channel; the amplitudes are n
                   fields on the ring (mtcx), so that translation invariance is kept

A covariance of many latitudes has a condition of 10⁶ and more, and the response to a kick at one of them is lost in noise. That to a kick
within the retained patterns is not. The price is a bias: the part of a kick outside them is left out, of which `amplitudes` warns, and so
is the part of the answer that leaves them later.
"""

import warnings
from dataclasses import dataclass

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import component_covariance
from gfdt_tutorial.core.whitening import CONSTANT, apply_matrices

OUTSIDE = 0.05  # the fraction of a kick's square outside the retained patterns above which a warning is given
LARGEST = 4096  # places of a field, whose covariance matrix is kept


@dataclass(frozen=True)
class PrincipalComponents:
    """The amplitudes of the strongest patterns of a series.

    Attributes:
        series: the amplitudes, with components "PC1", "PC2", …
        patterns: V, (place, n) or (component, n); (*spectral_shape, component, n) for fields of several components.
        scale: standard deviation by which each component was divided first; ones unless it was `scaled`.
        explained: (n,), the fraction of the variance that each pattern carries; of all wavevectors together.
        source: the series that was reduced.
    """

    series: TimeSeries
    patterns: torch.Tensor
    scale: torch.Tensor
    explained: torch.Tensor
    source: TimeSeries

    def maps(self, amplitudes: torch.Tensor) -> torch.Tensor:
        """Maps from amplitudes: (..., n) or (..., n, *space) → (..., *shape of the source), without the mean.

        They may be those of a response: `maps(answer.to(kick))`.
        """
        checks.ends_with("amplitudes", amplitudes, self.series.shape)
        if self.series.grid.shape:
            found = apply_matrices(self.series.grid, self.patterns, amplitudes)
        else:
            found = (amplitudes @ self.patterns.to(amplitudes).T).reshape(*amplitudes.shape[:-1], *self.source.shape)
        return found * self.scale.to(found)

    def amplitudes(self, maps: torch.Tensor) -> torch.Tensor:
        """Amplitudes of maps, such as kicks, (..., *shape of the source) → (..., n) or (..., n, *space).

        Warns:
            UserWarning: more than a twentieth of a map's square lies outside the retained patterns.
        """
        checks.ends_with("maps", maps, self.source.shape)
        maps = maps.to(self.source.u.dtype) if not maps.is_floating_point() else maps
        found = self._projected(maps)
        outside = self.outside(maps)
        if bool((outside > OUTSIDE).any()):
            warnings.warn(
                f"{float(outside.max()):.0%} of a kick lies outside the {len(self.explained)} retained principal components, and the "
                "response leaves it out: retain more of them, or kick a wider shape",
                stacklevel=2,
            )
        return found

    def outside(self, maps: torch.Tensor) -> torch.Tensor:
        """The fraction of the square of each map that the retained patterns do not contain, (..., *shape of the source) → (...)."""
        axes = tuple(range(-len(self.source.shape), 0))
        left = (maps - self.maps(self._projected(maps))) / self.scale.to(maps)
        return left.square().sum(axes) / (maps / self.scale.to(maps)).square().sum(axes).clamp_min(torch.finfo(left.dtype).tiny)

    def _projected(self, maps: torch.Tensor) -> torch.Tensor:
        scaled = maps / self.scale.to(maps)
        if self.series.grid.shape:
            return apply_matrices(self.series.grid, self.patterns.mH, scaled)
        return scaled.reshape(*maps.shape[: maps.ndim - len(self.source.shape)], -1) @ self.patterns.to(maps)


def principal_components(data: TimeSeries, count: int, *, scaled: bool = False) -> PrincipalComponents:
    """The `count` strongest patterns of a series, and their amplitudes as unlike variables; see this module's page.

    Args:
        data: a field, components, or several fields.
        count: n, at most the number of places, or of components.
        scaled: divide each component by its standard deviation first, for components of different units.

    Raises:
        ValueError: a plain number, `count` out of range or not below the number of snapshots, a field of more than 4096 places, a field
            with hidden forcing, a component that does not vary, or components of different units that are not `scaled`.

    >>> import gfdt_tutorial as gfdt
    >>> data = gfdt.simulate(gfdt.OrnsteinUhlenbeck(grid=gfdt.PeriodicGrid((8, 8))), members=4, duration=200.0)
    >>> found = principal_components(data, 6)
    >>> found.series.axes, found.series.components[0], found.maps(found.series.u).shape
    ('mtc', 'PC1', torch.Size([4, 201, 8, 8]))
    """
    check_series(data, components=True)
    names = data.components
    if names is None and not data.grid.shape:
        raise ValueError("a plain number has no principal components; give a field, or several variables")
    if names is not None and data.units is not None and len(set(data.units)) > 1 and not scaled:
        raise ValueError(f"the components have different units ({', '.join(sorted(set(data.units)))}): take scaled=True")
    places = data.grid.size if names is None else len(names)
    if not 1 <= checks.whole("count", count, minimum=1) <= places:
        raise ValueError(f"count is {count}; expected at most {places}, the number of {'places' if names is None else 'components'}")
    if count >= data.snapshots:
        raise ValueError(f"{count} principal components of {data.snapshots} snapshots; expected fewer than there are snapshots")
    if data.context is not None and names is None:
        raise ValueError("the amplitudes of a field have no place for its hidden forcing; leave the context out of the series")
    if names is not None and scaled and 0 in data.spread:
        raise ValueError(CONSTANT)
    if places > LARGEST:
        raise ValueError(f"a field of {places} places is too large for its covariance matrix; expected at most {LARGEST}: coarsen it")
    wide = [1] * len(data.grid.shape)
    scale = torch.tensor(data.spread).reshape(-1, *wide) if scaled and names is not None else torch.ones(1)
    if names is not None and data.grid.shape:
        return _by_wavevector(data, count, scale)
    flat = ((data.u - data.u.double().mean((0, 1)).to(data.u)) / scale).reshape(data.snapshots, -1).double()
    values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
    values, vectors = values.flip(0), _oriented(vectors.flip(1))
    amplitudes = (flat @ vectors[:, :count]).float().reshape(*data.u.shape[:2], count)
    return PrincipalComponents(_series(data, amplitudes, "mtc", count), vectors[:, :count], scale, values[:count] / values.sum(), data)


def _by_wavevector(data: TimeSeries, count: int, scale: torch.Tensor) -> PrincipalComponents:
    factors = scale.flatten().expand(len(data.components or ())).double()
    covariance = component_covariance(data.grid, data.u, data.centre) / (factors[:, None] * factors)
    values, vectors = torch.linalg.eigh(covariance)
    values, patterns = values.flip(-1), _oriented(vectors.flip(-1))[..., :count]
    weights = data.grid.multiplicity[..., None]
    explained = (values * weights).reshape(-1, values.shape[-1]).sum(0)
    anomalies = (data.u - data.centre) / scale
    amplitudes = torch.cat([apply_matrices(data.grid, patterns.mH, member[None]) for member in anomalies])
    return PrincipalComponents(_series(data, amplitudes, data.axes, count), patterns, scale, explained[:count] / explained.sum(), data)


def _oriented(vectors: torch.Tensor) -> torch.Tensor:
    """The same patterns with the largest entry of each real and positive, so that they do not depend on the solver."""
    largest = vectors.gather(-2, vectors.abs().argmax(-2, keepdim=True))
    return vectors * (largest.conj() / largest.abs())


def _series(data: TimeSeries, amplitudes: torch.Tensor, axes: str, count: int) -> TimeSeries:
    names = tuple(f"PC{number}" for number in range(1, count + 1))
    lengths = data.lengths if "x" in axes else None
    info = data.info | {"preparation": [*data.info.get("preparation", []), {"step": "principal_components", "count": count}]}
    return TimeSeries(amplitudes, data.times, axes, data.context, lengths, info, data.paired, False, names)
