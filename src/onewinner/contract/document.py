"""The contract as a document: `specs/contract.md` is written from the registries, never by hand.

`python -m onewinner.contract.document` prints it; a test holds the file against `render()`, so the
words that people read and the clauses that the kit judges cannot drift apart.
"""

# ruff: noqa: E501 - the prose below stands as it is written out: one sentence a line

from __future__ import annotations

import dataclasses
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from onewinner.contract.capabilities import PROFILES, Profile
from onewinner.contract.clauses import CLAUSES, FAMILIES, LEVELS
from onewinner.contract.errors import CODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onewinner.contract.clauses import Clause, Level, Severity

_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*])")

INTRODUCTION: Final = """\
# The contract: a keyed store with atomic claims

<!-- Written by `python -m onewinner.contract.document` from src/onewinner/contract/; do not edit. -->

This is the behaviour that onewinner verifies, as numbered clauses.
The words MUST, MUST NOT, SHOULD and MAY are used as RFC 2119 defines them.
An id never changes its meaning, and a clause that is withdrawn keeps its number, so a clause can be linked and cited: `specs/contract.md#claim-3`.

## Terms

- A **row** is addressed by a plugin id, a namespace and a key; it holds a JSON value, `createdAt`, and `expiresAt` or none.
  Times are integer milliseconds of the store's clock.
- A row is **live** at an instant `now` iff it has no `expiresAt`, or `expiresAt > now`.
  At `now == expiresAt` it is **expired**, whether or not it was physically removed.
- A **claim** is one call of `registerIfAbsent`: it wins (`true`) or is refused (`false`).
- A **vacancy** of a key is a maximal span of time in which no live row holds it.
  One vacancy has at most one winner.
- A **removal** ends a row's life: expiry, `delete`, `consume`, `clear` or eviction.
- `now` is read inside the atomic step of an operation, not before waiting for it.

## Operations

Every operation is atomic: it takes effect at one instant between its call and its return.
An operation that starts after another returned takes effect after it.

| Contract | Python | Effect and answer |
| --- | --- | --- |
| `register(key, value, ttlMs?)` | `register` | upsert: value, `createdAt` and `expiresAt` are replaced; answers nothing |
| `registerIfAbsent(key, value, ttlMs?)` | `register_if_absent` | claim: inserts where no live row holds the key and answers `true`; else answers `false` and changes nothing |
| `lookup(key)` | `lookup` | the live value, or absent |
| `consume(key)` | `consume` | reads and deletes in one step: the live value, or absent |
| `delete(key)` | `delete` | removes the row; `true` iff a live row was removed |
| `entries()` | `entries` | the live rows of the namespace by (`createdAt`, key), one snapshot |
| `clear()` | `clear` | removes every row of the namespace |
| `sweepExpired()` | `sweep_expired` | removes the expired rows of all plugins and answers how many |

A namespace is opened with `maxEntries`, the number of live rows that it may hold, and maybe with `defaultTtlMs`.

These are newer and optional; what a store does not declare is not asked for:

| Contract | Python | Effect and answer |
| --- | --- | --- |
| `count()` | `count` | how many live rows the namespace holds |
| `lookupMany(keys)` | `lookup_many` | for each key its live value or absent, one snapshot |
| `deleteIfEqual(key, scalar)` | `delete_if_equal` | removes the row if its value is the scalar; `true` iff it did |
| `deleteIf(key, condition)` | `delete_if` | removes the row if the condition holds of its value; `true` iff it did |
| `update(key, change, ttlMs?)` | `update` | stores what the change makes of the value; `true` iff it stored |
| `observe(key)` | `observe` | the live value, or absent, with a comparison |
| `compareAndApply(key, comparison, intent, ttlMs?)` | `compare_and_apply` | sets, deletes or keeps the row if it is as observed: `applied`, `unchanged` or `conflict` |
| `overflowPolicy` of an opening | `overflow_policy` of `open` | `evict-oldest`, or `reject-new`: a new key is refused where the namespace is full |
"""

