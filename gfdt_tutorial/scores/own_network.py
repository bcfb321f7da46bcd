"""A network of the user's own as the nonlinear part of a learned score: its contract, and the checks at the door."""

import copy
import hashlib
import math
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.scores.network import ScoreNetwork

TOLERANCE = 1e-4  # of the size of the output: differences beyond it are more than rounding
PROBES = 3  # fields on which a network is tried
GOLDEN = (math.sqrt(5) - 1) / 2


class NonlinearPart(Protocol):
    """What a `torch.nn.Module` must do to be the `network` of `fit_score`, `Training` and `LearnedScore.load`.

    The learned score is s_y(y) = filter(y) + a · network(y), in the coordinates that `gfdt_tutorial.scores.network` defines. The filter is
    the linear part, which starts as the Gaussian score of the data. The factor a is trained with the weights and starts at 0, or at 1 for
    a network that returns zero everywhere, so that training starts from the Gaussian score with any network.

    The module is called as `network(y)`, with further keyword arguments only where they are asked for:

        y         (batch, *shape), float32: fields of unit variance, noise included. They are the data less their mean, divided by their
                  standard deviation if `budget.noise` is "white", and whitened by their spectrum if it is "data".
        context   (batch, channel, *shape), standardised channel by channel; passed if fit_score(..., context=True).
        angle     (batch,), the noise angle φ, tan φ = σ; passed if fit_score(..., noise_levels=True).

    It returns float32 values of the shape of y, which training differentiates with respect to the weights. The value for one field must
    depend neither on the other fields of the batch nor on chance, which rules out batch normalisation and dropout. The density of a
    homogeneous field does not change under translations, so the module should commute with them: use circular padding. A channel axis,
    where layers need one, is the module's own affair: y[:, None] adds it.

    Several threads call the module at once, each with some of the fields, so that `forward` must not write to the module.

    The module itself stays as it is: a copy is trained.
    """

    def __call__(self, y: torch.Tensor, **given: torch.Tensor) -> torch.Tensor:
        """(batch, *shape) → the same."""
        ...


