"""The check of files: whom they are for, what a damaged value harms, and how errors are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Entry
from onewinner.contract.clauses import CLAUSES
from onewinner.contract.errors import CODES
from onewinner.history.plain import shown
from onewinner.runner import call_in_child
from onewinner.suite.answers import Raised, names_its_operation
from onewinner.worker import files
from onewinner.worker.journal import FAIL, INFO, OK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.suite.faults import Ask, Tally
    from onewinner.worker.files import Answered, Seen

_SILENCE_S: Final = 60.0
_OTHERS: Final = 0o077
_ERRORS_NAME: Final = "an error names its code and the operation that was called, of storage too"


def run_files(ask: Ask, tally: Tally) -> None:
    """Look at modes, damage a row, and let writes fail: each where the store lets the kit."""
    ask.home.mkdir()
    if ask.applies("DUR-9"):
        _modes(ask, tally)
    if CLAUSES["ERR-7"].missing(ask.capabilities) is None:
        _damage(ask, tally)
    if ask.applies("ERR-1") and ask.target.location is None:
        _failing(ask, tally)
    if not tally.number("errors of storage"):
        tally.left_out["ERR-1"] = "no error of storage was seen; the cases judge those of input"


def _made(ask: Ask, name: str, function: Any, *args: Any) -> Any:
    location = ask.home / name
    location.mkdir()
    ended = call_in_child(
        function,
        ask.target,
        ask.target.location or str(location),
        *args,
        on_message=lambda _: None,
        silence_s=_SILENCE_S,
    )
    if not ended.ok:
        raise RuntimeError(f"while its files were looked at, {ended.describe()}")
    return ended.value


def _modes(ask: Ask, tally: Tally) -> None:
    if ask.target.location is not None:
        tally.left_out["DUR-9"] = "its files are a server's"
        return
    seen: list[Seen] = _made(ask, "modes", files.modes)
    tally.count("files and directories", len(seen))
    if not seen:
        tally.lacking["DUR-9"] = "nothing was made below the location"
    open_ = [each for each in seen if each.mode & _OTHERS]
    if open_:
        tally.blame(
            "DUR-9",
            f"{open_[0].path} has mode {open_[0].mode:04o}: others than its owner may use it",
            tuple(f"{each.path}: {each.mode:04o}" for each in seen),
            "files of mode 0600 and directories of mode 0700 at most",
        )


def _damage(ask: Ask, tally: Tally) -> None:
    told: list[Answered] = _made(ask, "damage", files.damaged, ask.capabilities.operations)
    tally.count("calls beside a damaged row", len(told))
    expected = _expected(ask.capabilities.operations)
    happened = ("the stored value of 'bad' is made unreadable", *map(_text, told))
    for (what, fits), answered in zip(expected, told, strict=True):
        if not fits(answered):
            tally.blame(
                "ERR-7",
                f"beside a damaged row, {_text(answered)}; the contract has {what}",
                happened,
                "a damaged value is told to whoever reads it, and is nothing to anybody else",
            )
            break
    _names(told, happened, tally)
    _outlived(ask, tally)


def _outlived(ask: Ask, tally: Tally) -> None:
    """Look whether a damaged row makes way for others when its time has come."""
    told: list[Answered] = _made(ask, "outlived", files.outlived, ask.capabilities)
    tally.count("calls that a damaged row makes way for", len(told))
    expected: list[object] = [True, ["2"], ["3"]] if files.evicts(ask.capabilities) else []
    expected += [True, ["new"]] if ask.capabilities.ttl_unit_ms is not None else []
    for wanted, answered in zip(expected, told, strict=True):
        if answered.kind != OK or answered.answer != wanted:
            tally.blame(
                "ERR-7",
                f"where a damaged row is to go, {_text(answered)}; the contract has {wanted!r}",
                (
                    "the oldest row, and one that then expires, are made unreadable",
                    *map(_text, told),
                ),
                "a damaged row is evicted and expires like any other: nobody reads its value then",
            )
            break


def _failing(ask: Ask, tally: Tally) -> None:
    """Look how errors of storage are told, where the store's files are in reach."""
    told: list[Answered] = _made(ask, "failing", files.failing, ask.capabilities.operations)
    tally.count("writes failed by storage", sum(each.kind != OK for each in told))
    happened = ("every write of the process to a file fails", *map(_text, told))
    bare = [each for each in told if each.kind == INFO]
    if bare:
        tally.blame("ERR-1", f"{_text(bare[0])}, which is no StoreError", happened, _ERRORS_NAME)
    _names(told, happened, tally)


