"""The generalized fluctuation-dissipation theorem: responses from undisturbed data and a score, and the true responses to judge them by.

`theorem` states the formulas. The estimators import `core` only; the true responses, from members that are really kicked, forced or
changed, import `systems` too.
"""
