"""Random histories of a claim store, drawn from a store that is right, and spoilt now and then."""

from __future__ import annotations

import random

from onewinner.contract import ABSENT, Entry
from onewinner.history import Info, Ok, Operation

_MS = 1_000_000
_KEYED = ("register_if_absent", "register", "lookup", "consume", "delete")
_FS = (*_KEYED, "entries", "clear")
_WEIGHTS = (6, 2, 3, 2, 2, 1, 1)


def claim_history(seed, *, most=7, keys=1, spoil=0.12, crash=0.15, ttl=0.4):
    """Answer a short history on few keys; with `spoil=0` it is one that a right store produced.

    Times are whole milliseconds and as long as the TTLs, so that expiries fall into calls.
    """
    rng = random.Random(seed)
    free = dict.fromkeys(range(3), 0)
    calls = []
    for number in range(rng.randint(2, most)):
        process = rng.choice(list(free))
        invoked = free[process] + rng.randint(0, 3)
        completed = invoked + rng.randint(0, 6)
        free[process] = completed + 1
        calls.append((rng.uniform(invoked, completed), number, process, invoked, completed))
        if rng.random() < crash:
            calls[-1] += (True,)
            free[process + 10 * (number + 1)] = free.pop(process)  # a crashed process is retired
        else:
            calls[-1] += (False,)
    rows, history = {}, []
    for at, number, process, invoked, completed, crashed in sorted(calls):
        f = rng.choices(_FS, _WEIGHTS)[0]
        value = {
            "plugin": "p",
            "namespace": "n",
            "key": f"k{rng.randrange(keys)}" if f in _KEYED else None,
            "value": number if rng.random() < 0.9 else "again",
            "ttl_ms": rng.randint(1, 8) if rng.random() < ttl else None,
        }
        result = _act(rows, f, value, at, happens=not crashed or rng.random() < 0.5)
        if rng.random() < spoil:
            result = _spoilt(rng, f, result)
        end = None if crashed and rng.random() < 0.5 else completed * _MS
        history.append(
            Operation(
                process=process,
                f=f,
                value=value,
                outcome=Info("lost") if crashed else Ok(result),
                invoked_ns=invoked * _MS,
                completed_ns=end,
            )
        )
    return history


def _act(rows, f, value, at, *, happens):
    """Let a right store do the call at an instant; what does not happen changes nothing."""
    for key in [key for key, (_, expires) in rows.items() if expires is not None and expires <= at]:
        del rows[key]
    held = rows.get(value["key"])
    expires = None if value["ttl_ms"] is None else at + value["ttl_ms"]
    answer = {
        "register_if_absent": held is None,
        "register": None,
        "lookup": ABSENT if held is None else held[0],
        "consume": ABSENT if held is None else held[0],
        "delete": held is not None,
        "entries": tuple(Entry(key, row[0], 0, None) for key, row in sorted(rows.items())),
        "clear": None,
    }[f]
    if happens and (f == "register" or (f == "register_if_absent" and held is None)):
        rows[value["key"]] = (value["value"], expires)
    elif happens and f in {"consume", "delete"}:
        rows.pop(value["key"], None)
    elif happens and f == "clear":
        rows.clear()
    return answer


def _spoilt(rng, f, result):
    """Answer something else; what was answered may turn out to be possible all the same."""
    if f in {"register_if_absent", "delete"}:
        return not result
    if f in {"lookup", "consume"}:
        return ABSENT if result is not ABSENT and rng.random() < 0.5 else rng.randint(0, 6)
    if f == "entries":
        return result[1:] if result else (Entry("k0", rng.randint(0, 6), 0, None),)
    return result
