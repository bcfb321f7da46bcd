"""Scores s = ∇ ln ρ, from data alone. A score is a callable (..., *shape) → (..., *shape), per unit of the field."""
