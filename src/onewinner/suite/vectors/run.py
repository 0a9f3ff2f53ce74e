"""All vectors on a target: each on a location of its own, in a child that may hang or die."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onewinner.adapters.targets import TargetError
from onewinner.clock import monotonic_ns
from onewinner.runner import call_in_child
from onewinner.suite import engine
from onewinner.suite.host import last_words
from onewinner.suite.options import CALL_MAX_S
from onewinner.suite.scratch import scratch_directory
from onewinner.suite.servers import served
from onewinner.suite.tree import ExitCode, Status
from onewinner.suite.vectors.play import Difference, describe, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.runner import Ended
    from onewinner.suite.vectors.format import Vector

_ENDS_MAX: Final = 3
_OTHERS = "others use the location too, and a sweep counts their rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one vector.

    `reason` says why it is `n/a`, or how the target ended in it; `difference` is the step that was
    answered as it must not be.
    """

    vector: Vector
    status: Status
    reason: str = ""
    difference: Difference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsResult:
    """All that were asked for, in their order."""

    target: str
    judged: tuple[Judged, ...]
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """The answer to the shell."""
        found = {each.status for each in self.judged} - {Status.NA}
        if not found:
            return ExitCode.NOTHING_RAN
        return ExitCode.CONFORMS if found == {Status.PASS} else ExitCode.VIOLATION

    def count(self, status: Status, file: str | None = None) -> int:
        """Answer how many vectors have this status, those of one file where it is named."""
        return sum(e.status is status and file in {None, e.vector.file} for e in self.judged)


def run(
    target: Target, vectors: Sequence[Vector], *, call_max_s: float = CALL_MAX_S
) -> VectorsResult:
    """Play the vectors on a target and answer what became of each.

    A step that takes longer than `call_max_s` hangs. Raises TargetError where the target cannot be
    had, or its adapter does not keep its protocol.
    """
    started = monotonic_ns()
    with scratch_directory() as run_dir, served(target, run_dir) as located:
        watched = replace(located, faults=str(Path(run_dir) / "adapter-fault"))
        capabilities = engine.probe(watched, run_dir)
        playing = _Playing(watched, capabilities, run_dir, call_max_s)
        judged = tuple(playing.all(vectors))
        if (fault := watched.fault()) is not None:
            raise fault
    return VectorsResult(
        target=target.name, judged=judged, seconds=(monotonic_ns() - started) / 1e9
    )


@dataclass(slots=True)
class _Playing:
    """Vectors under way; a child that ends is told of, and the next one goes on behind it."""

    target: Target
    capabilities: Capabilities
    run_dir: str
    call_max_s: float
    found: dict[int, Judged] = field(default_factory=dict)
    at: tuple[int, int] = (0, 0)

    def all(self, vectors: Sequence[Vector]) -> Iterator[Judged]:
        for number, vector in enumerate(vectors):
            if (reason := self._missing(vector)) is not None:
                self.found[number] = Judged(vector=vector, status=Status.NA, reason=reason)
        for _ in range(_ENDS_MAX):
            left = [(n, vector) for n, vector in enumerate(vectors) if n not in self.found]
            if not left:
                break
            self._play(left, vectors)
        why = f"not played: the target had ended {_ENDS_MAX} times before"
        for number, vector in enumerate(vectors):
            yield self.found.get(number) or Judged(vector=vector, status=Status.ERROR, reason=why)

    def _missing(self, vector: Vector) -> str | None:
        sweeps = any(step["op"] == "sweepExpired" for step in vector.steps)
        if sweeps and self.target.location is not None:
            return _OTHERS
        return vector.missing(self.capabilities)

    def _play(self, left: list[tuple[int, Vector]], vectors: Sequence[Vector]) -> None:
        self.at = (left[0][0], 0)

        def heard(message: Any) -> None:
            if isinstance(message, _Found):
                self._judge(message.number, vectors[message.number], message.difference)
            else:
                self.at = message

        ended = call_in_child(
            host,
            self.target,
            self.capabilities,
            left,
            self.run_dir,
            on_message=heard,
            silence_s=self.call_max_s,
        )
        if not ended.ok:
            number, step = self.at
            self._ended(number, vectors[number], step, ended)

    def _judge(self, number: int, vector: Vector, difference: Difference | None) -> None:
        status = Status.PASS if difference is None else Status.FAIL
        self.found[number] = Judged(vector=vector, status=status, difference=difference)

    def _ended(self, number: int, vector: Vector, step: int, ended: Ended) -> None:
        where = describe(vector.steps[step - 1]) if step else "the first connection"
        reason = f"step {step}, {where}: {ended.describe()}{last_words(ended)}"
        self.found[number] = Judged(vector=vector, status=Status.ERROR, reason=reason)


@dataclass(frozen=True, slots=True)
class _Found:
    number: int
    difference: Difference | None


def host(
    send: Callable[[object], None],
    target: Target,
    capabilities: Capabilities,
    vectors: list[tuple[int, Vector]],
    run_dir: str,
) -> None:
    """Play numbered vectors one after the other; the body of a child process."""
    for number, vector in vectors:
        location = target.location or tempfile.mkdtemp(prefix="at-", dir=run_dir)
        tag = "" if target.location is None else f"-{monotonic_ns():x}"
        try:
            found = play(
                vector,
                target,
                capabilities,
                location,
                tag=tag,
                on_step=lambda step, at=number: send((at, step)),  # type: ignore[misc]
            )
        except TargetError as error:  # the first connection
            found = Difference(step=0, call="connect", at_ms=0, allowed=(), seen=str(error))
        send(_Found(number, found))
