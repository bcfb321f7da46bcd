"""The combined response of unlike variables without space: the errors of a score and of a forecast multiply.

R(t) = M(t) ⟨∇φ⟩ − ⟨[u(τ + t) − M(t) φ(u(τ))] s(τ)ᵀ⟩,    M(t) = ⟨u(t) φᵀ⟩ ⟨φ φᵀ⟩⁻¹

where the forecast of every variable is a regression on the variables themselves and on a dictionary φ. It is learned from one half of the
data and used in the other; `kick_response` has the proof, and `sensitivities` the same form for other observables. A forecast of this kind
is extended dynamic mode decomposition (Williams, Kevrekidis, Rowley, J. Nonlinear Sci. 25, 1307, 2015); the score corrects it.
"""

import math
from functools import partial

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.responses.estimation import Estimation, method_of
from gfdt_tutorial.responses.observable_samples import check_smooth, sampled, tail_of_numbers
from gfdt_tutorial.responses.observables import products
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import AnyScore, Field, component_kicks

DEGREE = 4  # of the products in the dictionary that is taken by default
LARGEST = 150  # numbers in all, whose Gram matrices at every lag and in every group are kept


def combined_components(common: Estimation, score: AnyScore, dictionary: Field | None, thin: int) -> Response:
    """The matrix of responses in the form "combined", values (lag, to, from); see this module's page.

    Args:
        dictionary: φ, from states (..., component) to numbers (..., m), smooth and written in torch; by default all
            products up to degree 4, or fewer if they are too many.

    Raises:
        ValueError: a dictionary that is not smooth or too large, or too few groups of data.
    """
    data = common.data
    count = data.u.shape[2]
    functions = products(data, _degree(count)) if dictionary is None else dictionary
    tail_of_numbers(functions, data, "the dictionary")

    def observed(u: torch.Tensor) -> torch.Tensor:
        """The variables, and the numbers of the dictionary after them."""
        return torch.cat([u, torch.as_tensor(functions(u)).reshape(*u.shape[:-1], -1).to(u.dtype)], -1)

    size = observed(data.u[:1, :2]).shape[-1]
    if size > LARGEST:
        raise ValueError(f"variables and dictionary are {size} numbers; at most {LARGEST} are regressed on: take a lower degree")
    check_smooth(observed, data)
    with threads.steady():
        samples = sampled(data, score, observed, component_kicks(data.components or ()), thin, observed)
        groups = samples.groups(common.steps, data.paired)
        sums = samples.sums(groups, common.steps)
        columns, errors, without = [], [], []
        left_out = 1 - torch.eye(len(groups), dtype=torch.float64)
        for number in range(count):
            own = sums.of(number)
            estimate = partial(_first, own.combined, count)
            columns.append(estimate(own.one_each)[0])
            errors.append(own.error(estimate, resamples=common.resamples, seed=common.seed))
            without.append(estimate(left_out) - columns[-1])
    groups.warn(stacklevel=4)
    return common.response(
        torch.stack(columns, -1).float(),
        (groups.widening * torch.stack(errors, -1)).float(),
        len(groups),
        method=method_of(score),
        info={"form": "combined", "thin": thin, "dictionary": size - count, "spread": data.spread},
        form="combined",
        deviations=torch.stack(without, -1).float(),
        components=data.components,
    )


def _degree(count: int) -> int:
    """The largest degree up to DEGREE whose products, with the variables, are no more than LARGEST."""
    return next((degree for degree in range(DEGREE, 1, -1) if math.comb(count + degree, degree) - 1 + count <= LARGEST), 1)


def _first(estimator: Field, count: int, drawn: torch.Tensor) -> torch.Tensor:
    return estimator(drawn)[..., :count]
