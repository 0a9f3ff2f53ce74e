"""Messages as lines of JSON: requests are written, answers are read.

Text may hold half of a surrogate pair, on purpose: msgspec refuses it, the standard library takes
it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onewinner.adapters.stdio.messages import RESULTS, Answer, Response
from onewinner.contract import LimitExceeded

if TYPE_CHECKING:
    from onewinner.adapters.stdio.words import Request

_encode = msgspec.json.Encoder().encode
_response = msgspec.json.Decoder(Response)

ANSWERS: Final = {
    method: msgspec.json.Decoder(Answer[Any if kind is None else kind])  # type: ignore[misc] # a value
    for method, kind in RESULTS.items()
}
"""What reads a whole answer, where its method is known."""

RESULT: Final = {method: msgspec.json.Decoder(kind) for method, kind in RESULTS.items() if kind}
"""What reads a result by its method; of those that are not here the result means nothing."""


def method_of(request: Request) -> str:
    """Answer the method of a request."""
    return str(type(request).__struct_config__.tag)


def line_of(request: Request, operation: str) -> bytes:
    """Answer a request as a line; text that is no Unicode is escaped."""
    try:
        return _encode(request) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(request)).encode("ascii") + b"\n"
    except RecursionError as error:
        raise LimitExceeded(operation=operation, message="the value is nested too deep") from error


def read(line: bytes) -> Response:
    """Answer an answer; raises ValueError, with what is wrong, where it is none."""
    try:
        return _response.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if b"\\u" not in line:
            raise
        try:
            plain: Any = json.loads(line)
        except ValueError:
            raise error from None
    # A lone surrogate: msgspec refuses it, and a store may answer one.
    if isinstance(plain, dict) and "result" in plain:
        plain["result"] = msgspec.Raw(json.dumps(plain["result"]).encode("ascii"))
    return msgspec.convert(plain, Response)


def decoded(decoder: msgspec.json.Decoder[Any], text: bytes) -> Any:
    """Answer a result; raises ValueError, with what is wrong, where it is none."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(text), decoder.type)
