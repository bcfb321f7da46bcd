"""A learned score: the network, the coordinates it lives in, and how it is written and read."""

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from gfdt_tutorial.core import checks, storage
from gfdt_tutorial.core.grid import PeriodicGrid, cast
from gfdt_tutorial.core.numerics import nearest_power_of_two
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.spectra import shell_mean
from gfdt_tutorial.scores.network import ScoreNetwork

FORMAT = 2


@dataclass(frozen=True)
class LearnedScore:
    """s(u) ≈ ∇ ln ρ(u), learned from data alone.

    The network knows the score of noisy data. Two things make it the score of clean data: the field is not scaled down (the noisy
    coordinates keep the variance of the data, so the network sees what it was trained on), and its linear part f_k is freed of the
    noise exactly, f_k → cos²φ f_k / (1 + sin²φ f_k), which is exact at any noise level if the data are Gaussian. A third tunes the linear
    part to the data it was fitted to: see `calibrated`.

    Args:
        network: trained, in coordinates w = Q^(−½)(u − ⟨u⟩).
        mean: ⟨u⟩.
        context_mean, context_std: (channel,), of the context, or None.
        config: what is needed to build the network again.
        metrics: how training went.
        correction: c_k, (*spectral_shape,), added as c_k (u − ⟨u⟩)_k to the score of clean data, times the square of `unit`; or None.
        fitted_to: fingerprint of the series that it was fitted to, or None.
    """

    network: ScoreNetwork
    mean: float
    config: dict
    context_mean: torch.Tensor | None = None
    context_std: torch.Tensor | None = None
    metrics: dict = field(default_factory=dict)
    correction: torch.Tensor | None = None
    fitted_to: str | None = None

    @property
    def unit(self) -> float:
        """A power of two as large as the fields: in its units all squares fit single precision."""
        return nearest_power_of_two(self.network.root)

    @property
    def needs_context(self) -> bool:
        """Whether it was fitted with hidden forcing beside the field."""
        return self.context_mean is not None

    @property
    def method(self) -> str:
        """ "generative", or "conditioned" if it needs a context."""
        return "conditioned" if self.needs_context else "generative"

    @property
    def grid(self) -> PeriodicGrid:
        """Of the fields."""
        return self.network.grid

    @torch.no_grad()
    def __call__(self, u: torch.Tensor, context: torch.Tensor | None = None, sigma: float | None = None) -> torch.Tensor:
        """The score at u, (..., *shape) → the same, per unit of the field; computed where the network is, returned where u is.

        Args:
            context: (..., channel, *shape), for a score that was fitted with one.
            sigma: the score of u plus noise of this size instead, relative to the spectrum that the network was trained with
                (`config["noise"]`); any for a score fitted with noise_levels=True, else only the level it was trained at.

        Raises:
            ValueError: another grid, a context missing, superfluous or of a wrong shape, a sigma ≤ 0 or unknown to the network.
        """
        grid, network = self.grid, self.network
        flat = checks.ends_with("u", u, grid.shape).reshape(-1, *grid.shape).to(network.root)
        channels = self._channels(context, u)
        root = network.root
        out = []
        batch = BATCH * max(1, PIXELS // grid.size)
        for start in range(0, len(flat), batch):
            part = slice(start, start + batch)
            spectra = grid.rfft(flat[part] - self.mean) / root
            given = None if channels is None else channels[part]
            whitened = self._clean(spectra, given) if sigma is None else self._noisy(spectra, given, sigma)
            out.append(grid.irfft(grid.rfft(whitened) / root))
        return torch.cat(out).reshape(u.shape).to(u) if out else u.clone()

    def _clean(self, spectra: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        grid, network = self.grid, self.network
        angle = torch.full(spectra.shape[:1], network.angle, device=spectra.device)
        noisy = network.filter()
        sine, cosine = math.sin(network.angle) ** 2, math.cos(network.angle) ** 2
        linear = cosine * noisy / (1 + sine * noisy).clamp_min(1e-3)
        if self.correction is not None:
            linear = linear + self.correction * (network.root / self.unit).square()
        return grid.irfft(spectra * cast(linear, spectra)) + network.nonlinear(grid.irfft(spectra), spectra, context, angle)

    def _noisy(self, spectra: torch.Tensor, context: torch.Tensor | None, sigma: float) -> torch.Tensor:
        """With x = w + σ z = y / cos φ: s_x(x) = cos φ s_y(cos φ x)."""
        angle = math.atan(checks.positive("sigma", sigma))
        if not self.network.levels and abs(angle - self.network.angle) > 1e-6:
            raise ValueError(f"this score knows sigma={math.tan(self.network.angle):g} alone; fit one with noise_levels=True for others")
        angles = torch.full(spectra.shape[:1], angle, device=spectra.device)
        return math.cos(angle) * self.network(math.cos(angle) * self.grid.irfft(spectra), context, angles)

    def _channels(self, context: torch.Tensor | None, u: torch.Tensor) -> torch.Tensor | None:
        if self.context_mean is None:
            if context is not None:
                raise ValueError("this score was fitted without context; leave it out")
            return None
        shape = (*u.shape[: u.ndim - len(self.grid.shape)], len(self.context_mean), *self.grid.shape)
        if context is None or tuple(context.shape) != shape:
            raise ValueError(f"this score needs a context of shape {shape}, got {None if context is None else tuple(context.shape)}")
        wide = (-1, *[1] * len(self.grid.shape))
        flat = context.reshape(-1, *shape[u.ndim - len(self.grid.shape) :]).to(self.context_mean)
        return (flat - self.context_mean.reshape(wide)) / self.context_std.reshape(wide)

    def calibrated(self, data: TimeSeries) -> "LearnedScore":
        """The same with a linear part that obeys −⟨û ŝ*⟩/N² = 1 on these data, in the mean over every shell of |k| and along each axis.

        Adding c_k u_k to a score changes the loss of score matching, ½⟨|s|²⟩ + ⟨∇·s⟩, by a parabola in c_k whose minimum is just there:
        this is the exact last step of training, for the part of the score to which the responses of slow modes are most sensitive.
        With c_k = a + i Σ_j b_j k_j/|k| on a shell, a few numbers average over many wavevectors; b is what advection does to a density.
        """
        grid, unit = self.grid, self.unit
        power = torch.zeros(grid.spectral_shape, dtype=torch.float64)
        product, count = torch.zeros(grid.spectral_shape, dtype=torch.complex128), 0
        step = -(-data.snapshots // CALIBRATION)
        for member in range(len(data.u)):
            u = data.u[member, member % step :: step]
            context = None if data.context is None or self.context_mean is None else data.context[member, member % step :: step]
            spectra = grid.rfft((u - self.mean) / unit)
            power += spectra.abs().square().sum(0).double().cpu()
            product += (spectra.conj() * grid.rfft(unit * self(u, context))).sum(0).to(torch.complex128).cpu()
            count += len(u)
        missing = -count * grid.size - product
        change = (shell_mean(grid, missing.real) / shell_mean(grid, power)).to(torch.complex128)
        change += 1j * self._slope(missing.imag, power)
        before = 0.0 if self.correction is None else self.correction.cpu()
        return replace(self, correction=(before + change).to(self.network.root.device, torch.complex64))

    def _slope(self, missing: torch.Tensor, power: torch.Tensor) -> torch.Tensor | float:
        """Σ_j b_j k_j/|k| by least squares on each shell."""
        grid = self.grid
        if not grid.shape:
            return 0.0
        slopes = [grid.derivative(axis).imag / grid.k_squared.sqrt().clamp_min(1e-12) for axis in grid.axes]
        normal = torch.stack([torch.stack([shell_mean(grid, power * a * b) for a in slopes], -1) for b in slopes], -2)
        wanted = torch.stack([shell_mean(grid, missing * slope) for slope in slopes], -1)
        b = (torch.linalg.pinv(normal, hermitian=True) @ wanted[..., None])[..., 0]  # on some shells an axis has no slope
        return sum(slope * b[..., axis] for axis, slope in enumerate(slopes))

    def to(self, device: str) -> "LearnedScore":
        """The same on another device; the network is moved in place."""
        where = checks.resolve_device(device)
        mean, std, correction = (None if t is None else t.to(where) for t in (self.context_mean, self.context_std, self.correction))
        return LearnedScore(self.network.to(where), self.mean, self.config, mean, std, self.metrics, correction, self.fitted_to)

    def save(self, folder: str | Path) -> Path:
        """Write weights.safetensors and score.json, which holds the hash of the first; the folder is made if needed."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"network.{name}": tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        if self.context_mean is not None:
            tensors |= {"context_mean": self.context_mean.cpu(), "context_std": self.context_std.cpu()}
        if self.correction is not None:
            tensors["correction"] = self.correction.cpu()
        content = safetensors.torch.save(tensors)
        about = {"format": FORMAT, "mean": self.mean, "config": self.config, "metrics": self.metrics, "fitted_to": self.fitted_to}
        about |= {"sha256": hashlib.sha256(content).hexdigest()}
        with storage.atomic(folder / "weights.safetensors", folder / "score.json") as [weights, description]:
            weights.write(content)
            description.write(storage.json_bytes(about))
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> "LearnedScore":
        """Read what `save` wrote.

        Raises:
            ValueError: a file is damaged or truncated, the two do not belong together, or another version wrote them.
            OSError: a file is missing.
        """
        folder = Path(folder)
        content = (folder / "weights.safetensors").read_bytes()
        try:
            about = json.loads((folder / "score.json").read_text(encoding="utf-8"))
            mean, config, metrics, digest = about["mean"], about["config"], about["metrics"], about["sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder / 'score.json'} is damaged ({error}); fit the score again, or fetch the folder anew") from error
        if about.get("format") not in (1, FORMAT):
            raise ValueError(
                f"{folder} was written in format {about.get('format')}; this version reads formats 1 and {FORMAT}: fit the score again"
            )
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"{folder / 'weights.safetensors'} is not what score.json describes: damaged, truncated, or of another score")
        try:
            tensors = safetensors.torch.load(content)
            network = build(config)
            network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")})
        except (RuntimeError, KeyError, TypeError, safetensors.SafetensorError) as error:
            raise ValueError(f"the weights in {folder} do not fit its config ({error})") from error
        correction = tensors.get("correction")
        if correction is not None and about["format"] == 1:  # there it was in units of the data
            correction = correction * nearest_power_of_two(network.root) ** 2
        context = (tensors.get(name) for name in ("context_mean", "context_std"))
        return cls(network.eval(), mean, config, *context, metrics, correction, about.get("fitted_to"))


CALIBRATION = 8192  # fields, about, that a linear part is tuned to
BATCH = 32  # fields evaluated at a time: what lies between the layers should stay in the cache; and of smaller fields than
PIXELS = 1024  # as many more


def build(config: dict, seed: int = 0) -> ScoreNetwork:
    """An untrained network from its config; its spectra are filled in by the weights. The global random state is left alone."""
    grid = PeriodicGrid(tuple(config["shape"]), tuple(config["lengths"]))
    ones = torch.ones(grid.spectral_shape, dtype=torch.float64)
    # a white network has one input channel less, which it tells from a constant root
    whitening = ones if config["noise"] == "white" else ones + grid.k_squared
    sizes = {name: config[name] for name in ("angle", "width", "context", "levels", "gated")}
    sizes |= {name: tuple(config[name]) for name in ("kernels", "powers")}
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers take no generator
        return ScoreNetwork(grid, whitening, ones, **sizes)
