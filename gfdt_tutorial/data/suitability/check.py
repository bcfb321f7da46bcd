"""The result of one check of a series."""

from dataclasses import dataclass

SIGNIFICANT = 1e-3  # significance level of a check, for all that it tests taken together


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: of the check.
        value, error: the main quantity and its standard error; `finding` says which quantity it is.
        verdict: "fine", "unknown" (these data cannot tell), "warning" or "refused".
        finding: the result in words.
        advice: what to do about it; empty if there is nothing to do.
    """

    name: str
    value: float
    error: float
    verdict: str
    finding: str
    advice: str = ""
