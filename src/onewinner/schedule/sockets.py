"""Client calls seen from inside: what Python's own sockets send and take.

This is for where nothing can be traced, and for claimants on threads. A driver in C has sockets of
its own, which are not seen here; what is not seen is not counted, and where nothing is seen no
client call is claimed to have been held.
"""

from __future__ import annotations

import socket
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from onewinner.schedule.gate import gate_here

if TYPE_CHECKING:
    from collections.abc import Callable

SEND: Final = "send request"
"""A point: something is about to be sent to a server."""

TAKE: Final = "take answer"
"""A point: an answer has come, and the client does not know yet."""

CONNECT: Final = "connect"
"""A point: a connection is about to be made."""

_SENDERS: Final = ("send", "sendall", "sendto", "sendmsg", "sendfile")
_TAKERS: Final = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into")
_CONNECTERS: Final = ("connect", "connect_ex")


def watch_sockets() -> None:
    """Let every socket come to a point before it sends, and after it took the first of an answer.

    More than once does no harm.
    """
    kind: Any = socket.socket
    if getattr(kind, "onewinner_watches", False):
        return
    kind.onewinner_watches = True
    for name in _SENDERS:
        setattr(kind, name, _before(getattr(kind, name), SEND))
    for name in _CONNECTERS:
        setattr(kind, name, _before(getattr(kind, name), CONNECT))
    for name in _TAKERS:
        setattr(kind, name, _after(getattr(kind, name)))


def _before(method: Callable[..., Any], point: str) -> Callable[..., Any]:
    @wraps(method)
    def watched(*args: Any, **kwargs: Any) -> Any:
        gate = gate_here()
        if gate is not None and gate.boundary == "client":
            gate.reach(point)
            gate.awaits = point == SEND
        return method(*args, **kwargs)

    return watched


def _after(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def watched(*args: Any, **kwargs: Any) -> Any:
        answer = method(*args, **kwargs)
        gate = gate_here()
        if gate is not None and gate.boundary == "client" and gate.awaits:
            gate.awaits = False
            gate.reach(TAKE)
        return answer

    return watched
