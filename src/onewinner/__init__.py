"""onewinner: a conformance gate for keyed stores with an atomic claim.

*Processes* (logical single-threaded clients, in threads or OS processes) draw *operations* from a
*generator*, send them through an *adapter* to the store under test while a *nemesis* hurts them,
and write what happened into a *history*; *checkers* judge the history against the *model* and
answer a *verdict*; the *suite* ties each *clause* of the contract to its checks, and *reports*
show one result tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onewinner.clock import Clock, ManualClock, SystemClock
from onewinner.contract import (
    ABSENT,
    Absent,
    Backend,
    Capabilities,
    Connect,
    Entry,
    InvalidInput,
    Json,
    LimitExceeded,
    Profile,
    Store,
    StoreError,
)

if TYPE_CHECKING:
    from onewinner.pytest_plugin import StoreContract

__all__ = (
    "ABSENT",
    "Absent",
    "Backend",
    "Capabilities",
    "Clock",
    "Connect",
    "Entry",
    "InvalidInput",
    "Json",
    "LimitExceeded",
    "ManualClock",
    "Profile",
    "Store",
    "StoreContract",
    "StoreError",
    "SystemClock",
    "__version__",
)


def __getattr__(name: str) -> Any:
    """Load what is heavy only when it is asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("onewinner")
    if name == "StoreContract":
        from onewinner.pytest_plugin import StoreContract

        return StoreContract
    raise AttributeError(f"module 'onewinner' has no attribute {name!r}")
