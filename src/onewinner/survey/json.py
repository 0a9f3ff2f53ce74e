"""A survey as JSON: written after each store, and read back by the survey that goes on with it."""

from __future__ import annotations

import msgspec

from onewinner.suite.engine import UsageError
from onewinner.survey.findings import SCHEMA_VERSION, Survey


def dumps(found: Survey) -> str:
    """Answer the survey as one JSON document, ending with a newline."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def loads(text: str, name: str) -> Survey:
    """Answer the survey that `dumps` wrote; `name` is what it was read from, for the error.

    Raises UsageError where it is no survey, or one of a newer version.
    """
    try:
        found = msgspec.json.decode(text, type=Survey)
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"{name} is no survey: {error}; name a file that `onewinner survey --json` wrote"
        ) from error
    if found.schema_version != SCHEMA_VERSION:
        raise UsageError(
            f"{name} is a survey of version {found.schema_version}, and this release reads "
            f"{SCHEMA_VERSION}; run the survey again"
        )
    return found