LEVEL_WORDS: Final[dict[Level, str]] = {
    "thread": "one process: sequential programs, and parallel threads",
    "process": "several processes on one location, and reopening it",
    "crash": "processes that are killed, stopped or forked, storage that fails, clocks that are set",
}

SEVERITY_WORDS: Final[dict[Severity, str]] = {
    "critical": "two holders, or a row that is lost or another's",
    "major": "a wrong answer, or a limit that does not hold",
    "minor": "a hazard that needs bad luck in timing to hurt, or input that is judged too kindly",
}

NEED_WORDS: Final[dict[str, str]] = {
    "ttl": "`ttl_unit_ms` is not None: rows can expire",
    "eviction": '`eviction="oldest"` and a profile whose `overflow_policy` is `evict-oldest`',
    "reject-new": "the profile's `overflow_policy` is `reject-new`",
    "row-cap": "`plugin_row_cap` is not None: a plugin's live rows are limited over all namespaces",
    "process-scope": '`scope="process"`: parallel processes may share a location',
    "durable": "`durable=True`: rows survive closing the last handle",
    "virtual-clock": "`virtual_clock=True`: the store takes its time from the clock that it is given",
    "input-rules": "`validates_input=True`: what the contract refuses is refused, and keys are trimmed",
    "private-files": "`private_files=True`: what the store makes below its location is for its owner alone",
    "overflow-option": '`overflow_option=True`, and `eviction="oldest"`: `open` takes `overflow_policy`',
    "strict-ages": "`strict_ages=True`: no two rows of a namespace have the same `createdAt`",
    "damage": "`damage=True`: the kit can make a stored value unreadable, by `backend.damage(plugin_id, namespace, key)`",
}

PROFILE_WORDS: Final[dict[str, str]] = {
    "plugin_row_cap": "live rows of one plugin, over all its namespaces",
    "cap_policy": "an insert at that cap",
    "overflow_policy": "an insert into a namespace that holds `maxEntries` rows",
    "max_key_bytes": "a key, UTF-8 bytes after trimming",
    "max_namespace_bytes": "a namespace, UTF-8 bytes after trimming",
    "max_value_bytes": "a value, bytes as compact UTF-8 JSON",
    "max_value_depth": "a value, nesting levels",
}

FAMILY_WORDS: Final[dict[str, str]] = {
    "CLAIM": """\
Exactly one of N parallel claimants of a vacant key wins, whether they are threads, handles or processes.
CLAIM-1 to CLAIM-4 say what one claim does; CLAIM-5 to CLAIM-10 say what many do at once.""",
    "REG": "`register` writes without asking who holds the key.",
    "READ": "A reader sees exactly the live rows, and leaves them as they are.",
    "DEL": "A removal ends a row's life for every later operation, and makes the key vacant once.",
    "UPD": "A function of the value is applied to it with nothing in between, so that counters and lists need no lock.",
    "CAS": """\
An observation is taken now and its consequence is drawn later, where nothing has changed meanwhile.
A comparison is text; it holds on every handle of the location and tells nothing but whether the row is the same.""",
    "TTL": """\
`expiresAt` is `now + ttlMs` where `ttlMs` is given, else `now + defaultTtlMs` where the namespace has that, else none.
Where the store takes its time from the kit (`virtual_clock=True`), expiry is tested to the millisecond.""",
    "EVICT": "A namespace that is over `maxEntries` after an insert loses its oldest rows, and never the one just written.",
    "CAP": "The cap counts a plugin's live rows over all its namespaces; the profile says how many, and what happens there.",
    "ISO": "Nothing that happens in one namespace, or to one plugin, is felt in another.",
    "INPUT": """\
Input is checked before anything is written.
The figures are those of the profile `base`; the table above has the others.""",
    "DUR": """\
What was acknowledged is there after closing and reopening, and opening is safe when many do it at once.
DUR-3 to DUR-9 say what holds when processes are killed, stopped or forked.""",
    "ERR": """\
A caller can tell what failed and what to conclude; parallel work is never a reason to fail.
ERR-5 to ERR-7 say what holds when storage fails or is damaged.""",
}

