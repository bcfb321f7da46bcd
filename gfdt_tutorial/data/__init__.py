"""Time series of any origin: reading files, preparation, checks, and the whole analysis of a series.

    reading                 NetCDF, Zarr, .npy and .npz files; missing_value_marks: codes for missing values
    preparation             removal of a season, a trend, or the means of members
    principal_components    patterns of a series, and their amplitudes as unlike variables
    suitability             the checks of the theorem's assumptions
    hidden_memory           the test of the Markov property, for a number and (hidden_memory_of_fields) for fields
    verdicts                which response to believe, in words
    analysis                all of it, from the series to the response; component_analysis: the same for unlike variables; parts: common

It imports `responses`, `scores` and `core`, but no system.
"""
