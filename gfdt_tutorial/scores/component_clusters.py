"""KGMM for unlike variables: the mean noise in clusters of noisy points, which a small network interpolates.

A mixture of Gaussians of width σ, one on every sample, has as its score at y the mean of −z/σ over all pairs (u, z) with u + σz = y. The
mean is taken in clusters of noisy points, found by K-means in whitened coordinates, and a network is fitted to these means, each weighted
by the number of its points.

Source: Giorgini, Bischoff and Souza, arXiv:2503.18054; `one_variable.ClusterScore` is the same for a plain number.
"""

import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.cluster.vq
import scipy.spatial
import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.core.whitening import Whitening
from gfdt_tutorial.scores.component_building import AnyComponentNetwork, build
from gfdt_tutorial.scores.component_network import ComponentConfig
from gfdt_tutorial.scores.component_score import ComponentScore

SAMPLES = 100_000  # noisy points, of each sign, that are averaged
SOME = 20_000  # points from which K-means finds its centres
WIDTH, LAYERS = 64, 2
RATE = 1e-2


@dataclass(frozen=True)
class ComponentClusterScore(ComponentScore):
    """The score by clusters of unlike variables without space; it is evaluated and calibrated as a `ComponentScore` is."""

    kind: ClassVar[str] = "component clusters"

    @property
    def method(self) -> str:
        """ "clusters"."""
        return "clusters"

    @classmethod
    def fit(
        cls, data: TimeSeries, *, clusters: int = 500, sigma: float = 0.1, steps: int = 1000, seed: int = 0, calibrate: bool = True
    ) -> "ComponentClusterScore":
        """Add noise ±σz, find clusters, average z in each, and interpolate.

        Args:
            data: components without space.
            clusters: their number.
            sigma: σ in whitened coordinates.
            steps: of Adam, for the network that interpolates.
            seed: of noise, centres and weights.
            calibrate: whether to impose ⟨u sᵀ⟩ = −1 and ⟨s⟩ = 0 on these data.

        Raises:
            ValueError: no components, or some with space; too few samples for the clusters; or a size out of range.
        """
        check_series(data, components=True)
        clusters, sigma = checks.whole("clusters", clusters, minimum=4), checks.positive("sigma", sigma)
        if data.components is None or data.grid.shape or data.snapshots < 10 * clusters:
            raise ValueError(
                f"these data have shape {tuple(data.u.shape)} and {data.snapshots} snapshots; expected components without space (axes "
                f"'mtc'), and ten snapshots for each of {clusters} clusters"
            )
        rng = generator(seed, Stream.CLUSTERS)
        whitening = Whitening.of(data.u.reshape(data.snapshots, -1))
        with threads.steady():
            states = whitening(data.u).flatten(0, 1)
            some = states[torch.randint(len(states), (SAMPLES,), generator=rng)]
            z = torch.randn(some.shape, generator=rng, dtype=torch.float64)
            points, noise = torch.cat([some + sigma * z, some - sigma * z]), torch.cat([z, -z])
            places, means, counts = _clustered(points, noise, clusters, seed)
            config: ComponentConfig = {
                "components": list(data.components), "width": WIDTH, "layers": LAYERS, "context": 0, "level": sigma,
            }  # fmt: skip
            network = build(config, seed)
            _interpolate(network, places, -means / sigma, counts, checks.whole("steps", steps, minimum=1))
        metrics = {"clusters": float(len(places)), "level": sigma, "seed": float(seed)}
        network = network.eval().requires_grad_(False)
        found = cls(network, whitening, config, metrics=metrics, fitted_to=data.fingerprint)
        metrics["missed"] = found.missed(data)
        return found.calibrated(data) if calibrate else found


def _clustered(points: torch.Tensor, noise: torch.Tensor, clusters: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean place and mean noise of the points of each cluster, (cluster, component), and their number."""
    some = points[:: -(-len(points) // SOME)].numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty cluster is left out below
        centres, _ = scipy.cluster.vq.kmeans2(some, clusters, minit="points", rng=np.random.default_rng(seed))
    label = torch.from_numpy(scipy.spatial.cKDTree(centres).query(points.numpy())[1]).long()
    counts = torch.bincount(label, minlength=clusters).double()
    sums = [torch.zeros(clusters, points.shape[1], dtype=torch.float64).index_add_(0, label, one) for one in (points, noise)]
    filled = counts > 0
    places, means = (one[filled] / counts[filled, None] for one in sums)
    return places, means, counts[filled]


def _interpolate(network: AnyComponentNetwork, places: torch.Tensor, values: torch.Tensor, counts: torch.Tensor, steps: int) -> None:
    """Fit the network to the values, by Adam on all clusters at once."""
    places, values, weights = places.float(), values.float(), (counts / counts.sum()).float()
    adam = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        loss = (weights[:, None] * (network(places) - values).square()).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
