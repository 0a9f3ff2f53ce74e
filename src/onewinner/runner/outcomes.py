"""From the compact records of a worker to the operations of a history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.generator import Call
from onewinner.history import Fail, Info, Ok, Operation
from onewinner.worker.journal import FAIL, OK
from onewinner.worker.order import CONNECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.generator import Round
    from onewinner.history import Outcome
    from onewinner.worker.order import Segment
    from onewinner.worker.recorder import Record

_SHARED: Final[dict[int, Ok]] = {id(True): Ok(True), id(False): Ok(False), id(None): Ok(None)}


def operations_of(
    segment: Segment, played: Round, serial: int, client: int, worker: int
) -> Iterator[Operation]:
    """Yield what a client did in one phase of a round, in order.

    `extra` tells the round's serial number, the phase (`connect`, `prepare`, `volley`, `inspect`),
    the worker that the client lives in, and the epoch: rows of an earlier one are strictly older.
    """
    extra = {
        "round": serial,
        "phase": segment.phase,
        "worker": worker,
        "epoch": segment.epoch,
    }
    calls = _calls(segment, played, client)[segment.first :]
    for call, record in zip(calls, segment.records, strict=False):
        yield Operation(
            process=client,
            f=call.f,
            value={
                "plugin": call.plugin,
                "namespace": call.namespace,
                "key": call.key,
                "value": call.value,
                "ttl_ms": call.ttl_ms,
            },
            outcome=_outcome(record),
            invoked_ns=record.invoked_ns,
            completed_ns=record.completed_ns,
            extra=extra,
        )


def _calls(segment: Segment, played: Round, client: int) -> list[Call]:
    match segment.phase:
        case "connect":
            return [CONNECT]
        case "volley":
            return list(played.volley[client])
        case "inspect":
            return list(played.inspect)
    return [step for step in played.prepare if isinstance(step, Call)]


def _outcome(record: Record) -> Outcome:
    answer: Any = record.answer
    if record.kind == OK:
        return _SHARED.get(id(answer)) or Ok(answer)
    if record.kind == FAIL:
        code, operation, message = answer
        return Fail({"code": code, "operation": operation, "message": message})
    return Info(answer)
