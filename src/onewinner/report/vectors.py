"""What became of test vectors, for people: a line a file, and the first step that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.report import text
from onewinner.report.terminal import Terminal
from onewinner.suite.tree import ExitCode, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onewinner.suite.vectors.run import Judged, VectorsResult


def render(result: VectorsResult, terminal: Terminal | None = None) -> str:
    """Answer the counts of each file, why vectors were left out, and each first difference."""
    shown = terminal or Terminal()
    lines = (*_counts(result), *_left_out(result), *_differences(result), _verdict(result))
    return shown.encodable("\n".join(text.printable(line) for line in lines) + "\n")


def _counts(result: VectorsResult) -> Iterator[str]:
    files = dict.fromkeys(each.vector.file for each in result.judged)
    width = max(map(len, files), default=0)
    for file in files:
        counts = (f"{n:3} {s.label}" for s in Status if (n := result.count(s, file)))
        yield f"{file:{width}}  {', '.join(counts)}"


def _left_out(result: VectorsResult) -> Iterator[str]:
    why = [each.reason for each in result.judged if each.status is Status.NA]
    for reason in dict.fromkeys(why):
        yield f"n/a: {text.count(why.count(reason), 'vector')}, for {reason}"


def _differences(result: VectorsResult) -> Iterator[str]:
    for each in result.judged:
        if each.status > Status.PASS:
            clauses = ", ".join(each.vector.clauses)
            yield ""
            yield f"{each.vector.file}: {each.vector.name} ({clauses}): {each.vector.says}"
            yield from _difference(each)


def _difference(judged: Judged) -> Iterator[str]:
    found = judged.difference
    if found is None:
        yield f"  {text.shorten(judged.reason, at_most=text.PROSE_BYTES)}"
        return
    yield f"  step {found.step}, at {found.at_ms} ms: {text.shorten(found.call)}"
    expected = " or ".join(map(text.shorten, found.allowed)) or "a connection"
    yield f"  expected {text.shorten(expected, at_most=text.LINE_BYTES)}"
    yield f"  seen     {text.shorten(found.seen, at_most=text.LINE_BYTES)}"


def _verdict(result: VectorsResult) -> str:
    counts = (f"{n} {s.label}" for s in Status if (n := result.count(s)))
    word = {
        ExitCode.CONFORMS: "answers as the vectors have it",
        ExitCode.NOTHING_RAN: "was given no vector",
    }.get(result.exit_code, "does NOT answer as the vectors have it")
    told = ", ".join(counts) or "none was asked for"
    return f"onewinner: {result.target} {word} ({told}; {result.seconds:.1f} s)"
