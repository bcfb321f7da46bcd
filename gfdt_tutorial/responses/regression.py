"""The regression hypothesis: a change of observables relaxes as their fluctuations do, which needs no score.

A change f of the drift moves the observables at first by ⟨∇A·f⟩ per unit time. Their later response is taken from their regression on
themselves,

    T(t) = ρ_A(t) ⟨∇A·f⟩,    ρ_A(t) = ⟨A(t) A⟩/⟨A²⟩                 each observable by itself
    T(t) = K(t) ⟨∇A·f⟩,      K(t) = ⟨A(t) Aᵀ⟩ ⟨A Aᵀ⟩⁻¹               all observables together

The second is the first term of the theorem with its control variate (`sensitivities`),

    R_A(t) = K(t) ⟨∇A·f⟩ + ⟨[A(t) − K(t) A(0)] B(0)⟩,

and exact where the mean of A(t), given the state at t = 0, is linear in the observables at t = 0. With more observables the second
term, the only one that needs a score, becomes smaller. The first is exact for one wavevector of a linear field.

Source: Onsager, Phys. Rev. 38, 2265 (1931).
"""

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.estimation import Estimation
from gfdt_tutorial.responses.lagged_sums import Estimator, integrated
from gfdt_tutorial.responses.observable_samples import check_smooth, sampled, tail_of_numbers
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import Field, Perturbation, check_perturbations


def regression(
    data: TimeSeries,
    observable: Field,
    perturbations: dict[str, Perturbation],
    *,
    lags: float = 90.0,
    confidence: float = 0.90,
    together: bool = True,
    integrate: bool = True,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """How observables respond to each of several changes of the drift under the regression hypothesis, without a score.

    Args:
        data, observable, perturbations, lags, confidence, integrate, resamples, seed: as in `sensitivities`; the observable must be smooth.
        together: regress each observable on all of them, K(t) ⟨∇A·f⟩; otherwise on itself, ρ_A(t) ⟨∇A·f⟩.

    Returns:
        name → Response with values (lag, ...). The band describes sampling; it does not contain the error of the hypothesis.

    Raises:
        ValueError: as `sensitivities`.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, observables, simulate
    >>> system = OrnsteinUhlenbeck()
    >>> data = simulate(system, members=8, duration=60.0)
    >>> found = regression(data, observables.spectrum(system.grid), {"lam": system.drift_derivative("lam")}, lags=20.0)
    >>> found["lam"].values.shape
    torch.Size([21, 17])
    """
    common = Estimation(data, lags, confidence, resamples, seed)
    check_perturbations(perturbations)
    tail = tail_of_numbers(observable, data)
    check_smooth(observable, data)
    no_score, no_origins = torch.zeros_like, len(data.times)  # the weight B of the theorem is not used
    with threads.steady():
        samples = sampled(data, no_score, observable, perturbations, no_origins, observable)
        groups = samples.groups(common.steps, data.paired)
        sums = samples.sums(groups, common.steps)
    found = {}
    for number, name in enumerate(perturbations):
        one = sums.of(number)
        estimator = _estimator(one.together if together else one.alone, data.every, integrate)
        found[name] = common.response(
            estimator(one.one_each)[0].reshape(-1, *tail).float(),
            groups.widening * one.error(estimator, common.resamples, seed).reshape(-1, *tail).float(),
            len(groups),
            method="regression on all" if together else "regression on one",
            info={},
        )
    groups.warn(stacklevel=3)
    return found


def _estimator(form: Estimator, every: float, integrate: bool) -> Estimator:
    return (lambda drawn: integrated(form(drawn), every)) if integrate else form
