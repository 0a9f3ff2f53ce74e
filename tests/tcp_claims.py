"""A tiny claim server on TCP, and clients for it: in Python, and through the C library.

One line a request and one an answer: `GET KEY`, `SET KEY VALUE`, `SETNX KEY VALUE`; the answer is
the value or `-`, `ok`, or `1` or `0`. A store's own part is only what its clients make of that.
"""

from __future__ import annotations

import ctypes
import json
import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from onewinner.contract import ABSENT, Capabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.clock import Clock

CAPABILITIES = Capabilities(
    durable=False,
    operations=frozenset({"register_if_absent", "lookup"}),
    ttl_unit_ms=None,
    eviction=None,
    plugin_row_cap=None,
    validates_input=False,
)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rows: dict[str, str] = {}
        self.lock = threading.Lock()

    def answer(self, line: str) -> str:
        name, key, *value = line.split(" ", 2)
        with self.lock:
            if name == "GET":
                return self.rows.get(key, "-")
            if name == "SETNX" and key in self.rows:
                return "0"
            self.rows[key] = value[0]
            return "1" if name == "SETNX" else "ok"


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(f"{self.server.answer(line.decode().strip())}\n".encode())


@contextmanager
def server() -> Iterator[str]:
    """Serve on loopback; yields the address, to be given as a location."""
    with _Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{found.server_address[1]}"
        finally:
            found.shutdown()
            thread.join()


class PythonWire:
    """Requests through Python's sockets."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self.socket = socket.create_connection((host, int(port)))

    def ask(self, line: str) -> str:
        self.send(f"{line}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self.receive()
        return answer.decode().strip()

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> bytes:
        return self.socket.recv(4096)


class CWire(PythonWire):
    """Requests as a driver in C makes them, past Python's sockets."""

    libc = ctypes.CDLL(None)

    def send(self, request: bytes) -> None:
        self.libc.send(self.socket.fileno(), request, len(request), 0)

    def receive(self) -> bytes:
        buffer = ctypes.create_string_buffer(4096)
        size = self.libc.recv(self.socket.fileno(), buffer, len(buffer), 0)
        return buffer.raw[:size]


class AtomicStore:
    """A claim is one request."""

    def __init__(self, wire: PythonWire, space: str) -> None:
        self.wire = wire
        self.space = space

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        return self.wire.ask(f"SETNX {self.space}/{key} {json.dumps(value)}") == "1"

    def lookup(self, key: str) -> Any:
        found = self.wire.ask(f"GET {self.space}/{key}")
        return ABSENT if found == "-" else json.loads(found)


class RacyStore(AtomicStore):
    """A claim is a look, then a write."""

    def register_if_absent(self, key: str, value: Any, *, ttl_ms: int | None = None) -> bool:
        if self.lookup(key) is not ABSENT:
            return False
        self.wire.ask(f"SET {self.space}/{key} {json.dumps(value)}")
        return True


class AtomicBackend:
    capabilities = CAPABILITIES
    store = AtomicStore
    wire = PythonWire

    def __init__(self, location: str, *, clock: Clock) -> None:
        self.connected = self.wire(location)

    def open(self, plugin_id: str, namespace: str, **_: Any) -> AtomicStore:
        return self.store(self.connected, f"{plugin_id}/{namespace}")

    def close(self) -> None:
        self.connected.socket.close()


class RacyBackend(AtomicBackend):
    store = RacyStore


class AtomicCBackend(AtomicBackend):
    wire = CWire


class RacyCBackend(RacyBackend):
    wire = CWire
