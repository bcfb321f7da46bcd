"""Two rivals of a score: the linear inverse model and extended dynamic mode decomposition.

Both learn how a vector ψ(u) moves over one sampling interval h, and use it again and again,

    K = ⟨ψ(h) ψᵀ⟩ ⟨ψψᵀ⟩⁻¹,    R_A(nh) = ⟨Aψᵀ⟩ ⟨ψψᵀ⟩⁻¹ Kⁿ ⟨∇ψ·f⟩

With ψ = u this is the linear inverse model, and with further functions of u extended dynamic mode decomposition. It needs no score. It
assumes that the best prediction of ψ(h) is linear in ψ. `regression` takes the regression at every lag instead of powers of the first.

Sources: Penland and Sardeshmukh, J. Climate 8, 1999 (1995); Williams, Kevrekidis and Rowley, J. Nonlinear Sci. 25, 1307 (2015).
"""

import math
from collections.abc import Mapping

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.estimation import Estimation
from gfdt_tutorial.responses.lagged_sums import integrated
from gfdt_tutorial.responses.observable_samples import check_smooth, sampled, tail_of_numbers
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import Field, Perturbation, check_perturbations


def dynamic_modes(
    data: TimeSeries,
    observable: Field,
    perturbations: Mapping[str, Perturbation],
    *,
    dictionary: Field | None = None,
    lags: float,
    confidence: float = 0.90,
    integrate: bool = True,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """How observables respond to each of several changes, by a linear inverse model or by extended dynamic mode decomposition.

    Args:
        data: components without space, or plain numbers.
        observable, perturbations, lags, confidence, integrate, resamples, seed: as in `sensitivities`.
        dictionary: functions of the state beside the variables themselves, (..., component) → (..., m), smooth and written in torch, such
            as `observables.products`; None for a linear inverse model.

    Returns:
        name → Response with values (lag, ...) and method "linear inverse model" or "dynamic modes". The band describes sampling; it does
        not contain the error of the model.

    Raises:
        ValueError: as `sensitivities`; fields.

    >>> import gfdt_tutorial as gfdt
    >>> from gfdt_tutorial.responses.theorem import component_kicks
    >>> data = gfdt.simulate(gfdt.MarkovChain(), members=16, duration=1000.0)
    >>> found = dynamic_modes(data, lambda u: u, component_kicks(data.components), lags=3.0, integrate=False)
    >>> found["x1"].values.shape
    torch.Size([4, 3])
    """
    common = Estimation(data, lags, confidence, resamples, seed, components=True)
    check_perturbations(dict(perturbations))
    if data.grid.shape:
        raise ValueError(f"these data are fields of shape {data.grid.shape}; dynamic modes are of a few variables without space")
    tail = tail_of_numbers(observable, data)
    wanted = math.prod(tail)

    def learned(u: torch.Tensor) -> torch.Tensor:
        """ψ."""
        parts = [u] if dictionary is None else [u, torch.as_tensor(dictionary(u)).to(u.dtype)]
        return torch.cat([part.reshape(*u.shape[:2], -1) for part in parts], -1)

    def together(u: torch.Tensor) -> torch.Tensor:
        """The observables, and ψ after them."""
        return torch.cat([torch.as_tensor(observable(u)).reshape(*u.shape[:2], -1).to(u.dtype), learned(u)], -1)

    check_smooth(learned, data)
    no_score, no_origins = torch.zeros_like, len(data.times)  # the weight B of the theorem is not used
    with threads.steady():
        samples = sampled(data, no_score, together, perturbations, no_origins, learned)
        groups = samples.groups(common.steps, data.paired)
        sums = samples.sums(groups, 1)
    found = {}
    for number, name in enumerate(perturbations):
        one = sums.of(number)

        def estimate(drawn: torch.Tensor) -> torch.Tensor:
            values = one.propagated(drawn, common.steps, wanted=wanted)  # noqa: B023 it is used within this turn of the loop
            return integrated(values, data.every) if integrate else values

        found[name] = common.response(
            estimate(one.one_each)[0].reshape(-1, *tail).float(),
            groups.widening * one.error(estimate, common.resamples, seed).reshape(-1, *tail).float(),
            len(groups),
            method="linear inverse model" if dictionary is None else "dynamic modes",
            info={},
        )
    groups.warn(stacklevel=3)
    return found
