"""Mutation analysis of the kit by its own reference: what the gate does not notice has a reason.

The source of the reference SQLite store and of the model is changed in one place at a time:
comparisons, arithmetic, Booleans, constants, dropped statements and locks, answers, and the SQL
texts. A store's mutation is judged by the cases, under three profiles of limits, and where they see
nothing by the whole gate at level crash. A model's mutation is killed where the gate accuses a
correct store, where the model's own tests fail, or where a mutant store passes.

    python stress/mutate_reference.py                 # all but those that have been reviewed
    python stress/mutate_reference.py --full          # those too: do they still survive?
    python stress/mutate_reference.py -k EVICT        # some, by name
    python stress/mutate_reference.py --sample 100    # some, at random
    python stress/mutate_reference.py --smoke         # nine that cases see, for CI

Exit 1 where a mutation survives that `higher/survivors.toml` does not explain, where one that it
explains is seen (with --full), or where it explains one that does not exist.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from higher.mutations import FILES, Mutation, mutations
from higher.review import Reason, reviewed, stale
from higher.trials import Trial, Workshop
from onewinner.clock import monotonic_ns
from onewinner.suite.processors import processors

SMOKE: Final = (
    "stores/sqlite.py LIVE: OR -> AND",
    "stores/sqlite.py SqliteStore.PRUNE: <= -> <",
    "stores/sqlite.py SqliteStore.REPLACE: value = :value,  -> ",
    "stores/sqlite.py SqliteStore.EVICT: key <> :key -> 1",
    "stores/sqlite.py SqliteStore.COUNT: sum( -> max(",
    "stores/sqlite.py SqliteStore._insert: return True -> return None",
    "stores/sqlite.py SqliteStore.clear: run(self.CLEAR) -> (dropped)",
    "model/moment.py Moment.expires_at: self.now + ttl -> self.now - ttl",
    "model/moment.py Moment.key: if self.rules.validates -> if not",
)
"""Mutations of each kind that cases see, for CI: the harness works, and sees what is there."""

Judged = list[tuple[Mutation, Trial]]


def chosen(options: argparse.Namespace, reasons: dict[str, Reason]) -> list[Mutation]:
    """Answer the mutations to try, in the order of the text."""
    if options.smoke:
        everything = [mutation for part in FILES for mutation in mutations(part)]
        return [mutation for mutation in everything if mutation.name in SMOKE]
    found = [
        mutation
        for part in FILES
        if options.part in ("", part)
        for mutation in mutations(part)
        if options.select in mutation.name and (options.full or mutation.name not in reasons)
    ]
    if options.sample and options.sample < len(found):
        places = sorted(random.Random(options.seed).sample(range(len(found)), options.sample))
        return [found[place] for place in places]
    return found


def judged(found: list[Mutation], options: argparse.Namespace) -> Judged:
    """Judge each mutation, by what is quick first, and print it when it is known."""
    results = []
    with tempfile.TemporaryDirectory() as root:
        workshop = Workshop(Path(root))
        if (accused := workshop.unchanged()).killed:
            sys.exit(f"the reference is accused as it stands: {accused.said}")
        for mutation in found:
            started = monotonic_ns()
            trial = workshop.cases(mutation)
            if mutation.part == "stores" and not trial.killed and not options.cases_only:
                trial = workshop.gate(mutation)
            told(mutation, trial, (monotonic_ns() - started) / 1e9)
            results.append((mutation, trial))
    return results


def told(mutation: Mutation, trial: Trial, seconds: float) -> None:
    """Print one line: who saw the mutation, and what it is."""
    place = f"{mutation.file}:{mutation.line} {mutation.scope}"
    print(
        f"{trial.by or 'SURVIVED':<9}{seconds:6.1f} s  {place}: {mutation.change}  {trial.said}",
        flush=True,
    )


def score(part: str, results: Judged, reasons: dict[str, Reason]) -> str:
    """Answer one line with the figures of a part."""
    own = [(mutation, trial) for mutation, trial in results if mutation.part == part]
    by = Counter(trial.by for _, trial in own if trial.killed)
    left = [mutation for mutation, trial in own if not trial.killed]
    equivalent = sum(m.name in reasons and reasons[m.name].kind == "equivalent" for m in left)
    tried = len(own) - equivalent
    share = 100 * sum(by.values()) / max(tried, 1)
    whom = ", ".join(f"{number} {name}" for name, number in by.most_common())
    return f"{part}: {sum(by.values())} of {tried} seen, {share:.1f} % (by {whom or 'nobody'})"


def complaints(results: Judged, reasons: dict[str, Reason]) -> list[str]:
    """Answer what is wrong: survivors without a reason, and reasons without a survivor."""
    wrong = [
        f"survives without a reason: {mutation.name} (line {mutation.line})"
        for mutation, trial in results
        if not trial.killed and mutation.name not in reasons
    ]
    wrong += [
        f"is seen, and its review says that it is not: {mutation.name} ({trial.by}: {trial.said})"
        for mutation, trial in results
        if trial.killed and mutation.name in reasons
    ]
    known = [mutation for part in FILES for mutation in mutations(part)]
    return wrong + [f"is reviewed and does not exist: {name}" for name in stale(reasons, known)]


def parsed() -> argparse.Namespace:
    """Answer the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", dest="select", default="", help="only those with this in the name")
    parser.add_argument("--part", choices=tuple(FILES), default="", help="only this part")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="only N of them")
    parser.add_argument("--seed", type=int, default=1, help="which of them")
    parser.add_argument("--full", action="store_true", help="also those that were reviewed")
    parser.add_argument("--cases-only", action="store_true", help="stores by cases alone")
    parser.add_argument("--smoke", action="store_true", help=f"only {len(SMOKE)}, for CI")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    return parser.parse_args()


def main() -> int:
    """Judge what was asked for, print the score, and answer the exit code."""
    options = parsed()
    started, reasons = monotonic_ns(), reviewed()
    results = judged(chosen(options, reasons), options)
    if not results:
        sys.exit(
            f"nothing to mutate: no mutation without a review has {options.select!r} in its name"
        )
    for part in FILES:
        print(score(part, results, reasons))
    if options.json:
        rows = [(m.name, m.line, trial.by, trial.said) for m, trial in results]
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    wrong = complaints(results, reasons)
    for line in wrong:
        print(line)
    seconds = (monotonic_ns() - started) / 1e9
    print(f"{len(results)} mutations, {seconds:.0f} s, {processors()} cores")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
