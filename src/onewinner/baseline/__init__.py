"""Baselines: failures that are known, as a file that people keep beside their store.

A known failure does not turn the gate red, and raises no level. Where it is gone its entry turns
the gate red, so that the file only ever gets shorter.
"""
