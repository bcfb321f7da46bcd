"""Onsager's regression hypothesis: a change of observables relaxes as their fluctuations do, which needs no score.

A change f of the drift moves the observables at first by ⟨∇A·f⟩ per unit time. What follows is read off their regression on themselves,

    T(t) = ρ_A(t) ⟨∇A·f⟩,    ρ_A(t) = ⟨A(t) A⟩/⟨A²⟩                 each observable by itself
    T(t) = K(t) ⟨∇A·f⟩,      K(t) = ⟨A(t) Aᵀ⟩ ⟨A Aᵀ⟩⁻¹               all observables together

The second is the first term of the theorem with its control variate (`responses.numbers`),

    R_A(t) = K(t) ⟨∇A·f⟩ + ⟨[A(t) − K(t) A(0)] B(0)⟩,

and exact where the mean of A(t), given the state at t = 0, is linear in the observables at t = 0. With more observables the second
term, the only one that needs a score, becomes smaller. The first is exact for one wavevector of a linear field.

Source: Onsager, Phys. Rev. 38, 2265 (1931).
"""

from functools import partial

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.confidence_bands import bootstrap_error
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.responses.observable_samples import check_smooth, integrated, sampled, tail_of
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
    """Responses of observables to changes of the drift under the regression hypothesis, without a score.

    Args:
        data, observable, perturbations, lags, confidence, integrate, resamples, seed: as in `sensitivities`; the observable must be smooth.
        together: regress each observable on all of them, K(t) ⟨∇A·f⟩; otherwise on itself, ρ_A(t) ⟨∇A·f⟩.

    Returns:
        name → Response with values (lag, ...). The band describes sampling; what the hypothesis gets wrong is not in it.

    Raises:
        ValueError: as `sensitivities`.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, observables, simulate
    >>> system = OrnsteinUhlenbeck()
    >>> data = simulate(system, members=8, duration=60.0)
    >>> found = regression(data, observables.spectrum(system.grid), {"lam": system.drift_derivative("lam")}, lags=20.0)
    >>> found["lam"].values.shape
    torch.Size([21, 17])
    """
    check_series(data)
    steps = data.steps(lags)
    checks.probability("confidence", confidence)
    checks.whole("resamples", resamples, minimum=2)
    check_perturbations(perturbations)
    tail = tail_of(observable, data)
    if tail is None:
        raise ValueError("the observable returns fields; here it must return numbers, (...,) or (..., n), such as gfdt.observables do")
    check_smooth(observable, data)
    no_score, no_origins = torch.zeros_like, len(data.times)  # the weight B of the theorem is not used
    samples = sampled(data, no_score, observable, perturbations, no_origins, True)
    groups = samples.groups(steps, data.paired)
    sums = samples.sums(groups, steps)
    finish = partial(integrated, every=data.every) if integrate else (lambda values: values)
    found = {}
    for change, name in enumerate(perturbations):
        one = sums.of(change)
        form = one.together if together else one.alone
        error = bootstrap_error(lambda drawn, form=form: finish(form(drawn)), sums.groups, resamples=resamples, seed=seed)
        found[name] = Response(
            times=data.every * torch.arange(steps + 1, dtype=torch.float64),
            values=finish(form(sums.one_each))[0].reshape(-1, *tail).float(),
            method="regression on all" if together else "regression on one",
            standard_error=groups.widening * error.reshape(-1, *tail).float(),
            dof=max(sums.groups - 1, 0),
            confidence=confidence,
            info={"device": str(data.u.device), "snapshots": data.snapshots, "groups": sums.groups, "data": data.info},
        )
    groups.warn(stacklevel=3)
    return found
