"""The model: the only place where the semantics of the contract stand in code.

`outcomes` is a pure function from a state, a call and a time to what may be answered and what the
state is then; `describe` puts calls, answers and states into words. Time is an argument; nothing
here does I/O. The reference stores share no code with this room, so that the two judge each other.
"""

from onewinner.model.describe import (
    as_code,
    describe_answer,
    describe_call,
    describe_row,
    describe_state,
)
from onewinner.model.newer import forgetting
from onewinner.model.state import (
    EXACT_MS_MAX,
    WHITE_SPACE,
    Answer,
    Call,
    Count,
    Listing,
    Many,
    Noted,
    Outcome,
    Refused,
    Row,
    Rules,
    Size,
    Space,
    State,
    Status,
    Value,
)
from onewinner.model.step import outcomes

__all__ = (
    "EXACT_MS_MAX",
    "WHITE_SPACE",
    "Answer",
    "Call",
    "Count",
    "Listing",
    "Many",
    "Noted",
    "Outcome",
    "Refused",
    "Row",
    "Rules",
    "Size",
    "Space",
    "State",
    "Status",
    "Value",
    "as_code",
    "describe_answer",
    "describe_call",
    "describe_row",
    "describe_state",
    "forgetting",
    "outcomes",
)
