"""A forecast from data: a dictionary in closed form, a network if there is one, the coefficients of both, and its files."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from gfdt_tutorial.core import checks, storage, threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import blocks_of
from gfdt_tutorial.scores.dictionary import Feature, Power, check_dictionary, values_of
from gfdt_tutorial.scores.forecast_network import ForecastNetwork

FORMAT = 1
BATCH = 32  # fields at a time, so that the values between the layers stay in the cache; more of them if they have fewer than
PIXELS = 1024  # pixels


@dataclass(frozen=True)
class FittedForecast:
    """m̂_t(u) ≈ E[u(τ + t) | u(τ) = u], by least squares from data alone; `core.forecast.Forecast` states the contract.

    Its features are those of the dictionary; the channels of the context, if it is given one, whose Jacobian vanishes; and, where there is
    a network, its outputs.

    Args:
        grid: of the fields.
        mean, unit: ⟨u⟩, and the standard deviation of u.
        spectrum: C_k, (*spectral_shape,), in units of the field squared.
        every: the spacing of the lags, in time units.
        dictionary: the features in closed form, the first of which is the field itself.
        network: that of the nonlinear rest, or None.
        context_mean, context_std: (channel,), of the context that the network is given, or None.
        coefficients: a_ck(t), (lag, feature, *spectral_shape), complex.
        means: (feature,), ⟨φ_c⟩, which is subtracted from the features, in units of the field.
        metrics: held-out errors, number of steps, and the like.
        config: the values from which the network can be built again.
        fitted_to: fingerprint of the series to which it was fitted, or None.
    """

    grid: PeriodicGrid
    mean: float
    unit: float
    spectrum: torch.Tensor
    every: float
    dictionary: tuple[Feature, ...]
    network: ForecastNetwork | None
    context_mean: torch.Tensor | None
    context_std: torch.Tensor | None
    coefficients: torch.Tensor
    means: torch.Tensor
    metrics: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    fitted_to: str | None = None

    @property
    def steps(self) -> int:
        """The largest lag, in steps of `every`."""
        return len(self.coefficients) - 1

    @property
    def centre(self) -> float:
        """⟨u⟩ over the samples from which the coefficients were computed."""
        return self.mean + float(self.means[0])

    @property
    def closed(self) -> int:
        """Number of features in closed form."""
        return len(self.dictionary) + (0 if self.context_mean is None else len(self.context_mean))

    @property
    def needs_context(self) -> bool:
        """Whether it was fitted with hidden forcing beside the field."""
        return self.context_mean is not None

    @property
    def method(self) -> str:
        """ "forecast", or "conditioned forecast" if it needs a context."""
        return "conditioned forecast" if self.needs_context else "forecast"

    @cached_property
    def root(self) -> torch.Tensor:
        """C_k^½, (*spectral_shape,), in single precision."""
        return self.spectrum.sqrt().float()

    @torch.no_grad()
    @threads.steady()
    def __call__(self, u: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """The forecast for every lag, (batch, *shape) → (lag, batch, *shape), in units of the field.

        Raises:
            ValueError: fields on another grid; a context that is missing or superfluous.
        """
        spectra = self.grid.rfft(self.features(u, context))
        return self.centre + self.grid.irfft(torch.einsum("lc...,bc...->lb...", self.coefficients.to(spectra), spectra))

    @torch.no_grad()
    def features(self, u: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """φ_c(u) less its mean, (batch, *shape) → (batch, feature, *shape), in units of the field; on the device of u."""
        flat, channels = self._checked(u, context)
        out = flat.new_empty(len(flat), self.coefficients.shape[1], *self.grid.shape)

        def evaluate(part: slice) -> None:
            v = (flat[part] - self.mean) / self.unit
            for index, feature in enumerate(self.dictionary):
                out[part, index] = self.unit * values_of(feature, v)
            if channels is not None:
                out[part, len(self.dictionary) : self.closed] = self.unit * channels[part]
            if self.network is not None:
                spectra = self.grid.rfft(v * self.unit) / self.root
                found = self.network(self.grid.irfft(spectra), None if channels is None else channels[part])
                out[part, self.closed :] = self.grid.irfft(self.grid.rfft(found) * self.root)
            out[part] -= self.means.to(out).reshape(-1, *[1] * len(self.grid.shape))

        self._by_batches(evaluate, len(flat))
        return out.to(u.device)

    @torch.no_grad()
    def jacobians(self, u: torch.Tensor, context: torch.Tensor | None, rng: torch.Generator) -> torch.Tensor:
        """(∇φ_c)_kk of each field, (batch, *shape) → (batch, feature, *spectral_shape), complex.

        Those of powers are exact. Others come from one random direction for each field, with the spectrum of the data, fixed moduli and
        random phases: then the contribution of the other wavevectors, which vanishes on average, is about equally small everywhere.
        """
        flat, channels = self._checked(u, context)
        grid = self.grid
        shape = len(flat), self.coefficients.shape[1], *grid.spectral_shape
        noise = grid.rfft(torch.randn(len(flat), *grid.shape, generator=rng).to(flat))
        phases = noise / noise.abs().clamp_min(1e-30)
        out = torch.empty(shape, dtype=phases.dtype, device=flat.device)
        size = grid.size**0.5

        def evaluate(part: slice) -> None:
            v, white = (flat[part] - self.mean) / self.unit, size * phases[part]
            direction = grid.irfft(white * self.root) / self.unit
            for index, feature in enumerate(self.dictionary):
                if isinstance(feature, Power):
                    out[part, index] = feature.slope(v).mean(grid.axes).reshape(-1, *[1] * len(grid.spectral_shape)).to(out)
                else:
                    out[part, index] = grid.rfft(_along(feature, v, direction)) * self.unit / (white * self.root)
            out[part, len(self.dictionary) : self.closed] = 0
            if self.network is not None:
                w = grid.irfft(grid.rfft(v * self.unit) / self.root)
                _, moved = self.network.with_slope(w, grid.irfft(white), None if channels is None else channels[part])
                out[part, self.closed :] = grid.rfft(moved) / white[:, None]

        self._by_batches(evaluate, len(flat))
        return out.to(u.device)

    def _by_batches(self, evaluate: Callable[[slice], None], count: int) -> None:
        for _ in threads.mapped_in_portions(evaluate, blocks_of(count, BATCH * max(1, PIXELS // self.grid.size)), device=self.root.device):
            pass

    def _checked(self, u: torch.Tensor, context: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Fields (batch, *shape) and the standardised context."""
        shape = self.grid.shape
        flat = checks.ends_with("u", u, shape).reshape(-1, *shape).to(self.root)
        if self.context_mean is None or self.context_std is None:
            return flat, None
        wanted = (len(flat), len(self.context_mean), *shape)
        given = None if context is None else context.reshape(-1, *context.shape[context.ndim - len(shape) - 1 :]).to(self.root)
        if given is None or tuple(given.shape) != wanted:
            found = None if given is None else tuple(given.shape)
            raise ValueError(f"this forecast needs a context of shape {wanted}, the hidden forcing of its fields; got {found}")
        return flat, self.standardised(given)

    def standardised(self, context: torch.Tensor | None) -> torch.Tensor | None:
        """The context with zero mean and unit variance, channel by channel; None if the forecast is not given one."""
        if self.context_mean is None or self.context_std is None or context is None:
            return None
        wide = (-1, *[1] * len(self.grid.shape))
        return (context.to(self.context_mean) - self.context_mean.reshape(wide)) / self.context_std.reshape(wide)

    def save(self, folder: str | Path, *, prefix: str = "") -> Path:
        """Write weights.safetensors and forecast.json, which holds the hash of the former; the folder is created if needed.

        Functions of the user's own are not saved; `load` needs them again.

        Args:
            prefix: in front of both names.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {"coefficients": self.coefficients, "spectrum": self.spectrum, "means": self.means}
        tensors |= {name: one for name, one in (("context_mean", self.context_mean), ("context_std", self.context_std)) if one is not None}
        if self.network is not None:
            tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        content = safetensors.torch.save({name: one.detach().cpu().contiguous().clone() for name, one in tensors.items()})
        powers = [one.degree if isinstance(one, Power) else None for one in self.dictionary]
        about = {"format": FORMAT, "shape": self.grid.shape, "lengths": self.grid.lengths, "mean": self.mean, "unit": self.unit}
        about |= {"every": self.every, "powers": powers, "metrics": self.metrics, "config": self.config, "fitted_to": self.fitted_to}
        about |= {"sha256": hashlib.sha256(content).hexdigest()}
        with storage.atomic(folder / f"{prefix}weights.safetensors", folder / f"{prefix}forecast.json") as [weights, description]:
            weights.write(content)
            description.write(storage.json_bytes(about))
        return folder

    @classmethod
    def load(cls, folder: str | Path, *, dictionary: Sequence[Feature] = (), prefix: str = "") -> "FittedForecast":
        """Read what `save` wrote.

        Args:
            dictionary: for a forecast with functions of the user's own, these functions in their order.
            prefix: in front of the names of both files.

        Raises:
            ValueError: a file is damaged or truncated, the two do not belong together, another version wrote them, or the functions are
                missing or superfluous.
            OSError: a file is missing.
        """
        folder = Path(folder)
        content = (folder / f"{prefix}weights.safetensors").read_bytes()
        try:
            about = json.loads((folder / f"{prefix}forecast.json").read_text(encoding="utf-8"))
            known = about["format"], about["sha256"], about["powers"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder / f'{prefix}forecast.json'} is damaged ({error}); fit the forecast again") from error
        if known[0] != FORMAT:
            raise ValueError(f"{folder} was written in format {known[0]}; this version reads format {FORMAT}: fit the forecast again")
        if hashlib.sha256(content).hexdigest() != known[1]:
            raise ValueError(
                f"{folder / f'{prefix}weights.safetensors'} is not what forecast.json describes: damaged, truncated, or of another one"
            )
        own, missing = list(check_dictionary(tuple(dictionary))[1:]), known[2].count(None)
        if len(own) != missing:
            raise ValueError(f"the forecast in {folder} has {missing} functions of its user's own, {len(own)} were given; pass those")
        features = tuple(own.pop(0) if degree is None else Power(degree) for degree in known[2])
        tensors = safetensors.torch.load(content)
        network = None
        grid = PeriodicGrid(tuple(about["shape"]), tuple(about["lengths"]))
        if about["config"]:
            network = build_network(grid, about["config"])
            network.load_state_dict({n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")})
        context = tensors.get("context_mean"), tensors.get("context_std")
        return cls(
            grid, about["mean"], about["unit"], tensors["spectrum"], about["every"], features, network, *context, tensors["coefficients"],
            tensors["means"],
            about["metrics"], about["config"], about["fitted_to"],
        )  # fmt: skip


def build_network(grid: PeriodicGrid, config: dict[str, Any], seed: int = 0) -> ForecastNetwork:
    """An untrained network from its configuration, as `Budget` and the data determine it; the global random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers take no generator
        return ForecastNetwork(
            grid,
            len(config["knots"]),
            kernels=tuple(config["kernels"]),
            width=config["width"],
            powers=tuple(config["powers"]),
            gated=config["gated"],
            context=config["context"],
        )


def _along(feature: Feature, v: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    with threads.differentiating:
        try:
            return torch.func.jvp(feature, (v.clone(),), (direction.clone(),))[1].detach()
        except (RuntimeError, TypeError) as error:
            cause = str(error).splitlines()[0]
            raise ValueError(f"a feature of the dictionary must be differentiable: write it in torch and smooth ({cause})") from error
