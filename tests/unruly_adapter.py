"""An adapter that breaks the stdio protocol in one way, named by its first argument.

Behind it is a dictionary, so what goes wrong is the adapter's; with the word `good` nothing does.
The second argument is a file in which it notes its process, or that of its child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HOW, *NOTES = sys.argv[1:]
OFFER = {
    "scope": "process",
    "durable": True,
    "operations": ["registerIfAbsent", "lookup", "rewind"],
    "batch": True,
}
WELCOME = {"protocol": 1, "implementation": {"name": "unruly"}, "capabilities": OFFER}
HANDSHAKE = {"hello", "connect", "open"}
rows: dict[str, object] = {}


def say(text: str) -> None:
    """Write on standard output, whatever it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def answer(request: dict, result: object) -> str:
    """Answer the line that answers a request."""
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n"


def result_of(method: str, params: dict) -> object:
    """Serve a request as it should be."""
    if method == "hello":
        return WELCOME
    if method == "registerIfAbsent":
        won = params["key"] not in rows
        rows.setdefault(params["key"], params["value"])
        return won
    if method == "lookup":
        return {"found": params["key"] in rows, "value": rows.get(params["key"])}
    if method == "batch":
        return {"results": [fired(each) for each in params["operations"]]}
    return None


def fired(operation: dict) -> dict:
    """Make an operation of a batch."""
    start = time.monotonic_ns()
    result = result_of(operation["method"], operation["params"])
    t = [start, time.monotonic_ns()]
    return {"result": result, "t": [1, 2] if HOW == "misfires" else t}


def error(request: dict, **error: object) -> str:
    """Answer the line that answers a request with an error."""
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}) + "\n"


def coded(request: dict, code: str) -> str:
    """Answer an error with a code of the contract, or with another."""
    data = {"code": code, "operation": "register", "since": 1999}
    return error(request, code=-32000, message="no", data=data)


# What stands in the place of the right answer.
INSTEAD = {
    "answers-twice": lambda _, right: right + right,
    "wrong-id": lambda request, right: right.replace(f'"id": {request["id"]}', '"id": 4711'),
    "wrong-result": lambda request, _: answer(request, "yes"),
    "no-value": lambda request, _: answer(request, {"found": True}),
    "neither": lambda request, _: json.dumps({"jsonrpc": "2.0", "id": request["id"]}) + "\n",
    "no-code": lambda request, _: error(request, code=-32603, message="no idea"),
    "own-code": lambda request, _: coded(request, "MELTED"),
    "limit": lambda request, _: coded(request, "LIMIT_EXCEEDED"),
    "newer": lambda _, right: json.dumps(json.loads(right) | {"took_ms": 3, "more": [1]}) + "\n",
}


def misbehave(request: dict) -> None:
    """Answer a request that is no handshake, the wrong way."""
    right = answer(request, result_of(request["method"], request["params"]))
    match HOW:
        case "prints":
            say("debug: here I am\n")
        case "prints-late" if request["method"] == "close":
            say("debug: late\n")
        case "torn":
            say(right[:-9])
            sys.exit(0)
        case "dies":
            sys.exit("out of cheese")
        case "closes":
            os.close(1)
            time.sleep(60)
        case "deaf" | "silent":
            time.sleep(60)
        case "floods":
            os.write(2, b"noise\n" * 100_000)
        case "no-newline":
            while True:
                say("x" * (1 << 16))
    say(INSTEAD[HOW](request, right) if HOW in INSTEAD else right)


def reversed_pairs() -> None:
    """Take two requests at a time, and answer the second one first."""
    OFFER["maxInFlight"] = 2
    waiting: list[dict] = []
    for line in sys.stdin:
        request = json.loads(line)
        if request["method"] != "registerIfAbsent":
            say(answer(request, result_of(request["method"], request["params"])))
            continue
        waiting.append(request)
        if len(waiting) == 2:
            for each in reversed(waiting):
                say(answer(each, result_of(each["method"], each["params"])))
            waiting.clear()


def note() -> None:
    """Note the process that must not be left."""
    pid = os.getpid()
    if HOW == "leaves-a-child":
        pid = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
    if NOTES:
        Path(NOTES[0]).write_text(str(pid), encoding="ascii")


def begin() -> None:
    """Do, or prepare, what is wrong from the beginning."""
    match HOW:
        case "garbage":
            say("hello, I am a store\n")
        case "newer":
            OFFER["telepathy"] = {"range": 7}
            WELCOME["mood"] = "good"
        case "too-new":
            WELCOME["protocol"] = 2
        case "no-scope":
            del OFFER["scope"]
        case "thread":
            OFFER["scope"] = "thread"
        case "one":
            OFFER["locations"] = "one"


def main() -> None:
    """Serve requests until there are no more."""
    note()
    begin()
    if HOW == "reversed":
        reversed_pairs()
    for line in sys.stdin:
        request = json.loads(line)
        if request["method"] in HANDSHAKE:
            say(answer(request, result_of(request["method"], request["params"])))
            if HOW == "deaf" and request["method"] == "open":
                time.sleep(60)
        else:
            misbehave(request)


if __name__ == "__main__":
    main()
