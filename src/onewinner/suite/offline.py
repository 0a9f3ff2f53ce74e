"""Judges a history that somebody recorded: `onewinner check FILE`."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner import history
from onewinner.checker.claims import ClaimModel, address, grey_zone
from onewinner.checker.linearizable import check
from onewinner.checker.listings import mixed_listings
from onewinner.checker.models import KeyValueModel, RegisterModel
from onewinner.checker.search import Allowance, Exhausted
from onewinner.checker.shrink import counterexample
from onewinner.checker.streaming import ClaimStream, NotStreamable
from onewinner.checker.verdict import Verdict
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.checker.claims import GreyZone
    from onewinner.checker.shrink import Counterexample
    from onewinner.checker.verdict import Budgets, Validity
    from onewinner.history import Operation

MODELS: Final = ("claim", "register", "kv")
LARGE_BYTES: Final = 32 << 20
"""From this size on a history of a claim store is judged while it is read."""

_REGISTER: Final = frozenset({"read", "write", "cas"})
_TEXT_BY_KEY: Final = frozenset({"get", "put", "append"})
_MIXED: Final = "a listing shows rows that were never there together"


class UnknownModel(Exception):  # noqa: N818 - the request cannot be carried out
    """The operations of a history belong to no model that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A history with its verdict, and where it is invalid the operations that show it."""

    path: str
    model: str
    verdict: Verdict
    notes: tuple[str, ...] = ()
    example: Counterexample | None = None
    mixed: tuple[Operation, ...] = ()
    grey: GreyZone | None = field(default=None)

    @property
    def exit_code(self) -> ExitCode:
        """0 valid, 1 invalid, 7 unknown."""
        if self.verdict.valid == "unknown":
            return ExitCode.INCONCLUSIVE
        return ExitCode.CONFORMS if self.verdict.valid else ExitCode.VIOLATION


def judge_file(
    path: str, *, model: str | None, budgets: Budgets, eps_ms: int | None, grace_ms: int
) -> Judged:
    """Read a history and judge it; without `model` it is known by its operations.

    Without `eps_ms` the file is believed, and where it says nothing the model's own is taken.

    Raises HistoryError for a file that is no history, OSError for one that cannot be read, and
    UnknownModel.
    """
    if model in {None, "claim"} and Path(path).stat().st_size >= LARGE_BYTES:
        said = eps_ms if eps_ms is not None else _eps_of(path)
        judged = _streamed(path, _claims(said, grace_ms), budgets)
        if judged is not None:
            return judged
    recording = history.read_any(path)
    claims = _claims(recording.eps_ms if eps_ms is None else eps_ms, grace_ms)
    operations = recording.operations
    name = model or model_of(operations)
    chosen: Any = {"claim": claims, "register": RegisterModel(), "kv": KeyValueModel()}[name]
    verdict = check(operations, chosen, budgets=budgets)
    failed = next((part for part in verdict.partitions if part.valid is False), None)
    example: Counterexample | None = None
    mixed: tuple[Operation, ...] = ()
    if failed is not None and failed.failing is not None:
        part = dict(_parts(chosen, operations))[failed.key]
        example = counterexample(failed.key, part, failed.failing, chosen)
    elif name == "claim" and (mixed := next(mixed_listings(operations), ())):
        verdict = _invalid(verdict)
    return Judged(
        path=path,
        model=name,
        verdict=verdict,
        notes=tuple(recording.notes),
        example=example,
        mixed=mixed,
        grey=grey_zone(operations, claims) if name == "claim" else None,
    )


def _claims(eps_ms: int | None, grace_ms: int) -> ClaimModel:
    if eps_ms is None:
        return ClaimModel(grace_ms=grace_ms)
    return ClaimModel(eps_ms=eps_ms, grace_ms=grace_ms)


def _eps_of(path: str) -> int | None:
    """Answer what a file says of the clock: it says so before its first operation, or not."""
    reader = history.Reader(path)
    next(iter(reader), None)
    return reader.eps_ms


def _invalid(verdict: Verdict) -> Verdict:
    return Verdict(
        valid=False,
        reason=_MIXED,
        partitions=verdict.partitions,
        operations=verdict.operations,
        steps=verdict.steps,
        seconds=verdict.seconds,
    )


def _parts(model: Any, operations: Sequence[Operation]) -> Iterable[tuple[Any, Any]]:
    parts = model.partition(operations)
    return parts.items() if hasattr(parts, "items") else enumerate(parts)


def model_of(operations: Sequence[Operation]) -> str:
    """Tell a history's model by the names of its operations; raises UnknownModel."""
    names = {each.f for each in operations}
    if names <= _REGISTER:
        return "register"
    if names <= _TEXT_BY_KEY:
        return "kv"
    if names & {"register_if_absent", "register", "lookup", "consume", "delete", "entries"}:
        return "claim"
    raise UnknownModel(
        f"no model has the operations {', '.join(sorted(names))}; the claim model has register, "
        f"register_if_absent, lookup, consume, delete, entries and clear, the register model "
        f"read, write and cas, the kv model get, put and append; --model NAME picks one"
    )


def _streamed(path: str, model: ClaimModel, budgets: Budgets) -> Judged | None:
    """Judge while reading; None where that cannot be (virtual time, another model)."""
    allowance = Allowance(budgets)
    stream = ClaimStream(model, allowance)
    reader = history.Reader(path)
    try:
        with _rarely_collected():
            good = all(stream.feed(each, reader.before_ns) for each in reader) and stream.finish()
    except (NotStreamable, ValueError, KeyError, TypeError):
        return None
    except Exhausted as ran_out:
        return _judged(path, reader, stream, _verdict("unknown", str(ran_out), stream, allowance))
    if good:
        return _judged(path, reader, stream, _verdict(True, "", stream, allowance))
    assert stream.failed is not None
    where, failing = stream.failed
    part = model.partition([each for each in history.Reader(path) if _concerns(each, where)])[where]
    example = counterexample(where, part, failing, model)
    reason = f"nothing that the model allows explains {failing.f} of process {failing.process}"
    verdict = _verdict(False, reason, stream, allowance)
    return _judged(path, reader, stream, verdict, example)


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Look for cycles rarely: millions of operations come and go here, and none is in one."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _concerns(operation: Operation, where: Any) -> bool:
    """Tell whether an operation says something about a key."""
    if operation.f in {"entries", "clear"}:
        value = operation.value
        return (value.get("plugin"), value.get("namespace")) == tuple(where[:2])
    return operation.f not in {"open", "sweep_expired"} and address(operation) == where


def _verdict(valid: Validity, reason: str, stream: ClaimStream, allowance: Allowance) -> Verdict:
    return Verdict(
        valid=valid,
        reason=reason,
        operations=stream.operations,
        steps=allowance.steps,
        seconds=allowance.elapsed_s,
    )


def _judged(
    path: str,
    reader: history.Reader,
    stream: ClaimStream,
    verdict: Verdict,
    example: Counterexample | None = None,
) -> Judged:
    said = f"judged while it was read, {stream.keys:,} keys; listings key by key only"
    return Judged(
        path=path, model="claim", verdict=verdict, notes=(*reader.notes, said), example=example
    )
