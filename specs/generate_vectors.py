"""Writes `specs/vectors/*.json`: what the cases of the kit do, and what the model has for it.

A release of the vectors is frozen: its sum stands in `specs/vectors.releases.txt`, and other
vectors are written as the next release only.

    python specs/generate_vectors.py                # the newest release, as it must be
    python specs/generate_vectors.py --check        # write nothing; exit 1 where a file differs
    python specs/generate_vectors.py --release 2    # a new one
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from recorder.layout import digest, texts

SPECS = Path(__file__).parent
FOLDER = SPECS / "vectors"
RELEASES = SPECS / "vectors.releases.txt"


def main() -> int:
    """Write the files of a release, or compare them; answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--release", type=int, help="the number of a new release")
    args = parser.parse_args()
    known = releases()
    release = args.release or max(known, default=1)
    files = texts(release)
    if known.get(release, digest(files)) != digest(files):
        sys.stderr.write(
            f"release {release} of the vectors is frozen, and what is generated now differs; "
            f"write it as a new one: --release {max(known) + 1}\n"
        )
        return 1
    if args.check:
        return _compared(files)
    _write(release, files, known)
    return 0


def releases() -> dict[int, str]:
    """Answer the sum of each release."""
    lines = RELEASES.read_text("utf-8").splitlines() if RELEASES.exists() else []
    words = (line.split() for line in lines if not line.startswith("#"))
    return {int(number): found for number, found in words}


def _compared(files: dict[str, str]) -> int:
    there = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    differing = sorted(name for name in {*there, *files} if there.get(name) != files.get(name))
    for name in differing:
        sys.stderr.write(f"specs/vectors/{name} is not what is generated\n")
    return 1 if differing else 0


def _write(release: int, files: dict[str, str], known: dict[int, str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, "utf-8")
    head = "# The sum of each release of the test vectors. A line that is here never changes.\n"
    lines = (f"{number} {found}\n" for number, found in {**known, release: digest(files)}.items())
    RELEASES.write_text(head + "".join(lines), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
