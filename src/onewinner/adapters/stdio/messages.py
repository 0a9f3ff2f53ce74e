"""The words of the stdio protocol: requests, results and errors (`specs/protocol.md`).

The published schema is written from these types, and every answer is read by them, so that a store
is never judged by an answer that the schema forbids. Unknown fields are ignored.
"""

from __future__ import annotations

from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from onewinner.adapters.stdio.newer_words import Compared, NewerRequest, Observed
from onewinner.adapters.stdio.words import (
    Count,
    HandleParams,
    KeyParams,
    Ordinal,
    Request,
    Sought,
    Text,
    Time,
    Version,
    Word,
)

PROTOCOL_MIN: Final = 1
PROTOCOL_MAX: Final = 1

Result = TypeVar("Result")

METHODS: Final[dict[str, str]] = {
    "register": "register",
    "register_if_absent": "registerIfAbsent",
    "lookup": "lookup",
    "consume": "consume",
    "delete": "delete",
    "entries": "entries",
    "clear": "clear",
    "sweep_expired": "sweepExpired",
    "count": "count",
    "lookup_many": "lookupMany",
    "delete_if_equal": "deleteIfEqual",
    "delete_if": "deleteIf",
    "update": "update",
    "observe": "observe",
    "compare_and_apply": "compareAndApply",
}
"""The operations of the contract, and what they are called on the wire."""


BATCHED: Final = frozenset(METHODS) - {"sweep_expired", "observe", "compare_and_apply"}
"""The operations that a batch may hold: a comparison needs the answer of an observation."""


class Range(Word):
    """The versions of the protocol that the kit speaks, both ends included."""

    min: Version
    max: Version


class HelloParams(Word):
    """Who asks; `kit` is free text."""

    protocol: Range
    kit: str


class ConnectParams(Word):
    """A new connection, by a number that was not used before, to a directory or an address."""

    connection: Ordinal
    location: Text


class OpenParams(Word):
    """A new handle, by a number that was not used before, on a namespace of a plugin.

    Plugin, namespace and options may be anything: what the contract refuses the store refuses.
    """

    connection: Ordinal
    handle: Ordinal
    plugin: Any
    namespace: Any
    max_entries: Any
    default_ttl_ms: Any = UNSET
    overflow_policy: Any = UNSET
    now: Time = UNSET


class WriteParams(Word):
    """A key and a value for it, with a time to live in milliseconds, if any."""

    handle: Ordinal
    key: Any
    value: Any
    ttl_ms: Any = UNSET
    now: Time = UNSET


class ConnectionParams(Word):
    """All of a connection."""

    connection: Ordinal
    now: Time = UNSET


class DamageParams(Word):
    """One stored row, whose value is to be made unreadable."""

    connection: Ordinal
    plugin: str
    namespace: str
    key: str


class Nothing(Word):
    """No parameters."""


class Hello(Request, tag="hello"):
    """The first request: which protocol, and what the store offers."""

    params: HelloParams


class Connect(Request, tag="connect"):
    """Connect to a location."""

    params: ConnectParams


class Open(Request, tag="open"):
    """Open a namespace of a plugin."""

    params: OpenParams


class Register(Request, tag="register"):
    """Upsert."""

    params: WriteParams


class RegisterIfAbsent(Request, tag="registerIfAbsent"):
    """Claim."""

    params: WriteParams


class Lookup(Request, tag="lookup"):
    """Read."""

    params: KeyParams


class Consume(Request, tag="consume"):
    """Read and remove in one step."""

    params: KeyParams


class Delete(Request, tag="delete"):
    """Remove."""

    params: KeyParams


class Entries(Request, tag="entries"):
    """List."""

    params: HandleParams


class Clear(Request, tag="clear"):
    """Remove all rows of the namespace."""

    params: HandleParams


class SweepExpired(Request, tag="sweepExpired"):
    """Remove expired rows of all plugins."""

    params: ConnectionParams


class Damage(Request, tag="damage"):
    """Make a stored value unreadable."""

    params: DamageParams


class Close(Request, tag="close"):
    """Close a connection and the handles that were opened on it."""

    params: ConnectionParams


class Bye(Request, tag="bye"):
    """Close everything and end; the end of standard input means the same."""

    params: Nothing


