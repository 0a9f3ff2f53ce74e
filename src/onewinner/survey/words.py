"""What every report of a survey says in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.report import text
from onewinner.survey.catalogue import KINDS, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.survey.findings import Survey, Surveyed

NEW = "new"
"""The kind of a violation that the catalogue does not tell."""


def by_kind(store: Surveyed) -> dict[str, list[str]]:
    """Answer the clauses that a store was seen to break, by the kind of what is behind them."""
    found: dict[str, list[str]] = {kind: [] for kind in (NEW, *KINDS)}
    for cause, seen in store.by_cause.items():
        found[NEW if cause is None else cause.kind] += [each.clause for each in seen]
    return {kind: clauses for kind, clauses in found.items() if clauses}


def versions(store: Surveyed) -> str:
    """Answer the versions of a store, `?` where none is known."""
    return ", ".join(f"{name} {version}" for name, version in store.versions.items()) or "?"


def reached(store: Surveyed) -> str:
    """Answer the level that is reached; `-` where only some clauses were asked for."""
    return "-" if store.select else store.reached or "none"


def line(store: Surveyed) -> str:
    """Answer one store in a line: what it reaches, what it breaks, what is not known."""
    if store.ended != "judged":
        return text.printable(f"{store.target}: {store.ended}: {store.reason}", keep="")
    parts = [f"{reached(store)} of {store.level}", f"{len(store.passed)} pass"]
    if store.select:
        parts = [f"asked for {', '.join(store.select)} of {store.level}", *parts[1:]]
    parts += [f"{kind}: {', '.join(clauses)}" for kind, clauses in by_kind(store).items()]
    if store.stale:
        parts.append(f"known to be broken, and passed: {', '.join(store.stale)}")
    for word, unjudged in (("error", store.errors), ("untested", store.untested)):
        if unjudged:
            parts.append(f"{word}: {', '.join(each.clause for each in unjudged)}")
    return text.printable(
        f"{store.target} ({versions(store)}): {'; '.join(parts)}; {store.seconds:.1f} s", keep=""
    )


def projects(found: Survey) -> tuple[str, ...]:
    """Answer the projects of which a store was judged."""
    of = (listed(store.target).project for store in found.stores if store.ended == "judged")
    return tuple(dict.fromkeys(project for project in of if project))


def summary(found: Survey) -> Iterator[str]:
    """Yield the whole in a few lines."""
    judged = [store for store in found.stores if store.ended == "judged"]
    told = f"{text.count(len(judged), 'store')} of {text.count(len(projects(found)), 'project')}"
    clean = sum(not store.seen for store in judged)
    yield f"onewinner survey: {told} judged; {clean} seen to break nothing that it declares"
    for store in found.stores:
        if store.ended != "judged":
            yield f"  {store.ended}: {store.target}"
    if news := [f"{store.target} {', '.join(store.news)}" for store in judged if store.news]:
        yield f"  new, not in the catalogue: {'; '.join(news)}"
    if stale := [f"{store.target} {', '.join(store.stale)}" for store in judged if store.stale]:
        yield f"  in the catalogue, and not seen broken: {'; '.join(stale)}"


def render(found: Survey) -> str:
    """Answer the survey for people at a terminal: a line for each store, and the whole."""
    lines = [line(store) for store in found.stores]
    return "\n".join([*lines, "", *summary(found)]) + "\n"
