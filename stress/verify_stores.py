"""The stores that onewinner has adapters for, verified: which clauses each is seen to violate.

Each is judged at level `process`, or `thread` where it reaches no further, and a client of a server
on one that is started for it. Exit 1 where a clause is violated that is not known to be (`KNOWN`),
or one that is certain is not.

    python stress/verify_stores.py                     # all of them, at full size
    python stress/verify_stores.py -k redis            # some
    python stress/verify_stores.py --smoke             # those of a few seconds, for CI
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onewinner.adapters.targets import BUILT_IN, Target, TargetError
from onewinner.doctor.trials import flagged
from onewinner.suite import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.contract.clauses import Level
    from onewinner.suite.tree import RunResult


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a store: clauses that are violated each time, and those that may be.

    `level` is the one at which that is known, `because` says what is behind it.
    """

    level: Level
    always: frozenset[str] = frozenset()
    sometimes: frozenset[str] = frozenset()
    because: str = ""


def known(level: Level, always: str = "", sometimes: str = "", because: str = "") -> Known:
    """Answer what is known, with clauses as words."""
    return Known(level, frozenset(always.split()), frozenset(sometimes.split()), because)


# In CI: the kill of server and clients, and claims over processes, of two that are right.
SMOKE = ("redis", "postgres")
SMOKE_CLAUSES = ("CLAIM-6", "DUR-3")
SMOKE_S = 4.0

NULL = "a null cannot be told from nothing"
CLAIMS = "CLAIM-5 CLAIM-6 CLAIM-7 CLAIM-8 CLAIM-9 CLAIM-10"
KNOWN: dict[str, Known] = {
    "cachelib-file": known(
        "process",
        f"{CLAIMS} CLAIM-1 DEL-1 DUR-1 READ-2 READ-7 REG-1 TTL-2 TTL-3 TTL-5",
        "DUR-2 ERR-2 ERR-3 REG-3",
        f"it looks, then writes; an expired row is never claimed again; {NULL}",
    ),
    "cachelib-redis": known(
        "process",
        "CLAIM-1 READ-2 READ-7 REG-1 TTL-7",
        "",
        f"SETNX, then EXPIRE; {NULL}",
    ),
    "cachelib-simple": known("thread", "CLAIM-1 READ-2 READ-7 REG-1", "", NULL),
    "diskcache": known("process"),
    "django-database": known(
        "process",
        "",
        f"{CLAIMS} DUR-2 ERR-2 ERR-3 REG-1 REG-3 TTL-5",
        "an error is answered as false; who reads an expired row removes its successor",
    ),
    "django-file": known(
        "process",
        "CLAIM-5 CLAIM-6",
        f"{CLAIMS} DUR-2 ERR-2 ERR-3 REG-3",
        "it looks, then writes",
    ),
    "django-locmem": known("thread"),
    "django-memcached": known(
        "process",
        "ISO-1 TTL-7",
        "",
        "it refuses keys with spaces; 2**53 ms are over at once",
    ),
    "django-redis": known("process"),
    "fakeredis": known(
        "thread",
        "",
        "CLAIM-5 CLAIM-7 CLAIM-9 DEL-3",
        "the first clients of a new server may get a database each",
    ),
    "lmdb": known("process"),
    "memcached": known("process", "TTL-7", "", "more than 30 days are taken for a date"),
    "nats": known("process"),
    "postgres": known("process"),
    "redis": known("process"),
    "sqlalchemy": known("process"),
}


def judged(name: str, options: argparse.Namespace) -> RunResult:
    """Verify one store."""
    level: Level = "crash" if options.smoke else KNOWN[name].level
    return engine.verify(
        Target(name),
        engine.Options(
            level=level,
            budget_s=SMOKE_S if options.smoke else options.budget,
            seed=options.seed,
            select=SMOKE_CLAUSES if options.smoke else (),
        ),
    )


def wrong(name: str, seen: frozenset[str], *, whole: bool) -> Iterator[str]:
    """Yield what is not as it is known, for people."""
    expected = KNOWN[name]
    if news := seen - expected.always - expected.sometimes:
        yield f"not known to be violated: {', '.join(sorted(news))}"
    if whole and (missed := expected.always - seen):
        yield f"not seen violated this time: {', '.join(sorted(missed))}"


def row(name: str, options: argparse.Namespace) -> tuple[str, bool]:
    """Answer one line of the table, and whether all of it was as it is known."""
    try:
        result = judged(name, options)
    except TargetError as error:
        return f"{name:<18} could not be had: {error}", False
    seen = frozenset(flagged(result))
    bad = [*wrong(name, seen, whole=not options.smoke)]
    told = ", ".join(sorted(seen)) or "nothing"
    line = f"{name:<18} {result.level:<8} {result.seconds:6.1f} s  violates {told}"
    return "; ".join([line, *bad]), not bad


def parsed() -> argparse.Namespace:
    """Answer the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", dest="select", default="", help="only stores with this in the name")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for each store")
    parser.add_argument("--seed", type=int, default=7, help="repeat the choices of a run")
    parser.add_argument("--smoke", action="store_true", help="a few stores by a few clauses")
    return parser.parse_args()


def main() -> int:
    """Judge what was asked for, print a row for each, and answer the exit code."""
    options = parsed()
    names = SMOKE if options.smoke else sorted(set(BUILT_IN) & set(KNOWN))
    right = True
    for name in names:
        if options.select in name:
            line, good = row(name, options)
            print(line, flush=True)
            right = right and good
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
