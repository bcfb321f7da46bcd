"""Sampling from a score: fields drawn from the density whose score was learned.

It imports `scores` and `core`.
"""
