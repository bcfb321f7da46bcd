"""Whole experiments: simulate, fit, respond and compare, with a cache and shipped results.

This room imports the rooms below it: `data`, `responses`, `generation`, `scores`, `systems` and `core`.
"""
