"""Hypothesis strategies, and the texts and values that they are made of."""
