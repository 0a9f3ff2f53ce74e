"""Adapters: one for each outside world, and the targets that users name."""
