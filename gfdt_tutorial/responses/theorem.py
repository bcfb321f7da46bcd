"""The generalized fluctuation-dissipation theorem, and the weights B that its estimators average.

Add a small change δθ f(u) g(t) to the drift of a stationary system. To first order in δθ the mean of any observable A changes by

    δ⟨A⟩(t) = δθ ∫₀ᵗ R_A(t − t′) g(t′) dt′
    R_A(t)  = ⟨ A(u(τ + t)) B(u(τ)) ⟩,     B = −∇·f − f·s,     s = ∇ ln ρ

where the average is over the *unperturbed* system. B ρ = −∇·(f ρ) is the rate at which the change of the drift moves the density, and the
unperturbed dynamics carry that to later times. For a unit kick at pixel j, f = e_j is constant, so that B = −s_j, and with A = u_i

    R_ij(t) = ⟨δu_i(t)⟩ / δu_j(0) = −⟨ u_i(τ + t) s_j(τ) ⟩                letter, eqs. (3), (4)
    R(t)    = C(t) C(0)⁻¹  for a Gaussian density                          letter, eq. (5)

At t = 0 an integration by parts takes the score out: ⟨φ B⟩ = ⟨∇φ·f⟩ for any smooth φ. For the kick this is Stein's identity ⟨u sᵀ⟩ = −1, so
that R(0) = 1; it is the first test of a score.

    u           the field, as a vector of pixel values u_i; τ is an origin in the series, t the lag
    ρ, s        the stationary density and its score ∇ ln ρ, with respect to pixel values, per unit of the field
    f, ∇·f      the change of the drift per unit of θ, of the shape of the field, and its divergence Σ_i ∂f_i/∂u_i, one number per field
    B           the weight of a snapshot, one number per field, per unit of θ and of time
    A           an observable, numbers or a field; θ a parameter, g its time profile (a delta function for a kick, 1 for a lasting change)
    C(t)        the lagged covariance ⟨(u(τ + t) − ⟨u⟩) (u(τ) − ⟨u⟩)ᵀ⟩

The functions below evaluate B, A and ∇A·f, and check what the caller's functions return.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch

from gfdt_tutorial.core import checks, threads
from gfdt_tutorial.core.score import ConditionalScore, Score

Field = Callable[[torch.Tensor], torch.Tensor]
AnyScore = Score | ConditionalScore  # s(u), or s(u, context=...)
Force = Callable[..., torch.Tensor]  # f(u), or f(u, context) given the hidden forcing
Divergence = Callable[[torch.Tensor], torch.Tensor | float]
Perturbation = tuple[Force, Divergence]  # f and ∇·f


def check_perturbation(perturbation: object) -> None:
    """Raises ValueError unless it is a pair of functions."""
    if not (isinstance(perturbation, tuple | list) and len(perturbation) == 2 and all(map(callable, perturbation))):
        raise ValueError("a perturbation must be a pair of functions (f, ∇·f), such as system.drift_derivative returns")


def check_perturbations(perturbations: Mapping[str, Perturbation | None]) -> None:
    """Raises ValueError unless it names one perturbation or more, each a pair of functions, or None for a kick."""
    if not isinstance(perturbations, dict) or not perturbations:
        raise ValueError(
            "perturbations must be a dictionary that names one or more changes of the drift: {'alpha': system.drift_derivative('alpha')}"
        )
    for perturbation in perturbations.values():
        if perturbation is not None:
            check_perturbation(perturbation)


def kick_weights(s: torch.Tensor, unit: float = 1.0) -> torch.Tensor:
    """B = −s for a unit kick at each pixel in turn, times a unit: (..., *shape) of the score s."""
    return -unit * s


def mean_kick_weight(s: torch.Tensor) -> torch.Tensor:
    """B for a unit kick at one pixel, averaged over pixels, which are equivalent for an observable without a place."""
    return -_rows(s).mean(-1)


def drift_weight(perturbation: Perturbation, u: torch.Tensor, force: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """B = −∇·f − f·s, the product summed over pixels; `force` is f(u), `s` the score at u."""
    divergence = _plain("what perturbation ∇·f returned", threads.in_turn(perturbation[1])(u), u)
    if divergence.shape not in ((), u.shape[:2]):
        raise ValueError(
            f"perturbation ∇·f returned shape {tuple(divergence.shape)}; expected one number, or one for each field: {tuple(u.shape[:2])}"
        )
    return -divergence - _rows(force * s).sum(-1)


def force_of(perturbation: Perturbation, u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
    """f(u), or f(u, context) where the attribute `needs_context` of f is true: f then depends on the hidden forcing."""
    f = perturbation[0]
    if getattr(f, "needs_context", False) and context is None:
        raise ValueError(
            "this change of the drift acts through the hidden forcing, which these data do not hold: simulate(..., context=True)"
        )
    values = threads.in_turn(f)(u, context) if getattr(f, "needs_context", False) else threads.in_turn(f)(u)
    force = _plain("what perturbation f returned", values, u)
    if force.shape != u.shape:
        raise ValueError(f"perturbation f returned shape {tuple(force.shape)} for fields of {tuple(u.shape)}; expected the same shape")
    return force


def score_of(score: AnyScore, u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
    """s(u), given the context where the score needs it."""
    if context is not None and getattr(score, "needs_context", True):
        values = threads.in_turn(cast(ConditionalScore, score))(u, context=context)
    else:
        values = threads.in_turn(cast(Score, score))(u)
    s = _plain("the score", values, u)
    if s.shape != u.shape:
        raise ValueError(f"the score returned shape {tuple(s.shape)} for fields of {tuple(u.shape)}; expected the same shape")
    return s


def component_kicks(components: Sequence[str]) -> dict[str, Perturbation]:
    """Component → the constant (f, ∇·f) that raises it by one and leaves the others alone, for unlike variables without space."""

    def kick(row: torch.Tensor) -> Perturbation:
        return (lambda u: row.to(u).expand_as(u)), (lambda u: torch.zeros(u.shape[:-1], device=u.device))

    return {name: kick(row) for name, row in zip(components, torch.eye(len(components)), strict=True)}


def observed(observable: Field, u: torch.Tensor) -> torch.Tensor:
    """A(u) as floats: an exceedance such as `u > 0` counts as 0 and 1."""
    return _plain("what observable returned", threads.in_turn(observable)(u), u)


def slope_of(observable: Field, u: torch.Tensor, force: torch.Tensor) -> torch.Tensor:
    """∇A·f: the rate at which the observables change when the field moves along f.

    Raises:
        ValueError: they cannot be differentiated.
    """
    advice = "write it in torch and smooth, as those of gfdt.observables are, or use form='raw'"
    return observed(lambda _: along(observable, u, force, f"the control variate takes the derivative of the observable; {advice}"), u)


def along(function: Field, u: torch.Tensor, direction: torch.Tensor, need: str) -> torch.Tensor:
    """The derivative of a function of fields along a direction.

    Args:
        need: what the derivative is needed for, with which the message of the error begins.

    Raises:
        ValueError: torch cannot differentiate the function.
    """
    try:
        # Copies: of a view, forward differentiation would allocate the whole tensor behind it at each call.
        with threads.differentiating:
            return torch.func.jvp(function, (u.clone(),), (direction.clone(),))[1].detach()
    except (RuntimeError, TypeError) as error:  # NotImplementedError is a RuntimeError
        raise ValueError(f"{need}: torch cannot differentiate it ({str(error).splitlines()[0]})") from error


def _plain(name: str, values: object, u: torch.Tensor) -> torch.Tensor:
    """`values`, a tensor or anything NumPy returns, as finite numbers with the precision and device of u, detached from any training."""
    found = torch.as_tensor(values, device=u.device).detach()
    if found.is_complex():
        raise ValueError(f"{name} is complex; expected real numbers: of an observable, take real and imaginary part as two")
    return checks.finite(name, found.to(u.dtype))


def _rows(values: torch.Tensor) -> torch.Tensor:
    """(member, time, ...) → (member, time, pixel)."""
    return values.reshape(*values.shape[:2], -1)