class OwnNetwork(ScoreNetwork):
    """Spectral filter plus a · module, where the module keeps the contract of `NonlinearPart`.

    Args:
        grid, whitening, covariance, angle, takes_angle: see `ScoreNetwork`.
        module: the user's own; a copy is kept.
        context: number of context channels.

    Raises:
        ValueError: the module breaks the contract.
    """

    def __init__(
        self,
        grid: PeriodicGrid,
        whitening: torch.Tensor,
        covariance: torch.Tensor,
        *,
        module: nn.Module,
        angle: float,
        context: int = 0,
        takes_angle: bool = False,
    ) -> None:
        super().__init__(grid, whitening, covariance, angle=angle, takes_angle=takes_angle)
        if not isinstance(module, nn.Module):
            raise ValueError(f"network is of type {type(module).__name__}; expected a torch.nn.Module, such as torch.nn.Conv2d(...)")
        self.module, self.context = copy.deepcopy(module).cpu(), context
        size = float(self._tried().abs().max())
        self.strength = nn.Parameter(torch.tensor(0.0 if size > 0 else 1.0))

    def nonlinear(self, y: torch.Tensor, spectra: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor | None) -> torch.Tensor:
        """a · module(y, …), (batch, *shape) → the same."""
        return self.strength * self._called(y, context, angle)

    @torch.no_grad()
    def probe(self) -> torch.Tensor:
        """What the module returns for a few fixed fields, (PROBES, *shape), on the CPU: it tells one network from another."""
        return self._called(*self._probes()).cpu()

    def _called(self, y: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor | None) -> torch.Tensor:
        given = {} if context is None else {"context": context}
        return self.module(y, **given, **({"angle": self.angles(angle)} if self.takes_angle else {}))

    def _probes(self) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """(y, context, angle) of a few fields, always the same."""
        shape, device = self.grid.shape, self.root.device
        context = _quasi_random(PROBES, self.context, *shape).to(device) if self.context else None
        return _quasi_random(PROBES, *shape).to(device), context, torch.full((PROBES,), self.angle, device=device)

    def _tried(self) -> torch.Tensor:
        """The output for a few fields, once it has passed every check."""
        y, context, angle = self._probes()
        values = self._first_output(y, context, angle)
        if not isinstance(values, torch.Tensor) or values.shape != y.shape:
            found = f"shape {tuple(values.shape)}" if isinstance(values, torch.Tensor) else f"a {type(values).__name__}"
            raise ValueError(f"network returned {found} for fields of shape {tuple(y.shape)}; expected a tensor of the same shape")
        if values.dtype != torch.float32:
            raise ValueError(f"network returned {values.dtype}; expected torch.float32: convert it with network.float()")
        if not bool(values.isfinite().all()):
            raise ValueError("network returned NaN or infinity for fields of unit variance; check its initial weights")
        if not any(parameter.requires_grad for parameter in self.module.parameters()):
            raise ValueError("network has no parameters to train; a fixed function of the field is a score of its own and needs no fit")
        if not values.requires_grad:
            raise ValueError("network returned values without a gradient; remove detach() and torch.no_grad() from its forward method")
        self._check_independence(values.detach(), y, context, angle)
        return values.detach()

    def _first_output(self, y: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor) -> torch.Tensor:
        try:
            return self._called(y, context, angle)
        except Exception as error:
            names = ["y", *(["context"] if self.context else []), *(["angle"] if self.takes_angle else [])]
            raise ValueError(
                f"network failed when it was called with {', '.join(names)}, where y has shape {tuple(y.shape)}: {error}; "
                "gfdt_tutorial.scores.own_network.NonlinearPart states what it is called with"
            ) from error

    @torch.no_grad()
    def _check_independence(self, values: torch.Tensor, y: torch.Tensor, context: torch.Tensor | None, angle: torch.Tensor) -> None:
        """The value for a field depends on that field alone, not on chance, earlier calls or other fields of the batch."""
        alone = self._called(y[:1], None if context is None else context[:1], angle[:1])
        for again in (self._called(y, context, angle)[:1], alone):
            if again.shape != values[:1].shape or bool((again - values[:1]).abs().max() > TOLERANCE * values.abs().max()):
                raise ValueError(
                    "network returned different values for the same field when it was called again or with other fields; "
                    "remove dropout, and replace batch normalisation by group or layer normalisation"
                )


def described(module: nn.Module) -> dict[str, str]:
    """What identifies a module in a configuration: its class, its layers, and a hash of the weights that it starts with."""
    content = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        content.update(name.encode() + tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return {"class": type(module).__qualname__, "layers": repr(module), "start": content.hexdigest()[:32]}


def check_given(folder: Path, saved: dict[str, str] | None, module: nn.Module | None) -> None:
    """A module is given if, and only if, the score that is loaded was fitted with one."""
    if saved is not None and module is None:
        raise ValueError(
            f"{folder} holds a score with a network of your own, {saved['class']}, of which only the weights are saved; "
            "pass the module: LearnedScore.load(folder, network=...)"
        )
    if saved is None and module is not None:
        raise ValueError(f"{folder} holds a score with the built-in network; leave network out")


def check_same(folder: Path, network: ScoreNetwork, saved: torch.Tensor | None) -> None:
    """With the saved weights, the module returns what it returned when they were saved."""
    if isinstance(network, OwnNetwork) and saved is not None:
        error = (network.probe() - saved).abs().max()
        if not bool(error <= TOLERANCE * saved.abs().max()):
            raise ValueError(
                f"the network that was given returns other values with the weights in {folder} than the one that was saved; "
                "pass the same module, with the same layers and activations"
            )


def _quasi_random(*shape: int) -> torch.Tensor:
    """Values of mean 0 and variance 1 that need no random numbers: normal quantiles along a golden-ratio sequence."""
    steps = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64) * GOLDEN
    return torch.special.ndtri(steps.frac()).float().reshape(shape)
