"""The published schema of certificates, written from the types that they are read by.

python -m onewinner.certificate.schema > specs/certificate.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import msgspec

from onewinner.certificate.words import Statement

_ID: Final = "https://onewinner.invalid/specs/certificate.schema.json"
_ABOUT: Final = (
    "An in-toto Statement with a test result, and what onewinner adds to its predicate, see "
    "certificate.md. Fields that are not named here are ignored."
)


def schema() -> dict[str, Any]:
    """Answer the schema as JSON Schema, draft 2020-12."""
    (whole,), parts = msgspec.json.schema_components([Statement], ref_template="#/$defs/{name}")
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID,
        "title": "A certificate of onewinner",
        "description": _ABOUT,
        **whole,
        "$defs": dict(sorted(parts.items())),
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))  # tuples become lists
    return plain


def main() -> None:
    """Write the schema on standard output."""
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")


if __name__ == "__main__":
    main()
