"""The verdict on a response from all of its tests: one of three grades, and its reasons in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gfdt_tutorial.core.confidence_bands import band_factor
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.data.hidden_memory import HiddenMemory
from gfdt_tutorial.data.suitability.check import SIGNIFICANT
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.steins_identity import SMALL, Identity

CLEAR = 4.0  # standard errors, beyond which a square is not zero
NAMES = {"gaussian": "Gaussian score", "generative": "learned score"}


@dataclass(frozen=True)
class Agreement:
    """Agreement between the responses of two halves of the data, each averaged with the score of the other half.

    Attributes:
        distance: root of the sum of squared differences, relative to its expectation from sampling alone: near 1 if the two scores agree.
        limit: `distance` exceeds it by chance in at most one case in a thousand. It is Student's quantile, as if all lags and
            displacements were one number: whatever the correlations, no sum of squares with the same mean scatters more.
        size: root mean square difference relative to that of the response, freed of sampling noise, without lag 0.
    """

    distance: float
    limit: float
    size: float

    @classmethod
    def of(cls, one: Response, other: Response) -> "Agreement":
        """The agreement of two responses from independent data."""
        if one.standard_error is None or other.standard_error is None:
            raise TypeError("the agreement of two responses is measured against their standard errors, and one has none")
        difference, both = (one.values - other.values)[1:].double(), (one.values + other.values)[1:].double() / 2
        sampling = (one.standard_error[1:].double().square() + other.standard_error[1:].double().square()).sum()
        distance = float((difference.square().sum() / sampling).sqrt())
        size = signed_root(float((difference.square().sum() - sampling) / both.square().sum()))
        return cls(distance, band_factor(1 - SIGNIFICANT, min(one.dof, other.dof)), size)

    @property
    def grade(self) -> str:
        """ "fails" if the halves differ significantly and by more than a twentieth of the response."""
        if not (math.isfinite(self.distance) and math.isfinite(self.limit)):
            return "cannot tell"
        return "fails" if self.distance > self.limit and self.size > SMALL else "passes"

    @property
    def finding(self) -> str:
        """The result in words."""
        words = (
            f"The responses of the two halves, each with the score of the other, differ by {self.distance:.2f} times the sampling error; "
            f"a ratio above {self.limit:.2f} occurs by chance in at most one case in a thousand."
        )
        return f"{words} The two scores disagree, by {self.size:.0%} of the response." if self.grade == "fails" else words


@dataclass(frozen=True)
class CrossCheck:
    """Two averages that the combined response takes, and that vanish for a true forecast, or for a true score.

    Attributes:
        forecast, score: by how much the response would err with that part alone, relative to the response; freed of noise, signed.
        forecast_sigmas, score_sigmas: the same squares in standard errors.
    """

    forecast: float
    forecast_sigmas: float
    score: float
    score_sigmas: float

    @classmethod
    def of(cls, combined: Response) -> "CrossCheck":
        """From a combined response."""
        told, values = combined.info["checks"], combined.values[1:].double()
        size = max(float((values.square().sum() / len(values)).sqrt()), 1e-300)
        numbers = ((told[part]["l2"] / size, told[part]["sigmas"]) for part in ("forecast", "score"))
        (forecast, its), (score, own) = numbers
        return cls(forecast, its, score, own)

    @property
    def grade(self) -> str:
        """ "cannot tell" if forecast and score are both significantly wrong, by more than a twentieth of the response; else "passes"."""
        wrong = [
            sigmas > CLEAR and size > SMALL for size, sigmas in ((self.forecast, self.forecast_sigmas), (self.score, self.score_sigmas))
        ]
        return "cannot tell" if all(wrong) else "passes"

    @property
    def finding(self) -> str:
        """The result in words."""
        words = (
            f"With the forecast alone the response would err by {max(self.forecast, 0.0):.0%} of itself, with the score alone by "
            f"{max(self.score, 0.0):.0%}; combined, the two errors multiply."
        )
        if self.grade == "passes":
            return f"{words} Of the responses the combined one has the best claim: it is right if either of its parts is."
        return f"{words} Both parts fail, so that their product may matter, and nothing here bounds it: the combined response is in doubt."


def verdict(
    grades: Mapping[str, str],
    grade: str,
    identities: Mapping[str, Identity],
    hidden: HiddenMemory | None,
    discrete: bool,
    crossed: CrossCheck | None = None,
) -> str:
    """Which response to believe, and how far.

    Args:
        grades: of the methods "generative" and "gaussian".
        grade: of the whole analysis.
        identities: Stein's identities of each method.
        hidden: the test for hidden memory, or None.
        discrete: whether the data have no smooth density.
        crossed: what the combined response tells of its parts, or None.
    """
    if discrete:
        return "Fails: neither score passes, and none can, because these data have no smooth density. Believe neither response."
    words = [f"{grade.capitalize()}: {_advice(grades['generative'], grades['gaussian'])}"]
    if implied := [_implied(name, *found.response) for name, found in identities.items() if found.response]:
        words.append(f"The violation of the identities implies an error of the response of {' and '.join(implied)}, where R(0) is 1.")
    if crossed is not None:
        words.append(crossed.finding)
    if hidden is not None and hidden.verdict == "found":
        words.append(
            "The series has hidden memory: the response depends on what is held fixed during the kick, and these data alone cannot tell "
            "which response a given kick has."
        )
    return " ".join(words)


def _advice(generative: str, gaussian: str) -> str:
    """The advice for each pair of grades, of the learned and of the Gaussian score."""
    if generative == "passes":
        return {
            "passes": "both scores pass. Where the two responses differ by more than their bands, take the generative one.",
            "fails": "the learned score passes and the Gaussian one fails. Take the generative response.",
            "cannot tell": "the learned score passes, and the data cannot tell about the Gaussian one. Take the generative response.",
        }[gaussian]
    if gaussian == "passes":
        other = "the learned one fails" if generative == "fails" else "the data cannot judge the learned one"
        return f"the Gaussian score passes, and {other}. Take the Gaussian response, or train longer (a larger preset)."
    if generative == gaussian == "fails":
        return (
            "neither score passes. Train longer (a larger preset) or bring more data, and until then believe neither response beyond the "
            "error that its score implies."
        )
    if generative == gaussian:
        which = "either score, as a wrong one would pass as well"
    elif generative == "cannot tell":
        which = "the learned score, as a wrong one would pass as well, and the Gaussian one fails"
    else:
        which = "the Gaussian score, as a wrong one would pass as well, and the learned one fails"
    return f"the data cannot judge {which}. Bring more data before you believe either response."


def _implied(name: str, value: float, error: float) -> str:
    return f"{max(value, 0.0):.2g} ± {error:.1g} ({NAMES.get(name, name)})"


def kicked(is_field: bool) -> str:
    """What the kick changes, and what it leaves open, in words."""
    if is_field:
        return (
            "What is kicked: at one place the field is raised by one, and all other places stay as they are. Whatever acts on the field "
            "and was not measured is not held fixed: it has its usual distribution, given the raised field."
        )
    return (
        "What is kicked: this number alone is raised by one at an instant. Whatever else varies with it is not held fixed: it has its "
        "usual distribution, given the raised value. A kick that leaves everything else unchanged has the same response only if "
        "the series is Markov, that is if its future depends on its present value and on nothing else."
    )
