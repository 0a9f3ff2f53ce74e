"""The survey: the gate on many stores, each in a process of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.targets import Target, TargetError, resolve
from onewinner.contract.clauses import LEVELS
from onewinner.report import text, verdict
from onewinner.runner import in_children
from onewinner.suite import engine
from onewinner.suite.tree import Status
from onewinner.survey.catalogue import listed
from onewinner.survey.findings import Seen, Survey, Surveyed, Unjudged
from onewinner.survey.versions import versions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from onewinner.contract.clauses import Level
    from onewinner.runner import Ended
    from onewinner.suite.tree import ClauseResult, RunResult

SILENT_S: Final = 900.0
"""A store that has not been judged after so many seconds, beside its budget, hangs the gate."""

_SENTENCE_BYTES: Final = 300
_SCRATCH: Final = re.compile(r"/[\w./-]*/onewinner-[\w./-]+")


def survey(
    targets: Sequence[str],
    *,
    level: Level | None = None,
    budget_s: float | None = None,
    select: tuple[str, ...] = (),
    jobs: int = 1,
    held: Mapping[str, Surveyed] | None = None,
    on_surveyed: Callable[[Surveyed, Survey], None] = lambda _store, _all: None,
) -> Survey:
    """Judge the targets and answer what was found, in their order.

    Each is judged up to `level` (None: the highest), or as far as its scope goes. What an earlier
    survey `held` is taken over and not judged again. `on_surveyed` is told each store that was
    judged, and all that there is by then. Raises TargetError where a target's name is unknown.
    """
    found = {target: held[target] for target in targets if held and target in held}
    left = [target for target in dict.fromkeys(targets) if target not in found]
    for target in left:
        if not {":", "@"} & set(target):  # others may take a download, or the user's own code
            resolve(target)
    options = engine.Options(
        level=level or LEVELS[-1], at_most=True, budget_s=budget_s, select=select
    )
    ends = in_children(
        _judge, [(target, options) for target in left], jobs=jobs, silence_s=_silence_s(options)
    )
    for target, ended in zip(left, ends, strict=True):
        found[target] = _surveyed(target, ended)
        on_surveyed(found[target], _in_order(targets, found))
    return _in_order(targets, found)


def _in_order(targets: Sequence[str], found: Mapping[str, Surveyed]) -> Survey:
    order = dict.fromkeys(targets)
    return Survey(stores=tuple(found[target] for target in order if target in found))


def _silence_s(options: engine.Options) -> float:
    assert options.level is not None
    return SILENT_S + (options.budget_s or engine.BUDGET_S[options.level])


def _surveyed(target: str, ended: Ended) -> Surveyed:
    if isinstance(ended.value, Surveyed):
        return ended.value
    why = "; ".join([ended.describe(), *ended.stderr_tail[-1:]])
    return Surveyed(target=target, ended="broke", reason=_line(why), seconds=ended.seconds)


def _judge(_send: object, target: str, options: engine.Options) -> Surveyed:
    """Judge one store; the body of a child process."""
    versions = versions_of(listed(target))
    try:
        result = engine.verify(Target(target), options)
    except TargetError as error:
        return Surveyed(target=target, ended="not run", reason=_line(str(error)), versions=versions)
    return summary(result, versions=versions, select=options.select)


def summary(
    result: RunResult, *, versions: dict[str, str], select: tuple[str, ...] = ()
) -> Surveyed:
    """Answer what a survey keeps of a run."""
    broken = [c for c in result.clauses if c.status > Status.XFAIL and c.violation is not None]
    of = {
        status: [c for c in result.clauses if c.status is status and c not in broken]
        for status in Status
    }
    return Surveyed(
        target=result.target,
        ended="judged",
        versions=versions,
        kit=dict(result.versions),
        level=result.level,
        reached=result.reached,
        select=select,
        budget_s=result.budget_s,
        seed=result.seed,
        started=result.started,
        seconds=round(result.seconds, 1),
        cores=result.cores,
        passed=tuple(clause.clause.id for clause in of[Status.PASS]),
        seen=tuple(_seen(clause, result) for clause in (*broken, *of[Status.FAIL])),
        errors=tuple(map(_unjudged, of[Status.ERROR])),
        untested=tuple(map(_unjudged, of[Status.UNTESTED])),
        undeclared=tuple(verdict.undeclared(result)),
    )


def _seen(clause: ClauseResult, result: RunResult) -> Seen:
    violation = clause.violation
    return Seen(
        clause=clause.clause.id,
        evidence=_line(violation.summary if violation else clause.reason),
        reproduce=verdict.reproduce(result, clause.clause.id, violation),
    )


def _unjudged(clause: ClauseResult) -> Unjudged:
    return Unjudged(clause=clause.clause.id, reason=_line(clause.reason))


def _line(said: Any) -> str:
    """Answer what a target said as one line that can be written anywhere, without our own paths."""
    told = _SCRATCH.sub("LOCATION", " ".join(said.split()))
    return text.printable(text.shorten(told, at_most=_SENTENCE_BYTES), keep="")
