"""What a pool asks of a race worker, what the worker answers, and where both find their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from onewinner.generator import Call

if TYPE_CHECKING:
    from pathlib import Path

    from onewinner.generator import Step
    from onewinner.worker.recorder import Record

CONNECT: Final = Call("open", "", "")
"""How making a connection stands in a history."""


class Part(NamedTuple):
    """One client's share of a round.

    `place` is the location where it is not the block's; `due` how many calls of all clients must
    win, None where nobody can say.
    """

    prepare: tuple[Step, ...]
    volley: tuple[Call, ...]
    inspect: tuple[Call, ...]
    cold: bool
    place: str | None
    due: int | None

    @property
    def opens(self) -> bool:
        """Whether the volley itself connects to the place."""
        return bool(self.volley) and self.volley[0].f == "open"


class Segment(NamedTuple):
    """What one client did in one phase of a round, both counted from 0.

    `first` is the place of the first record among the phase's calls. `epoch` grows whenever time
    was made to pass: rows of an earlier epoch are strictly older.
    """

    round: int
    phase: str
    first: int
    epoch: int
    records: list[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One block for one worker: what each of its clients has to do.

    `serial` is the number of the first round, counted over all blocks of the pool; `crowd` the
    number of clients over all workers. `spin`: every client has a process of its own, so that it
    may wait without letting threads beside it run. `keep_open`: from now on the worker holds a
    connection between blocks too. `sitting`: in blocks of one sitting clients go on with the
    connections that they had. After `stop_ns` no further round is begun.
    """

    serial: int
    location: str
    crowd: int
    clients: tuple[tuple[int, tuple[Part, ...]], ...]
    shared_handle: bool
    spin: bool
    noise: str | None
    keep_open: bool
    sitting: str | None
    stop_ns: int


@dataclass(slots=True)
class Reply:
    """What the clients of one worker did in `seconds`.

    `drifts_ms` tells for each round that the leader led how far the two real clocks came apart.
    """

    segments: dict[int, list[Segment]]
    drifts_ms: list[int]
    handles: int
    seconds: float


def board_path(run_dir: Path) -> Path:
    """Where the board of a pool lies."""
    return run_dir / "board"


def journal_path(run_dir: Path, client: int) -> Path:
    """Where the journal of a client of a pool lies."""
    return run_dir / f"journal-{client}.jsonl"
