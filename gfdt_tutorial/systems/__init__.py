"""Simulated systems: the equations, their time stepping and the loop that runs any of them.

One system a file. It imports `core` only.
"""
