"""What may be wrong with a mean or a variance in time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """By how much something changes with time.

    Attributes:
        size, error: the change and its standard error.
        chance: probability by chance over the share of the check's false alarms that this test may use: significant below `SIGNIFICANT`.
        finding, advice: in words.
        sure: whether it can be told from what a fit series may do.
    """

    size: float
    error: float
    chance: float
    finding: str
    advice: str
    sure: bool = True
