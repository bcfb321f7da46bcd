"""What one look at a series found."""

from dataclasses import dataclass

SIGNIFICANT = 1e-3  # probability by chance, of all that one check tests taken together


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        value, error: the finding as a number and its sampling error; what it is a number of, `finding` says.
        verdict: "fine", "unknown" (these data cannot tell), "warning" or "refused".
        finding: in words.
        advice: what to do about it; empty where there is nothing to do.
    """

    name: str
    value: float
    error: float
    verdict: str
    finding: str
    advice: str = ""
