"""An adapter over the reference store in SQLite: the whole contract goes through the protocol.

With the word `real` the store keeps its own time; with `virtual` it takes that of the requests.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from onewinner.clock import ManualClock, SystemClock
from onewinner.contract import ABSENT, StoreError
from onewinner.stores import sqlite

VIRTUAL = sys.argv[1] == "virtual"
OPERATIONS = [
    *("register", "registerIfAbsent", "lookup", "consume", "delete", "entries", "clear"),
    "sweepExpired",
]
OFFER = {
    "scope": "process",
    "operations": OPERATIONS,
    "durable": True,
    "virtualClock": VIRTUAL,
    "ttlUnitMs": 1,
    "eviction": "oldest",
    "pluginRowCap": 1_000,
    "validatesInput": True,
    "privateFiles": True,
    "damage": True,
}
clock = ManualClock(0) if VIRTUAL else SystemClock()
backends: dict[int, Any] = {}
stores: dict[int, Any] = {}


def serve(method: str, p: dict[str, Any]) -> Any:
    """Answer the result of a request."""
    ttl = {"ttl_ms": p["ttlMs"]} if "ttlMs" in p else {}
    match method:
        case "hello":
            who = {"name": "sqlite", "language": "python"}
            return {"protocol": 1, "implementation": who, "capabilities": OFFER}
        case "connect":
            backends[p["connection"]] = sqlite.connect(p["location"], clock=clock)
        case "open":
            options = {"max_entries": p["maxEntries"], "default_ttl_ms": p.get("defaultTtlMs")}
            backend = backends[p["connection"]]
            stores[p["handle"]] = backend.open(p["plugin"], p["namespace"], **options)
        case "close":
            backends.pop(p["connection"]).close()
        case "damage":
            backends[p["connection"]].damage(p["plugin"], p["namespace"], p["key"])
        case "sweepExpired":
            return backends[p["connection"]].sweep_expired()
        case "register":
            stores[p["handle"]].register(p["key"], p["value"], **ttl)
        case "registerIfAbsent":
            return stores[p["handle"]].register_if_absent(p["key"], p["value"], **ttl)
        case "lookup" | "consume":
            found = getattr(stores[p["handle"]], method)(p["key"])
            return {"found": False} if found is ABSENT else {"found": True, "value": found}
        case "entries":
            rows = stores[p["handle"]].entries()
            names = ("key", "value", "createdAt", "expiresAt")
            values = [(row.key, row.value, row.created_at, row.expires_at) for row in rows]
            return [dict(zip(names, each, strict=True)) for each in values]
        case "delete" | "clear":
            key = [p["key"]] if "key" in p else []
            return getattr(stores[p["handle"]], method)(*key)
    return None


for line in sys.stdin:
    request = json.loads(line)
    params = request["params"]
    if isinstance(clock, ManualClock) and "now" in params:
        clock.advance(params["now"] - clock.now_ms())
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
    try:
        answer["result"] = serve(request["method"], params)
    except StoreError as error:
        data = {"code": error.code, "operation": error.operation}
        answer["error"] = {"code": -32000, "message": error.message, "data": data}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
