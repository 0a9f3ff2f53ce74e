"""A small store to copy the adapter from: one log for each namespace, shared by all processes.

Every call appends one record, with one `write` to a file that is open for appending, and then reads
the log up to its own record. The order in the file is the order of the calls, so they are atomic
without any lock, and a process that is killed leaves nothing that others would have to wait for.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path


class LogStore:
    """The rows of one namespace of one plugin; times are milliseconds."""

    def __init__(self, location: str, plugin: str, namespace: str, ttl_ms: int | None) -> None:
        name = sha256(json.dumps([plugin, namespace]).encode()).hexdigest()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._file = os.open(Path(location) / f"{name}.log", flags, 0o600)
        self._ttl_ms = ttl_ms
        self._rows: dict[str, dict] = {}
        self._read = 0
        self._partial = b""
        self._made = 0
        self._me = os.urandom(8).hex()

    def call(self, do: str, now: int, key: str = "", value: object = None, ttl=None):
        """Make one call and answer what it comes to."""
        self._made += 1
        mine = f"{self._me}-{self._made}"
        ttl = self._ttl_ms if ttl is None else ttl
        ends = None if ttl is None else now + ttl
        record = {"by": mine, "do": do, "now": now, "key": key, "value": value, "ends": ends}
        # It begins on a line of its own, also behind one that was cut off by a kill.
        os.write(self._file, b"\n" + json.dumps(record).encode() + b"\n")
        return self._catch_up(mine)

    def close(self) -> None:
        """Close the file; what was written stays."""
        os.close(self._file)

    def _catch_up(self, mine: str):
        answer = None
        while chunk := os.pread(self._file, 1 << 16, self._read):
            self._read += len(chunk)
            *lines, self._partial = (self._partial + chunk).split(b"\n")
            for line in lines:
                try:
                    record = json.loads(line)
                except ValueError:  # empty, or cut off
                    continue
                found = self._apply(record)
                answer = found if record["by"] == mine else answer
        return answer

    def _apply(self, record: dict):
        do, key, now = record["do"], record["key"], record["now"]
        row = self._rows.get(key)
        live = row is not None and (row["expiresAt"] is None or row["expiresAt"] > now)
        if do == "register" or (do == "registerIfAbsent" and not live):
            new = {"key": key, "value": record["value"], "createdAt": now}
            self._rows[key] = new | {"expiresAt": record["ends"]}
            return True
        if do == "registerIfAbsent":
            return False
        if do in {"lookup", "consume", "delete"}:
            if do != "lookup":
                self._rows.pop(key, None)
            return row if live else None
        if do == "clear":
            self._rows.clear()
        rows = [
            row for row in self._rows.values() if row["expiresAt"] is None or row["expiresAt"] > now
        ]
        return sorted(rows, key=lambda row: (row["createdAt"], row["key"]))


class LateStore(LogStore):
    """The same with a claim that answers first, and is written with the next call."""

    def __init__(self, *where) -> None:
        super().__init__(*where)
        self._due: list[tuple] = []

    def call(self, do: str, now: int, key: str = "", value: object = None, ttl=None):
        """Make one call, after the claims that are still to be written."""
        due, self._due = self._due, []
        for each in due:
            super().call(*each)
        if do != "registerIfAbsent":
            return super().call(do, now, key, value, ttl)
        if super().call("lookup", now, key) is not None:
            return False
        self._due.append(("register", now, key, value, ttl))
        return True

    def close(self) -> None:
        """Write what is still to be written."""
        self.call("lookup", 0)
        super().close()


class HalvesStore(LogStore):
    """The same with a claim in two writes: first the row for ever, then its expiry."""

    def call(self, do: str, now: int, key: str = "", value: object = None, ttl=None):
        """Make one call, or two where one would be right."""
        won = super().call(do, now, key, value, None if do == "registerIfAbsent" else ttl)
        if do == "registerIfAbsent" and won and ttl is not None:
            super().call("register", now, key, value, ttl)
        return won


class RacyStore(LogStore):
    """The same with a claim that looks first and writes then: two may see nothing and go on."""

    def call(self, do: str, now: int, key: str = "", value: object = None, ttl=None):
        """Make one call, or two where one would be right."""
        if do != "registerIfAbsent":
            return super().call(do, now, key, value, ttl)
        if super().call("lookup", now, key) is not None:
            return False
        return super().call("register", now, key, value, ttl)
