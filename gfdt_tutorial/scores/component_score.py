"""A learned score of unlike variables, numbers or fields: its network, the coordinates in which the network works, and its files."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.numerics import blocks_of
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.core.whitening import AnyWhitening, FieldWhitening, Whitening
from gfdt_tutorial.scores import score_files
from gfdt_tutorial.scores.component_building import AnyComponentNetwork, build
from gfdt_tutorial.scores.component_calibration import Moments, corrected
from gfdt_tutorial.scores.component_network import ComponentConfig, grid_of
from gfdt_tutorial.scores.given_context import standardised
from gfdt_tutorial.scores.rungs import Rung, recommended

BATCH = 4096  # states evaluated at a time, or fields with as many points
FIELDS = 8192  # about as many fields are used for calibration; without space, all states


@dataclass(frozen=True)
class ComponentScore:
    """s(u) ≈ ∇ ln ρ(u) per unit of each component, learned from data alone.

    s_y(y) is the network of `component_network`, or for fields that of `component_field_network`, in whitened coordinates y
    (`core.whitening`), with a linear part added to it (`calibrated`).

    Args:
        network: trained, in whitened coordinates.
        whitening: u → y.
        config: the values from which the network can be built again.
        context_mean, context_std: (channel,), of the context, or None.
        metrics: number of steps, noise level, what the identity misses, and the like.
        correction: [A, a] of the linear part A y + a that is added to s_y, as `component_calibration` returns it, or None.
        fitted_to: fingerprint of the series to which it was fitted, or None.
        identity_on: fingerprint of the series on which −⟨u sᵀ⟩ is exactly the identity, or None.
        rungs: simpler scores and this one on held-out data, as `scores.rungs` compares them; empty where they were not compared.
    """

    network: AnyComponentNetwork
    whitening: AnyWhitening
    config: ComponentConfig
    context_mean: torch.Tensor | None = None
    context_std: torch.Tensor | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    correction: torch.Tensor | None = None
    fitted_to: str | None = None
    identity_on: str | None = None
    rungs: dict[str, Rung] = field(default_factory=dict)
    kind: ClassVar[str] = "components"  # in its files

    @property
    def recommended(self) -> str:
        """The simplest of "gaussian", "polynomial" and "network" that does as well as the best on held-out data; see `rungs`."""
        return recommended(self.rungs) if self.rungs else "network"

    @cached_property
    def grid(self) -> PeriodicGrid:
        """The grid of the fields; without axes for numbers."""
        return grid_of(self.config)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one state, (component, *space)."""
        return (len(self.components), *self.grid.shape)

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
        """The score at u, (..., component, *shape) → the same; differentiable in u.

        Args:
            context: (..., channel, *shape), for a score that was fitted with one.

        Raises:
            ValueError: states of another shape, or a context that is missing, superfluous or of a wrong shape.
        """
        checks.ends_with("u", u, self.shape)
        given = self._context(u, context)
        s = self._whitened(self.whitening(u).reshape(-1, *self.shape).float(), given)
        return self.whitening.gradient_back(s).reshape(u.shape).to(u)

    def _whitened(self, y: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        """s_y with its correction, (state, component, *shape) → the same."""
        device = self.network.linear.weight.device
        found = []
        for part in blocks_of(len(y), BATCH // self.grid.size):
            rows = y[part].to(device)
            s = self.network(rows, None if context is None else context[part].to(device))
            found.append(s if self.correction is None else s + corrected(self.grid, self.correction, rows))
        return torch.cat(found).to(y.device)

    def _context(self, u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor | None:
        """(state, channel, *shape), standardised."""
        leading = tuple(u.shape[: u.ndim - len(self.shape)])
        return standardised(context, leading, self.grid.shape, self.context_mean, self.context_std)

    def calibrated(self, data: TimeSeries) -> Self:
        """The same score with a linear part that obeys −⟨u sᵀ⟩ = 1 and ⟨s⟩ = 0 on these data, exactly so without space.

        It is the exact last step of training, as the module `component_calibration` shows. For fields it uses about FIELDS of the
        snapshots, and obeys the identity at each wavevector.
        """
        correction = replace(self, correction=None)._moments(data).correction().to(self.network.linear.weight.device)
        exact = self._stride(data) == 1
        return replace(self, correction=correction, identity_on=data.fingerprint if exact else None)

    def missed(self, data: TimeSeries) -> float:
        """The largest entry of |⟨y s_yᵀ⟩ + 1| over a series in whitened coordinates, at one place, which is 0 for a true score."""
        return self._moments(data).missed()

    def _moments(self, data: TimeSeries) -> Moments:
        with threads.steady(), torch.no_grad():
            return Moments.of(self.grid, self._pairs(data))

    def _stride(self, data: TimeSeries) -> int:
        """The number of instants from one that enters the averages to the next."""
        return -(-data.snapshots // FIELDS) if self.grid.shape else 1

    def _pairs(self, data: TimeSeries) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """y and s_y over a series, in blocks (state, component, *shape)."""
        step = self._stride(data)
        for member in range(len(data.u)):
            some = slice(member % step, None, step)
            if not len(data.times[some]):
                continue
            u = data.u[member, some]
            context = data.context[member, some] if self.needs_context and data.context is not None else None
            y = self.whitening(u)
            yield y, self._whitened(y.float(), self._context(u, context))

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
        whitening = self.whitening
        if isinstance(whitening, FieldWhitening):  # safetensors takes no complex numbers in double precision
            tensors |= {"mean": whitening.mean, "whitening": torch.view_as_real(whitening.root)}
        else:
            tensors |= {"mean": whitening.mean, "whitening": whitening.matrix}
        about: dict[str, Any] = {
            "kind": self.kind,
            "config": self.config,
            "metrics": self.metrics,
            "fitted_to": self.fitted_to,
            "identity_on": self.identity_on,
        }
        told = {name: asdict(rung) for name, rung in self.rungs.items()}
        return score_files.write(folder, tensors, about | {"rungs": told})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: a file is damaged, the two do not belong together, or they are those of a score of another kind.
            OSError: a file is missing.
        """
        tensors, about = score_files.read(folder)
        if about.get("kind") != cls.kind:
            raise ValueError(
                f"{folder} holds a score of another kind; load_score finds which, and LearnedScore.load reads that of one field"
            )
        try:
            network = build(about["config"])
            network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")})
            grid, mean, matrices = grid_of(about["config"]), tensors["mean"], tensors["whitening"]
            whitening = FieldWhitening(grid, mean, torch.view_as_complex(matrices)) if grid.shape else Whitening(mean, matrices)
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
