"""The foundation of every other room: grids, time series and their statistics, and the services that all of them use.

    grid, series            the periodic grid with its operators; an unperturbed time series
    spectra, correlations   covariances by wavevector and by shell; autocovariances and decorrelation times
    whitening, hermite      coordinates in which unlike variables are alike, and polynomials of them
    resampling_groups,      nearly independent groups of data, and
    confidence_bands        the standard errors and bands that they yield
    numerics                averages of large tensors with bounded memory
    random_streams          independent random numbers for each purpose and member
    checks                  validation of arguments
    storage, memory         atomic files without pickles; the memory of this process
    progress                long work and printing
    threads, cluster        blocks of work on all cores, and on several machines
    preflight               what the Makefile asks before the first installation

It imports no other room of this package.
"""
