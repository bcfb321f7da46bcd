"""A learned score: its network, the coordinates in which the network works, and its files."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.grid import PeriodicGrid, cast
from gfdt_tutorial.core.numerics import blocks_of, nearest_power_of_two
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores import own_network, score_files
from gfdt_tutorial.scores.configuration import NetworkConfig, build
from gfdt_tutorial.scores.given_context import standardised
from gfdt_tutorial.scores.linear_correction import linear_correction
from gfdt_tutorial.scores.network import ScoreNetwork

BATCH = 32  # fields evaluated at a time, so that the values between the layers stay in the cache; more of them if they have fewer than
PIXELS = 1024  # pixels


@dataclass(frozen=True)
class LearnedScore:
    """s(u) ≈ ∇ ln ρ(u), learned from data alone.

    The network returns the score of noisy data. Two steps turn it into the score of clean data. The field is not scaled down, since the
    noisy coordinates keep the variance of the data and the network sees fields of the size on which it was trained. The effect of the
    noise on its linear part f_k is removed, f_k → cos²φ f_k / (1 + sin²φ f_k), which is exact at any noise level if the data are Gaussian.
    A third step adjusts the linear part to the data to which the score was fitted: see `calibrated`.

    Args:
        network: trained, in coordinates w = Q^(−½)(u − ⟨u⟩).
        mean: ⟨u⟩.
        config: the values from which the network can be built again.
        context_mean, context_std: (channel,), of the context, or None.
        metrics: number of steps, validation loss, and the like.
        correction: c_k, (*spectral_shape,), added as c_k (u − ⟨u⟩)_k to the score of clean data, times the square of `unit`; or None.
        fitted_to: fingerprint of the series to which it was fitted, or None.
    """

    network: ScoreNetwork
    mean: float
    config: NetworkConfig
    context_mean: torch.Tensor | None = None
    context_std: torch.Tensor | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    correction: torch.Tensor | None = None
    fitted_to: str | None = None

    @property
    def unit(self) -> float:
        """A power of two near the size of the fields; in this unit their squares fit single precision."""
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
        """The grid of the fields."""
        return self.network.grid

    @torch.no_grad()
    @threads.steady()
    def __call__(self, u: torch.Tensor, context: torch.Tensor | None = None, *, sigma: float | None = None) -> torch.Tensor:
        """The score at u, (..., *shape) → the same, per unit of the field; computed on the network's device, returned on that of u.

        Args:
            context: (..., channel, *shape), for a score that was fitted with one.
            sigma: if given, the score is that of u plus noise of this standard deviation, relative to the spectrum of the noise in training
                (`config["noise"]`). A score fitted with noise_levels=True accepts any value; others only the level of their training.

        Raises:
            ValueError: fields on another grid; a context that is missing, superfluous or of a wrong shape; a sigma that is not positive, or
                that the network was not trained for.
        """
        grid, network = self.grid, self.network
        flat = checks.ends_with("u", u, grid.shape).reshape(-1, *grid.shape).to(network.root)
        channels = self._channels(context, u)
        root, out = network.root, torch.empty_like(flat)

        def evaluate(part: slice) -> None:
            spectra = grid.rfft(flat[part] - self.mean) / root
            given = None if channels is None else channels[part]
            whitened = self._clean(spectra, given) if sigma is None else self._noisy(spectra, given, sigma)
            out[part] = grid.irfft(grid.rfft(whitened) / root)

        batches = blocks_of(len(flat), BATCH * max(1, PIXELS // grid.size))
        for _ in threads.mapped_in_portions(evaluate, batches, device=root.device):
            pass
        return out.reshape(u.shape).to(u)

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
        if not self.network.takes_angle and abs(angle - self.network.angle) > 1e-6:
            raise ValueError(f"this score knows sigma={math.tan(self.network.angle):g} alone; fit one with noise_levels=True for others")
        angles = torch.full(spectra.shape[:1], angle, device=spectra.device)
        return math.cos(angle) * self.network(math.cos(angle) * self.grid.irfft(spectra), context, angles)

    def _channels(self, context: torch.Tensor | None, u: torch.Tensor) -> torch.Tensor | None:
        """The context, standardised channel by channel, (batch, channel, *shape)."""
        leading = tuple(u.shape[: u.ndim - len(self.grid.shape)])
        return standardised(context, leading, self.grid.shape, self.context_mean, self.context_std)

    def calibrated(self, data: TimeSeries) -> "LearnedScore":
        """The same score with a linear part that obeys −⟨û ŝ*⟩/N² = 1 on these data, averaged over each shell of |k| and along each axis.

        This is the exact last step of training, as the module `linear_correction` shows.
        """
        with threads.steady():
            change = linear_correction(data, self, mean=self.mean, unit=self.unit, with_context=self.needs_context)
        before = 0.0 if self.correction is None else self.correction.cpu()
        return replace(self, correction=(before + change).to(self.network.root.device, torch.complex64))

    def to(self, device: str | torch.device) -> "LearnedScore":
        """The same score on another device; the network is moved in place."""
        where = checks.resolve_device(device)
        mean, std, correction = (None if t is None else t.to(where) for t in (self.context_mean, self.context_std, self.correction))
        return LearnedScore(self.network.to(where), self.mean, self.config, mean, std, self.metrics, correction, self.fitted_to)

    def save(self, folder: str | Path) -> Path:
        """Write weights.safetensors and score.json, which holds the hash of the former; the folder is created if needed.

        A network of the user's own is saved by its weights alone; `load` needs the module itself again.
        """
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        extra = {"context_mean": self.context_mean, "context_std": self.context_std, "correction": self.correction}
        if isinstance(self.network, own_network.OwnNetwork):
            extra["probe"] = self.network.probe()
        tensors |= {name: tensor for name, tensor in extra.items() if tensor is not None}
        about = {"mean": self.mean, "config": self.config, "metrics": self.metrics, "fitted_to": self.fitted_to}
        return score_files.write(folder, tensors, about)

    @classmethod
    def load(cls, folder: str | Path, *, network: nn.Module | None = None) -> "LearnedScore":
        """Read what `save` wrote.

        Args:
            network: for a score with a network of the user's own, that module; its weights are replaced, in a copy, by those of the file.

        Raises:
            ValueError: a file is damaged or truncated, the two do not belong together, another version wrote them, or `network` is missing,
                superfluous or another one.
            OSError: a file is missing.
        """
        folder = Path(folder)
        tensors, about = score_files.read(folder)
        if "kind" in about:
            raise ValueError(f"{folder} holds a score of unlike variables; read it with ComponentScore.load")
        try:
            mean, config, metrics = about["mean"], about["config"], about["metrics"]
        except KeyError as error:
            raise ValueError(f"{folder / 'score.json'} is damaged ({error}); fit the score again, or fetch the folder anew") from error
        own_network.check_given(folder, config.get("network"), network)
        try:
            built = build(config, module=network)
            built.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")})
        except (RuntimeError, KeyError, TypeError) as error:
            target = "its config" if network is None else "the network that was given"
            raise ValueError(f"the weights in {folder} do not fit {target} ({error})") from error
        own_network.check_same(folder, built, tensors.get("probe"))
        correction = tensors.get("correction")
        if correction is not None and about["format"] == 1:  # there it was in units of the data
            correction = correction * nearest_power_of_two(built.root) ** 2
        context_mean, context_std = tensors.get("context_mean"), tensors.get("context_std")
        return cls(built.eval(), mean, config, context_mean, context_std, metrics, correction, about.get("fitted_to"))
