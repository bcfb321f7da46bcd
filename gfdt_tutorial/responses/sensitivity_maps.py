"""Sensitivities of observables that are fields: a map of the response instead of one number.

R_A(x, t) = ⟨ A(u(τ + t))(x) B(u(τ)) ⟩,   B = −∇·f − f·s                (`theorem`)
"""

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.estimation import Estimation
from gfdt_tutorial.responses.field_responses import field_responses
from gfdt_tutorial.responses.observable_samples import tail_of
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.responses.theorem import AnyScore, Field, Perturbation, check_perturbations


def sensitivity_maps(
    data: TimeSeries,
    score: AnyScore,
    observable: Field,
    perturbations: dict[str, Perturbation | None],
    *,
    lags: float = 90.0,
    confidence: float = 0.90,
    integrate: bool = True,
    thin: int = 1,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Response]:
    """How an observable that is itself a field, such as u², responds to each of several changes of the drift.

    Args:
        data, score, lags, confidence, thin, resamples, seed: as in `respond`.
        observable: A, from fields (..., *shape) to fields.
        perturbations: name → (f, ∇·f), two functions of fields (see `system.drift_derivative`); None stands for a unit kick at pixel
            (0, 0), and the map is then indexed by displacement from the kick.
        integrate: the response to a *lasting* change, switched on at t = 0, by the trapezoid rule over lags; otherwise the response to an
            impulse.

    Returns:
        name → Response with values (lag, *shape).

    Raises:
        ValueError: as `respond`; no perturbation at all; an observable that returns numbers, which `sensitivities` takes.

    >>> from gfdt_tutorial import OrnsteinUhlenbeck, simulate
    >>> system = OrnsteinUhlenbeck()
    >>> data = simulate(system, members=8, duration=40.0)
    >>> sensitivity_maps(data, system.score, lambda u: u**3, {"kick": None}, lags=10.0, integrate=False)["kick"].values.shape
    torch.Size([11, 32, 32])
    """
    common = Estimation(data, lags, confidence, resamples, seed)
    check_perturbations(perturbations)
    if tail_of(observable, data) is not None:
        raise ValueError("the observable returns numbers; here it must return fields, (..., *shape); use gfdt.sensitivities for numbers")
    found = {}
    for name, perturbation in perturbations.items():
        with threads.steady():
            found[name] = field_responses(common, score, ("raw",), observable, perturbation, integrate=integrate, thin=thin)["raw"]
    return found
