"""Every check of the contract as one test of the store that `--onewinner-target` names."""

from __future__ import annotations

from onewinner.pytest_plugin import StoreContract


class TestTarget(StoreContract):
    """The target of the command line, or of `onewinner_target` in the ini file."""
