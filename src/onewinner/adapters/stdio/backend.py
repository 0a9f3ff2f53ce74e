"""A store behind a command, as the rest of the kit sees it: a `Backend` like any other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from msgspec import UNSET

from onewinner.adapters.stdio import messages
from onewinner.adapters.stdio.copies import REGISTRY
from onewinner.adapters.stdio.link import store_error
from onewinner.adapters.targets import TargetError, command_of
from onewinner.clock import monotonic_ns
from onewinner.contract import (
    ABSENT,
    PROFILES,
    Absent,
    Capabilities,
    Entry,
    InvalidInput,
    LimitExceeded,
)
from onewinner.contract.values import is_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.adapters.stdio.copies import Copies
    from onewinner.adapters.stdio.link import Link
    from onewinner.adapters.stdio.messages import Item, Listed, Offer, Outcome, Sought
    from onewinner.clock import Clock
    from onewinner.contract import Backend, Connect, Json, Store

_SCALARS = frozenset({str, int, bool, type(None)})
_NAMES = {wire: name for name, wire in messages.METHODS.items()}


class Call(Protocol):
    """A call as the kit's generators write it."""

    @property
    def f(self) -> str:
        """The operation."""
        ...  # pragma: no cover

    @property
    def key(self) -> str | None:
        """The key, None where it has none."""
        ...  # pragma: no cover

    @property
    def value(self) -> Json:
        """The value of a write."""
        ...  # pragma: no cover

    @property
    def ttl_ms(self) -> int | None:
        """The time to live of a write."""
        ...  # pragma: no cover


class Fired(NamedTuple):
    """An operation of a batch: what it came to, and from when to when it ran, by its adapter."""

    came_to: Callable[[], Any]
    started_ns: int
    ended_ns: int


class CommandStore:
    """A handle on one namespace, which a copy of the command has open."""

    def __init__(self, backend: CommandBackend, link: Link, handle: int) -> None:
        self._backend = backend
        self._link = link
        self._handle = handle

    def register(self, key: str, value: Json, *, ttl_ms: int | None = None) -> None:
        """Ask for an upsert."""
        self._call("register", messages.Register, self._write("register", key, value, ttl_ms))

    def register_if_absent(self, key: str, value: Json, *, ttl_ms: int | None = None) -> bool:
        """Ask for a claim."""
        params = self._write("register", key, value, ttl_ms)
        won: bool = self._call("register", messages.RegisterIfAbsent, params)
        return won

    def lookup(self, key: str) -> Json | Absent:
        """Ask for the live value."""
        return _sought(self._call("lookup", messages.Lookup, self._key("lookup", key)))

    def consume(self, key: str) -> Json | Absent:
        """Ask for the live value, and for its end."""
        return _sought(self._call("consume", messages.Consume, self._key("consume", key)))

    def delete(self, key: str) -> bool:
        """Ask for a removal."""
        removed: bool = self._call("delete", messages.Delete, self._key("delete", key))
        return removed

    def entries(self) -> list[Entry]:
        """Ask for all live rows."""
        return _entries(self._call("entries", messages.Entries, self._all()))

    def clear(self) -> None:
        """Ask for the end of all rows."""
        self._call("clear", messages.Clear, self._all())

    def item(self, call: Call) -> Item:
        """Answer a call as an operation of a batch."""
        params: Any
        if call.f in {"register", "register_if_absent"}:
            params = self._write("register", call.key, call.value, call.ttl_ms)
        else:
            params = self._all() if call.key is None else self._key(call.f, call.key)
        return messages.Item(method=cast("Any", messages.METHODS[call.f]), params=params)

    def _call(self, operation: str, kind: Callable[..., messages.Request], params: Any) -> Any:
        return self._link.call(kind, params, operation)

    def _write(self, operation: str, key: Any, value: Any, ttl_ms: Any) -> messages.WriteParams:
        sendable(operation, key, value, ttl_ms)
        return messages.WriteParams(
            handle=self._handle,
            key=key,
            value=value,
            ttl_ms=UNSET if ttl_ms is None else ttl_ms,
            now=self._backend.now(),
        )

    def _key(self, operation: str, key: Any) -> messages.KeyParams:
        sendable(operation, key)
        return messages.KeyParams(handle=self._handle, key=key, now=self._backend.now())

    def _all(self) -> messages.HandleParams:
        return messages.HandleParams(handle=self._handle, now=self._backend.now())


