"""Processes that are made to be killed: at a chosen point of a call, or all at once in a storm.

A spawned process takes half a second on a busy machine, and a sweep kills a hundred. So victims are
forked, from a process that has imported the target and connected to nothing: the *nursery*. What a
victim has said before it was killed is in its pipe, and is read to the end.

A victim that is to die at a point kills itself there, with SIGKILL and at once: to the kernel, and
to everybody else, that is a kill from outside at just that point.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onewinner.adapters import targets
from onewinner.clock import monotonic_ns
from onewinner.schedule.gate import watch_statements
from onewinner.schedule.resident import Do, Done, Holding, Resident
from onewinner.worker.child import FrameBuffer, write_frame
from onewinner.worker.handles import Handles
from onewinner.worker.recorder import failure, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.targets import Target
    from onewinner.clock import Clock
    from onewinner.generator import Call

VICTIM_S: Final = 20.0
"""A victim that has come neither to its point nor to its end after so long is killed: it hung."""

_PR_SET_PDEATHSIG: Final = 1


class Hurt(NamedTuple):
    """An order: make the call of `order` at `place` in a process that dies where it is held.

    One that comes to the end of its call says how it went, and dies then.
    """

    order: Do
    place: str


class Rage(NamedTuple):
    """An order: let clients make these calls at `place`, and kill all after so many answers."""

    place: str
    calls: tuple[tuple[Call, ...], ...]
    answers: int


class Fell(NamedTuple):
    """A victim is dead: where it was killed, or how its call went; `how` says what else it was.

    Of one that was traced `changes` are the points, by number, that change a file below its place.
    """

    at: Holding | None
    done: Done | None
    how: str = ""
    changes: tuple[int, ...] = ()


class Client(NamedTuple):
    """What one client of a storm was answered, by the number of its call; `open` has none yet."""

    answers: tuple[tuple[int, int, Any], ...]
    open: int | None
    ready: bool


def nurse(
    send: Callable[[object], None], receive: Callable[[], Any], target: Target, clock: Clock
) -> None:
    """Make victims as ordered, one answer an order, until the order is None."""
    watch_statements()
    if target.given is None:
        targets.resolve(target.name)
    if target.served:
        target.load()
    send("ready")
    while (order := receive()) is not None:
        if isinstance(order, Hurt) and order.order.traced:
            from onewinner.schedule.traced_victims import hurt_traced

            send(hurt_traced(target, clock, order))
        elif isinstance(order, Hurt):
            send(_hurt(target, clock, order))
        else:
            send(_rage(target, clock, order))


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """Fork a process that does `work` with a pipe to write to; answer its id and the other end."""
    reading, writing = os.pipe()
    nursery = os.getpid()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            _die_with(nursery)
            os.close(reading)
            os.set_inheritable(writing, True)  # it ends when all that this process starts is gone
            work(writing)
        os._exit(1)
    os.close(writing)
    return pid, reading


def _die_with(nursery: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != nursery:
        os._exit(1)


def die() -> None:
    """End this process as a kill from outside does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _hurt(target: Target, clock: Clock, hurt: Hurt) -> Fell:
    def live(pipe: int) -> None:
        def say(what: object) -> None:
            write_frame(pipe, what)
            if isinstance(what, Holding):
                die()

        resident = Resident(say, Handles(target, hurt.place, clock), hurt.place, lambda: None)
        write_frame(pipe, resident.carry_out(hurt.order))
        die()

    pid, reading = forked(live)
    said, ended = _heard({reading: pid}, lambda _: False)
    last = said[reading][-1] if said[reading] else None
    if isinstance(last, Holding):
        return Fell(last, None)
    if isinstance(last, Done):
        return Fell(None, last)
    return Fell(None, None, ended[reading])


def _rage(target: Target, clock: Clock, rage: Rage) -> tuple[Client, ...]:
    waiting, release = os.pipe()

    def live(number: int, pipe: int) -> None:
        os.close(release)
        handles = Handles(target, rage.place, clock)
        acts = [(handles.store(call).register_if_absent, call) for call in rage.calls[number]]
        write_frame(pipe, "ready")
        os.read(waiting, 1)
        for place, (act, call) in enumerate(acts):
            write_frame(pipe, place)
            options = {} if call.ttl_ms is None else {"ttl_ms": call.ttl_ms}
            try:
                kind, answer = plain(
                    "register_if_absent", act(str(call.key), call.value, **options)
                )
            except BaseException as error:
                kind, answer = failure(error)
            write_frame(pipe, (place, kind, answer))
        os.read(waiting, 1)  # for ever: the other end stays open until all are dead

    pids = {}
    for number in range(len(rage.calls)):
        pid, reading = forked(partial(live, number))
        pids[reading] = pid
    os.close(waiting)
    most = sum(map(len, rage.calls))
    begun = False

    def enough(said: dict[int, list[Any]]) -> bool:
        nonlocal begun
        if not begun and all(said.values()):
            begun = True
            os.write(release, bytes(len(pids)))
        answers = sum(isinstance(what, tuple) for each in said.values() for what in each)
        return answers >= min(rage.answers, most)

    said, _ = _heard(pids, enough)
    os.close(release)
    return tuple(_client(said[reading]) for reading in pids)


def _client(said: list[Any]) -> Client:
    answers = tuple(what for what in said if isinstance(what, tuple))
    open_call = said[-1] if said and isinstance(said[-1], int) else None
    return Client(answers, open_call, ready=bool(said))


def _heard(
    pids: dict[int, int], enough: Callable[[dict[int, list[Any]]], bool]
) -> tuple[dict[int, list[Any]], dict[int, str]]:
    """Hear what processes say until each has ended, or it is enough; then all are killed.

    Answers what each said, to its last word, and how it ended.
    """
    said: dict[int, list[Any]] = {reading: [] for reading in pids}
    buffers = {reading: FrameBuffer() for reading in pids}
    left = dict(pids)
    poll = select.poll()
    for reading in pids:
        poll.register(reading, select.POLLIN)
    until_ns = monotonic_ns() + int(VICTIM_S * 1e9)
    killed = hung = False
    while left:
        if not killed and (enough(said) or monotonic_ns() > until_ns):
            hung = monotonic_ns() > until_ns
            killed = True
            for pid in left.values():
                os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
        for reading, _ in poll.poll(100):
            chunk = os.read(reading, 1 << 16)
            said[reading] += buffers[reading].feed(chunk)
            if not chunk:
                poll.unregister(reading)
                left.pop(reading)
    ended = {}
    for reading, pid in pids.items():
        os.close(reading)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        ended[reading] = "it hung" if hung else f"it ended with exit code {code}"
    return said, ended
