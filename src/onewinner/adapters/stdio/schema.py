"""The published schema of the protocol, written from the types that answers are read by.

python -m onewinner.adapters.stdio.schema > specs/protocol.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final, get_args

import msgspec

from onewinner.adapters.stdio import messages

_ID: Final = "https://onewinner.invalid/specs/protocol.schema.json"
_ABOUT: Final = (
    "One line of the stdio protocol, version 1, see protocol.md: a request of the kit or an answer "
    "of the adapter. The result of a method NAME is held against #/$defs/result-NAME. Fields that "
    "are not named here are ignored, in both directions."
)


def schema() -> dict[str, Any]:
    """Answer the schema as JSON Schema, draft 2020-12."""
    requests = get_args(messages.AnyRequest)
    results = {name: kind for name, kind in messages.RESULTS.items() if kind is not None}
    told = [messages.Response, *results.values()]
    kinds = [*requests, *told]
    found, parts = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    of_results = dict(zip(results, found[len(requests) + 1 :], strict=True))
    parts["Response"] |= {"oneOf": [{"required": ["result"]}, {"required": ["error"]}]}
    parts["Sought"] |= {
        "if": {"properties": {"found": {"const": True}}},
        "then": {"required": ["value"]},
    }
    parts["Request"] = {"anyOf": found[: len(requests)]}
    for name in messages.RESULTS:
        parts[f"result-{name}"] = of_results.get(name, {"description": "anything; it is ignored"})
    found_all = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID,
        "title": "A message of the stdio protocol",
        "description": _ABOUT,
        "anyOf": [{"$ref": "#/$defs/Request"}, {"$ref": "#/$defs/Response"}],
        "$defs": dict(sorted(parts.items())),
    }
    plain: dict[str, Any] = json.loads(json.dumps(found_all))  # tuples become lists
    return plain


def main() -> None:
    """Write the schema on standard output."""
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")


if __name__ == "__main__":
    main()
