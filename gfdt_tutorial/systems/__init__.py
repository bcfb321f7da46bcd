"""Simulated systems: the equations, their time stepping, and the loop that runs any of them.

One module per system. This room imports `core` only.
"""
