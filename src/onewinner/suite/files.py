"""The check of files: they are for their owner alone, and a damaged value harms no other row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onewinner.contract import Entry
from onewinner.runner import call_in_child
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
    if ask.applies("ERR-7"):
        _damage(ask, tally)


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
    listed = "entries" in ask.capabilities.operations
    told: list[Answered] = _made(ask, "damage", files.damaged, listed)
    tally.count("calls beside a damaged row", len(told))
    expected = _expected(listed)
    for (what, fits), answered in zip(expected, told, strict=True):
        if not fits(answered):
            tally.blame(
                "ERR-7",
                f"beside a damaged row, {_text(answered)}; the contract has {what}",
                ("the stored value of 'bad' is made unreadable", *map(_text, told)),
                "a damaged value is told to whoever reads it, and is nothing to anybody else",
            )
            return


def _expected(listed: bool) -> list[tuple[str, Any]]:
    """Answer, in the order of the calls, what each must come to: in words, and as a test."""

    def value(wanted: Any) -> tuple[str, Any]:
        return repr(wanted), lambda each: each.kind == OK and each.answer == wanted

    def keys(*wanted: str) -> tuple[str, Any]:
        return f"the keys {wanted}", lambda each: each.kind == OK and _keys(each) == list(wanted)

    corrupt = ("CORRUPT", lambda each: each.kind == FAIL and each.answer[0] == "CORRUPT")
    lookups = [corrupt, value(["a"]), value(["c"]), value(["other"])]
    claims = [value(False), value(True), value(["d"])]
    after = [value(True), value(True), value(["new"])]
    if not listed:
        return [*lookups, *claims, *after]
    return [*lookups, *claims, keys("bad"), *after, keys("a", "bad", "c", "d")]


def _keys(answered: Answered) -> list[str]:
    return sorted(row.key for row in answered.answer if isinstance(row, Entry))


def _text(answered: Answered) -> str:
    key = "" if answered.key is None else repr(answered.key)
    if answered.kind == OK:
        return f"{answered.f}({key}) -> {answered.answer!r:.200}"
    code = answered.answer[0] if answered.kind == FAIL else answered.answer
    return f"{answered.f}({key}) raised {code}"
