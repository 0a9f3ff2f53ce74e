"""The journal of a client: what it does, on disk, each call before it is made.

A worker that is killed takes its memory with it. What it had called is in the page cache by then
and outlives it, so no call is ever missing: at worst one is there of which nobody knows how it
ended. A journal is a history like any other (`specs/history.md`), one process to a file.
"""

from __future__ import annotations

import os
from dataclasses import replace
from json import JSONEncoder
from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import monotonic_ns
from onewinner.history import Info, read
from onewinner.history.jsonl import encoded

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.generator import Call
    from onewinner.history import Operation

OK: Final = 0
FAIL: Final = 1
INFO: Final = 2

_json = JSONEncoder(separators=(",", ":")).encode
_SHORT: Final = {True: b'"value":true', False: b'"value":false', None: b'"value":null'}


class Journal:
    """Writes down what one client calls and what it is answered, with one `write` for each.

    It is made for the hot path of a race: what can be encoded before the call is (`words`).
    """

    def __init__(self, path: Path, process: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._process = process
        self._where = b',"time_ns":%d}\n'

    def enter(self, **extra: int | str) -> None:
        """Say what the calls from now on belong to: the `extra` of their operations."""
        self._where = b',"extra":' + _json(extra).encode() + b',"time_ns":%d}\n'

    def words(self, call: Call) -> bytes:
        """Answer the call as it stands in the journal, to be given to `invoke`."""
        arguments = {
            "plugin": call.plugin,
            "namespace": call.namespace,
            "key": call.key,
            "value": call.value,
            "ttl_ms": call.ttl_ms,
        }
        event = {"type": "invoke", "process": self._process, "f": call.f, "value": arguments}
        return _json(event)[:-1].encode().replace(b"%", b"%%")

    def invoke(self, words: bytes) -> None:
        """Write that a call is about to be made; raises OSError where the disk has no room."""
        os.write(self._file, (words + self._where) % monotonic_ns())

    def complete(self, f: str, kind: int, answer: Any, completed_ns: int) -> None:
        """Write how the call ended: OK with the answer, FAIL or INFO with what is known."""
        if kind == OK:
            outcome = _SHORT.get(answer) if answer is None or isinstance(answer, bool) else None
            outcome = outcome or _json(encoded(answer))[1:-1].encode()
            name = b"ok"
        elif kind == FAIL:
            code, operation, message = answer
            error = {"code": code, "operation": operation, "message": message}
            name, outcome = b"fail", b'"error":' + _json(error).encode()
        else:
            name, outcome = b"info", b'"bounded":true,"error":' + _json(answer).encode()
        line = b'{"type":"%b","process":%d,"f":"%b",%b,"time_ns":%d}\n'
        os.write(self._file, line % (name, self._process, f.encode("ascii"), outcome, completed_ns))

    def clear(self) -> None:
        """Begin anew: what is in the journal has reached the kit."""
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Give the descriptor back; the file stays."""
        os.close(self._file)


def recovered(path: Path, died_ns: int | None) -> list[Operation]:
    """Answer what a client did that has ended; nothing where it never wrote a journal.

    The call that it was in ended with it, at `died_ns` at the latest, as `waitpid` saw it. None
    where the call may have an effect later still: at a server, which lives on.
    """
    if not path.exists():
        return []
    return [
        replace(each, outcome=Info("its process ended in this call"), completed_ns=died_ns)
        if each.completed_ns is None
        else each
        for each in read(path)
    ]
