"""The contract: words and values. Nothing here does I/O or knows what time it is."""

from onewinner.contract.capabilities import (
    BASE,
    NEWER,
    OPERATIONS,
    OPTIONAL_OPERATIONS,
    PROFILES,
    WHOLE,
    Capabilities,
    Profile,
)
from onewinner.contract.errors import CODES, ErrorCode, InvalidInput, LimitExceeded, StoreError
from onewinner.contract.newer import Change, Compared, Condition, Intent, Observation
from onewinner.contract.protocols import (
    ABSENT,
    Absent,
    Backend,
    Connect,
    Entry,
    Json,
    NewerStore,
    Store,
)

__all__ = (
    "ABSENT",
    "BASE",
    "CODES",
    "NEWER",
    "OPERATIONS",
    "OPTIONAL_OPERATIONS",
    "PROFILES",
    "WHOLE",
    "Absent",
    "Backend",
    "Capabilities",
    "Change",
    "Compared",
    "Condition",
    "Connect",
    "Entry",
    "ErrorCode",
    "Intent",
    "InvalidInput",
    "Json",
    "LimitExceeded",
    "NewerStore",
    "Observation",
    "Profile",
    "Store",
    "StoreError",
)
