"""Measures the kit by its own mutants and records the score that certificates state.

    python stress/record_score.py [--budget 10s] [--jobs 1] [--smoke]

Runs `onewinner doctor` as users do, from beginning to end, and writes what it has found into
`src/onewinner/certificate/score.json`, with the digest of the sources that were measured. It takes
about as long as the doctor. Exits 1, and records nothing, where a mutant was missed or a correct
store accused, or where the sources changed meanwhile. With `--smoke` nothing is measured: it tells
what is recorded, and of what.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onewinner.certificate import score

if TYPE_CHECKING:
    from onewinner.certificate.words import Score


def main() -> int:
    """Measure, and record the score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", default="10s", help="time for each mutant (default: 10s)")
    parser.add_argument("--jobs", default="1", help="judge so many at once (default: 1)")
    parser.add_argument("--smoke", action="store_true", help="measure nothing, tell what is there")
    args = parser.parse_args()
    before = score.source_digest()
    if args.smoke:
        return tell(score.recorded(), before)
    told = examined("--budget", args.budget, "--jobs", args.jobs)
    score.source_digest.cache_clear()
    if score.source_digest() != before:
        return refused("the sources changed while they were measured")
    try:
        found = score.of_examination(told, before)
    except score.NoScore as error:
        return refused(str(error))
    if told["exit_code"]:
        return refused(f"the doctor answers {told['exit_code']}: {', '.join(told['wrong'])}")
    score.write(found)
    return tell(found, before)


def examined(*options: str) -> dict[str, Any]:
    """Run the doctor, and answer what it tells as JSON."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "doctor.json"
        words = [sys.executable, "-m", "onewinner", "doctor", *options, "--json", str(file)]
        subprocess.run(words, check=False)
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def tell(found: Score | None, source: str) -> int:
    """Say which score is recorded, and of what."""
    of = score.whose(found, source)
    if found is not None:
        of = f"{found.caught} of {found.mutants} caught, {found.accused} accused, of {of}"
    print(f"{score.FILE.name}: {of}")
    return 0


def refused(why: str) -> int:
    """Say why nothing is recorded."""
    print(f"nothing was recorded: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
