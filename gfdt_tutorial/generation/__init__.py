"""Generation of fields from a learned score: samples of the density that the score describes.

This room imports `scores` and `core`.
"""
