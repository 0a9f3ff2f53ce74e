"""From cases to files: what each vector holds, in which file it stands, and how it is written."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import BASE, OPTIONAL_OPERATIONS, Capabilities
from onewinner.contract.clauses import CLAUSES, FAMILIES
from onewinner.model import Rules
from onewinner.suite.cases import CASES
from onewinner.suite.vectors.format import FORMAT, READERS, camel, snake
from recorder.expected import START_MS, TooOpenError, conditions, walk
from recorder.notation import short
from recorder.programs import INSTEAD, PROGRAMS, TIED
from recorder.session import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract import Profile
    from onewinner.suite.cases.case import Case
    from recorder.expected import Steps, Walk

CAP: Final = 40
"""The row cap for which vectors about the cap are made; they count from it, so that any will do."""

ANSWERS_MAX: Final = 4
"""A look that may be answered in more ways than this is left out: it would hold nothing."""

WHOLE: Final = Capabilities(virtual_clock=True, overflow_option=True).having(*OPTIONAL_OPERATIONS)

_FOREIGN: Final = re.compile(r'"\$(number|bytes|other|cycle|same)"')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NAMES: Final = {"registerIfAbsent": ["register", "registerIfAbsent"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A vector that was made: the file that it belongs to, and what is to be written."""

    file: str
    written: dict[str, Any]


def texts(release: int) -> dict[str, str]:
    """Answer all files of vectors by name, as they are to be written."""
    made = vectors()
    order = sorted(
        {each.file for each in made},
        key=lambda file: (list(FAMILIES).index(file.partition(".")[0]), file),
    )
    return {
        f"{file}.json": _text(file, release, [m.written for m in made if m.file == file])
        for file in order
    }


def digest(files: dict[str, str]) -> str:
    """Answer one sum for all files, whatever release they say that they are of."""
    whole = "\n".join(f"{name}\n{text}" for name, text in sorted(files.items()))
    return hashlib.sha256(re.sub(r'"release": \d+', "", whole).encode()).hexdigest()


@functools.cache
def vectors() -> tuple[Made, ...]:
    """Answer all vectors, by the order of their clauses."""
    order = list(CLAUSES)
    cases = [c for c in CASES.values() if c.time != "real" and c.name not in INSTEAD]
    every = sorted((*cases, *PROGRAMS), key=lambda case: order.index(case.clause))
    return tuple(made for case in every for made in _of_case(case))


def _of_case(case: Case) -> Iterator[Made]:
    by_cap = "row-cap" in _needs(case)
    yield from _of_profile(case, BASE, by_cap=by_cap)
    if by_cap and case.clause == "CAP-1":
        evicting = replace(BASE, cap_policy="evict-oldest")
        with suppress(TooOpenError):  # many rows of one age, of which any may go
            every = tuple(_of_profile(case, evicting, by_cap=True))
            yield from (_renamed(made, "that_evicts") for made in every)


def _of_profile(case: Case, profile: Profile, *, by_cap: bool) -> Iterator[Made]:
    if "reject-new" in _needs(case):
        profile = replace(profile, overflow_policy="reject-new")
    cap = CAP if by_cap else 1_000
    strict = "strict-ages" in _needs(case)
    offered = replace(WHOLE, strict_ages=strict, profile=profile, plugin_row_cap=cap)
    older = offered.without(*OPTIONAL_OPERATIONS - set(_needs(case)))
    yield from _of_offer(case, older)
    if _program(case, offered) != _program(case, older):
        for made in _of_offer(case, offered):
            yield _renamed(made, "with_newer_operations")


@functools.cache
def _program(case: Case, offered: Capabilities) -> Steps:
    strict, cap = offered.strict_ages, offered.limits.plugin_row_cap
    apart = case.time == "any" and not strict and case.name not in TIED
    recorder = Recorder(offered, by_cap=cap == CAP, apart=apart)
    case.program(recorder)
    return recorder.program


def _of_offer(case: Case, offered: Capabilities) -> Iterator[Made]:
    rules, cap = Rules.of(offered), offered.limits.plugin_row_cap or 0
    whole = _program(case, offered)
    told = [step for step in whole if not _foreign(step)]
    if len(told) < len(whole):
        made = _made(case, f"{case.clause.partition('-')[0]}.values", whole, rules, cap)
        if case.clause == "INPUT-7":  # which is about nothing else
            yield made
            return
        yield _renamed(made, "with_other_values")
        whole = told
    plain = [step for step in whole if not _broken_text(step)]
    if len(plain) == len(whole):
        yield _made(case, case.clause.partition("-")[0], whole, rules, cap)
        return
    family = case.clause.partition("-")[0]
    if any("\\u0000" in json.dumps(step) for step in plain):
        yield _made(case, family, plain, rules, cap)
    yield _renamed(_made(case, f"{family}.surrogates", whole, rules, cap), "with_surrogates")


