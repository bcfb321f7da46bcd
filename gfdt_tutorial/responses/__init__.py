"""Responses: the generalized fluctuation-dissipation theorem, its estimators, the true responses, and the errors of one against the other.

    theorem              the theorem, with every symbol; the weights B of a kick and of any other change of the drift
    kick_response        `respond`: the response of the field to a kick, in four forms
    sensitivity_maps     the theorem for observables that are fields
    sensitivities        the theorem for observables that are numbers
    causal_map           who drives whom: which entries of a matrix of responses are not zero
    dynamic_modes        two rivals of a score: the linear inverse model and extended dynamic mode decomposition
    regression           the regression hypothesis, which needs no score
    kubo                 Kubo's formula for reversible dynamics, which needs no score either
    noise_change         a change of the noise of a field, written as a change of the drift
    diffusion_change     a change of the noise of a few variables, which may depend on the state

    estimation           the options that all estimators share, and the Response that they make
    field_products       lagged products of fields by wavevector and group of origins
    component_products   those of unlike variables, a matrix for each wavevector
    component_forecasts  the combined response of unlike variables, by a regression on a dictionary; of several fields,
                         component_field_forecasts
    field_responses      the forms made from them, behind `respond` and `sensitivity_maps`
    observable_samples   samples of A, B and ∇A·f, for observables that are numbers
    lagged_sums          their lagged sums by group of origins, and estimates from these
    shrinkage            an estimate drawn towards the regression hypothesis

    kicked_twins         `perturb`: the true response to a kick, from pairs of runs with the same noise
    twins                that experiment as an iterable, with its checkpoint
    twin_runs            the runs of one of its batches
    changed_ensemble     the true response to a change of parameters
    observable_twins     true responses of observables to kicks and parameters, with one spin-up for all
    forced_ensemble      the true response to a kick or a forcing of finite size, and how far it is from linear

    response             `Response`, and the exact response of a system that has one
    response_file        the file of a response
    scale_errors         errors by band of wavenumbers, and for a smooth kick
    errors               `compare`: the error of a response; `difference`: two responses on the same data
    observables          power, spectrum, exceedance, density
    kick_patterns        kicks of a few shapes
    symmetries           averages over symmetries of a system

No estimator imports another: all depend on `theorem` and `estimation`, and none knows the systems. Only the true responses
(`kicked_twins`, `twins`, `twin_runs`, `changed_ensemble`, `forced_ensemble`) import `systems`; every other module imports `core` and
this room alone.
"""
