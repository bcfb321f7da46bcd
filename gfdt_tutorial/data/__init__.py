"""Anyone's time series: reading files, preparing and examining them, and the whole analysis of a series.

It imports `responses`, `scores` and `core`, and no system.
"""
