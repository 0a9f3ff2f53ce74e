"""Linearizability: one order of the operations that the model allows and time permits.

A history is split into the model's partitions. They are searched in turns with growing shares, so
that one hard partition does not hide the violation of an easy one; the first violation decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from onewinner.checker.depth_first import DepthFirst
from onewinner.checker.frontier import Frontier
from onewinner.checker.search import Allowance, Exhausted, ModelFault, prepare
from onewinner.checker.verdict import Budgets, PartitionVerdict, Verdict, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onewinner.checker.search import Model, Prepared, Search
    from onewinner.history import Operation

_FIRST_SHARE: Final = 2_000
_GROWTH: Final = 4
_DEPTH_FROM: Final = 2
"""From this slice on the depth-first search takes part: most histories never get there."""
_DEPTH_SHARE: Final = 4
"""Its steps are so many times cheaper than those of the frontier."""


def check(
    history: Iterable[Operation],
    model: Model,
    *,
    timeout_s: float | None = None,
    budgets: Budgets | None = None,
) -> Verdict:
    """Judge a history against a model: valid, invalid, or unknown with the reason.

    `timeout_s` is short for `Budgets(timeout_s=...)`. What cannot be decided within the budgets,
    and what the model itself breaks (a `step` that raises, or that answers differently when it is
    asked twice), is `unknown`, never a pass; so is a history without any operation.
    """
    limits = Budgets(timeout_s=timeout_s) if budgets is None else budgets
    allowance = Allowance(limits)
    operations = list(history)
    try:
        parts = _parts(model, operations)
        found = list(_Turns(model, parts, allowance).verdicts())
    except ModelFault as fault:
        return _unknown(f"the model is at fault: {fault}", operations, allowance)
    except Exception as error:  # a checker that crashes has decided nothing
        reason = f"the checker failed: {type(error).__name__}: {error}"
        return _unknown(reason, operations, allowance)
    return _verdict(found, operations, allowance)


def _unknown(reason: str, operations: Sequence[Operation], allowance: Allowance) -> Verdict:
    return Verdict(
        valid="unknown",
        reason=reason,
        operations=len(operations),
        steps=allowance.steps,
        seconds=allowance.elapsed_s,
    )


def _verdict(
    found: list[PartitionVerdict], operations: Sequence[Operation], allowance: Allowance
) -> Verdict:
    if not operations:
        return _unknown("the history holds no operation: nothing was judged", (), allowance)
    valid = merge(part.valid for part in found)
    deciding = next((part for part in found if part.valid is valid or part.valid == valid), None)
    return Verdict(
        valid=valid,
        reason="" if deciding is None or valid is True else deciding.reason,
        partitions=tuple(found),
        operations=len(operations),
        steps=allowance.steps,
        seconds=allowance.elapsed_s,
    )


def _parts(model: Model, operations: list[Operation]) -> dict[Any, list[Operation]]:
    """Answer the model's partitions by key; a list of parts is numbered."""
    partition = getattr(model, "partition", None)
    if partition is None:
        return {None: operations}
    try:
        parts = partition(operations)
    except Exception as error:
        raise ModelFault(f"its partition raised {type(error).__name__}: {error}") from error
    if isinstance(parts, Mapping):
        return {key: list(part) for key, part in parts.items()}
    return {number: list(part) for number, part in enumerate(parts)}


def search_for(model: Model, part: Sequence[Operation], allowance: Allowance) -> Search:
    """Answer a search of one partition: the model's own where it has one, else the general one."""
    own = getattr(model, "search", None)
    if own is not None:
        search: Search = own(part, allowance)
        return search
    return Dovetail(model, prepare(part), allowance)


class Dovetail:
    """Both general searches of one partition, in turns: whichever decides first is right.

    Where one runs out of memory it is dropped, and the other goes on.
    """

    def __init__(self, model: Model, prepared: Sequence[Prepared], allowance: Allowance) -> None:
        self.prepared = prepared
        self.steps = 0
        self._searches: list[Frontier | DepthFirst] = [Frontier(model, prepared, allowance)]
        self._turns = 0
        self._model = model
        self._allowance = allowance

    @property
    def decided_by(self) -> str:
        """The search that decided."""
        return self._searches[0].decided_by

    @property
    def failing(self) -> int | None:
        """The earliest return that nothing explains."""
        return self._searches[0].failing

    @property
    def valid(self) -> bool:
        """The verdict once `run` has answered True."""
        return self._searches[0].valid

    def run(self, most_steps: int) -> bool:
        """Give each search a slice; the first to decide is put first."""
        self._turns += 1
        if self._turns == _DEPTH_FROM:
            self._searches.insert(0, DepthFirst(self._model, self.prepared, self._allowance))
        for search in list(self._searches):
            before = search.steps
            try:
                cheap = isinstance(search, DepthFirst)
                decided = search.run(most_steps * (_DEPTH_SHARE if cheap else 1))
            except Exhausted as reason:
                if not reason.memory or self._turns < _DEPTH_FROM or len(self._searches) == 1:
                    raise
                self._searches.remove(search)
                continue
            finally:
                self.steps += search.steps - before
            if decided:
                self._searches = [search]
                return True
        return False


class _Turns:
    """Lets partitions take turns, each with a share of steps that grows from turn to turn."""

    def __init__(
        self, model: Model, parts: Mapping[Any, Sequence[Operation]], allowance: Allowance
    ) -> None:
        self._model = model
        self._parts = parts
        self._allowance = allowance

    def verdicts(self) -> Iterator[PartitionVerdict]:
        """Answer a verdict for each partition; after a violation the rest is left unjudged."""
        waiting = deque(
            (key, self._search(part), _FIRST_SHARE) for key, part in self._parts.items()
        )
        while waiting:
            key, search, share = waiting.popleft()
            try:
                decided = search.run(share)
            except Exhausted as reason:
                yield self._undecided(key, search, str(reason))
                yield from (self._undecided(k, s, str(reason)) for k, s, _ in waiting)
                return
            if not decided:
                waiting.append((key, search, share * _GROWTH))
                continue
            verdict = self._decided(key, search)
            yield verdict
            if verdict.valid is False:
                left = "not judged: another partition is already invalid"
                yield from (self._undecided(k, s, left) for k, s, _ in waiting)
                return

    def _search(self, part: Sequence[Operation]) -> Search:
        return search_for(self._model, part, self._allowance)

    def _decided(self, key: Any, search: Search) -> PartitionVerdict:
        failing = None if search.failing is None else search.prepared[search.failing].operation
        reason = ""
        if failing is not None:
            reason = (
                f"nothing that the model allows explains {failing.f} of process {failing.process}, "
                f"which returned at {failing.completed_ns} ns"
            )
        return PartitionVerdict(
            key=key,
            valid=search.valid,
            operations=len(search.prepared),
            reason=reason,
            decided_by=search.decided_by,
            steps=search.steps,
            failing=failing,
        )

    def _undecided(self, key: Any, search: Search, reason: str) -> PartitionVerdict:
        return PartitionVerdict(
            key=key,
            valid="unknown",
            operations=len(search.prepared),
            reason=reason,
            steps=search.steps,
        )
