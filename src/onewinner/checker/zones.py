"""The zone test: keys whose values are all known by name, in O(n log n), whatever the concurrency.

Of one value the operations that wrote it, saw it and took it away form a cluster (Gibbons and
Korach 1997 judge registers so). Let `f` be the earliest return in a cluster and `s` the latest
call. If `f < s` the value certainly was there from `f` to `s`: a forward zone. Else its whole life
fits into any instant of `[s, f]`. A history is linearizable iff each cluster is in order by itself,
forward zones do not overlap, and no other life, and no observation of a vacant key, has to lie
wholly inside a forward zone.

That decides histories in which every write is a won claim of a value of its own and every other
operation names the value that it met or met none. Refused claims, deletes and registers do not say
what they met: those are left to the search.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from onewinner.checker.acts import EXPIRED, SEEN, TAKEN, VACANT, WON
from onewinner.checker.search import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onewinner.checker.acts import Act

_NAMED: Final = frozenset({WON, SEEN, TAKEN, EXPIRED, VACANT})


@dataclass(slots=True)
class _Cluster:
    """The operations of one value: the last call, the first return, and what removes it."""

    won: Act | None = None
    taken: Act | None = None
    expired: Act | None = None
    called: int = -1
    returned: int = NEVER
    first_return: int = NEVER


def zones(acts: Sequence[Act]) -> bool | None:
    """Tell whether the acts on a key are linearizable; None where the test does not apply."""
    clusters: dict[int, _Cluster] = {}
    vacant: list[tuple[int, int]] = []
    for act in acts:
        if act.optional or act.kind not in _NAMED:
            return None
        if act.kind == VACANT:
            vacant.append((act.invoked_ns, act.returned_ns))
        elif not _add(clusters.setdefault(act.value, _Cluster()), act):
            return None if act.kind == WON else False
    forward: list[tuple[int, int]] = []
    backward = vacant
    for cluster in clusters.values():
        zone = _zone(cluster)
        if zone is None:
            return False
        first, last = zone
        if first < last:
            forward.append(zone)
        else:
            backward.append((last, first))
    return _fit(forward, backward)


def _add(cluster: _Cluster, act: Act) -> bool:
    """Add an act; False for a second write of a value, and where two took the same."""
    if act.kind == EXPIRED:
        cluster.expired = act
        return True
    if act.kind == WON:
        if cluster.won is not None:
            return False
        cluster.won = act
    elif act.kind == TAKEN:
        if cluster.taken is not None:
            return False
        cluster.taken = act
    if act.kind != TAKEN:
        cluster.called = max(cluster.called, act.invoked_ns)
    cluster.first_return = min(cluster.first_return, act.returned_ns)
    return True


def _zone(cluster: _Cluster) -> tuple[int, int] | None:
    """Answer (earliest return, latest call) of a cluster; None where it is wrong by itself."""
    won, taken, expired = cluster.won, cluster.taken, cluster.expired
    if won is None:
        return None
    end = NEVER if expired is None else expired.returned_ns
    if cluster.first_return < won.invoked_ns or cluster.called > end:
        return None
    if taken is not None:
        if min(taken.returned_ns, end) < cluster.called or taken.invoked_ns > end:
            return None
        return min(cluster.first_return, end), max(cluster.called, taken.invoked_ns)
    if expired is not None:
        return min(cluster.first_return, end), max(cluster.called, expired.invoked_ns)
    return cluster.first_return, NEVER


def _fit(forward: list[tuple[int, int]], backward: list[tuple[int, int]]) -> bool:
    forward.sort()
    for (_, ended), (begun, _) in pairwise(forward):
        if ended > begun:
            return False
    starts = [first for first, _ in forward]
    for first, last in backward:
        before = bisect_left(starts, first) - 1  # the last zone that begins before
        if before >= 0 and last < forward[before][1]:
            return False
    return True