class CommandBackend:
    """A connection to a location, which a copy of the command has made."""

    def __init__(self, copies: Copies, location: str, clock: Clock) -> None:
        self._copies = copies
        self._location = location
        self._clock = clock
        self._link, self._connection = copies.enter(location)
        self._open = True
        offer = self._link.welcome.capabilities
        self.capabilities = capabilities_of(offer)
        self._tells_time = offer.virtual_clock
        try:
            params = messages.ConnectParams(connection=self._connection, location=location)
            self._link.call(messages.Connect, params, "open")
        except BaseException:
            self._leave()
            raise

    @property
    def link(self) -> Link:
        """The conversation with the copy that serves this connection."""
        return self._link

    def now(self) -> Any:
        """Answer the time that goes with a request: the kit's, where the store takes it."""
        return self._clock.now_ms() if self._tells_time else UNSET

    def open(
        self, plugin_id: str, namespace: str, *, max_entries: int, default_ttl_ms: int | None = None
    ) -> Store:
        """Ask for a namespace."""
        sendable("open", plugin_id, namespace, max_entries, default_ttl_ms)
        handle = self._copies.number()
        params = messages.OpenParams(
            connection=self._connection,
            handle=handle,
            plugin=plugin_id,
            namespace=namespace,
            max_entries=max_entries,
            default_ttl_ms=UNSET if default_ttl_ms is None else default_ttl_ms,
            now=self.now(),
        )
        self._link.call(messages.Open, params, "open")
        return CommandStore(self, self._link, handle)

    def sweep_expired(self) -> int:
        """Ask for the end of expired rows of all plugins."""
        params = messages.ConnectionParams(connection=self._connection, now=self.now())
        removed: int = self._link.call(messages.SweepExpired, params, "sweep_expired")
        return removed

    def damage(self, plugin_id: str, namespace: str, key: str) -> None:
        """Have the stored value of a row made unreadable; only where declared."""
        params = messages.DamageParams(
            connection=self._connection, plugin=plugin_id, namespace=namespace, key=key
        )
        self._link.call(messages.Damage, params, "damage")

    @property
    def introduction(self) -> str:
        """Who answers, in a few words."""
        welcome = self._link.welcome
        who = welcome.implementation
        language = f" in {who.language}" if who.language else ""
        return f"{who.name} {who.version}".rstrip() + f"{language}, protocol {welcome.protocol}"

    @property
    def concurrent(self) -> bool:
        """Whether calls of several threads may meet inside the store."""
        return self._link.welcome.capabilities.max_in_flight > 1

    @property
    def batches(self) -> bool:
        """Whether operations can be fired at an instant."""
        return self._link.welcome.capabilities.batch

    def batch(self, at_ns: int, calls: Sequence[tuple[Store, Call]]) -> list[Fired]:
        """Have calls made one after the other from an instant of the monotonic clock on.

        What one comes to is told by the function in its `Fired`. Raises as any call does where
        nothing is known of all of them.
        """
        items = [cast("CommandStore", store).item(call) for store, call in calls]
        sent_ns = monotonic_ns()
        params = messages.BatchParams(at=at_ns, operations=items)
        outcomes = self._link.call(messages.Batch, params, "batch").results
        wrong = _misfired(outcomes, len(items), sent_ns, monotonic_ns())
        if wrong:
            raise self._link.fault(f"the result of `batch` {wrong}")
        return [
            Fired(partial(self._came_to, outcome, item, call.f), *outcome.t)
            for outcome, item, (_, call) in zip(outcomes, items, calls, strict=True)
        ]

    def _came_to(self, outcome: Outcome, item: Item, f: str) -> Any:
        """Answer what an operation of a batch came to, as the call would; raises as it would."""
        if isinstance(outcome.error, messages.Failure):
            raise store_error(outcome.error, "register" if f == "register_if_absent" else f)
        result = self._link.result(item.method, outcome.result)
        if f == "entries":
            return _entries(result)
        return _sought(result) if f in {"lookup", "consume"} else result

    def close(self) -> None:
        """Have the connection closed; a second call does nothing."""
        if self._open:
            try:
                params = messages.ConnectionParams(connection=self._connection, now=self.now())
                self._link.call(messages.Close, params, "close")
            finally:
                self._leave()

    def _leave(self) -> None:
        if self._open:
            self._open = False
            self._copies.leave(self._link, self._location)


