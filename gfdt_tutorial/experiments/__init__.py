"""Whole experiments: simulate, fit, respond and compare, with presets, a cache, and shipped results.

It imports every room below: `data`, `responses`, `generation`, `scores`, `systems` and `core`.
"""
