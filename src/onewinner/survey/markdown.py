"""The trophy case: a survey as a page of Markdown."""

# ruff: noqa: E501 - the prose below stands as it is written out: one sentence a line

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from onewinner.report import text
from onewinner.suite.tree import REPLAY
from onewinner.survey import words
from onewinner.survey.catalogue import KINDS, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.survey.catalogue import Cause
    from onewinner.survey.findings import Seen, Survey, Surveyed

STORE_TITLES: Final = (
    "Store", "Project", "Versions", "Judged at", "Reached", "Pass",
    "Bug", "Undocumented", "Documented limit", "Untested",
)  # fmt: skip
CAUSE_TITLES: Final = ("Kind", "Clauses", "Why", "Seen in this run", "Told in")

_HEAD: Final = """\
# Trophy case

What the gate found in stores that people run: their claims, as their users get them, through the adapters of this package.
This page is written by `onewinner survey`; what it knows of each store beforehand is in `src/onewinner/survey/stores.toml`.
"""

_READING: Final = """\
How to read it:

- *Judged at* is the highest level that the store's scope allows, or a lower one that was asked for; *reached* is the highest of which every clause that applies passed.
  One violation is enough for "none", and so is a clause that could not be tested: nothing is green for want of trying.
- A pass means that one run of so many seconds saw no violation; it is evidence and no proof.
  The machine was not idle, so a violation by luck may be missed or made in the next run.
- What a store does not declare is not asked of it, and stands below as *not asked*; that is no fault of the store.
- A violation of the contract of this project is not always a fault of the store, which was written for another purpose.
  So its cause is of one of these kinds:
"""


def dumps(found: Survey) -> str:
    """Answer the whole page."""
    judged = [store for store in found.stores if store.ended == "judged"]
    kinds = [f"  - *{kind}*: {meaning};" for kind, meaning in KINDS.items()]
    kinds.append(f"  - *{words.NEW}*: nobody has looked into it yet.")
    parts = [_HEAD, _command(found), _READING.rstrip("\n"), *kinds, ""]
    parts += [f"{line}" for line in _provenance(found, judged)]
    parts += ["", *_table(STORE_TITLES, map(_row, judged)), ""]
    parts += _not_run([store for store in found.stores if store.ended != "judged"])
    for store in judged:
        parts += _section(store)
    return "\n".join(parts).rstrip("\n") + "\n"


def _command(found: Survey) -> str:
    """Answer the command that makes such a page, by what the runs had in common."""
    options = ""
    budgets = {store.budget_s for store in found.stores if store.ended == "judged"}
    if len(budgets) == 1:
        options += f" --budget {budgets.pop():g}s"
    selects = {store.select for store in found.stores if store.ended == "judged"}
    if len(selects) == 1:
        options += "".join(f" -k {clause}" for clause in selects.pop())
    return f"```sh\nonewinner survey{options} --write docs/trophies.md\n```\n"


def _provenance(found: Survey, judged: Sequence[Surveyed]) -> Iterator[str]:
    if not judged:
        yield "No store was judged."
        return
    days = sorted(store.started[:10] for store in judged)
    period = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    machines = {_machine(store) for store in judged}
    stores = text.count(len(judged), "store")
    projects = text.count(len(words.projects(found)), "project")
    yield f"{stores} of {projects}, judged on {period}, {'; '.join(sorted(machines))}."


def _machine(store: Surveyed) -> str:
    kit = store.kit
    return (
        f"{text.count(store.cores, 'core')} ({kit.get('platform', '?')}), "
        f"Python {kit.get('python', '?')}, onewinner {kit.get('onewinner', '?')}"
    )


def _row(store: Surveyed) -> tuple[str, ...]:
    kinds = words.by_kind(store)
    told = [", ".join(kinds.get(kind, ())) for kind in KINDS]
    if words.NEW in kinds:
        told[0] = "; ".join(filter(None, (told[0], f"new: {', '.join(kinds[words.NEW])}")))
    unjudged = [each.clause for each in (*store.errors, *store.untested)]
    return (
        _name(store.target),
        listed(store.target).project or "-",
        words.versions(store),
        str(store.level),
        words.reached(store),
        str(len(store.passed)),
        *(cell or "-" for cell in told),
        ", ".join(unjudged) or "-",
    )


def _not_run(stores: Sequence[Surveyed]) -> list[str]:
    if not stores:
        return []
    rows = [(_name(store.target), store.ended, store.reason) for store in stores]
    return ["Not judged:", "", *_table(("Store", "What became of it", "Why"), rows), ""]


def _section(store: Surveyed) -> Iterator[str]:
    """Yield what there is to tell of a store beside its row."""
    yield f"## {store.target}"
    yield ""
    known = listed(store.target)
    yield f"- One run of {store.seconds:.0f} s, budget {store.budget_s:g} s, seed {store.seed:#x}."
    if store.select:
        yield f"- Only asked for, so that no level is told: {', '.join(store.select)}."
    if store.undeclared:
        yield f"- Not asked: {', '.join(store.undeclared)}."
    for limit in known.limit:
        yield f"- Documented limit: {limit.says} ([source]({limit.url}))."
    if store.stale:
        yield f"- Known to be broken, and not seen so in this run: {', '.join(store.stale)}."
    if not store.seen:
        yield "- No violation was seen."
    yield ""
    rows = [_cause(*each) for each in store.by_cause.items()]
    rows += [("error", each.clause, each.reason, "-", "-") for each in store.errors]
    rows += [("untested", each.clause, each.reason, "-", "-") for each in store.untested]
    if rows:
        yield from _table(CAUSE_TITLES, rows)
        yield ""
    if store.seen:
        yield "```sh"
        for seen in map(_telling, store.by_cause.values()):
            yield f"{seen.reproduce}  # {seen.clause}"
        yield "```"
        yield ""


def _telling(seen: Sequence[Seen]) -> Seen:
    """Answer what is told best: what a schedule repeats each time, else the shortest sentence."""
    return min(seen, key=lambda e: (not e.reproduce.startswith(REPLAY), len(e.evidence)))


def _cause(cause: Cause | None, seen: Sequence[Seen]) -> tuple[str, ...]:
    told = _telling(seen)
    evidence = told.evidence.replace("<", "&lt;")
    return (
        words.NEW if cause is None else cause.kind,
        ", ".join(each.clause for each in seen),
        "nobody has looked into it yet" if cause is None else cause.because,
        f"{told.clause}: {evidence}",
        f"<{cause.url}>" if cause is not None and cause.url else "-",
    )


def _name(target: str) -> str:
    return f"`{shlex.quote(target)}`"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(said: str) -> str:
    """Answer text that neither ends its cell nor is taken for markup, but for code and links."""
    return said.replace("|", "\\|").replace("*", "\\*")
