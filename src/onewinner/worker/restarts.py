"""What clients of a server do while it is killed and comes back: they claim, and go on claiming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.clock import sleep
from onewinner.worker.handles import Handles
from onewinner.worker.journal import OK
from onewinner.worker.recorder import failure, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Call

_BREATH_S: Final = 0.01

Said: TypeAlias = tuple[int, Any]
"""How a call ended, as a `Record` has it: its kind, and the answer or what is known."""


def claim_on(
    send: Callable[[object], None],
    receive: Callable[[], Any],
    target: Target,
    location: str,
    clock: Clock,
    calls: Sequence[Call],
    late: Sequence[Call],
) -> None:
    """Say that all is open; when told, make the calls and say how each ended; then the late ones.

    An error is no reason to stop, but to draw breath: the server may be back for a later call.
    """
    handles = Handles(target, location, clock)
    handles.store(calls[0])
    send(None)
    for some in (calls, late):
        receive()
        for call in some:
            said = _made(handles, call)
            send(said)
            if said[0] != OK:
                sleep(_BREATH_S)
    receive()
    handles.close()


def look_anew(
    _send: Callable[[object], None],
    target: Target,
    location: str,
    clock: Clock,
    calls: Sequence[Call],
) -> list[Said]:
    """Make calls in a process that has never been connected before; answer how each ended."""
    handles = Handles(target, location, clock)
    said = [_made(handles, call) for call in calls]
    handles.close()
    return said


def _made(handles: Handles, call: Call) -> Said:
    try:
        store: Any = handles.store(call)
        if call.f == "lookup":
            return plain(call.f, store.lookup(call.key))
        options = {} if call.ttl_ms is None else {"ttl_ms": call.ttl_ms}
        return plain(call.f, store.register_if_absent(call.key, call.value, **options))
    except BaseException as error:
        return failure(error)
