"""Scores ∇ ln ρ and forecasts E[u(t) | u(0)] from data, and the identities by which to check a score.

    gaussian            the Gaussian score
    polynomial          the polynomial score of a few variables, in closed form
    fit, budgets        fit_score, and the budget of training that suits the data
    training            denoising score matching as an iterator; batches and checkpoints have files of their own
    matching            its two losses
    network             the linear part of a learned score; convolutions is the built-in nonlinear part, own_network that of the user
    learned             the learned score and its files; configuration builds its network, linear_correction adjusts its linear part
    forecast_fit        fit_forecast: the mean of the later field given the present one, the other half of the combined estimate
    forecast            the fitted forecast; forecast_files saves and loads one or two; dictionary has its features in closed form
    propagators         its coefficients, by least squares; forecast_network and forecast_training are its nonlinear part
    component_score     the learned score of unlike variables, numbers or fields; component_training and component_clusters make one,
                        component_network and component_field_network are its networks, component_calibration adjusts its linear part
    rungs               Gaussian, polynomial or network: held-out data choose
    score_files         the two files of a learned score; loading reads either kind
    descent             what the trainings of scores and of forecasts share
    one_variable        four ways to the score of one variable; pair_score, that of a number given an earlier one
    steins_identity     Stein's identity: averages that are known for the true score
    diagnostics         distances to a known score, moments of generated fields, variance of gradients

What a score is, is stated in `core.score`. This room imports `core` only: a score is fitted to data and does not know which system
generated them.
"""
