"""A store behind a command, as the rest of the kit sees it: a `Backend` like any other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from msgspec import UNSET

from onewinner.adapters.stdio import messages
from onewinner.adapters.stdio.copies import REGISTRY
from onewinner.adapters.stdio.link import store_error
from onewinner.adapters.stdio.store import CommandStore, answer_of, sendable
from onewinner.adapters.targets import TargetError, command_of
from onewinner.clock import monotonic_ns
from onewinner.contract import (
    PROFILES,
    Capabilities,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.adapters.stdio.copies import Copies
    from onewinner.adapters.stdio.link import Link
    from onewinner.adapters.stdio.messages import Item, Offer, Outcome
    from onewinner.adapters.stdio.store import Call
    from onewinner.clock import Clock
    from onewinner.contract import Backend, Connect, Store

_NAMES = {wire: name for name, wire in messages.METHODS.items()}


class Fired(NamedTuple):
    """An operation of a batch: what it came to, and from when to when it ran, by its adapter."""

    came_to: Callable[[], Any]
    started_ns: int
    ended_ns: int


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
        self,
        plugin_id: str,
        namespace: str,
        *,
        max_entries: int,
        default_ttl_ms: int | None = None,
        overflow_policy: str | None = None,
    ) -> Store:
        """Ask for a namespace."""
        sendable("open", plugin_id, namespace, max_entries, default_ttl_ms, overflow_policy)
        handle = self._copies.number()
        params = messages.OpenParams(
            connection=self._connection,
            handle=handle,
            plugin=plugin_id,
            namespace=namespace,
            max_entries=max_entries,
            default_ttl_ms=UNSET if default_ttl_ms is None else default_ttl_ms,
            overflow_policy=UNSET if overflow_policy is None else overflow_policy,
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
        return answer_of(f, self._link.result(item.method, outcome.result))

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
        overflow_option=offer.overflow_option,
        strict_ages=offer.strict_ages,
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
