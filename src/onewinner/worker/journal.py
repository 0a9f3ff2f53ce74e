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
    from collections.abc import Sequence
    from pathlib import Path

    from onewinner.generator import Call
    from onewinner.history import Operation

OK: Final = 0
FAIL: Final = 1
INFO: Final = 2

_BESIDE: Final = 1_000
"""How far apart the numbers of the processes are that stand for one client."""

_json = JSONEncoder(separators=(",", ":")).encode


class Journal:
    """Writes down what one client calls, each call before it is made, and what it is answered.

    It is made for the hot path of a race: one `write` a call, with the words of the call made ready
    before it is due. The end of a call waits for that of the next (or for `flush`); whoever is
    killed in between has made a call of which nobody knows how it ended, which is sound.
    """

    def __init__(self, path: Path, process: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._process = process
        self._heads: dict[tuple[str, str, str], str] = {}
        self._tails: dict[str, bytes] = {}
        self._where = b""
        self._ended = b""

    def enter(self, **extra: int | str) -> None:
        """Say what the calls from now on belong to: the `extra` of their operations."""
        self._where = b',"extra":' + _json(extra).encode()

    def words(self, call: Call) -> bytes:
        """Answer the call as it stands in the journal, to be given to `invoke`."""
        f, plugin, namespace, key, value, ttl_ms, *_ = call
        head = self._heads.get((f, plugin, namespace)) or self._head(f, plugin, namespace)
        short = "null" if ttl_ms is None else ttl_ms
        return f'{head}{_json(key)},"value":{_json(value)},"ttl_ms":{short}}}'.encode()

    def _head(self, f: str, plugin: str, namespace: str) -> str:
        arguments = {"plugin": plugin, "namespace": namespace}
        event = {"type": "invoke", "process": self._process, "f": f, "value": arguments}
        head = _json(event)[:-2] + ',"key":'
        self._heads[f, plugin, namespace] = head
        return head

    def invoke(self, words: bytes) -> None:
        """Write that a call is about to be made; raises OSError where the disk has no room."""
        ended, self._ended = self._ended, b""
        line = b'%b%b%b,"time_ns":%d}\n' % (ended, words, self._where, monotonic_ns())
        os.write(self._file, line)

    def invoke_all(self, all_words: Sequence[bytes]) -> None:
        """Write that several calls are about to be made by somebody who answers for all at once.

        While nothing is known of them all are open, which one process cannot have. So each stands
        under a process of its own, and their order is left to the judge.
        """
        ended, self._ended = self._ended, b""
        mine = b'"process":%d,' % self._process
        lines = [ended]
        for number, words in enumerate(all_words):
            other = words.replace(mine, b'"process":%d,' % self._beside(number), 1)
            lines.append(b'%b%b,"time_ns":%d}\n' % (other, self._where, monotonic_ns()))
        os.write(self._file, b"".join(lines))

    def complete_all(self, ends: Sequence[tuple[str, int, Any]], completed_ns: int) -> None:
        """Note how the calls of `invoke_all` ended, in their order: name, kind and answer."""
        for number, (f, kind, answer) in enumerate(ends):
            event = _completion(kind, answer)
            event |= {"process": self._beside(number), "f": f, "time_ns": completed_ns}
            self._ended += _json(event).encode() + b"\n"

    def _beside(self, number: int) -> int:
        return self._process + _BESIDE * (number + 1)

    def complete(self, f: str, kind: int, answer: Any, completed_ns: int) -> None:
        """Note how the call ended: OK with the answer, FAIL or INFO with what is known."""
        if kind == OK and answer is True:
            event = b'{"type":"ok","value":true'
        elif kind == OK and answer is False:
            event = b'{"type":"ok","value":false'
        else:
            event = _json(_completion(kind, answer))[:-1].encode()
        tail = self._tails.get(f)
        if tail is None:
            tail = self._tails[f] = f',"process":{self._process},"f":"{f}","time_ns":'.encode()
        self._ended = b"%b%b%d}\n" % (event, tail, completed_ns)

    def flush(self) -> None:
        """Write what has been noted and not been written."""
        ended, self._ended = self._ended, b""
        if ended:
            os.write(self._file, ended)

    def clear(self) -> None:
        """Begin anew: what is in the journal has reached the kit."""
        self._ended = b""
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Give the descriptor back; the file stays."""
        self.flush()
        os.close(self._file)


def _completion(kind: int, answer: Any) -> dict[str, Any]:
    if kind == OK:
        return {"type": "ok", **encoded(answer)}
    if kind == FAIL:
        code, operation, message = answer
        error = {"code": code, "operation": operation, "message": message}
        return {"type": "fail", "error": error}
    return {"type": "info", "bounded": True, "error": answer}


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
