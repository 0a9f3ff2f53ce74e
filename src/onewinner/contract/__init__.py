"""The contract: words and values. Nothing here does I/O or knows what time it is."""

from onewinner.contract.capabilities import (
    BASE,
    NEWER,
    OPERATIONS,
    PROFILES,
    Capabilities,
    Profile,
)
from onewinner.contract.errors import CODES, ErrorCode, InvalidInput, LimitExceeded, StoreError
from onewinner.contract.protocols import ABSENT, Absent, Backend, Connect, Entry, Json, Store

__all__ = (
    "ABSENT",
    "BASE",
    "CODES",
    "NEWER",
    "OPERATIONS",
    "PROFILES",
    "Absent",
    "Backend",
    "Capabilities",
    "Connect",
    "Entry",
    "ErrorCode",
    "InvalidInput",
    "Json",
    "LimitExceeded",
    "Profile",
    "Store",
    "StoreError",
)
