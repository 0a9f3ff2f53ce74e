"""The check of files: they are for their owner alone, and a damaged value harms no other row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Entry
from onewinner.contract.clauses import CLAUSES
from onewinner.runner import call_in_child
from onewinner.suite.answers import Raised, names_its_operation
from onewinner.worker import files
from onewinner.worker.journal import FAIL, OK

if TYPE_CHECKING:
    from onewinner.suite.faults import Ask, Tally
    from onewinner.worker.files import Answered, Seen

_SILENCE_S: Final = 60.0
_OTHERS: Final = 0o077


def run_files(ask: Ask, tally: Tally) -> None:
    """Look at modes where they are declared, and damage a row where the store lets the kit."""
    ask.home.mkdir()
    if ask.applies("DUR-9"):
        _modes(ask, tally)
    if CLAUSES["ERR-7"].missing(ask.capabilities) is None:
        _damage(ask, tally)
    else:
        tally.left_out["ERR-1"] = "no row is damaged; the cases judge the errors of input"


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


def _names(told: list[Answered], happened: tuple[str, ...], tally: Tally) -> None:
    """Hold each error to the operation that it was raised by."""
    errors = [each for each in told if each.kind == FAIL]
    wrong = [each for each in errors if not names_its_operation(each.f, Raised(*each.answer))]
    if not errors:
        tally.lacking["ERR-1"] = "no call beside a damaged row raised an error of the contract"
    if wrong:
        tally.blame(
            "ERR-1",
            f"{_text(wrong[0])} and named the operation {wrong[0].answer[1]!r}",
            happened,
            "an error names the operation that was called, also where a value is damaged",
        )


def _expected(operations: frozenset[str]) -> list[tuple[str, Any]]:
    """Answer, in the order of the calls, what each must come to: in words, and as a test."""

    def value(wanted: Any) -> tuple[str, Any]:
        return repr(wanted), lambda each: each.kind == OK and each.answer == wanted

    def keys(*wanted: str) -> tuple[str, Any]:
        return f"the keys {wanted}", lambda each: each.kind == OK and _keys(each) == list(wanted)

    corrupt = ("CORRUPT", _is_corrupt)
    either = ("CORRUPT or a list", lambda each: each.kind == OK or _is_corrupt(each))
    looks = [corrupt, value(["a"]), value(["c"]), value(["other"])]
    looks += [value(False), value(True), value(["d"])]
    looks += [corrupt] * ("consume" in operations)
    after = [value(True), value(True), value(["new"])]
    if "entries" not in operations:
        return [*looks, *after]
    return [*looks, keys("bad"), either, *after, keys("a", "bad", "c", "d")]


def _is_corrupt(answered: Answered) -> bool:
    return answered.kind == FAIL and answered.answer[0] == "CORRUPT"


def _keys(answered: Answered) -> list[str]:
    return sorted(row.key for row in answered.answer if isinstance(row, Entry))


def _text(answered: Answered) -> str:
    key = "" if answered.key is None else repr(answered.key)
    if answered.kind == OK:
        return f"{answered.f}({key}) -> {answered.answer!r:.200}"
    code = answered.answer[0] if answered.kind == FAIL else answered.answer
    return f"{answered.f}({key}) raised {code}"
