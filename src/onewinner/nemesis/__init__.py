"""The nemesis: what is done to a store and its clients, as values. Each act is a history entry.

`act` writes an act down, `situations` are the calls in which processes are killed, stopped or
failed, and `storm` writes the claims of clients that are all killed at once. Nothing here does what
it describes: rooms above do, and say when.
"""

from onewinner.nemesis.acts import NEMESIS, Deed, act, is_act, remark, told
from onewinner.nemesis.situations import Situation, situations
from onewinner.nemesis.storms import Storm, storm

__all__ = (
    "NEMESIS",
    "Deed",
    "Situation",
    "Storm",
    "act",
    "is_act",
    "remark",
    "situations",
    "storm",
    "told",
)
