"""TLC's counterexamples as schedules: who asks for what, and who goes on when.

Each state of a trace holds the variable `step`, which says what led to it: `<<"begin", c1>>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

_STEP: Final = re.compile(r"^/\\ step = <<(.*)>>$", re.MULTILINE)

PASSES: Final[dict[str, str]] = {
    "begin": "begin",
    "clock": "clock",
    "commit": "commit",
    "look": "look",
    "spot": "look",  # the clock and a look at the file, which nothing comes between
    "unlink": "commit",  # a transaction of its own, of one statement
}
"""What a caller goes on past in each step of the model, as a point of a real call."""

_EARLIER: Final = frozenset({"clock", "spot"})
"""Steps that a store takes earlier than others: one that is not about to leaves them out."""

_NOWHERE: Final = ("0", "0", "0")
_VARIABLE: Final = re.compile(r"^/\\ (\w+) = (.*?)(?=^/\\ |^$|\Z)", re.MULTILINE | re.DOTALL)
_ROW: Final = re.compile(r"\[value \|-> (\w+), from \|-> (\d+), to \|-> (\d+)\]")
_ANSWER: Final = re.compile(r'(\w+) :> \[value \|-> (\w+), word \|-> "(\w+)", at \|-> (\d+)\]')


@dataclass(frozen=True, slots=True)
class Asked:
    """A caller begins its call of `f` on a key, which is a number."""

    who: str
    f: str
    key: int


@dataclass(frozen=True, slots=True)
class Passed:
    """A caller goes on past a point: `begin`, `clock`, `look` or `commit`.

    `clock_first`: only where it is about to read the clock.
    """

    who: str
    point: str
    clock_first: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """What no caller does: the clock has a `tick`, or a `sweep` removes what has expired."""

    what: str


Move: TypeAlias = Asked | Passed | Happened


@dataclass(frozen=True, slots=True)
class Ending:
    """What the model's store holds in the last state of a trace, and what it has answered.

    `rows` tells the value, the beginning and the end of the row of each key that has one, `answers`
    the word and the reading of the clock for each caller that was answered; all as text.
    """

    rows: dict[int, tuple[str, str, str]]
    answers: dict[str, tuple[str, str]]


def steps(text: str) -> list[tuple[str, ...]]:
    """Answer the steps of the counterexample in what TLC said, without the initial one."""
    found = [
        tuple(part.strip().strip('"') for part in step.split(",")) for step in _STEP.findall(text)
    ]
    if not found or found[0] != ("init",):
        raise ValueError("TLC's output holds no trace with the variable step; run TLC again")
    return found[1:]


def schedule(text: str) -> list[Move]:
    """Answer what TLC said as a schedule; raises ValueError for a step that cannot be replayed."""
    return [_move(step) for step in steps(text)]


def ending(text: str) -> Ending:
    """Answer what the last state of the counterexample holds."""
    last = dict(_VARIABLE.findall(text.rpartition("\nState ")[2]))
    rows = enumerate(_ROW.findall(last["rows"]), 1)
    told_answers = _ANSWER.findall(last["answers"])
    return Ending(
        rows={key: row for key, row in rows if row != _NOWHERE},
        answers={who: (word, at) for who, _, word, at in told_answers if word != "none"},
    )


def _move(step: tuple[str, ...]) -> Move:
    match step:
        case ("ask", who, f, key):
            return Asked(who, f, int(key))
        case ("tick" | "sweep" as what,):
            return Happened(what)
        case (name, who) if name in PASSES:
            return Passed(who, PASSES[name], clock_first=name in _EARLIER)
    raise ValueError(
        f"the step {step} cannot be replayed on a real store; teach it to formal.stage"
    )


def told(move: Move) -> str:
    """Put a move into a few words."""
    match move:
        case Asked(who, f, key):
            return f"{who} asks {f} {key}"
        case Passed(who, point, _):
            return f"{who} {point}"
        case Happened(what):
            return what