SETTLED: Final = """\
## What the facts left open, settled here

### When a TTL starts

One instant `t` between the call and the return of a claim, at which the key was free, MUST explain both the win and the expiry: `expiresAt = t + ttlMs` ([TTL-6](#ttl-6)).
A store that reads its clock before it waits for the right to write breaks this:

```text
A   |--- claim k, ttl 100, at 0 -> true ---|                            lives in [0, 100)
B        |--- claim k, ttl 50: reads the clock at 40, waits, writes at 110 -> true ---|
```

B won at 110 and was given `expiresAt = 90`: its claim was over before it was made, and at 40 the key was not free.
No two claimants hold the key at one instant, so the severity is lower than that of two winners.

### `delete` of an expired row

A row that is expired and not yet swept is gone for every reader, but `delete` MAY answer either way for it ([DEL-1](#del-1)): the released store answers `true`.
Whatever it answers, the row MUST be gone afterwards.
`consume` has no such freedom: it answers absent.

### Ties in age

Rows written in the same millisecond have the same age; the key decides between them ([EVICT-3](#evict-3), [READ-4](#read-4)).
The row just written is never the one evicted, also where its key sorts first among its age ([EVICT-2](#evict-2)).
Keys sort by code point; an order by UTF-16 code units conforms too, and differs only above U+FFFF.

### Ages while the clock is behind

A clock that is set back by an hour stamps what is written then as older than all that is there.
To evict by these stamps would lose each new claim to the next one, and keep the rows that are older in truth, so age is then the order of writing ([EVICT-12](#evict-12)).
What `createdAt` shows is left to the store: what the clock said, or the newest `createdAt` of the namespace, or a millisecond more.

### `null` against absent

JSON `null` is a value ([READ-2](#read-2)): `lookup` and `consume` answer it, `entries` lists it, and it refuses a claim.
The Python interface answers `ABSENT` where there is no live row, so that the two cannot be mixed up.

### Equal JSON, other bytes

A value comes back equal as JSON, not equal in bytes ([READ-7](#read-7)).
The order of an object's members and the spelling of a number do not count: `1`, `1.0` and `1e0` are one number.
`true` is not `1`, `""` is not `null`, and text is compared by code points without Unicode normalisation.

### Keys that become equal by trimming

Keys are trimmed before anything else is done with them, so `" a"` and `"a"` are one key for every operation ([INPUT-5](#input-5)), and `entries` lists it trimmed.
Space, tab, carriage return and line feed are trimmed; whether other white space is, is left to the store.
A key that is empty after trimming is refused ([INPUT-4](#input-4)).

### What counts as a level of nesting

An element or member is one level deeper than the array or object that holds it.
Whether the outermost value is level 0 or level 1 is left to the store ([INPUT-8](#input-8)), which makes a difference of one: a scalar inside 64 arrays MAY be accepted, and MAY be refused with `LIMIT_EXCEEDED`.
A scalar inside 63 arrays MUST be accepted, and one inside 65 MUST be refused; an empty container counts like a scalar.

### Text that cannot be kept

A lone surrogate has no UTF-8 form, and some engines end text at a NUL.
A store MUST refuse such text with `INVALID_INPUT` or keep it apart from every other text ([INPUT-10](#input-10)); it MUST NOT cut it, replace it, or fold two of them into one key.

### A TTL too large to add

Where `now + ttlMs` cannot be represented exactly (beyond 2^53 - 1 milliseconds in a store of doubles), the store MUST refuse the call, with `INVALID_INPUT` or `LIMIT_EXCEEDED`, or keep the row ([TTL-7](#ttl-7)).
It MUST NOT write a row that makes a later read fail.

### Functions that can be sent

`update` and `deleteIf` take functions, which no protocol can send, so the kit calls them with functions that have a name and an argument.
A store in Python is given an object that it calls like any other function; a store behind a command is given the name and the argument.

| Change of `update` | Makes of a live value | Makes of no row |
| --- | --- | --- |
| `increment` n | the number more n; leaves what is no number | n |
| `append` item | the list with the item at its end; leaves what is no list | the list of the item |
| `replace` value | the value | leaves it |

Whole numbers beyond 2^53 - 1 are added exactly, or as doubles are.
A condition of `deleteIf` is `equals` (the same JSON as its argument) or `above` (both are numbers, and the value is the greater).

### What is left out of the newer operations

`entriesInKeyRange` and `moveEntriesFrom` of the released store are not judged.
The first is a listing in another order, which READ-4 and READ-5 judge for `entries`; the second moves rows into namespaces that are kept without limits, which this contract does not have.
A comparison has no further conditions on other rows.

### What an error lets the caller conclude

After a definite error the operation certainly had no effect.
After any other error, and after an error whose code is not in the table, it may have happened: histories record it as unknown.
"""


