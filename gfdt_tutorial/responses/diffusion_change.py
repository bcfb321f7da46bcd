"""A change of noise that may depend on the state, for a few variables without space, written as a change of the drift.

Let the noise of dx = b dt + σ dW (Itô) have the covariance D = σσᵀ per unit time, and let D change by δD(x) per unit of a parameter. In the
Fokker-Planck equation it appears as ½ ∂ᵢ∂ⱼ(D_ij ρ), so that

    B = ½ [∂ᵢ∂ⱼδD_ij + 2 (∂ⱼδD_ij) sᵢ + δD_ij (∂ᵢsⱼ + sᵢsⱼ)]

summed over i and j, which is B = −∇·f − f·s for the change of the drift

    f = −½ (∇·δD + δD s),    ∇·f = −½ [∂ᵢ∂ⱼδD_ij + (∂ᵢδD_ij) sⱼ + δD_ij ∂ᵢsⱼ]

At lag 0 two integrations by parts take the score out altogether, ⟨A B⟩ = ½ ⟨δD_ij ∂ᵢ∂ⱼA⟩, with which the controlled form of
`sensitivities` begins. All derivatives are exact; the score's are taken by forward differentiation, one direction after the other.
"""

from collections.abc import Callable
from functools import partial

import torch

from gfdt_tutorial.core import threads
from gfdt_tutorial.core.score import Score
from gfdt_tutorial.responses.theorem import Field, Perturbation, along, observed, score_of

Rate = Callable[[torch.Tensor], torch.Tensor]  # δD of one state, (component,) → (component, component)


def diffusion_change(score: Score, rate: Rate) -> Perturbation:
    """(f, ∇·f), the change of the drift with the effect of a change δD(x) of the noise; see this module's page.

    Args:
        score: differentiable by torch; of a plain number or of components.
        rate: δD, a torch function of one state, (component,) → (component, component), such as `SDE.diffusion_derivative` returns.

    Raises:
        ValueError: a rate of another shape or one that is not symmetric, or a score that cannot be differentiated.

    The closed form ẋ = −x + √D ξ with D = 1 + εx² has d⟨x²⟩/dε = ¼ at ε = 0:

    >>> import gfdt_tutorial as gfdt
    >>> one = gfdt.SDE(lambda x, p: -x, lambda x, p: torch.ones(1), {}, spinup=5.0)
    >>> data = gfdt.simulate(one, members=64, duration=100.0, every=0.1)
    >>> change = diffusion_change(gfdt.GaussianScore.fit(data), lambda x: x.square().reshape(1, 1))
    >>> found = gfdt.sensitivities(data, gfdt.GaussianScore.fit(data), torch.square, {"ε": change}, lags=5.0)["ε"]
    >>> bool(abs(found.values[-1] - 0.25) < 3 * found.standard_error[-1])
    True
    """
    force = _Force(score, rate)
    return force, force.divergence


class _Force:
    """f of this module's page, with its divergence and the score-free slope of an observable at lag 0."""

    def __init__(self, score: Score, rate: Rate) -> None:
        self.score, self.rate = score, rate

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        change, first = self._rate(u), self._slopes(u)
        s = score_of(self.score, u, None)
        return -0.5 * (first + torch.einsum("nij,nj->ni", change, self._states(s))).reshape(u.shape)

    def divergence(self, u: torch.Tensor) -> torch.Tensor:
        """∇·f, (member, time)."""
        change, first, second = self._rate(u), self._slopes(u), self._curvature(u)
        s = self._states(score_of(self.score, u, None))
        total = second + (first * s).sum(1)
        for i in range(change.shape[1]):
            slope = along(self.score, u, self._direction(u, i), "a change of the noise takes the derivative of the score")
            total = total + (change[:, i] * self._states(slope)).sum(1)
        return -0.5 * total.reshape(u.shape[:2])

    def slope(self, observable: Field, u: torch.Tensor) -> torch.Tensor:
        """½ δD_ij ∂ᵢ∂ⱼA, which the control variate starts from: (member, time) or (member, time, n)."""
        change = self._rate(u)
        need = "the control variate takes two derivatives of the observable after a change of the noise; write it in torch and smooth"
        total = torch.zeros((), dtype=u.dtype, device=u.device)
        for i in range(change.shape[1]):
            for j in range(i + 1):
                found = along(partial(_slope, observable, direction=self._direction(u, j)), u, self._direction(u, i), need)
                weight = change[:, i, j].reshape(u.shape[:2]) * (0.5 if i == j else 1.0)
                total = total + found * weight.reshape(*weight.shape, *[1] * (found.ndim - 2))
        return observed(lambda _: total, u)

    def _rate(self, u: torch.Tensor) -> torch.Tensor:
        """δD, (n, component, component)."""
        change, count = self._each(self.rate, u), self._states(u).shape[1]
        if change.shape[1:] != (count, count) or not torch.allclose(change, change.mT, rtol=1e-4, atol=1e-6 * float(change.abs().max())):
            raise ValueError(f"rate returned shape {tuple(change.shape[1:])}; expected a symmetric matrix of {count} × {count} components")
        return change

    def _slopes(self, u: torch.Tensor) -> torch.Tensor:
        """∂ⱼδD_ij, (n, component)."""
        return self._each(self._divergence, u)

    def _curvature(self, u: torch.Tensor) -> torch.Tensor:
        """∂ᵢ∂ⱼδD_ij, (n,)."""
        return self._each(lambda x: torch.func.jacfwd(self._divergence)(x).diagonal().sum(), u)

    def _divergence(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("ijj->i", torch.func.jacfwd(self.rate)(x))

    def _each(self, function: Rate, u: torch.Tensor) -> torch.Tensor:
        """A function of one state, for all of them."""
        with threads.differentiating:
            return torch.func.vmap(function)(self._states(u)).detach()

    def _states(self, values: torch.Tensor) -> torch.Tensor:
        """(member, time) or (member, time, component) → (n, component)."""
        return values.reshape(values.shape[0] * values.shape[1], -1)

    def _direction(self, u: torch.Tensor, component: int) -> torch.Tensor:
        found = torch.zeros_like(self._states(u))
        found[:, component] = 1
        return found.reshape(u.shape)


def _slope(observable: Field, u: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    return torch.func.jvp(observable, (u,), (direction,))[1]
