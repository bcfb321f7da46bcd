"""Simulated systems: the equations, their time stepping, and the loop that runs any of them.

One module per system, and `splitting`, a time step for equations of one's own. This room imports `core` only.
"""
