"""The contract as a test package: `pytest --pyargs onewinner.conformance --onewinner-target X`."""
