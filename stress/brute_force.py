"""The checker against an enumerator that tries every order: they must agree on every history.

    python stress/brute_force.py [--histories 50000] [--seed 0] [--smoke]

For each model about as many random histories as asked for are judged by both (small ones, with
crashes, TTLs and all operations, many of them wrong), and right stores are judged on longer ones,
where `invalid` would be a false alarm. Prints a row for each and exits 1 at any disagreement, and
where so few histories were wrong that nothing was tried.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from brute_force import linearizable
from claim_histories import claim_history
from onewinner.checker import RegisterModel, check
from onewinner.checker.acts import acts_of
from onewinner.checker.claims import ClaimModel
from onewinner.checker.depth_first import DepthFirst
from onewinner.checker.frontier import Frontier
from onewinner.checker.listings import mixed_listings
from onewinner.checker.search import Allowance, prepare
from onewinner.checker.verdict import Budgets
from onewinner.checker.zones import zones
from test_claims import named_only, streamed
from test_linearizable import random_history

if TYPE_CHECKING:
    from collections.abc import Callable

EXACT = ClaimModel(eps_ms=0)


def searched(kind: Any, history: Any, model: Any) -> bool:
    """Tell what one search by itself finds."""
    search = kind(model, prepare(history), Allowance(Budgets()))
    while not search.run(10_000):
        pass
    return bool(search.valid)


def registers(seed: int) -> tuple[bool, list[bool]]:
    """Answer brute force's verdict on a register's history, and those of the searches."""
    history, model = random_history(seed), RegisterModel()
    found = [searched(kind, history, model) for kind in (Frontier, DepthFirst)]
    return linearizable(history, model), [*found, check(history, model).valid is True]


def claims(seed: int) -> tuple[bool, list[bool]]:
    """The same of a claim store's; of the general searches every tenth."""
    history = claim_history(seed, keys=1 + (seed % 3 == 0), most=6 if seed % 3 == 0 else 7)
    parts = EXACT.partition(history).values()
    found = [check(history, EXACT).valid is True, streamed(history)]
    if seed % 10 == 0:
        found += [
            all(searched(kind, part, EXACT) for part in parts) for kind in (Frontier, DepthFirst)
        ]
    return all(linearizable(part, EXACT) for part in parts), found


def named(seed: int) -> tuple[bool, list[bool]]:
    """The same of histories that the zone test decides."""
    parts = list(EXACT.partition(named_only(seed)).values())
    found = [verdict for part in parts if (verdict := zones(acts_of(part))) is not None]
    expected = [linearizable(part, EXACT) for part in parts if zones(acts_of(part)) is not None]
    return all(expected), [all(found)]


def right_store(seed: int) -> tuple[bool, list[bool]]:
    """What a right store showed is valid; its TTLs are as short as its calls."""
    history = claim_history(10**7 + seed, keys=2, most=14, spoil=0)
    mixed = next(mixed_listings(history), None)
    return True, [check(history, EXACT).valid is True, mixed is None]


KINDS: dict[str, tuple[Callable[[int], tuple[bool, list[bool]]], float]] = {
    "registers with crashes": (registers, 0.05),
    "claims with TTL, crashes and all operations": (claims, 0.05),
    "claims whose values are all named": (named, 0.05),
    "right stores": (right_store, 0.0),
}


def main() -> int:
    """Compare, print a row for each kind, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--histories", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="2,000 of each kind")
    options = parser.parse_args()
    count, good = 2_000 if options.smoke else options.histories, True
    for name, (judge, wrong_share) in KINDS.items():
        begun = time.process_time()
        wrong, differ = 0, []
        for seed in range(options.seed, options.seed + count):
            expected, found = judge(seed)
            wrong += not expected
            if any(verdict is not expected for verdict in found):
                differ.append(seed)
        fine = not differ and wrong >= count * wrong_share
        good &= fine
        print(
            f"{name:<44} {count:>7,} compared  {wrong:>6,} wrong  {len(differ)} disagreements"
            f"{f' (seeds {differ[:5]})' if differ else ''}  {'ok' if fine else 'FAILED'}  "
            f"{time.process_time() - begun:.0f} s CPU, {os.cpu_count()} cores",
            flush=True,
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
