"""The model's properties, asked of a real store: what a picture of it shows to be broken.

And the model itself: whether a real store came to the same rows and answers by the same schedule.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from formal.stage import Answer, Held, Limits, Picture
    from formal.traces import Ending


def _winners(seen: Picture) -> Iterator[tuple[str, Held | None]]:
    """Yield who won a claim, with the period of the row, None where nobody ever saw one."""
    for who, answer in seen.answers.items():
        if answer.word == "won":
            yield who, seen.periods.get(who)


def _rivals(seen: Picture) -> Iterator[tuple[str, Held, str, Held]]:
    """Yield each two winners of one key."""
    periods = [(who, held) for who, held in _winners(seen) if held is not None]
    for (one, held), (other, also) in combinations(periods, 2):
        if held.key == also.key:
            yield one, held, other, also


def _period(held: Held) -> str:
    return f"[{held.begun}, {held.ends})"


def double_hold(seen: Picture, _: Limits) -> Iterator[str]:
    """Two winners of one key hold it now."""
    for one, held, other, also in _rivals(seen):
        if min(held.ends, also.ends) > seen.now:
            yield f"{one} and {other} both hold key {held.key}"


def overlap(seen: Picture, _: Limits) -> Iterator[str]:
    """Two winners of one key were given periods that share an instant."""
    for one, held, other, also in _rivals(seen):
        if max(held.begun, also.begun) < min(held.ends, also.ends):
            yield f"{one} has {_period(held)} of key {held.key}, {other} has {_period(also)}"


def lost(seen: Picture, limits: Limits) -> Iterator[str]:
    """A winner's row is gone before its time; no consumer and no younger row explains that."""
    consumed = {answer.value for answer in seen.answers.values() if answer.f == "consume"}
    for who, held in _winners(seen):
        key = seen.answers[who].key
        if who in consumed | seen.rows.keys() or (held is not None and held.ends <= seen.now):
            continue
        if held is None:
            yield f"{who} won key {key}, and its row was never there"
        elif not _evicted(seen, limits, who, held):
            yield f"{who} won key {key} until {held.ends}, and its row is gone at {seen.now}"


def _evicted(seen: Picture, limits: Limits, who: str, held: Held) -> bool:
    order = list(seen.periods)
    younger = order[order.index(who) + 1 :]
    space = limits.namespace(held.key)
    return any(limits.namespace(seen.periods[each].key) == space for each in younger)


def consumed_twice(seen: Picture, _: Limits) -> Iterator[str]:
    """Two consumers were given one value."""
    found = [
        (who, answer)
        for who, answer in seen.answers.items()
        if answer.f == "consume" and answer.word == "found"
    ]
    for (one, answer), (other, also) in combinations(found, 2):
        if answer.value == also.value:
            yield f"{one} and {other} both consumed {answer.value}'s row of key {answer.key}"


def _live(seen: Picture) -> list[Held]:
    return [held for held in seen.rows.values() if held.ends > seen.now]


def too_full(seen: Picture, limits: Limits) -> Iterator[str]:
    """A namespace holds more live rows than it may."""
    live = [limits.namespace(held.key) for held in _live(seen)]
    for space in sorted(set(live)):
        if live.count(space) > limits.max_entries:
            yield f"namespace {space!r} holds {live.count(space)} rows, {limits.max_entries} fit"


def over_cap(seen: Picture, limits: Limits) -> Iterator[str]:
    """The plugin holds more live rows than it may."""
    if len(_live(seen)) > limits.cap:
        yield f"the plugin holds {len(_live(seen))} live rows, its cap is {limits.cap}"


def refused_for_nothing(seen: Picture, _: Limits) -> Iterator[str]:
    """A claim was refused, and nobody held the key when it read the clock."""
    for who, answer in seen.answers.items():
        if answer.word == "refused" and not any(_held_at(answer, p) for p in seen.periods.values()):
            yield f"{who} was refused key {answer.key} at {answer.at}, when nobody held it"


def _held_at(answer: Answer, held: Held) -> bool:
    return held.key == answer.key and held.begun <= answer.at < held.ends


BROKEN: Final[dict[str, Callable[[Picture, Limits], Iterator[str]]]] = {
    "NoDoubleHold": double_hold,
    "NoOverlap": overlap,
    "NothingLost": lost,
    "RefusedForALiveRow": refused_for_nothing,
    "ConsumedOnce": consumed_twice,
    "RoomHeld": too_full,
    "CapHeld": over_cap,
}
"""What each invariant of the model comes to on a real store: yields how it is broken."""


def unlike(seen: Picture, model: Ending) -> Iterator[str]:
    """Yield what a store shows at the end of a schedule and the model does not, or the reverse."""
    rows = {held.key: (who, str(held.begun), str(held.ends)) for who, held in seen.rows.items()}
    answers = {who: (answer.word, str(answer.at)) for who, answer in seen.answers.items()}
    if rows != model.rows:
        yield f"the file holds {rows}, the model {model.rows}"
    if answers != model.answers:
        yield f"the answers are {answers}, the model's are {model.answers}"