def _renamed(made: Made, behind: str) -> Made:
    name = f"{made.written['name']}_{behind}"
    return replace(made, written={**made.written, "name": name})


def _broken_text(step: dict[str, Any]) -> bool:
    return _SURROGATE.search(json.dumps(step, ensure_ascii=False)) is not None


def _foreign(step: dict[str, Any]) -> bool:
    return _FOREIGN.search(json.dumps(step)) is not None


def _needs(case: Case) -> tuple[str, ...]:
    return (*CLAUSES[case.clause].needs, *case.needs)


def _made(case: Case, file: str, steps: Steps, rules: Rules, cap: int) -> Made:
    kept, walked = _telling(steps, rules, cap)
    needs = ["|".join(map(camel, need.split("|"))) for need in _needs(case)]
    if case.time == "virtual":
        needs.append("virtual-clock")
    found = conditions(kept, rules, walked, cap=cap, needs=needs)
    names = case.clause == "ERR-1"
    written = [
        _step(step, answers, names=names)
        for step, answers in zip(kept, walked.answers, strict=True)
    ]
    if cap == CAP:
        larger = replace(rules, limits=replace(rules.limits, plugin_row_cap=1_000))
        assert walk(kept, larger, cap=1_000).answers == walked.answers, case.name
    return Made(
        file=file,
        written={
            "name": case.name,
            "says": " ".join((case.program.__doc__ or "").split()),
            "clauses": [case.clause],
            "needs": list(found.needs),
            "rules": found.rules,
            "steps": written,
        },
    )


def _telling(steps: Steps, rules: Rules, cap: int) -> tuple[Steps, Walk]:
    """Leave out looks to which so much may be answered that they tell nothing."""
    walked = walk(steps, rules, cap=cap)
    kept = [
        step
        for step, answers in zip(steps, walked.answers, strict=True)
        if len(answers) <= ANSWERS_MAX or snake(step["op"]) not in READERS
    ]
    if len(kept) < len(steps):
        walked = walk(kept, rules, cap=cap)
    if any(len(answers) > 2 * ANSWERS_MAX for answers in walked.answers):
        raise TooOpenError(f"a step has more than {2 * ANSWERS_MAX} answers: {steps}")
    return kept, walked


def _step(step: dict[str, Any], answers: list[Any], *, names: bool) -> dict[str, Any]:
    refused = all(isinstance(answer, dict) and "error" in answer for answer in answers)
    told = {name: value for name, value in step.items() if not (name == "as" and refused)}
    if names and refused:
        told["names"] = _NAMES.get(step["op"], [step["op"]])
    filled = [_filled(answer, step) for answer in answers]
    return {**told, "answers": filled}


def _filled(answer: Any, step: dict[str, Any]) -> Any:
    """Answer a listing of rows that were all filled in as one word for them."""
    if step["op"] != "entries" or not isinstance(answer, list) or len(answer) < 100:
        return short(answer)
    prefix, at = answer[0][0][:-6], answer[0][2]
    assert answer == [[f"{prefix}{i:06}", i, at, None] for i in range(len(answer))]
    return {"$filled": len(answer), "prefix": prefix, "at": at}


def _text(file: str, release: int, made: list[dict[str, Any]]) -> str:
    family = file.partition(".")[0]
    head = {
        "version": FORMAT,
        "release": release,
        "family": family,
        "title": FAMILIES[family],
        "startMs": START_MS,
    }
    lines = ["{", *(f"  {_json(name)}: {_json(value)}," for name, value in head.items())]
    lines += ['  "vectors": [', ",\n".join(map(_vector, made)), "  ]", "}"]
    return "\n".join(lines) + "\n"


def _vector(made: dict[str, Any]) -> str:
    about = [f"      {_json(n)}: {_json(value)}," for n, value in made.items() if n != "steps"]
    steps = ",\n".join(f"        {_json(step)}" for step in made["steps"])
    return "\n".join(["    {", *about, '      "steps": [', steps, "      ]", "    }"])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)