class Item(Word):
    """One operation of a batch, with the parameters that it has as a request of its own."""

    method: Literal[
        "register",
        "registerIfAbsent",
        "lookup",
        "consume",
        "delete",
        "entries",
        "clear",
        "count",
        "lookupMany",
        "deleteIfEqual",
        "deleteIf",
        "update",
    ]
    params: Any


class BatchParams(Word):
    """Operations to make one after the other from an instant of the monotonic clock on.

    `at` is in nanoseconds of CLOCK_MONOTONIC; where it has gone by they are made at once.
    """

    at: int
    operations: list[Item]


class Batch(Request, tag="batch"):
    """Several operations, to be fired at an instant."""

    params: BatchParams


AnyRequest: TypeAlias = (
    Hello
    | Connect
    | Open
    | Register
    | RegisterIfAbsent
    | Lookup
    | Consume
    | Delete
    | Entries
    | Clear
    | SweepExpired
    | Damage
    | Close
    | Bye
    | Batch
    | NewerRequest
)


class Implementation(Word):
    """What is behind the command, for people: name, version, language, where to report bugs."""

    name: Text
    version: str = ""
    language: str = ""
    issues: str = ""


class Offer(Word):
    """What the store offers (`onewinner.Capabilities`), and how the adapter wants to be talked to.

    What is left out is not offered. `operations` may name some that this kit does not know.
    `locations`: whether one process serves connections to several locations. `max_in_flight` is how
    many requests it takes before it has answered the first. `batch`: it knows that request.
    """

    scope: Literal["process", "thread"]
    operations: list[str]
    durable: bool = False
    virtual_clock: bool = False
    ttl_unit_ms: Count | None = None
    eviction: Literal["oldest"] | None = None
    plugin_row_cap: Count | None = None
    profile: Literal["base", "newer"] = "base"
    handle_scope: Literal["process", "thread"] = "process"
    validates_input: bool = False
    private_files: bool = False
    damage: bool = False
    overflow_option: bool = False
    strict_ages: bool = False
    locations: Literal["one", "many"] = "many"
    max_in_flight: Count = 1
    batch: bool = False


class Welcome(Word):
    """The answer to `hello`: one version out of the range, who it is, and what it offers."""

    protocol: Version
    implementation: Implementation
    capabilities: Offer


class Listed(Word):
    """One live row; times are milliseconds of the store's clock."""

    key: str
    value: Any
    created_at: int
    expires_at: int | None = None


class ErrorData(Word):
    """The contract's code of an error, and the operation that failed."""

    code: Text
    operation: str = ""


class Failure(Word):
    """An error; without `data`, or with a code that is not in the registry, it is indefinite."""

    code: int
    message: str
    data: ErrorData | UnsetType = UNSET


class Outcome(Word):
    """How one operation of a batch ended, and from when to when it ran (CLOCK_MONOTONIC, ns)."""

    t: tuple[int, int]
    result: Any = UNSET
    error: Failure | UnsetType = UNSET


class Outcomes(Word):
    """The outcomes of a batch, in the order of its operations."""

    results: list[Outcome]


class Response(Word):
    """An answer: it has a result or an error, and the id of its request."""

    jsonrpc: Literal["2.0"]
    id: Count
    result: msgspec.Raw | UnsetType = UNSET
    error: Failure | UnsetType = UNSET


class Answer(Word, Generic[Result]):
    """An answer whose method is known."""

    jsonrpc: Literal["2.0"]
    id: Count
    result: Result | UnsetType = UNSET
    error: Failure | UnsetType = UNSET


RESULTS: Final[dict[str, Any]] = {
    "hello": Welcome,
    "connect": None,
    "open": None,
    "register": None,
    "registerIfAbsent": bool,
    "lookup": Sought,
    "consume": Sought,
    "delete": bool,
    "entries": list[Listed],
    "clear": None,
    "sweepExpired": Ordinal,
    "count": Ordinal,
    "lookupMany": list[Sought],
    "deleteIfEqual": bool,
    "deleteIf": bool,
    "update": bool,
    "observe": Observed,
    "compareAndApply": Compared,
    "damage": None,
    "close": None,
    "bye": None,
    "batch": Outcomes,
}
"""The result of each method. Where it is None the result may be anything, and means nothing."""
