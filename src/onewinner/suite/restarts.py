"""The check of restarts: clients claim while their server is killed and comes back on its files.

Nobody removes a row and none expires. What a client was told before the kill, or after it, must be
there for a process that has never been connected before: a key that was won is held, by its
winner's value, and a claim that was refused shows that a row was there. A claim that met an error
may have happened or not. Where the kill falls is left to chance.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.clock import SystemClock, monotonic_ns, wall_ns
from onewinner.contract import ABSENT
from onewinner.generator import Call
from onewinner.nemesis import act, storm
from onewinner.nemesis.acts import told as act_told
from onewinner.nemesis.storms import CLIENTS
from onewinner.runner import Child, call_in_child
from onewinner.runner.process import STARTUP_S, wait_readable
from onewinner.runner.server import ServerError, running
from onewinner.worker import restarts
from onewinner.worker.child import MESSAGE, RAISED
from onewinner.worker.journal import OK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.adapters.targets import Target
    from onewinner.contract import Json
    from onewinner.runner.server import Server
    from onewinner.suite.faults import Ask, Tally
    from onewinner.worker.restarts import Said

FLOOR: Final = 2
"""Restarts that it takes at least."""

_MOST: Final = 20
_PATIENCE_S: Final = 60.0
_HOUR_MS: Final = 3_600_000
_NO_SERVER: Final = "it has no server that the kit has started, so none is killed"


class _Made(NamedTuple):
    """A claim with how it ended, and by whom."""

    by: int
    call: Call
    said: Said

    def told(self) -> str:
        kind, answer = self.said
        ended = f"{answer!r}" if kind == OK else f"{answer}"
        return f"p{self.by}: {_text(self.call)} -> {ended}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a new process saw of a key: its value where the store can tell, and whether it is held.

    `failed` is what a call raised, empty where none did.
    """

    value: Any
    held: bool
    failed: str


def run_restarts(ask: Ask, tally: Tally) -> None:
    """Kill the server and start it again for the time given, at least `FLOOR` times."""
    server = running(ask.target.location) if ask.target.started else None
    if server is None:
        tally.left_out = dict.fromkeys(ask.clauses, _NO_SERVER)
        return
    over_ns = monotonic_ns() + int(ask.budget_s * 1e9)
    for number in range(_MOST):
        if ask.clauses <= tally.broken.keys() or (number >= FLOOR and monotonic_ns() > over_ns):
            break
        _Restart(ask, tally, server, number).run()
    if not tally.number("claims answered before the kill"):
        why = "no claim was answered before its server was killed"
        tally.lacking = dict.fromkeys(ask.clauses, why)


