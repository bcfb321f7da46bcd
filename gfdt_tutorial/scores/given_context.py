"""The context of a learned score: what it is given beside the state, standardised channel by channel."""

import torch


def standardised(
    context: torch.Tensor | None, leading: tuple[int, ...], space: tuple[int, ...], mean: torch.Tensor | None, std: torch.Tensor | None
) -> torch.Tensor | None:
    """(batch, channel, *space), or None for a score without context.

    Args:
        context: (*leading, channel, *space), or None.
        leading: the axes of the states before those of one state.
        space: those of the grid.
        mean, std: (channel,), of the data to which the score was fitted, or None.

    Raises:
        ValueError: a context that is missing, superfluous or of a wrong shape.
    """
    if mean is None or std is None:
        if context is not None:
            raise ValueError("this score was fitted without context; leave it out")
        return None
    shape = (*leading, len(mean), *space)
    if context is None or tuple(context.shape) != shape:
        raise ValueError(f"this score needs a context of shape {shape}, got {None if context is None else tuple(context.shape)}")
    wide = (-1, *[1] * len(space))
    return (context.reshape(-1, *shape[len(leading) :]).to(mean) - mean.reshape(wide)) / std.reshape(wide)
