"""A response while its score is learned."""

from collections.abc import Callable, Iterator
from functools import partial

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.training import Training

THIN, RESAMPLES = 8, 20  # a look at a response that is being learned: every 8th origin, and few resamples for its band


class LearningResponse:
    """The response that a score gives while it is learned: an iterator, one step of training at a time, with a look every few.

    A training that starts from the Gaussian score starts from the Gaussian response. Looks come at fixed steps, so that a training which
    was stopped and resumed has the same history as one which was not.

    Args:
        training: at any step.
        series: that the training does not see; responses are averaged over it, with the Gaussian part as control variate.
        truth: what they should become.
        known: a score to compare with.
        lags: the largest.
        symmetries: see `respond`.
        every: steps between two looks, at some 0.2 s each for 16 × 161 fields of 32 × 32.

    Attributes:
        responses: "gaussian", "analytic" by the known score, and "generative" as of the last look.
        errors: L2 against the truth over lags > 0 of the first two.
        history: (step, the same of "generative"), one a look.
    """

    def __init__(
        self, training: Training, series: TimeSeries, truth: Response, known: Callable, *, lags: float = 40.0,
        symmetries: tuple[str, ...] = (), every: int = 20,
    ):  # fmt: skip
        self.training, self.series, self.truth = training, series, truth
        self.every = checks.whole("every", every, minimum=1)
        self._averaged = partial(respond, series, lags=lags, symmetries=symmetries, resamples=RESAMPLES)
        self.responses = {"gaussian": self._averaged(GaussianScore.fit(series)), "analytic": self._answer(known)}
        self.errors = {name: self._error(response) for name, response in self.responses.items()}
        self.history: list[tuple[int, float]] = []
        self.look()

    def __iter__(self) -> Iterator[int]:
        for _ in self.training:
            if self.training.step % self.every == 0 or self.training.step == self.training.budget.steps:
                self.look()
            yield self.training.step

    def look(self) -> None:
        """Take the response of the averaged network as it stands."""
        self.responses["generative"] = self._answer(self.training.current())
        self.history.append((self.training.step, self._error(self.responses["generative"])))

    def _answer(self, score: Callable) -> Response:
        return self._averaged(score, form="controlled", thin=THIN)

    def _error(self, response: Response) -> float:
        return compare(response, self.truth).quoted["l2"]
