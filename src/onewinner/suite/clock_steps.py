"""The check of clock steps: the wall clock of the store's processes is set, forth and back.

It is for stores that read the machine's clock themselves. Two processes claim; their wall clock,
and that of whatever they start, is set by hours at a time while they live (`runner.faketime`).
Whatever is judged is hours away from each expiry, so it does not matter how fast the machine is.

Nothing is said before a row was seen to expire by a step: then the store's clock was set. A store
may live by another clock (the monotonic one), or read this one by a way that is not reached. What
is claimed while the clock is ahead has no TTL, for the times of files stay those of the kernel: a
store that lives by them would see such a row as hours old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.descent import descendants
from onewinner.clock import monotonic_ns, sleep, wall_ns
from onewinner.contract import ABSENT, Entry
from onewinner.generator import Call
from onewinner.history import Ok
from onewinner.nemesis import act, is_act
from onewinner.nemesis.acts import told as act_told
from onewinner.runner import faketime
from onewinner.schedule.asleep import cannot_tell_who_sleeps
from onewinner.schedule.claimant import Died
from onewinner.suite.ground import Ground
from onewinner.suite.held import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onewinner.history import Operation
    from onewinner.runner.faketime import SteppedClock
    from onewinner.suite.faults import Ask, Tally
    from onewinner.suite.ground import Place

_HOUR_MS: Final = 3_600_000
_LONG: Final = 24
_MARGIN_MS: Final = 60
_LATE_S: Final = 600.0
_MOVED_S: Final = 60.0
_ROOMY: Final = 100
_CLAIM: Final = "register_if_absent"
_WHO: Final = (0, 1)
_SHORT: Final = ("s0", "s1", "s2", "s3")
_FORTH: Final = "the clock is beyond the expiry of the row, which is over by the new time alone"
_BACK: Final = "nobody removed the row, and by the new time it has not expired"
_FRESH: Final = "the row just written is not the one to go, however old its time makes it"
_SERVER: Final = "its time is that of a server, and no server's clock is stepped"
_BESIDE: Final = "the rest of the check is about TTL-8"


class _Broken(Exception):  # noqa: N818 - a finding, not a mistake
    """A clause was seen broken: which, one sentence, what happened, and the rule."""


class _Untold(Exception):  # noqa: N818 - a finding, not a mistake
    """Nothing can be said, and why."""


def run_clock_steps(ask: Ask, tally: Tally) -> None:
    """Step the wall clock of two claimants forth, back, and further back, and judge each answer."""
    if ask.target.location is not None:
        tally.left_out = dict.fromkeys(ask.clauses, _SERVER)
        return
    library = faketime.library()
    refusal = cannot_tell_who_sleeps()
    if library is None or refusal is not None:
        why = refusal or f"libfaketime is not on this machine; {faketime.HOW_TO_GET}"
        _leave(tally, f"no wall clock can be stepped: {why}")
        return
    ask.home.mkdir()
    with (
        faketime.SteppedClock(library, ask.home) as clock,
        Ground(
            ask.target, ask.capabilities, ask.home / "ground", environment=clock.environment
        ) as ground,
    ):
        clock.given_to(each.pid for each in ground.crew.claimants)
        steps = _Steps(ask, tally, ground, clock)
        try:
            steps.run()
        except _Broken as found:
            tally.blame(*found.args)
            if "TTL-8" in tally.broken:
                tally.left_out["EVICT-2"] = f"{_BESIDE}, which is broken already"
        except _Untold as reason:
            _leave(tally, str(reason))


def _leave(tally: Tally, why: str) -> None:
    """Say of the clause that is judged nowhere else in real time that it was not exercised."""
    tally.lacking["TTL-8"] = why
    tally.left_out["EVICT-2"] = f"{_BESIDE}: {why}"


class _Steps:
    """The steps of one target; `place` is where the claims of now are made."""

    def __init__(self, ask: Ask, tally: Tally, ground: Ground, clock: SteppedClock) -> None:
        self._ask = ask
        self._tally = tally
        self._ground = ground
        self._clock = clock
        self._unit_ms = ask.capabilities.ttl_unit_ms or 1
        self._short_ms = -(-_HOUR_MS // self._unit_ms) * self._unit_ms
        self._offered = ask.capabilities.operations
        self._began = (monotonic_ns(), wall_ns())
        self._after = "before any step"
        self._steps: list[int] = []
        self.place: Place = ground.place()

    def run(self) -> None:
        """Step, and judge."""
        self._prepare()
        over = self._forth()
        for _ in range(2):
            self._back()
        if self._ask.applies("EVICT-2"):
            self._evict()
        else:
            self._tally.left_out["EVICT-2"] = "max_entries is not enforced by eviction"
        self._timely()
        hours = ", ".join(f"{ms / _HOUR_MS:+g}" for ms in self._steps)
        self._tally.counts["swept"] = (
            f"the wall clock of the store's processes was stepped by {hours} hours: {over} rows "
            f"expired by it, {self._tally.number('calls after a step')} calls judged after it"
        )

    # --- scenes -----------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Claim what a step will end, what it will not, and what nothing ends."""
        for key in _SHORT:
            self._wins(self._by(key), key, ttl_ms=self._short_ms)
        self._wins(0, "long", ttl_ms=_LONG * self._short_ms)
        self._wins(1, "ever")
        for who in _WHO:
            self._held(who, "long", "ever")

    def _forth(self) -> int:
        """Set the clock beyond the short lives; answer how many keys were free by that."""
        self._step(3 * self._short_ms)
        absent = [gone for key in _SHORT for who in _WHO for gone in self._absent(who, key)]
        for who in _WHO:
            self._held(who, "long", "ever")
        self._wins(0, "ahead")
        self._held(1, "ahead")
        listed = [rows for who in _WHO for rows in self._listed(who, "long", "ever", "ahead")]
        won = [self._claimed_by_each(key) for key in _SHORT]
        said_over = [not any(key in rows for rows in listed) for key in _SHORT] if listed else []
        signs = [*absent, *said_over, *won]
        if not any(signs) and not any(map(_lists_what_is_over, listed)):
            raise _Untold(self._unseen())
        if not all(signs):
            what = f"a row whose time is over {self._after} is not over for everybody"
            self._blame("TTL-8", "", what, _FORTH)
        for who in _WHO:
            self._held(who, *_SHORT)
        return sum(won)

    def _back(self) -> None:
        """Set the clock back: what is held stays held, and what is claimed then is held as well."""
        self._step(-3 * self._short_ms)
        behind = f"behind {len(self._steps)}"
        self._wins(0, behind, ttl_ms=_LONG * self._short_ms)
        self._wins(1, f"{behind}, for ever")
        keys = (*_SHORT, "long", "ever", "ahead", behind, f"{behind}, for ever")
        for who in _WHO:
            self._held(who, *keys)
            list(self._listed(who, *keys))

    def _evict(self) -> None:
        """Write into a full namespace after steps back: what is written just then stays."""
        self._step(-self._clock.offset_ms)
        self.place = self._ground.place()
        for key in ("a", "b"):
            self._wins(0, key, most=2)
        for number, by_ms in enumerate((-3 * self._short_ms, 6 * self._short_ms)):
            self._step(by_ms)
            for who in _WHO:
                key = f"fresh {number}{who}"
                self._wins(who, key, most=2)
                self._held(1 - who, key, most=2, clause="EVICT-2")
                list(self._listed(1 - who, key, most=2, clause="EVICT-2"))

    # --- what is called, and what must be answered ------------------------------------------------

    def _wins(self, who: int, key: str, *, ttl_ms: int | None = None, most: int = _ROOMY) -> None:
        """Claim a key that nobody holds."""
        made = self._make(who, Call(_CLAIM, "", "n", key, self._value(key), ttl_ms, most))
        if made.outcome != Ok(True):
            what = f"the key {key!r}, which nobody holds, cannot be claimed {self._after}"
            self._blame("TTL-8", key, what, "a claim of a vacant key wins, whatever the time is")

    def _held(self, who: int, *keys: str, most: int = _ROOMY, clause: str = "TTL-8") -> None:
        """Claim keys that are held, and look at them."""
        for key in keys:
            made = self._make(who, Call(_CLAIM, "", "n", key, "late", None, most))
            if made.outcome != Ok(False):
                what = f"the key {key!r} is held, and its claim is not refused {self._after}"
                self._blame(clause, key, what, _BACK)
            if "lookup" in self._offered:
                seen = self._make(who, Call("lookup", "", "n", key, max_entries=most))
                if seen.outcome != Ok(self._value(key)):
                    what = f"the row on {key!r} is not read as it was written {self._after}"
                    self._blame(clause, key, what, _BACK)

    def _absent(self, who: int, key: str) -> Iterator[bool]:
        """Yield whether a row is seen to be over, where rows can be looked up."""
        if "lookup" not in self._offered:
            return
        seen = self._make(who, Call("lookup", "", "n", key, max_entries=_ROOMY))
        if seen.outcome not in (Ok(ABSENT), Ok(self._value(key))):
            self._blame("TTL-8", key, f"a look-up fails {self._after}", _FORTH)
        yield seen.outcome == Ok(ABSENT)

    def _claimed_by_each(self, key: str) -> bool:
        """Have a key claimed by both, on every second by the one that wrote it first."""
        first = self._by(key) if _SHORT.index(key) < 2 else 1 - self._by(key)
        claim = Call(_CLAIM, "", "n", key, self._value(key), None, _ROOMY)
        made = [self._make(who, claim).outcome for who in (first, 1 - first)]
        if Ok(True) in made[1:]:
            won = f"{made.count(Ok(True))} claims of the key {key!r} won"
            if made[0] != Ok(True):
                won = f"the key {key!r} is held for one process and free for the other"
            self._blame("TTL-8", key, f"{won} {self._after}", _FORTH)
        if not all(outcome in (Ok(True), Ok(False)) for outcome in made):
            self._blame("TTL-8", key, f"a claim of the key {key!r} fails {self._after}", _FORTH)
        return made[0] == Ok(True)

    def _listed(
        self, who: int, *keys: str, most: int = _ROOMY, clause: str = "TTL-8"
    ) -> Iterator[dict[str, Entry]]:
        """Yield the listing by key, if there is one; all of these must be in it, as written."""
        if "entries" not in self._offered:
            return
        seen = self._make(who, Call("entries", "", "n", max_entries=most))
        listing: Any = seen.outcome.result if isinstance(seen.outcome, Ok) else ()
        rows = {row.key: row for row in listing if isinstance(row, Entry)}
        for key in keys:
            if key not in rows or rows[key].value != self._value(key):
                what = f"the row on {key!r} is not listed as it was written {self._after}"
                self._blame(clause, key, what, _BACK)
        yield rows

    # --- plumbing ---------------------------------------------------------------------------------

    def _by(self, key: str) -> int:
        """Answer who writes a short row first."""
        return _SHORT.index(key) % 2

    def _value(self, key: str) -> str:
        return f"value of {key}"

    def _step(self, by_ms: int) -> None:
        self._clock.step(by_ms)
        self._steps.append(by_ms)
        self.place.entries.append(act("step", ms=by_ms))
        way = "forth" if by_ms > 0 else "back"
        self._after = f"after the clock was set {way} by {abs(by_ms) / _HOUR_MS:g} h"
        self._tally.count("clock steps")
        # A store may look at the clock as seldom as its resolution says, and go by what it saw.
        sleep((self._unit_ms + _MARGIN_MS) / 1_000)

    def _make(self, who: int, call: Call) -> Operation:
        """Make a call; a process that hangs or dies in it is no answer."""
        call = call._replace(plugin=self.place.plugin)
        before_ns = monotonic_ns()
        ended = self._ground.claimant(who).make(call, fresh=self.place.location)
        made = self._ground.enter(self.place, who, call, ended, "look")
        if isinstance(ended, Died):
            raise RuntimeError(f"p{who}: {told(made)}, {self._after}: {ended.how}")
        if not before_ns <= ended.invoked_ns <= ended.completed_ns <= monotonic_ns():
            raise _Untold("libfaketime has changed the monotonic clock of the processes too")
        self._tally.count("calls after a step", by=bool(self._steps))
        return made

    def _blame(self, clause: str, key: str, summary: str, why: str) -> None:
        """End with a violation, if it is certain that it is one; `key` is empty for all short."""
        if not self._steps:
            raise _Untold(f"what is to be looked at could not be prepared: {summary}")
        self._timely()
        if self._by_socket():
            raise _Untold(
                f"{summary}; but the store talks to others by sockets, and the clock of those was "
                f"not stepped"
            )
        if self._ask.target.served and faketime.sleep_fails(self._clock, self._processes()):
            raise _Untold(
                f"{summary}; but this libfaketime makes sleeping fail in CPython, and so perhaps "
                f"the store; install one that is newer than 0.9.10"
            )
        if clause == "EVICT-2":
            raise _Broken(clause, summary, self.place.story(), _FRESH)
        raise _Broken(clause, summary, self._story((key,) if key else _SHORT), why)

    def _story(self, keys: Sequence[str]) -> tuple[str, ...]:
        """Answer what was done and what was called on these keys, a line each."""
        told_of = (*keys, None)  # a listing has no key
        entries = (e for e in self.place.entries if is_act(e) or e.value["key"] in told_of)
        return tuple(act_told(each) if is_act(each) else told(each) for each in entries)

    def _timely(self) -> None:
        """Raise where the machine's own clock was set meanwhile, or took too long."""
        passed, moved = (
            (now - then) / 1e9
            for now, then in zip((monotonic_ns(), wall_ns()), self._began, strict=True)
        )
        if passed > _LATE_S or abs(moved - passed) > _MOVED_S:
            raise _Untold("the machine was suspended meanwhile, or its own clock was set")

    def _processes(self) -> list[int]:
        """Answer the processes that the store is in: of a command those are its copies."""
        mine = [each.pid for each in self._ground.crew.claimants]
        below = [each for pid in mine for each in descendants(pid)]
        return below if self._ask.target.served else [*mine, *below]

    def _by_socket(self) -> bool:
        return any(faketime.has_sockets(pid) for pid in self._processes())

    def _unseen(self) -> str:
        """Say why no row expired by the step."""
        if not all(map(faketime.follows, self._processes())):
            return (
                "no wall clock can be stepped: libfaketime is not loaded into the store's process; "
                "it is not into a static program. A store that takes the time of the requests "
                "(virtual clock) is judged without it"
            )
        return (
            "the wall clock was stepped beyond the expiry of rows and none was over: the store "
            "lives by another clock, or reads this one past the C library"
        )


def _lists_what_is_over(rows: dict[str, Entry]) -> bool:
    """Tell whether a listing itself shows a row that was over when another was written after it.

    The times of a listing are those that decide a row's life (READ-4): so the store's clock was at
    the one row's `created_at`, and so beyond the other's expiry.
    """
    ends = [rows[key].expires_at for key in _SHORT if key in rows]
    now = rows["ahead"].created_at
    return any(isinstance(end, int) and end <= now - _HOUR_MS // 2 for end in ends)
