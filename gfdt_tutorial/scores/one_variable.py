"""Four ways to the score of one variable, from samples alone: histogram, kernel density, clusters, a small network.

Each method produces a table, which is interpolated linearly, and each blurs the density by the width of its bins or kernels, which makes
the score too small. The identities that every true score obeys, by an integration by parts,

    ⟨s⟩ = 0,     ⟨(u − ⟨u⟩) s⟩ = −1

determine its offset and its amplitude on the data to which it was fitted (`calibrate`), as R(t) R(0)⁻¹ does for a response.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeVar

import numpy as np
import scipy.cluster.vq
import scipy.stats
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.spectra import interpolate

TABLE = 400  # points of a table, where these are not bins or clusters
FEWEST = 100  # samples

Tabulated = TypeVar("Tabulated", bound="TabulatedScore")


@dataclass(frozen=True)
class TabulatedScore:
    """s(u) by linear interpolation, and by linear extrapolation beyond the ends.

    Args:
        points, values: (point,), in double precision, the points in rising order.
        fitted_to: fingerprint of the series to which it was fitted, or None.
        identity_on: fingerprint of the series on which −⟨(u − ⟨u⟩) s⟩ is exactly 1, or None.
    """

    points: torch.Tensor
    values: torch.Tensor
    fitted_to: str | None = None
    identity_on: str | None = None
    method: ClassVar[str] = "score"

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """The score at u, of any shape."""
        return interpolate(self.points.to(u.device), self.values.to(u.device), u.double()).to(u.dtype)

    def calibrated(self, data: TimeSeries) -> Self:
        """c (s − s₀), with c and s₀ such that ⟨s⟩ = 0 and ⟨(u − ⟨u⟩) s⟩ = −1 over these data.

        Raises:
            ValueError: ⟨(u − ⟨u⟩) s⟩ is not negative, so that no amplitude c > 0 exists.
        """
        u, s = data.u.double(), self(data.u).double()
        product = float(((u - u.mean()) * (s - s.mean())).mean())
        if product >= 0:
            raise ValueError(f"⟨(u − ⟨u⟩) s⟩ is {product:.3g}, and −1 for a true score: this one does not point back to the data")
        return replace(self, values=-(self.values - float(s.mean())) / product, identity_on=data.fingerprint)


class HistogramScore(TabulatedScore):
    """s = Δ ln n / Δu: the slope of the logarithm of the counts, from one bin to the next.

    Counts n scatter by n^½, so the slope between two bins has the standard error (2/n)^½ / Δu: narrow bins are noisy, wide bins blur.
    """

    method: ClassVar[str] = "histogram"

    @classmethod
    def fit(cls, data: TimeSeries, *, bins: int = 60, calibrate: bool = True) -> "HistogramScore":
        """Count samples, and take differences of the logarithms; empty bins are left out, and the slope is taken across them.

        Args:
            bins: number of bins of equal width, from the smallest to the largest sample.
            calibrate: whether to impose the identities of this module's page.

        Raises:
            ValueError: data with space axes, too few samples, equal samples, or fewer than 4 bins.
        """
        counts, edges = np.histogram(_samples(data), checks.whole("bins", bins, minimum=4))
        filled = counts > 0
        centres, log = (0.5 * (edges[1:] + edges[:-1]))[filled], np.log(counts[filled])
        return _finished(cls, data, 0.5 * (centres[1:] + centres[:-1]), np.diff(log) / np.diff(centres), calibrate)


class KernelScore(TabulatedScore):
    """s = ∂ ln ρ̂,   ρ̂(u) = (1/n) Σ_i N(u; u_i, b²)     a Gaussian kernel on every sample (Rosenblatt 1956, Parzen 1962)

    The estimate is smooth. It is the score of the density convolved with a Gaussian of width b, so maxima and minima come out too flat.
    """

    method: ClassVar[str] = "kernel density"

    @classmethod
    def fit(cls, data: TimeSeries, *, width: float | None = None, calibrate: bool = True) -> "KernelScore":
        """`scipy.stats.gaussian_kde` at TABLE points, and the slope of its logarithm.

        Args:
            width: b in standard deviations of the data; n^(−1/5), the rule of Scott (1992), by default.
            calibrate: whether to impose the identities of this module's page.

        Raises:
            ValueError: data with space axes, too few samples, equal samples, or a width that is not positive.
        """
        samples = _samples(data)
        width = None if width is None else checks.positive("width", width)
        points = np.linspace(samples.min(), samples.max(), TABLE)
        density = scipy.stats.gaussian_kde(samples, bw_method=width)(points)
        return _finished(cls, data, points, np.gradient(np.log(density), points), calibrate)


class ClusterScore(TabulatedScore):
    """s(y) = −⟨z | y⟩/σ for y = u + σz: KGMM, K-means Gaussian mixture modelling (Giorgini, Bischoff, Souza, arXiv:2503.18054).

    A mixture of Gaussians of width σ, one on every sample, has as its score at y the mean of −z/σ over all pairs (u, z) that lead to y.
    The mean is taken over clusters of noisy points, found by K-means, so that regions of high density are finely resolved. As for a kernel
    density, this is the score of the density convolved with a Gaussian of width σ, but it needs no density and works in many dimensions.
    There the authors let a network interpolate between clusters; in one dimension linear interpolation is sufficient.
    """

    method: ClassVar[str] = "clusters"

    @classmethod
    def fit(
        cls, data: TimeSeries, *, clusters: int = 50, sigma: float = 0.06, repeats: int = 4, seed: int = 0, calibrate: bool = True
    ) -> "ClusterScore":
        """Add noise ±z to each sample, find clusters, and average z in each.

        Args:
            clusters: number of clusters.
            sigma: σ in standard deviations of the data.
            repeats: antithetic pairs of noise per sample.
            seed: of the noise.
            calibrate: whether to impose the identities of this module's page.

        Raises:
            ValueError: data with space axes, too few samples, equal samples, fewer than 4 clusters, or a sigma that is not positive.
        """
        samples = _samples(data)
        clusters, sigma = checks.whole("clusters", clusters, minimum=4), checks.positive("sigma", sigma) * samples.std()
        size, rng = (checks.whole("repeats", repeats, minimum=1), len(samples)), generator(seed, Stream.CLUSTERS)
        drawn = torch.randn(size, generator=rng, dtype=torch.float64).numpy().ravel()
        z = np.concatenate([drawn, -drawn])
        y = np.tile(samples, 2 * repeats) + sigma * z
        start = np.quantile(samples, (np.arange(clusters) + 0.5) / clusters)
        centres = np.unique(scipy.cluster.vq.kmeans2(samples[:, None], start[:, None], minit="matrix")[0])
        label = np.searchsorted(0.5 * (centres[1:] + centres[:-1]), y)
        count, noise, place = (np.bincount(label, weight, len(centres)) for weight in (None, z, y))
        return _finished(cls, data, place / count, -noise / count / sigma, calibrate)


class NetworkScore(TabulatedScore):
    """s = −y + N(y), y = (u − ⟨u⟩)/std: the Gaussian score plus a small network, by denoising score matching.

    The loss is the antithetic one of lesson 03, ½⟨s²⟩ + ⟨z (s(y + σz) − s(y − σz))⟩/(2σ), whose minimum is the score of the
    density convolved with a Gaussian of width σ (Vincent, Neural Computation 23, 1661, 2011).
    """

    method: ClassVar[str] = "generative"

    @classmethod
    def fit(
        cls,
        data: TimeSeries,
        *,
        steps: int = 2000,
        sigma: float = 0.06,
        width: int = 24,
        pairs: int = 1024,
        seed: int = 0,
        calibrate: bool = True,
    ) -> "NetworkScore":
        """Train by Adam, and tabulate.

        Args:
            steps: number of steps of Adam.
            sigma: σ in standard deviations of the data.
            width: of the two hidden layers.
            pairs: antithetic pairs per step.
            seed: of weights, batches and noise.
            calibrate: whether to impose the identities of this module's page.

        Raises:
            ValueError: data with space axes, too few samples, equal samples, or a size out of range.
        """
        samples = _samples(data)
        sigma, rng = checks.positive("sigma", sigma), generator(seed, Stream.SMALL_NETWORK)
        mean, std = samples.mean(), samples.std()
        y = torch.from_numpy((samples - mean) / std).float()
        network = _network(checks.whole("width", width, minimum=1), rng)
        _train(network, y, steps=checks.whole("steps", steps, minimum=1), sigma=sigma, pairs=pairs, rng=rng)
        points = np.linspace(samples.min(), samples.max(), TABLE)
        with torch.no_grad():
            table = torch.from_numpy((points - mean) / std).float()[:, None]
            return _finished(cls, data, points, ((network(table) - table)[:, 0] / std).numpy(), calibrate)


ESTIMATORS = (HistogramScore, KernelScore, ClusterScore, NetworkScore)


def _samples(data: TimeSeries) -> np.ndarray:
    """(sample,), double precision."""
    check_series(data)
    if data.grid.shape:
        raise ValueError(f"these data are fields of shape {data.grid.shape}; this score is for one variable (axes 'mt'): use fit_score")
    samples = data.u.double().cpu().numpy().ravel()
    if len(samples) < FEWEST or samples.std() < 1e-9 * (1 + abs(samples.mean())):
        raise ValueError(f"{len(samples)} samples of standard deviation {samples.std():.3g}; expected {FEWEST} at least, and not all equal")
    return samples


def _finished(kind: type[Tabulated], data: TimeSeries, points: np.ndarray, values: np.ndarray, calibrate: bool) -> Tabulated:
    score = kind(torch.as_tensor(points, dtype=torch.float64), torch.as_tensor(values, dtype=torch.float64), data.fingerprint)
    return score.calibrated(data) if calibrate else score


def _train(network: torch.nn.Module, y: torch.Tensor, *, steps: int, sigma: float, pairs: int, rng: torch.Generator) -> None:
    """Adam with a cosine schedule on the antithetic loss."""
    adam = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        batch = y[torch.randint(len(y), (pairs,), generator=rng)]
        z = torch.randn(pairs, generator=rng)
        both = torch.cat([batch + sigma * z, batch - sigma * z])[:, None]
        plus, minus = (network(both) - both)[:, 0].chunk(2)
        loss = (0.25 * (plus.square() + minus.square()) + z * (plus - minus) / (2 * sigma)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()


def _network(width: int, rng: torch.Generator) -> torch.nn.Sequential:
    """A network from one number to one number, zero at the start; weights are drawn from `rng`, never from the global state."""
    layers = [torch.nn.utils.skip_init(torch.nn.Linear, *sides) for sides in ((1, width), (width, width), (width, 1))]
    with torch.no_grad():
        for layer in layers[:-1]:
            for parameter in layer.parameters():
                parameter.uniform_(-1, 1, generator=rng).div_(math.sqrt(layer.in_features))
        for parameter in layers[-1].parameters():
            parameter.zero_()
    return torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])
