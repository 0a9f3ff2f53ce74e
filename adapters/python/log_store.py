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
        self._name = name
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
        live = _live(row, now)
        if do == "register" or (do == "registerIfAbsent" and not live):
            return self._put(record, record["value"])
        if do == "registerIfAbsent":
            return False
        if do in {"lookup", "consume", "delete"}:
            if do != "lookup":
                self._rows.pop(key, None)
            return row if live else None
        if do in {"deleteIfEqual", "deleteIf"}:
            return self._delete_where(row if live else None, do, record["value"])
        if do == "update":
            return self._update(row["value"] if live else None, live, record)
        if do == "observe":
            return row if live else None
        if do == "compareAndApply":
            return self._compare(row if live else None, record)
        if do == "lookupMany":
            held = (self._rows.get(each) for each in record["value"])
            return [each if _live(each, now) else None for each in held]
        if do == "clear":
            self._rows.clear()
        rows = [row for row in self._rows.values() if _live(row, now)]
        if do == "count":
            return len(rows)
        return sorted(rows, key=lambda row: (row["createdAt"], row["key"]))

    def comparison(self, row: dict | None, key: str) -> str:
        """Answer a text that stands for a row as it is: where it is, and which call wrote it."""
        return json.dumps([self._name, key, row and row["by"]])

    def _put(self, record: dict, value: object) -> bool:
        new = {"key": record["key"], "value": value, "createdAt": record["now"]}
        self._rows[record["key"]] = new | {"expiresAt": record["ends"], "by": record["by"]}
        return True

    def _delete_where(self, row: dict | None, do: str, asked):
        condition = {"name": "equals", "argument": asked} if do == "deleteIfEqual" else asked
        if row is None or not CONDITIONS[condition["name"]](row["value"], condition["argument"]):
            return None
        return self._rows.pop(row["key"])

    def _update(self, value: object, live: bool, record: dict) -> bool:
        change = record["value"]
        made = CHANGES[change["name"]](value, live, change["argument"])
        return made is not LEAVE and self._put(record, made)

    def _compare(self, row: dict | None, record: dict):
        comparison, action, value = record["value"]
        if comparison != self.comparison(row, record["key"]):
            return {"row": row}
        if action == "set":
            self._put(record, value)
        elif action == "keep" or row is None:
            return "unchanged"
        else:
            del self._rows[record["key"]]
        return "applied"


LEAVE = object()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _increment(value, live: bool, by):
    if not live:
        return by
    return value + by if _is_number(value) else LEAVE


def _append(value, live: bool, item):
    if not live:
        return [item]
    return [*value, item] if isinstance(value, list) else LEAVE


CHANGES = {
    "increment": _increment,
    "append": _append,
    "replace": lambda _, live, value: value if live else LEAVE,
}
CONDITIONS = {
    "equals": lambda value, wanted: _text(value) == _text(wanted),
    "above": lambda value, n: _is_number(value) and _is_number(n) and value > n,
}


def _text(value: object) -> str:
    """Answer one text for all spellings of a JSON value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _live(row: dict | None, now: int) -> bool:
    return row is not None and (row["expiresAt"] is None or row["expiresAt"] > now)


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