def connector(target: str, words: tuple[str, ...], faults: str | None = None) -> Connect:
    """Answer the factory of a store behind a command, which is `words`."""

    def connect(location: str, *, clock: Clock) -> Backend:
        try:
            return CommandBackend(REGISTRY.copies(words, target, faults), location, clock)
        except FileNotFoundError as error:
            raise TargetError(f"target {target}: {error}") from error

    return connect


def copy_for(target: str, location: str, faults: str | None) -> tuple[int, tuple[str, ...]]:
    """Answer process id and streams of the copy that serves a location here, or will."""
    process = REGISTRY.copies(command_of(target), target, faults).of(location).process
    return process.pid, process.links


def capabilities_of(offer: Offer) -> Capabilities:
    """Answer what an adapter offers in the kit's words; operations that are unknown are left."""
    return Capabilities(
        scope=offer.scope,
        durable=offer.durable,
        virtual_clock=offer.virtual_clock,
        operations=frozenset(_NAMES[each] for each in offer.operations if each in _NAMES),
        ttl_unit_ms=offer.ttl_unit_ms,
        eviction=offer.eviction,
        plugin_row_cap=offer.plugin_row_cap,
        profile=PROFILES[offer.profile],
        handle_scope=offer.handle_scope,
        validates_input=offer.validates_input,
        private_files=offer.private_files,
        damage=offer.damage,
    )


def sendable(operation: str, *arguments: Any) -> None:
    """Refuse what JSON cannot express, and so never reaches a store."""
    try:
        for each in arguments:
            if type(each) not in _SCALARS and not _is_flat(each) and not is_json(each):
                raise InvalidInput(
                    operation=operation,
                    message=f"{each!r:.80} cannot be written as JSON, so it was not sent",
                )
    except RecursionError as error:
        raise LimitExceeded(operation=operation, message="nested too deep to be sent") from error


def _is_flat(value: Any) -> bool:
    """Tell at once of most values that they are JSON."""
    return type(value) is dict and all(
        type(key) is str and type(member) in _SCALARS for key, member in value.items()
    )


def _misfired(outcomes: Sequence[Outcome], due: int, sent_ns: int, taken_ns: int) -> str:
    """Say what is wrong with the outcomes of a batch as a whole; nothing where all is well."""
    if len(outcomes) != due:
        return f"has {len(outcomes)} outcomes, for {due} operations"
    before = sent_ns
    for outcome in outcomes:
        if not before <= outcome.t[0] <= outcome.t[1] <= taken_ns:
            return (
                f"has the times {outcome.t}, where the operation ran after {before} and before "
                f"{taken_ns}; read CLOCK_MONOTONIC in nanoseconds before and after each operation"
            )
        before = outcome.t[1]
    return ""


def _entries(rows: Sequence[Listed]) -> list[Entry]:
    return [Entry(row.key, row.value, row.created_at, row.expires_at) for row in rows]


def _sought(found: Sought) -> Json | Absent:
    if not found.found:
        return ABSENT
    return cast("Json", found.value)
