"""What the theorem asks of a score, an observable and a change of the drift, with what they return checked."""

from collections.abc import Callable

import torch

from gfdt_tutorial.core import checks

Field = Callable[[torch.Tensor], torch.Tensor]
Perturbation = tuple[Callable, Callable]  # f and ∇·f


def check_perturbation(perturbation) -> None:
    """Raises ValueError unless it is a pair of functions."""
    if not (isinstance(perturbation, tuple | list) and len(perturbation) == 2 and all(map(callable, perturbation))):
        raise ValueError("perturbation must be a pair of functions (f, ∇·f), such as system.drift_derivative returns")


def check_perturbations(perturbations: dict[str, Perturbation | None]) -> None:
    """Raises ValueError unless it names one change of the drift or more, each a pair of functions or None for a kick."""
    if not isinstance(perturbations, dict) or not perturbations:
        raise ValueError("perturbations names changes of the drift, one or more: {'alpha': system.drift_derivative('alpha')}")
    for perturbation in perturbations.values():
        if perturbation is not None:
            check_perturbation(perturbation)


def kick_weight(s: torch.Tensor) -> torch.Tensor:
    """B for a unit kick at one pixel, averaged over the pixels, one as good as another for an observable without a place."""
    return -_rows(s).mean(-1)


def force_of(perturbation: Perturbation, u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
    """f(u), and f(u, context) where f says that it needs the hidden forcing."""
    f = perturbation[0]
    if getattr(f, "needs_context", False) and context is None:
        raise ValueError(
            "this change of the drift acts through the hidden forcing, which these data do not hold: simulate(..., context=True)"
        )
    force = _plain("what perturbation f returned", f(u, context) if getattr(f, "needs_context", False) else f(u), u)
    if force.shape != u.shape:
        raise ValueError(f"perturbation f returned shape {tuple(force.shape)} for fields of {tuple(u.shape)}; expected the same")
    return force


def drift_weight(perturbation: Perturbation, u: torch.Tensor, force: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """B = −∇·f − f·s, the sum running over pixels."""
    div = _plain("what perturbation ∇·f returned", perturbation[1](u), u)
    if div.shape not in ((), u.shape[:2]):
        raise ValueError(
            f"perturbation ∇·f returned shape {tuple(div.shape)}; expected one number, or one for each field: {tuple(u.shape[:2])}"
        )
    return -div - _rows(force * s).sum(-1)


def score_of(score: Callable, u: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
    """s(u), given the context where the score needs it."""
    wants = context is not None and getattr(score, "needs_context", True)
    s = _plain("the score", score(u, context=context) if wants else score(u), u)
    if s.shape != u.shape:
        raise ValueError(f"the score returned shape {tuple(s.shape)} for fields of {tuple(u.shape)}; expected the same")
    return s


def observed(observable: Field, u: torch.Tensor) -> torch.Tensor:
    """A(u) as floats: an exceedance such as `u > 0` counts as 0 and 1."""
    return _plain("what observable returned", observable(u), u)


def slope_of(observable: Field, u: torch.Tensor, force: torch.Tensor) -> torch.Tensor:
    """∇A·f: how the observables move if the field moves along f.

    Raises:
        ValueError: they cannot be differentiated.
    """
    advice = "write it in torch and smooth, as those of gfdt.observables are, or use form='raw'"
    return observed(lambda _: along(observable, u, force, f"the control variate takes the derivative of the observable; {advice}"), u)


def along(function: Callable, u: torch.Tensor, direction: torch.Tensor, need: str) -> torch.Tensor:
    """The derivative of a function of fields along a direction.

    Raises:
        ValueError: torch cannot; it says what it is needed for.
    """
    try:
        # of copies: for a view, forward differentiation would make room for the whole of what it is a view of, at each call
        return torch.func.jvp(function, (u.clone(),), (direction.clone(),))[1].detach()
    except (RuntimeError, TypeError) as error:  # NotImplementedError is a RuntimeError
        raise ValueError(f"{need}: torch cannot differentiate it ({str(error).splitlines()[0]})") from error


def _plain(name: str, values, u: torch.Tensor) -> torch.Tensor:
    """`values`, a tensor or what NumPy gives, as finite numbers like those of u; weights that are being trained leave no trace in them."""
    found = torch.as_tensor(values, device=u.device).detach()
    if found.is_complex():
        raise ValueError(f"{name} is complex; expected real numbers: of an observable, take real and imaginary part as two")
    return checks.finite(name, found.to(u.dtype))


def _rows(values: torch.Tensor) -> torch.Tensor:
    """(member, time, ...) → (member, time, pixel)."""
    return values.reshape(*values.shape[:2], -1)
