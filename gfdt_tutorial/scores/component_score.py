"""A learned score of unlike variables without space: its network, the coordinates in which the network works, and its files."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.hermite import Whitening
from gfdt_tutorial.core.numerics import blocks_of
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.scores import score_files
from gfdt_tutorial.scores.component_network import ComponentConfig, ComponentNetwork, build
from gfdt_tutorial.scores.rungs import Rung, recommended

KIND = "components"
BATCH = 4096  # states evaluated at a time


@dataclass(frozen=True)
class ComponentScore:
    """s(u) ≈ ∇ ln ρ(u) per unit of each component, learned from data alone.

    s(u) = W s_y(Wᵀ(u − ⟨u⟩)), with the network s_y of `component_network`, and a linear part added to it (`calibrated`).

    Args:
        network: trained, in whitened coordinates.
        whitening: y = Wᵀ(u − ⟨u⟩).
        config: the values from which the network can be built again.
        context_mean, context_std: (channel,), of the context, or None.
        metrics: number of steps, noise level, what the identity misses, and the like.
        correction: (component, component + 1), [A, a] of the linear part A y + a that is added to s_y, or None.
        fitted_to: fingerprint of the series to which it was fitted, or None.
        identity_on: fingerprint of the series on which −⟨u sᵀ⟩ is exactly the identity, or None.
        rungs: simpler scores and this one on held-out data, as `scores.rungs` compares them; empty where they were not compared.
    """

    network: ComponentNetwork
    whitening: Whitening
    config: ComponentConfig
    context_mean: torch.Tensor | None = None
    context_std: torch.Tensor | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    correction: torch.Tensor | None = None
    fitted_to: str | None = None
    identity_on: str | None = None
    rungs: dict[str, Rung] = field(default_factory=dict)

    @property
    def recommended(self) -> str:
        """The simplest of "gaussian", "polynomial" and "network" that does as well as the best on held-out data; see `rungs`."""
        return recommended(self.rungs) if self.rungs else "network"

    @property
    def components(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.config["components"])

    @property
    def needs_context(self) -> bool:
        """Whether it was fitted with hidden forcing beside the components."""
        return self.context_mean is not None

    @property
    def method(self) -> str:
        """ "generative", or "conditioned" if it needs a context."""
        return "conditioned" if self.needs_context else "generative"

    def __call__(self, u: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """The score at u, (..., component) → the same; differentiable in u.

        Args:
            context: (..., channel), for a score that was fitted with one.

        Raises:
            ValueError: states of another number of components, or a context that is missing, superfluous or of a wrong shape.
        """
        checks.ends_with("u", u, (len(self.components),))
        given = self._context(u, context)
        s = self._whitened(self.whitening(u).reshape(-1, len(self.components)).float(), given)
        return (s.double() @ self.whitening.matrix.T.to(s.device)).reshape(u.shape).to(u)

    def _whitened(self, y: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        """s_y with its correction, (state, component) → the same."""
        device = self.network.linear.weight.device
        found = []
        for part in blocks_of(len(y), BATCH):
            rows = y[part].to(device)
            s = self.network(rows, None if context is None else context[part].to(device))
            found.append(s if self.correction is None else s + rows @ self.correction[:, :-1].T + self.correction[:, -1])
        return torch.cat(found).to(y.device)

    def _context(self, u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor | None:
        """(state, channel), standardised."""
        if self.context_mean is None or self.context_std is None:
            if context is not None:
                raise ValueError("this score was fitted without context; leave it out")
            return None
        shape = (*u.shape[:-1], len(self.context_mean))
        if context is None or tuple(context.shape) != shape:
            raise ValueError(f"this score needs a context of shape {shape}, got {None if context is None else tuple(context.shape)}")
        return ((context.to(self.context_mean) - self.context_mean) / self.context_std).reshape(-1, shape[-1])

    def calibrated(self, data: TimeSeries) -> Self:
        """The same score with a linear part that obeys −⟨u sᵀ⟩ = 1 and ⟨s⟩ = 0 exactly on these data.

        Adding A y + a to a score changes the loss of score matching by a parabola, whose minimum is there: the exact last step of training.
        """
        plain = replace(self, correction=None)
        with threads.steady(), torch.no_grad():
            y, s = plain._pairs(data)
            centred = y - y.mean(0)
            covariance = centred.T @ centred / len(y)
            matrix = -torch.linalg.solve(covariance, torch.eye(len(covariance)) + centred.T @ s / len(y)).T
            offset = -s.mean(0) - matrix @ y.mean(0)
        correction = torch.cat([matrix, offset[:, None]], 1).float().to(self.network.linear.weight.device)
        return replace(self, correction=correction, identity_on=data.fingerprint)

    def missed(self, data: TimeSeries) -> float:
        """The largest entry of |⟨y s_yᵀ⟩ + 1| over a series in whitened coordinates, which is 0 for a true score."""
        with threads.steady(), torch.no_grad():
            y, s = self._pairs(data)
            return float(((y - y.mean(0)).T @ s / len(y) + torch.eye(y.shape[1])).abs().max())

    def _pairs(self, data: TimeSeries) -> tuple[torch.Tensor, torch.Tensor]:
        """y and s_y over a series, (sample, component) in double precision."""
        context = self._context(data.u, data.context if self.needs_context else None)
        y = self.whitening(data.u).flatten(0, 1)
        return y, self._whitened(y.float(), context).double()

    def to(self, device: str | torch.device) -> "ComponentScore":
        """The same score on another device; the network is moved in place."""
        where = checks.resolve_device(device)
        moved = {name: t.to(where) for name in ("context_mean", "context_std", "correction") if (t := getattr(self, name)) is not None}
        return replace(self, network=self.network.to(where), **moved)

    def save(self, folder: str | Path) -> Path:
        """Write weights.safetensors and score.json, which holds the hash of the former; the folder is created if needed."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        extra = {"context_mean": self.context_mean, "context_std": self.context_std, "correction": self.correction}
        tensors |= {name: tensor for name, tensor in extra.items() if tensor is not None}
        tensors |= {"mean": self.whitening.mean, "whitening": self.whitening.matrix}
        about: dict[str, Any] = {
            "kind": KIND,
            "config": self.config,
            "metrics": self.metrics,
            "fitted_to": self.fitted_to,
            "identity_on": self.identity_on,
        }
        told = {name: asdict(rung) for name, rung in self.rungs.items()}
        return score_files.write(folder, tensors, about | {"rungs": told})

    @classmethod
    def load(cls, folder: str | Path) -> "ComponentScore":
        """Read what `save` wrote.

        Raises:
            ValueError: a file is damaged, the two do not belong together, or they are those of a score of fields.
            OSError: a file is missing.
        """
        tensors, about = score_files.read(folder)
        if about.get("kind") != KIND:
            raise ValueError(f"{folder} holds a score of fields or of a plain number; read it with LearnedScore.load")
        try:
            network = build(about["config"])
            network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")})
            whitening = Whitening(tensors["mean"], tensors["whitening"])
            config, metrics = about["config"], about["metrics"]
            rungs = {name: Rung(one["loss"], tuple(one["behind"])) for name, one in about["rungs"].items()}
        except (RuntimeError, KeyError, TypeError) as error:
            raise ValueError(f"the weights in {folder} do not fit its score.json ({error}); fit the score again") from error
        optional = {name: tensors.get(name) for name in ("context_mean", "context_std", "correction")}
        identity_on = about.get("identity_on")
        network = network.eval().requires_grad_(False)
        return cls(
            network, whitening, config, metrics=metrics, fitted_to=about.get("fitted_to"), identity_on=identity_on, rungs=rungs, **optional
        )
