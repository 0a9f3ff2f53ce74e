"""onewinner: a conformance gate for keyed stores with an atomic claim.

*Processes* (logical single-threaded clients, in threads or OS processes) draw *operations* from a
*generator*, send them through an *adapter* to the store under test while a *nemesis* hurts them,
and write what happened into a *history*; *checkers* judge the history against the *model* and
answer a *verdict*; the *suite* ties each *clause* of the contract to its checks, and *reports*
show one result tree.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from onewinner.clock import Clock, ManualClock, SystemClock
    from onewinner.contract import (
        ABSENT,
        Absent,
        Backend,
        Capabilities,
        Change,
        Compared,
        Condition,
        Connect,
        Entry,
        Intent,
        InvalidInput,
        Json,
        LimitExceeded,
        NewerStore,
        Observation,
        Profile,
        Store,
        StoreError,
    )
    from onewinner.pytest_plugin import StoreContract

__all__ = (
    "ABSENT",
    "Absent",
    "Backend",
    "Capabilities",
    "Change",
    "Clock",
    "Compared",
    "Condition",
    "Connect",
    "Entry",
    "Intent",
    "InvalidInput",
    "Json",
    "LimitExceeded",
    "ManualClock",
    "NewerStore",
    "Observation",
    "Profile",
    "Store",
    "StoreContract",
    "StoreError",
    "SystemClock",
    "__version__",
)

# The pytest plugin imports this package at the start of every test run of an environment, so what
# is exported is loaded when it is asked for.
_HOMES: Final = {
    **dict.fromkeys(("Clock", "ManualClock", "SystemClock"), "onewinner.clock"),
    "StoreContract": "onewinner.pytest_plugin",
}


def __getattr__(name: str) -> Any:
    """Load an exported name, and keep it."""
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("onewinner")
    elif name in __all__:
        found = getattr(importlib.import_module(_HOMES.get(name, "onewinner.contract")), name)
    else:
        raise AttributeError(f"module 'onewinner' has no attribute {name!r}")
    globals()[name] = found
    return found