class _Restart:
    """One kill of the server, and the look at what it left."""

    def __init__(self, ask: Ask, tally: Tally, server: Server, number: int) -> None:
        self._ask = ask
        self._tally = tally
        self._server = server
        ttl_ms = None if ask.capabilities.ttl_unit_ms is None else _HOUR_MS
        plugin = f"r{wall_ns():x}"
        self._storm = storm(ask.seed, number, plugin, ttl_ms)
        self._plugin = plugin
        self._before = 0

    def run(self) -> None:
        """Let clients claim, kill their server, bring it back, and judge key by key."""
        made, late = self._played()
        self._tally.count("restarts")
        self._tally.count("claims answered before the kill", self._before)
        self._tally.count("claims that met an error", sum(each.said[0] != OK for each in made))
        for each in late:
            if each.said != (OK, True):
                self._blame(
                    "DUR-6",
                    f"a process that lived on is not served, though its server is back: "
                    f"{each.told()}",
                    (),
                    "what was lost is a connection; the call before this one was told so",
                )
        by_key: dict[str, list[_Made]] = {}
        for one in made:
            by_key.setdefault(str(one.call.key), []).append(one)
        for (key, claims), seen in zip(by_key.items(), self._seen(by_key), strict=True):
            self._judge(key, claims, seen)

    # --- what happens -----------------------------------------------------------------------------

    def _played(self) -> tuple[list[_Made], list[_Made]]:
        """Answer the claims around the kill, and the last of those that each made after it."""
        late = [
            [self._call(f"late{client}-{number}", client) for number in range(2)]
            for client in range(CLIENTS)
        ]
        with ExitStack() as stack:
            clients = [
                _Client(stack, self._ask.target, calls, mine)
                for calls, mine in zip(self._storm.calls, late, strict=True)
            ]
            _hear(clients, lambda: all(client.heard for client in clients))
            for client in clients:
                client.tell()
            _hear(clients, lambda: sum(len(c.heard) for c in clients) > self._storm.answers)
            self._server.kill()
            self._before = sum(c.answered for c in clients)
            try:
                self._server.restart()
            except ServerError as error:
                raise RuntimeError(str(error)) from error
            _hear(clients, lambda: all(client.done(0) for client in clients))
            for client in clients:
                client.tell()
            _hear(clients, lambda: all(client.done(2) for client in clients))
            made = [each for who, client in enumerate(clients) for each in client.made(who)]
            last = [_Made(who, late[who][1], c.heard[-1]) for who, c in enumerate(clients)]
            return made, last

    def _call(self, key: str, client: int) -> Call:
        return Call("register_if_absent", self._plugin, "n", key, {"by": client})

    def _seen(self, keys: Sequence[str] | dict[str, Any]) -> Iterator[_Seen]:
        """Yield what a new process sees of each key: it looks, and then it claims."""
        looks = "lookup" in self._ask.capabilities.operations
        calls = []
        for key in keys:
            calls += [Call("lookup", self._plugin, "n", key)] if looks else []
            calls.append(Call("register_if_absent", self._plugin, "n", key, "anew"))
        location = str(self._ask.target.location)
        ended = call_in_child(
            restarts.look_anew,
            self._ask.target,
            location,
            SystemClock(),
            calls,
            on_message=lambda _: None,
            silence_s=2 * _PATIENCE_S,
        )
        if not ended.ok:
            raise RuntimeError(f"who looks after a restart did not come back: {ended.describe()}")
        said = iter(ended.value)
        for _ in keys:
            looked = next(said) if looks else (OK, None)
            claimed = next(said)
            failed = [str(answer) for kind, answer in (looked, claimed) if kind != OK]
            value = looked[1] if looks else None
            yield _Seen(value, claimed == (OK, False), "; ".join(failed))

    # --- what it means ----------------------------------------------------------------------------

    def _judge(self, key: str, claims: list[_Made], seen: _Seen) -> None:
        won = [each for each in claims if each.said == (OK, True)]
        unknown = [each for each in claims if each.said[0] != OK]
        told = [each for each in claims if each.said in {(OK, True), (OK, False)}]
        if seen.failed:
            self._blame(
                "DUR-6",
                f"a process that starts anew is not served after the restart: {seen.failed}",
                claims,
                "the server is back, and answers others",
            )
        elif told and not seen.held:
            self._blame(
                "DUR-3",
                f"the row on {key!r} is gone, of which a client was told",
                claims,
                "nobody removed it, and it had not expired",
            )
        elif len(won) > 1:
            self._blame(
                "DUR-3",
                f"{len(won)} claims of {key!r} answered true",
                claims,
                "the row of the first was there until the second was told otherwise",
            )
        elif seen.held and "lookup" in self._ask.capabilities.operations:
            self._judge_value(key, claims, [each.call.value for each in won or unknown], seen)

    def _judge_value(
        self, key: str, claims: list[_Made], possible: list[Json], seen: _Seen
    ) -> None:
        if any(_same(value, seen.value) for value in possible):
            return
        refused = any(_same(each.call.value, seen.value) for each in claims)
        if seen.value is ABSENT:
            what = f"the row on {key!r} refuses claims and cannot be read"
        elif refused:
            what = f"a claim of {key!r} answered false, and the row that is there is its own"
        else:
            what = f"the row on {key!r} holds {seen.value!r}, which no claim wrote that won"
        self._blame(
            "DUR-4",
            what,
            claims,
            "a claim that was cut off has happened, and wins, or has not, and leaves nothing",
        )

    def _blame(self, clause: str, summary: str, claims: Sequence[_Made], why: str) -> None:
        happened = (
            *(each.told() for each in claims),
            act_told(act("kill", whom="the server", where="while they claim; it is started again")),
        )
        self._tally.blame(clause, f"{summary} (plugin {self._plugin})", happened, why)


class _Client:
    """A process that claims; `heard` is that it is ready, and then how each call ended."""

    def __init__(
        self, stack: ExitStack, target: Target, calls: Sequence[Call], late: Sequence[Call]
    ) -> None:
        self._calls = calls
        self.heard: list[Any] = []
        args = (target, str(target.location), SystemClock(), calls, late)
        self.child = stack.enter_context(
            Child(restarts.claim_on, args, name="client", takes_orders=True)
        )

    @property
    def answered(self) -> int:
        return sum(said is not None and said[0] == OK for said in self.heard)

    def tell(self) -> None:
        self.child.tell(True)

    def done(self, late: int) -> bool:
        return len(self.heard) == 1 + len(self._calls) + late

    def made(self, who: int) -> list[_Made]:
        said = self.heard[1 : 1 + len(self._calls)]
        return [_Made(who, call, each) for call, each in zip(self._calls, said, strict=True)]


def _hear(clients: Sequence[_Client], enough: Any) -> None:
    """Take what clients say until it is enough; raises RuntimeError where one stops talking."""
    heard_ns = monotonic_ns()
    while not enough():
        for client in clients:
            dead = client.child.dead()
            for kind, item in client.child.receive():
                heard_ns = monotonic_ns()
                if kind == MESSAGE:
                    client.heard.append(item)
                elif kind == RAISED:
                    raise RuntimeError(f"a client whose server is to be killed failed: {item}")
            if dead and not enough():
                raise RuntimeError("a client whose server was killed is gone")
        if monotonic_ns() - heard_ns > (STARTUP_S + _PATIENCE_S) * 1e9:
            raise RuntimeError(f"no client has said anything for {STARTUP_S + _PATIENCE_S:g} s")
        wait_readable([client.child for client in clients], 0.02)


def _same(value: Any, other: Any) -> bool:
    if other is ABSENT:
        return False
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _text(call: Call) -> str:
    ttl = "" if call.ttl_ms is None else f", ttl_ms={call.ttl_ms}"
    return f"register_if_absent({call.key!r}, {call.value!r}{ttl})"
