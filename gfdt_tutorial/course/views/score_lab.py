"""The response of a score during its training."""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.responses.errors import compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.training import Training

THIN, RESAMPLES = 8, 20  # for a response during training every 8th origin and few resamples for its band suffice


class LearningResponse:
    """The response of a score during its training: an iterator over training steps, with a new estimate every few steps.

    A training that starts from the Gaussian score starts from the Gaussian response. Estimates are taken at fixed steps, so that a training
    that was stopped and resumed has the same history as one that was not.

    Args:
        training: at any step.
        series: data that the training does not use; responses are averaged over them, with the Gaussian control variate.
        truth: the true response.
        known: a score to compare with.
        lags: the largest lag.
        symmetries: see `respond`.
        every: steps between two estimates; one takes some 0.2 s for 16 × 161 fields of 32 × 32.

    Attributes:
        responses: "gaussian", "analytic" with the known score, and "generative", the latest estimate.
        errors: L2 of the first two against the truth, over lags > 0.
        history: (step, L2 of "generative"), one entry per estimate.
    """

    def __init__(
        self, training: Training, series: TimeSeries, truth: Response, known: Callable[..., torch.Tensor], *, lags: float = 40.0,
        symmetries: tuple[str, ...] = (), every: int = 20,
    ) -> None:  # fmt: skip
        self.training, self.series, self.truth = training, series, truth
        self.every = checks.whole("every", every, minimum=1)
        self._averaged = partial(respond, series, lags=lags, symmetries=symmetries, resamples=RESAMPLES)
        self.responses = {"gaussian": self._averaged(GaussianScore.fit(series)), "analytic": self._response(known)}
        self.errors = {name: self._error(response) for name, response in self.responses.items()}
        self.history: list[tuple[int, float]] = []
        self.look()

    def __iter__(self) -> Iterator[int]:
        for _ in self.training:
            if self.training.step % self.every == 0 or self.training.step == self.training.budget.steps:
                self.look()
            yield self.training.step

    def look(self) -> None:
        """Estimate the response with the present averaged network."""
        self.responses["generative"] = self._response(self.training.current())
        self.history.append((self.training.step, self._error(self.responses["generative"])))

    def _response(self, score: Callable[..., torch.Tensor]) -> Response:
        return self._averaged(score, form="controlled", thin=THIN)

    def _error(self, response: Response) -> float:
        return compare(response, self.truth).quoted["l2"]
