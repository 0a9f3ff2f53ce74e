"""Live progress on standard error: a line that is redrawn, or a plain line every ten seconds.

No thread draws: the display changes when the run says where it is, so that a target which forks
does not find a second thread in this process.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from onewinner.clock import monotonic_ns
from onewinner.report import terminal as terminals
from onewinner.report import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import RenderableType

    from onewinner.suite.engine import Listener, Progress

_PLAIN_EVERY_NS: Final = 10_000_000_000
_DRAW_EVERY_NS: Final = 100_000_000
_BAR_NEEDS: Final = 70  # columns
_CLAUSES_MOST: Final = 3


@contextmanager
def shown(
    stream: TextIO, *, quiet: bool = False, environ: Mapping[str, str] | None = None
) -> Iterator[Listener | None]:
    """Show progress on `stream` while the block runs; what a terminal shows vanishes at its end.

    Answers the listener to hand to the engine, or None where nothing is to be shown.
    """
    if quiet:
        yield None
        return
    terminal = terminals.of(stream, environ)
    if not terminal.live:
        yield plain_lines(stream)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(
        file=stream,
        force_terminal=True,
        color_system="standard" if terminal.colour else None,
        no_color=not terminal.colour,
        highlight=False,
    )
    with Live(
        console=console,
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        drawn_ns = 0

        def draw(progress: Progress) -> None:
            nonlocal drawn_ns
            now = monotonic_ns()
            if now - drawn_ns >= _DRAW_EVERY_NS:
                drawn_ns = now
                live.update(_picture(progress, console.width, console.encoding), refresh=True)

        yield draw


def plain_lines(
    stream: TextIO, *, now_ns: Callable[[], int] = monotonic_ns, every_ns: int = _PLAIN_EVERY_NS
) -> Listener:
    """Answer a listener that writes a line at most every `every_ns`, the first after as long."""
    written_ns = now_ns()

    def write(progress: Progress) -> None:
        nonlocal written_ns
        if now_ns() - written_ns >= every_ns:
            written_ns = now_ns()
            words = ["onewinner:", *_words(progress), _name(progress), _counters(progress)]
            stream.write("  ".join(word for word in words if word) + "\n")
            stream.flush()

    return write


def share(progress: Progress) -> float:
    """Answer the part of the budget that is used, from 0 to 1."""
    return min(1.0, progress.elapsed_s / progress.budget_s) if progress.budget_s > 0 else 1.0


def _words(progress: Progress) -> list[str]:
    """Answer what is told, the shortest first: where a line is cut, the end of a name is lost."""
    words = []
    if progress.total:
        words.append(f"{progress.done}/{progress.total} {progress.unit}")
    words.append(f"{progress.elapsed_s:.0f} s")
    if progress.budget_s > 0:
        left_s = progress.budget_s - progress.elapsed_s
        left = f"{left_s:.0f} s left" if left_s > 0 else "beyond its budget"
        words += [f"{share(progress):.0%} of budget", left]
    return words


def _name(progress: Progress) -> str:
    """Answer what is under way: the clauses that it is about, and its name."""
    clauses = list(progress.clauses[:_CLAUSES_MOST])
    more = len(progress.clauses) - len(clauses)
    words = [*clauses, *([f"and {more} more"] if more else []), progress.check]
    return text.printable(" ".join(words), keep="")


def _counters(progress: Progress) -> str:
    return "  ".join(
        f"{text.compact(number)} {name.replace('_', ' ')}"
        for name, number in progress.counters.items()
    )


def _picture(progress: Progress, width: int, encoding: str) -> RenderableType:
    from rich.text import Text

    words = _words(progress)
    if progress.budget_s > 0 and width >= _BAR_NEEDS:
        words.insert(0, _bar(progress))
    lines = ["  ".join(words), f"  {_name(progress)}", f"  {_counters(progress)}"]
    # A line that the terminal would wrap could not be redrawn in place.
    picture = Text(no_wrap=True, overflow="crop")
    for line in lines:
        whole = Text(line.encode(encoding, "backslashreplace").decode(encoding))
        whole.truncate(width - 1, overflow="crop")
        picture.append(whole.plain + "\n")
    picture.rstrip()
    picture.stylize("cyan")
    return picture


def _bar(progress: Progress, cells: int = 16) -> str:
    full = round(share(progress) * cells)
    return f"[{'=' * full}{' ' * (cells - full)}]"
