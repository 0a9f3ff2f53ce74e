"""Measures the kit by its own mutants and records the score that certificates state.

    python stress/record_score.py [--budget 10s] [--jobs 1] [--smoke]

Runs `onewinner doctor` as users do, from beginning to end, and writes what it has found into
`src/onewinner/certificate/score.json`, with the digest of the sources that were measured. It takes
about as long as the doctor. Exits 1, and records nothing, where a mutant was missed or a correct
store accused, where only a part was examined, or where the sources changed meanwhile. With
`--smoke` one family is examined, and that such an examination is not recorded is what is shown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from onewinner.certificate import score


def main() -> int:
    """Measure, and record the score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", default="10s", help="time for each mutant (default: 10s)")
    parser.add_argument("--jobs", default="1", help="judge so many at once (default: 1)")
    parser.add_argument("--smoke", action="store_true", help="one family, and nothing is recorded")
    args = parser.parse_args()
    more = ["--family", "upserts"] if args.smoke else []
    before = score.source_digest()
    told = examined("--budget", args.budget, "--jobs", args.jobs, *more)
    score.source_digest.cache_clear()
    if score.source_digest() != before:
        return refused("the sources changed while they were measured")
    try:
        found = score.of_examination(told, before)
    except score.NoScore as error:
        refused(str(error))
        return 0 if args.smoke else 1
    if told["exit_code"]:
        return refused(f"the doctor answers {told['exit_code']}: {', '.join(told['wrong'])}")
    score.write(found)
    print(f"{score.FILE.name}: {found.caught} of {found.mutants} caught, {found.accused} accused")
    return 0


def examined(*options: str) -> dict[str, Any]:
    """Run the doctor, and answer what it tells as JSON."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "doctor.json"
        words = [sys.executable, "-m", "onewinner", "doctor", *options, "--json", str(file)]
        subprocess.run(words, check=False)
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def refused(why: str) -> int:
    """Say why nothing is recorded."""
    print(f"nothing was recorded: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
