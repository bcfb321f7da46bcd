"""What a score is: the contract between everything that provides one and everything that uses one."""

from typing import Protocol

import torch


class Score(Protocol):
    """s(u) = ∇ ln ρ(u), with respect to pixel values and per unit of the field: any callable, (..., *shape) → the same.

    A function, a lambda, an object with `__call__` and a `torch.nn.Module` are all scores. `respond`, `sensitivities` and the like call
    one with blocks of fields, (member, time, *shape), float32 on the device of the data, and expect finite real values of the same shape,
    as a tensor or as anything that `torch.as_tensor` reads, such as a NumPy array. The values for one field must not depend on the other
    fields of the block. No gradient is taken through a score, except by `noise_derivative`, for which it must be written in torch.

    The data may have a context, such as hidden forcing, (member, time, channel, *space). They are then passed as
    `score(u, context=context)`: see `needs_context` and `ConditionalScore`.

    Attributes that a score may have; each has a default:
        method: str, the name of the method in results and figures; "score" by default.
        grid: PeriodicGrid, of the fields that the score accepts. Data on another grid are then refused with a clear message. By default
            nothing is checked beforehand.
        needs_context: bool. If it is False, the score is called as `score(u)` even where the data have a context. By default the context
            is passed wherever the data have one.
        identity_on: str or None, the fingerprint of the series on which −⟨u sᵀ⟩ is exactly the identity, because the score was fitted or
            adjusted to these data. The response to a kick is then known exactly at lag 0, and its error vanishes there. None by default.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, respond, simulate
    >>> system = OrnsteinUhlenbeck()
    >>> data = simulate(system, members=8, duration=40.0)
    >>> variance = data.u.var()
    >>> respond(data, lambda u: -u / variance, lags=10.0).method  # the score of independent Gaussian pixels
    'score'
    """

    def __call__(self, u: torch.Tensor, /) -> torch.Tensor:
        """The score at u, (..., *shape) → the same."""
        ...


class ConditionalScore(Protocol):
    """∇_u ln ρ(u | context): a score that is given the context of the data as well; its attributes are those of `Score`."""

    def __call__(self, u: torch.Tensor, /, *, context: torch.Tensor) -> torch.Tensor:
        """The score at u, (..., *shape) → the same, given the context (..., channel, *shape)."""
        ...