def render() -> str:
    """Answer the whole text of `specs/contract.md`."""
    parts = [INTRODUCTION, _judging(), _profiles(), _errors()]
    parts += [_family(family) for family in FAMILIES]
    parts.append(SETTLED)
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def sentences(text: str) -> list[str]:
    """Split prose into its sentences: Markdown here has one sentence a line."""
    return _SENTENCE_END.split(text.strip())


def _judging() -> str:
    lines = [
        "## Levels, severities and needs",
        "",
        "A level is a frozen set of clauses (`specs/requirements/`) and includes the levels above it in this table.",
        "",
        *_table(
            ("Level", "What is exercised", "Clauses of its own"),
            ((f"`{level}`", LEVEL_WORDS[level], str(_own(level))) for level in LEVELS),
        ),
        "",
        "The severity says how bad a violation is; every violation fails the run.",
        "",
        *_table(("Severity", "A violation means"), SEVERITY_WORDS.items()),
        "",
        "A store declares what it offers (`onewinner.Capabilities`).",
        "A clause whose needs are not all declared is `n/a`, never a pass.",
        "Of needs that stand with *or* one is enough.",
        "A need is the name of an operation, or one of these:",
        "",
        *_table(
            ("Need", "Declared by"), ((f"`{need}`", words) for need, words in NEED_WORDS.items())
        ),
    ]
    return "\n".join(lines)


def _own(level: Level) -> int:
    return sum(clause.level == level for clause in CLAUSES.values())


def _profiles() -> str:
    names = [field.name for field in dataclasses.fields(Profile) if field.name != "name"]
    rows = (
        (PROFILE_WORDS[name], *(_shown(getattr(profile, name)) for profile in PROFILES.values()))
        for name in names
    )
    lines = [
        "## Profiles",
        "",
        "Limits are parameters of the contract, not part of it.",
        "A store declares the profile that it follows, and may declare another row cap or none.",
        "",
        *_table(("Limit", *(f"`{name}`" for name in PROFILES)), rows),
    ]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"


def _errors() -> str:
    rows = (
        (f"`{code.name}`", "yes" if code.definite else "no", code.meaning)
        for code in CODES.values()
    )
    lines = [
        "## Error codes",
        "",
        "The released store writes each code with the prefix `PLUGIN_STATE_`; both spellings conform.",
        "",
        *_table(("Code", "Definite", "Meaning"), rows),
    ]
    return "\n".join(lines)


def _family(family: str) -> str:
    lines = [f"## {FAMILIES[family]}", "", FAMILY_WORDS[family]]
    for clause in CLAUSES.values():
        if clause.family == family:
            lines += ["", *_clause(clause)]
    return "\n".join(lines)


def _clause(clause: Clause) -> list[str]:
    needs = f" · needs {', '.join(map(_need, clause.needs))}" if clause.needs else ""
    lines = [f"### {clause.id}", "", f"*{clause.level} · {clause.severity}{needs}*", ""]
    lines += sentences(clause.sentence)
    if clause.note:
        first, *rest = sentences(clause.note)
        lines += ["", f"> {first}", *(f"> {sentence}" for sentence in rest)]
    return lines


def _need(need: str) -> str:
    return " or ".join(f"`{each}`" for each in need.split("|"))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


if __name__ == "__main__":
    sys.stdout.write(render())
