"""An adapter for the stdio protocol: `onewinner verify "exec:python3 adapters/python/adapter.py"`.

What is said to the kit stands in `serve`; the rest is the store (`log_store.py`). With a word
(`racy`, `late`, `halves`) the store behind it is broken on purpose.
"""

import json
import sys
import time

from log_store import HalvesStore, LateStore, LogStore, RacyStore

CAPABILITIES = {
    "scope": "process",
    "durable": True,
    "virtualClock": True,
    "ttlUnitMs": 1,
    "operations": [
        *("register", "registerIfAbsent", "lookup", "consume", "delete", "entries", "clear"),
        *("count", "lookupMany", "deleteIfEqual", "deleteIf", "update"),
        *("observe", "compareAndApply"),
    ],
    "batch": True,
}
GIVEN = dict.fromkeys(("keys", "expected", "condition", "change"), "value")
KINDS = {"racy": RacyStore, "late": LateStore, "halves": HalvesStore}
KIND = KINDS[sys.argv[1]] if sys.argv[1:] else LogStore
locations, stores, opened = {}, {}, {}


def sought(row):
    """Answer a row as the protocol has it, None where there is none."""
    return {"found": row is not None, "value": row and row["value"]}


def observed(row, p):
    """Answer a row with what tells it from any other."""
    return {**sought(row), "comparison": stores[p["handle"]].comparison(row, p["key"])}


def operation(method, p):
    """Make one operation of the contract and answer its result."""
    names = {"key": "key", "value": "value", "ttlMs": "ttl", **GIVEN}
    words = {ours: p[theirs] for theirs, ours in names.items() if theirs in p}
    if method == "compareAndApply":
        words["value"] = [p["comparison"], p["action"], p.get("value")]
    found = stores[p["handle"]].call(method, p["now"], **words)
    if method in {"lookup", "consume"}:
        return sought(found)
    if method == "lookupMany":
        return [sought(each) for each in found]
    if method == "observe":
        return observed(found, p)
    if method == "compareAndApply" and not isinstance(found, str):
        return {"status": "conflict", "current": observed(found["row"], p)}
    if method == "compareAndApply":
        return {"status": found}
    return found is not None if method.startswith("delete") else found


def batch(p):
    """Make the operations one after the other, from the agreed instant on."""
    results = []
    while time.monotonic_ns() < p["at"]:
        pass
    for each in p["operations"]:
        start = time.monotonic_ns()
        result = operation(each["method"], each["params"])
        results.append({"result": result, "t": [start, time.monotonic_ns()]})
    return {"results": results}


def serve(method, p):
    """Answer the result of one request."""
    if method == "hello":
        implementation = {"name": "log store", "version": "1", "language": "python"}
        return {"protocol": 1, "implementation": implementation, "capabilities": CAPABILITIES}
    if method == "connect":
        locations[p["connection"]] = p["location"]
    elif method == "open":
        location = locations[p["connection"]]
        ttl = p.get("defaultTtlMs")
        stores[p["handle"]] = KIND(location, p["plugin"], p["namespace"], ttl)
        opened.setdefault(p["connection"], []).append(p["handle"])
    elif method == "close":
        for handle in opened.pop(p["connection"], []):
            stores.pop(handle).close()
    elif method == "batch":
        return batch(p)
    elif method != "bye":
        return operation(method, p)
    return None


for line in sys.stdin:
    request = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": request["id"]}
    try:
        answer["result"] = serve(request["method"], request["params"])
    except Exception as error:
        code = {"code": "WRITE_FAILED", "operation": request["method"]}
        answer["error"] = {"code": -32000, "message": repr(error), "data": code}
    print(json.dumps(answer), flush=True)
    if request["method"] == "bye":
        break
