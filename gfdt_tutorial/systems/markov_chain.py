"""A Markov chain of a few variables in discrete time, which answers a kick by powers of its matrix.

x(t + 1) = A x(t) + ξ(t),    ξ Gaussian, ⟨ξξᵀ⟩ = diag(noise²)

    R(t) = Aᵗ,    C = A C Aᵀ + ⟨ξξᵀ⟩,    s(x) = −C⁻¹ x

Variable j drives variable i directly if A_ij is not 0. By default this is the chain of three in which 1 drives 2 and 3, and 2 reacts weakly
on 1 (Falasca, Perezhogin, Zanna, arXiv:2306.14433).
"""

import math
from dataclasses import dataclass

import scipy.linalg
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.systems.base import Lags, Stepper
from gfdt_tutorial.systems.plain_state import PlainState
from gfdt_tutorial.systems.white_noise import Normals

CHAIN_OF_THREE = ((0.5, 0.04, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5))


@dataclass(frozen=True)
class MarkovChain(PlainState):
    """x ← A x + ξ for variables x1, x2, …; one step is one unit of time.

    Args:
        matrix: A, (to, from), with eigenvalues inside the unit circle.
        noise: standard deviation of ξ, one number for all variables or one for each.

    Raises:
        ValueError: a matrix that is not square, is not stable or contains no finite numbers; noise that is not positive.

    >>> import gfdt_tutorial as gfdt
    >>> chain = MarkovChain()
    >>> data = gfdt.simulate(chain, members=8, duration=2000.0)
    >>> answer = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=5.0)
    >>> bool((answer.values - chain.response(answer.times)).abs().max() < 0.1)
    True
    """

    name = "markov-chain"
    label = "Markov chain"
    grid = PeriodicGrid(())
    lags, every = 15.0, 1.0

    matrix: tuple[tuple[float, ...], ...] = CHAIN_OF_THREE
    noise: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        a = self._matrix
        if a.ndim != 2 or a.shape[0] != a.shape[1] or not bool(a.isfinite().all()):
            raise ValueError(f"matrix has shape {tuple(a.shape)}; expected a square matrix (to, from) of finite numbers")
        largest = float(torch.linalg.eigvals(a).abs().max())
        if largest >= 1:
            raise ValueError(f"the largest eigenvalue of matrix has modulus {largest:.3g}; a stationary chain needs less than 1")
        if not isinstance(self.noise, int | float) and len(self.noise) != len(a):
            raise ValueError(f"noise has {len(self.noise)} values for {len(a)} variables; give one number, or one for each")
        for value in self._deviations.tolist():
            checks.positive("noise", value)

    @property
    def variables(self) -> tuple[str, ...]:  # type: ignore[override]
        """x1, x2, …"""
        return tuple(f"x{number}" for number in range(1, len(self.matrix) + 1))

    @property
    def covariance(self) -> torch.Tensor:
        """C, (variable, variable), in double precision, from Lyapunov's equation."""
        found = scipy.linalg.solve_discrete_lyapunov(self._matrix.numpy(), self._deviations.square().diag().numpy())
        return torch.from_numpy(found)

    def initial(self, members: range, seed: int, device: torch.device) -> torch.Tensor:
        """(member, variable), drawn from the stationary density."""
        drawn = [torch.randn(len(self.matrix), generator=generator(seed, Stream.INITIAL, member)) for member in members]
        return (torch.stack(drawn) @ torch.linalg.cholesky(self.covariance).float().T).to(device)

    def make_noise(self, members: range, seed: int, device: torch.device) -> Normals:
        """A unit normal for each variable."""
        return Normals((len(self.matrix),), members, seed, device=device)

    def stepper(self, every: float, device: torch.device) -> Stepper:
        """`every` steps of the chain.

        Raises:
            ValueError: `every` is no whole number.
        """
        count = round(every)
        if count < 1 or not math.isclose(count, every):
            raise ValueError(f"every is {every:g}; a chain advances by whole steps: 1, 2, …")
        matrix, deviations = self._matrix.float().T.to(device), self._deviations.float().to(device)

        def step(state: torch.Tensor, noise: Normals) -> torch.Tensor:
            for _ in range(count):
                state = state @ matrix + deviations * noise()
            return state

        return step

    def score(self, u: torch.Tensor, context: torch.Tensor | None = None, sigma: float | None = None) -> torch.Tensor:
        """−C⁻¹ u, (..., variable) → the same."""
        checks.ends_with("u", u, self.shape)
        if sigma is not None:
            raise ValueError("sigma is one number, in units of one field; unlike variables have no common unit")
        return -(u.double() @ torch.linalg.inv(self.covariance).to(u.device)).to(u.dtype)

    def response(self, lags: Lags) -> torch.Tensor:
        """Aᵗ, (lag, to, from), at whole lags.

        Raises:
            ValueError: a lag between two steps.
        """
        times = torch.as_tensor(lags, dtype=torch.float64)
        if bool((times != times.round()).any()) or bool((times < 0).any()):
            raise ValueError("a chain is defined at whole times 0, 1, 2, …; ask for such lags")
        return torch.stack([torch.linalg.matrix_power(self._matrix, int(lag)) for lag in times])

    @property
    def _matrix(self) -> torch.Tensor:
        return torch.tensor(self.matrix, dtype=torch.float64)

    @property
    def _deviations(self) -> torch.Tensor:
        """(variable,)."""
        return torch.tensor(self.noise, dtype=torch.float64).expand(len(self.matrix))
