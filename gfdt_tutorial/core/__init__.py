"""What every other room stands on: grids, time series, spectra, correlations, resampling, confidence bands, random streams, input
checks, storage, progress and clusters.

It imports no other room of this package.
"""
