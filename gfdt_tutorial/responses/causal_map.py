"""Who drives whom: which entries of a matrix of responses are not zero.

Variable j acts on variable i if a kick of j moves i while all others are held at the instant of the kick. With R(t) the matrix of
responses, three summaries of R_ij(t) tell:

    "first lag"    R_ij at the first lag. In discrete time, sampled at every step, it is the mean Jacobian of the map, and only direct
                   links appear; in continuous time links through a third variable appear, too, of second order in the interval
    "rate"         dR_ij/dt at t = 0, from the first five values, per time unit: in continuous time the mean Jacobian ⟨∂b_i/∂u_j⟩ of the
                   drift. Only direct links appear, but for an error of fourth order in the interval
    "all lags"     ∫ R_ij dt over all lags that were computed: the net effect in the long run, to which every chain of links contributes

Each link has a standard error, and a p-value for the hypothesis that it is zero, from Student's t. Of C (C − 1) such tests some are
significant by chance, so the links that are called present are those of a given false discovery rate: among them that fraction is false, on
average, if the tests are independent or positively dependent. "Significant at any of 20 lags" at 1 % has no such bound: it calls up to
18 % of the pairs without a link linked.

A link through the noise alone, whose mean is zero, does not appear in any of them.

Correlation is the response that a score of independent variables would give, R_ij = C_ij(t)/C_jj(0): `lagged_correlations` returns it, with
the same bands, so that `causal_map` can be applied to both. It sees a link wherever two variables have a common cause.

Sources: Benjamini and Hochberg, J. R. Stat. Soc. B 57, 289 (1995); Falasca, Perezhogin and Zanna, Phys. Rev. E 109, 044202 (2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import scipy.stats
import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.confidence_bands import jackknife
from gfdt_tutorial.core.series import TimeSeries, check_series
from gfdt_tutorial.responses.errors import in_common_units
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response

OVER = ("first lag", "rate", "all lags")
FORWARD = (-25 / 12, 4.0, -3.0, 4 / 3, -0.25)  # of the derivative at 0 from the values at 0, h, … 4h, times h


@dataclass(frozen=True)
class CausalMap:
    """The links between unlike variables, in units of their standard deviations: per time unit for "rate", times one for "all lags".

    Attributes:
        components: names of the variables.
        strength, standard_error: (to, from); the diagonal, by which a variable acts on itself, counts only with `own`.
        p_value: (to, from), of the hypothesis that there is no link; NaN where none is tested.
        dof: degrees of freedom of the standard errors.
        rate: false discovery rate.
        over: "first lag", "rate" or "all lags".
        lag: the first lag, or the last for "all lags", in time units.
        method: of the response.
    """

    components: tuple[str, ...]
    strength: torch.Tensor
    standard_error: torch.Tensor
    p_value: torch.Tensor
    dof: float
    rate: float
    over: str
    lag: float
    method: str

    @property
    def adjusted(self) -> torch.Tensor:
        """The smallest false discovery rate at which each link would be called present, (to, from); NaN where none is tested."""
        tested = ~self.p_value.isnan()
        found = torch.full_like(self.p_value, torch.nan)
        found[tested] = torch.from_numpy(scipy.stats.false_discovery_control(self.p_value[tested].numpy()))
        return found

    @property
    def null(self) -> torch.Tensor:
        """The strength that a link which is not there exceeds, in modulus, with the chance `rate`, (to, from); NaN where none is tested.

        It is for one link by itself; `present` allows for the number of links.
        """
        found = float(scipy.stats.t.isf(self.rate / 2, self.dof)) * self.standard_error
        return torch.where(self.p_value.isnan(), torch.nan, found)

    @property
    def present(self) -> torch.Tensor:
        """(to, from), whether there is a link."""
        return self.adjusted <= self.rate

    @property
    def links(self) -> list[tuple[str, str, float]]:
        """(from, to, strength) of each link that is present, the strongest first."""
        found = [(self.components[j], self.components[i], float(self.strength[i, j])) for i, j in self.present.nonzero().tolist()]
        return sorted(found, key=lambda link: -abs(link[2]))

    def wrong(self, true: torch.Tensor | Sequence[Sequence[float]]) -> tuple[int, int]:
        """(false, missed): how many tested links are present here and not there, and the other way round.

        Args:
            true: (to, from), such as the Jacobian of the drift; not zero where there is a link.

        Raises:
            ValueError: another shape.
        """
        there, tested = check_links(true, self.components) != 0, ~self.p_value.isnan()
        return int((self.present & ~there & tested).sum()), int((~self.present & there & tested).sum())


def causal_map(answer: Response, *, over: str = "first lag", false_discovery_rate: float = 0.01, own: bool = False) -> CausalMap:
    """Which variables act on which, from the matrix of their responses; see this module's page.

    Args:
        answer: of unlike variables without space, as `respond` returns it; or their `lagged_correlations`. With a learned score take the
            form "combined", whose values at short lags hardly depend on the score.
        over: "first lag", "rate" or "all lags"; of a system in continuous time take "rate", from a series that is sampled finely.
        false_discovery_rate: the fraction of the links called present that may be false, on average.
        own: whether to test how each variable acts on itself.

    Raises:
        ValueError: the response of one variable or of fields; one without errors, or without the standard deviations of its variables;
            too few lags; or no `deviations` where several lags are needed.

    >>> import gfdt_tutorial as gfdt
    >>> data = gfdt.simulate(gfdt.MarkovChain(), members=16, duration=1000.0)
    >>> answer = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=5.0)
    >>> [(source, to) for source, to, _ in causal_map(answer).links]
    [('x1', 'x3'), ('x1', 'x2'), ('x2', 'x1')]
    """
    checks.choice("over", over, OVER)
    checks.probability("false_discovery_rate", false_discovery_rate)
    if answer.components is None or answer.values.ndim != 3 or len(answer.components) < 2:
        raise ValueError("a causal map needs the responses of two or more unlike variables without space, with values (lag, to, from)")
    if answer.standard_error is None or "spread" not in answer.info:
        raise ValueError(
            "a causal map needs standard errors, and the standard deviations of the variables: a response from data, by respond or "
            "lagged_correlations, and not one in closed form or of twins"
        )
    if len(answer.times) < (len(FORWARD) if over == "rate" else 2):
        raise ValueError(f"over={over!r} needs {len(FORWARD) - 1 if over == 'rate' else 1} lags or more: ask respond for longer lags")
    (scaled,) = in_common_units(answer, answer)
    weights = _weights(over, answer.times)
    strength = torch.einsum("l,lij->ij", weights, scaled.values.double())
    error = _error(scaled, weights)
    if bool(error.isnan().any()) or answer.dof < 1:
        raise ValueError("the standard errors are not known: the response rests on fewer than two groups of data")
    p_value = torch.from_numpy(2 * scipy.stats.t.sf((strength / error).abs().numpy(), answer.dof))
    if not own:
        p_value.fill_diagonal_(torch.nan)
    lag = float(answer.times[-1 if over == "all lags" else 1])
    return CausalMap(answer.components, strength, error, p_value, answer.dof, false_discovery_rate, over, lag, answer.method)


def lagged_correlations(data: TimeSeries, *, lags: float, confidence: float = 0.90, resamples: int = 200, seed: int = 0) -> Response:
    """C_ij(t)/C_jj(0), the regression of each variable on each earlier one alone, with the bands of a response; arguments as in `respond`.

    In units of standard deviations, in which `causal_map` works, these are the lagged correlations. They are the response that the score of
    independent variables, s_j = −(u_j − ⟨u_j⟩)/C_jj(0), would give.

    Raises:
        ValueError: as `respond`; a series of one variable, or a variable that does not vary.
    """
    check_series(data, components=True)
    if data.components is None:
        raise ValueError("correlations are between unlike variables; these data have none (no axis c)")
    constant = [name for name, spread in zip(data.components, data.spread, strict=True) if spread == 0]
    if constant:
        raise ValueError(f"{', '.join(constant)} does not vary, and so is correlated with nothing: leave it out")
    centre = data.centre
    variance = torch.tensor(data.spread).square().reshape(centre.shape)

    def independent(u: torch.Tensor) -> torch.Tensor:
        return -(u - centre.to(u)) / variance.to(u)

    found = respond(data, independent, lags=lags, form="raw", confidence=confidence, resamples=resamples, seed=seed)
    return replace(found, method="correlation")


def check_links(true: torch.Tensor | Sequence[Sequence[float]], components: Sequence[str]) -> torch.Tensor:
    """A matrix of true links, (to, from), as a tensor.

    Raises:
        ValueError: another shape.
    """
    found = torch.as_tensor(true)
    if found.shape != (len(components),) * 2:
        raise ValueError(
            f"the true links have shape {tuple(found.shape)}; expected one row and one column for each of {', '.join(components)}"
        )
    return found


def _weights(over: str, times: torch.Tensor) -> torch.Tensor:
    """(lag,), by which the values at all lags are multiplied and added."""
    weights, step = torch.zeros(len(times), dtype=torch.float64), float(times[1] - times[0])
    if over == "first lag":
        weights[1] = 1
    elif over == "all lags":
        weights[:] = step
        weights[[0, -1]] = step / 2
    else:
        weights[: len(FORWARD)] = torch.tensor(FORWARD, dtype=torch.float64) / step
    return weights


def _error(answer: Response, weights: torch.Tensor) -> torch.Tensor:
    """Of a weighted sum over lags: the jackknife's error, times the ratio by which the bootstrap's exceeds it at these lags."""
    assert answer.standard_error is not None
    used = weights.nonzero()[:, 0]
    if len(used) == 1:
        return (weights[used[0]] * answer.standard_error[used[0]]).abs()
    if answer.deviations is None:
        raise ValueError('several lags need the `deviations` of a response, which saved ones lack; compute it, or take over="first lag"')
    each = answer.deviations.double()
    bootstrap = answer.standard_error[used].square().sum(0)
    ratio = bootstrap / jackknife(each[:, used]).square().sum(0).clamp_min(1e-300)
    return (ratio.sqrt() * jackknife(torch.einsum("l,glij->gij", weights, each))).clamp_min(1e-300)