def _names(told: list[Answered], happened: tuple[str, ...], tally: Tally) -> None:
    """Hold each error to the operation that raised it, and to the codes of the contract."""
    for each in told:
        if each.kind != FAIL:
            continue
        tally.count("errors of storage")
        code, operation, _ = each.answer
        if code not in CODES or not names_its_operation(each.f, Raised(*each.answer)):
            summary = f"{_text(each)} and named the operation {operation!r}"
            tally.blame("ERR-1", summary, happened, _ERRORS_NAME)


def _expected(operations: frozenset[str]) -> list[tuple[str, Any]]:
    """Answer, in the order of the calls, what each must come to: in words, and as a test."""

    def keys(*wanted: str) -> tuple[str, Any]:
        return f"the keys {wanted}", lambda each: each.kind == OK and _keys(each) == list(wanted)

    either = ("CORRUPT or a list", lambda each: each.kind == OK or _is_corrupt(each))
    lists = "entries" in operations
    looks = [_CORRUPT, _value(["a"]), _value(["c"]), _value(["other"])]
    looks += [_value(False), _value(True), _value(["d"])]
    looks += [_CORRUPT] * ("consume" in operations)
    looks += [keys("bad"), either] if lists else []
    looks += _expected_of_newer(operations)
    looks += [_value(True), _value(True), _value(["new"])]
    return [*looks, keys("a", "bad", "c", "d")] if lists else looks


def _expected_of_newer(operations: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Yield the same for the newer operations.

    A damaged row is live, so it counts; whoever counts by reading may be told `CORRUPT`.
    """
    four = ("4 or CORRUPT", lambda each: _is_corrupt(each) or (each.kind, each.answer) == (OK, 4))
    applied = ("applied", lambda each: _member(each, "status") == "applied")
    saw_a = ("the value ['a']", lambda each: _member(each, "value") == [["a"]])
    for needs, expected in (
        ({"lookup_many"}, (_value([[["c"]], [["a"]]]), _CORRUPT)),
        ({"count"}, (_value(1), four)),
        ({"delete_if_equal"}, (_value(False),)),
        ({"delete_if"}, (_value(False), _CORRUPT)),
        ({"update"}, (_value(True), _CORRUPT)),
        ({"observe"}, (_CORRUPT, saw_a)),
        ({"observe", "compare_and_apply"}, (applied,)),
    ):
        if needs <= operations:
            yield from expected


def _value(wanted: Any) -> tuple[str, Any]:
    return repr(wanted), lambda each: each.kind == OK and each.answer == wanted


def _member(answered: Answered, name: str) -> Any:
    return answered.answer.get(name) if isinstance(answered.answer, dict) else None


def _is_corrupt(answered: Answered) -> bool:
    return answered.kind == FAIL and answered.answer[0] == "CORRUPT"


_CORRUPT: Final = ("CORRUPT", _is_corrupt)


def _keys(answered: Answered) -> list[str]:
    return sorted(row.key for row in answered.answer if isinstance(row, Entry))


def _text(answered: Answered) -> str:
    key = "" if answered.key is None else repr(answered.key)
    if answered.kind == OK:
        return f"{answered.f}({key}) -> {shown(answered.f, answered.answer)[:200]}"
    code = answered.answer[0] if answered.kind == FAIL else answered.answer
    return f"{answered.f}({key}) raised {code}"
