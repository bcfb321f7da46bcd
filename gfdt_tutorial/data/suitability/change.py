"""A change of the mean or the variance in time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A change in time, as one test estimates it.

    Attributes:
        size, error: the change and its standard error.
        p_value: the probability by chance, divided by the fraction of the check's significance level that this test may use
            (Bonferroni): significant below `SIGNIFICANT`.
        finding, advice: in words.
        unambiguous: False if a stationary series may look the same, as an oscillation of the system's own looks like a season.
    """

    size: float
    error: float
    p_value: float
    finding: str
    advice: str
    unambiguous: bool = True
