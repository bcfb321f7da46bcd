"""Scores ∇ ln ρ from data: Gaussian, learned by denoising score matching, of one variable; and how to check a score.

It imports `core` only: a score is fitted to data and does not know which system made them.
"""
