"""The reference stores: the contract done right, in memory and in SQLite.

They share their reading of section 5 (`input`) and nothing with the model, which judges them.
"""
