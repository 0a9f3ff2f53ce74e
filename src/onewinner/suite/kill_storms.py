"""The check of storms: clients claim as fast as they can, all are killed at once, all is restarted.

Nobody removes a row in a storm and no row expires. So whoever reads afterwards must find a row on
each key whose claim was answered, with the winner's value; a claim that was refused shows that a
row was there; and a claim that was cut off is there whole or not at all. Where the kill falls is
left to chance: it reaches what lies between two statements of a store.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.clock import monotonic_ns
from onewinner.generator import Call
from onewinner.history import Ok
from onewinner.nemesis import act, storm
from onewinner.nemesis.acts import told as act_told
from onewinner.nemesis.storms import CLAIMS, CLIENTS
from onewinner.schedule.nursery import Nursery
from onewinner.schedule.victims import Rage
from onewinner.suite.answers import lives
from onewinner.suite.ground import Ground
from onewinner.suite.held import told
from onewinner.worker.journal import OK

if TYPE_CHECKING:
    from onewinner.contract import Entry
    from onewinner.nemesis import Storm
    from onewinner.schedule.victims import Client
    from onewinner.suite.faults import Ask, Tally

FLOOR: Final = 3
"""Storms that it takes at least."""

_STORMS_MOST: Final = 60
_HOUR_MS: Final = 3_600_000
_HARD_FACTOR: Final = 4
_SHOWN: Final = 4


class _Said(NamedTuple):
    """What the clients were answered about one key."""

    won: tuple[Call, ...]
    refused: tuple[Call, ...]
    cut_off: tuple[Call, ...]
    unknown: tuple[Call, ...]


def run_storms(ask: Ask, tally: Tally) -> None:
    """Let storms come and go for the time given, at least `FLOOR` of them."""
    began_ns = monotonic_ns()
    least_ns = began_ns + int(ask.budget_s / 2 * 1e9)
    hard_ns = began_ns + int(ask.time_s(5.0) * _HARD_FACTOR * 1e9)
    # What the clients did is in no history, and without it the rows that they left look made up.
    with (
        Ground.of(replace(ask, kept=None), claimants=1) as ground,
        Nursery(ask.target, ground.clock) as nursery,
    ):
        for number in range(_STORMS_MOST):
            past = monotonic_ns() > (least_ns if number >= FLOOR else hard_ns)
            if past or ask.told(tally):
                break
            _Aftermath(ask, tally, ground).of(nursery, number)
    storms, answers = tally.number("storms"), tally.number("claims answered")
    for clause in ask.clauses:
        if storms < FLOOR or not answers:
            tally.lacking[clause] = f"{storms} storms came to an end, {FLOOR} are needed"
        elif clause == "DUR-4" and not tally.number("cut off inside a claim"):
            tally.lacking[clause] = "no client was killed inside a claim"


class _Aftermath:
    """One storm, and the look at what it left."""

    def __init__(self, ask: Ask, tally: Tally, ground: Ground) -> None:
        self._ask = ask
        self._tally = tally
        self._ground = ground
        self._place = ground.place()
        self._claims = 0
        self._ttl_ms = None if ask.capabilities.ttl_unit_ms is None else _HOUR_MS

    def of(self, nursery: Nursery, number: int) -> None:
        """Let one storm come, and judge what is there afterwards."""
        cap = self._ask.capabilities.limits.plugin_row_cap
        claims = CLAIMS if cap is None else min(CLAIMS, max(1, cap // CLIENTS - 1))
        self._claims = claims * CLIENTS
        came = storm(self._ask.seed, number, self._place.plugin, self._ttl_ms, claims=claims)
        rage = Rage(self._ground.address(self._place), came.calls, came.answers)
        clients = nursery.rage(rage)
        self._ask.traffic.faults.append((monotonic_ns(), "every process is killed (SIGKILL)"))
        if not all(client.ready for client in clients):
            self._tally.count("not begun")
            return
        self._tally.count("storms")
        self._tally.count("claims answered", sum(len(client.answers) for client in clients))
        self._tally.count(
            "cut off inside a claim", sum(client.open is not None for client in clients)
        )
        said = _by_key(came, clients)
        listed = self._listed()
        for key, what in said.items():
            self._judge_key(key, what, listed)

    def _listed(self) -> dict[str, Entry] | None:
        if "entries" not in self._ask.capabilities.operations:
            return None
        found = self._ground.make(self._place, 0, Call("entries", "", "n"))
        if not isinstance(found.outcome, Ok):
            self._tally.blame(
                "DUR-6",
                f"after all processes were killed, {told(found)}",
                self._place.story(),
                "the store must serve whoever starts anew",
            )
            return None
        return {row.key: row for row in found.outcome.result}

    def _judge_key(self, key: str, said: _Said, listed: dict[str, Entry] | None) -> None:
        claimed = said.won or said.refused
        if listed is None:
            found = self._claimed_again(key) if claimed else None
        else:
            found = self._row(key, said, listed.get(key))
        if found is False and claimed:
            self._blame(
                "DUR-3",
                key,
                said,
                f"the row on {key!r} is gone, of which a client was told before the kill",
                "nobody removed it, and it had not expired",
            )

    def _row(self, key: str, said: _Said, row: Entry | None) -> bool:
        """Judge the row of a key; answer whether there is one."""
        if row is None:
            return False
        writers = said.won or (*said.cut_off, *said.unknown)
        matching = [call for call in writers if _same(call.value, row.value)]
        if not matching:
            clause = "DUR-3" if said.won else "DUR-4"
            self._blame(
                clause,
                key,
                said,
                f"the row on {key!r} holds {row.value!r}, which is not what its winner wrote",
                "a claim that won is there with its own value, or nobody's is",
            )
        elif not self._lives(matching[0], row):
            clause = "DUR-3" if said.won else "DUR-4"
            life = None if row.expires_at is None else row.expires_at - row.created_at
            self._blame(
                clause,
                key,
                said,
                f"the row on {key!r} lives for {life} ms, claimed for {matching[0].ttl_ms} ms",
                "value, createdAt and expiry are written together",
            )
        return True

    def _lives(self, call: Call, row: Entry) -> bool:
        unit_ms = self._ask.capabilities.ttl_unit_ms or 1
        # Where ages are strict, a row may be said to be younger by as many ms as there were writes.
        ahead_ms = self._claims if self._ask.capabilities.strict_ages else 0
        return lives(row, call.ttl_ms, unit_ms, ahead_ms)

    def _claimed_again(self, key: str) -> bool:
        again = Call("register_if_absent", "", "n", key, "late")
        return self._ground.make(self._place, 0, again).outcome != Ok(True)

    def _blame(self, clause: str, key: str, said: _Said, summary: str, why: str) -> None:
        place = self._place
        shown = [
            *(f"p{_by(call)}: {_text(call)} -> True" for call in said.won),
            *(f"p{_by(call)}: {_text(call)} -> False" for call in said.refused[:_SHOWN]),
            *(f"p{_by(call)}: {_text(call)} -> its process was killed" for call in said.cut_off),
            act_told(act("kill", whom="every process", where="at one moment")),
            f"a new process looks at {key!r}",
        ]
        self._tally.blame(clause, f"{summary} (plugin {place.plugin})", tuple(shown), why)


def _by_key(came: Storm, clients: tuple[Client, ...]) -> dict[str, _Said]:
    found: dict[str, list[list[Call]]] = {}
    for calls, client in zip(came.calls, clients, strict=True):
        for place, kind, answer in client.answers:
            sides = found.setdefault(str(calls[place].key), [[], [], [], []])
            sides[_side(kind, answer)].append(calls[place])
        if client.open is not None:
            call = calls[client.open]
            found.setdefault(str(call.key), [[], [], [], []])[2].append(call)
    return {key: _Said(*map(tuple, sides)) for key, sides in found.items()}


def _side(kind: int, answer: Any) -> int:
    if kind == OK and answer is True:
        return 0
    return 1 if kind == OK and answer is False else 3


def _same(value: Any, other: Any) -> bool:
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _by(call: Call) -> int:
    value: Any = call.value
    return int(value["by"])


def _text(call: Call) -> str:
    ttl = "" if call.ttl_ms is None else f", ttl_ms={call.ttl_ms}"
    return f"register_if_absent({call.key!r}, {call.value!r}{ttl})"
