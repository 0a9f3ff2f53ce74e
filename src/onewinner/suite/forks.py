"""The check of forks: parent and child go on with a handle that was opened before the fork.

Nothing is removed and nothing expires, and no key but one is claimed by two. So each claim must
win, one of the two on the shared key, and whoever claims again afterwards must be refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.clock import SystemClock
from onewinner.runner import call_in_child
from onewinner.worker.forks import Went, forked
from onewinner.worker.journal import OK

if TYPE_CHECKING:
    from onewinner.suite.faults import Ask, Tally

_SILENCE_S: Final = 60.0
_SHOWN: Final = 12
_WHY: Final = (
    "nobody removed a row, so each key has one winner, and whoever claims it later is refused"
)


def run_forks(ask: Ask, tally: Tally) -> None:
    """Fork twice: once the parent closes its handle first, once the child."""
    if ask.target.served:
        why = "a handle on a command is the kit's own: what is forked is not the store's process"
        tally.left_out["DUR-8"] = why
        return
    ask.home.mkdir()
    for leaver in ("parent", "child"):
        location = ask.home / leaver
        location.mkdir()
        calls: list[Went] = []

        def hear(message: Any, calls: list[Went] = calls) -> None:
            calls.append(message)

        ended = call_in_child(
            forked,
            ask.target,
            ask.target.location or str(location),
            SystemClock(),
            leaver,
            ask.capabilities.durable,
            on_message=hear,
            silence_s=_SILENCE_S,
        )
        tally.count("forks")
        tally.count("calls of the child", sum(each.who == "child" for each in calls))
        tally.count("child refused on the old handle", any(each.new for each in _child(calls)))
        wrong = _wrong(calls)
        if not wrong and not ended.ok:
            wrong = f"after a fork, {ended.describe()}"
        if wrong:
            tally.blame("DUR-8", wrong, _story(calls, leaver), _WHY)
            return
    if not tally.number("calls of the child"):
        tally.lacking["DUR-8"] = "no child made a call"


def _child(calls: list[Went]) -> list[Went]:
    return [each for each in calls if each.who == "child"]


def _wrong(calls: list[Went]) -> str:
    """Say what no order of the calls explains; nothing where all is well."""
    met = [each for each in calls if each.who != "later"]
    failed = [each for each in calls if each.kind != OK]
    if failed:
        return f"after a fork, {_told(failed[0])}"
    for key in dict.fromkeys(each.key for each in met):
        won = [each for each in met if each.key == key and each.answer is True]
        if len(won) != 1:
            return f"{len(won)} claims of the key {key!r} won"
    lost = [each for each in calls if each.who == "later" and each.answer is not False]
    known = {each.key for each in met}
    for each in lost:
        if each.key in known:
            return f"the row on {each.key!r} is gone, whose claim had been answered"
    return ""


def _told(went: Went) -> str:
    who = f"the {went.who}" if went.who != "later" else "a new connection"
    handle = ", on a new handle" if went.new and went.who == "child" else ""
    answer = repr(went.answer) if went.kind == OK else f"raised {went.answer}"
    return f"{who}{handle}: {went.f}({went.key!r}) -> {answer}"


def _story(calls: list[Went], leaver: str) -> tuple[str, ...]:
    few = [_told(each) for each in calls if "many" not in each.key]
    return (
        "a process opens a handle, and forks",
        *few[:_SHOWN],
        f"the {leaver} closes its handle before the last calls of the other",
        *few[_SHOWN:],
    )
