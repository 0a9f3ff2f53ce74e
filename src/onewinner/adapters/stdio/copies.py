"""Which copy of a command serves whom: one for each kit process, as a user's own process would.

Connections of one process share a copy, so that what the store keeps in its process is seen there,
as threads of one process would see it. A location that was closed is opened again by a new copy:
what it finds there then was kept.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from onewinner.adapters.stdio.link import CALL_S, WATCHED_S, Link

if TYPE_CHECKING:
    from collections.abc import Callable

_RETIRED_MOST: Final = 4


class Copies:
    """The copies of one command that this process has started; `start` starts one."""

    def __init__(self, start: Callable[[], Link]) -> None:
        self._start = start
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._served: dict[Link, set[str]] = {}
        self._open: dict[Link, Counter[str]] = {}
        self._retired: list[Link] = []
        self._numbers = 0

    def enter(self, location: str) -> tuple[Link, int]:
        """Answer the copy that serves a location, and a number for a new connection."""
        with self._lock:
            link = self._found(location) or self._started()
            self._open[link][location] += 1
            self._served[link].add(location)
            self._numbers += 1
            return link, self._numbers

    def of(self, location: str) -> Link:
        """Answer the copy that serves a location, or that will serve it next."""
        with self._lock:
            return self._found(location) or self._started()

    def leave(self, link: Link, location: str) -> None:
        """Count one connection less."""
        with self._lock:
            if link in self._open:
                self._open[link] -= Counter([location])

    def number(self) -> int:
        """Answer a number that was not used before."""
        with self._lock:
            self._numbers += 1
            return self._numbers

    def _found(self, location: str) -> Link | None:
        usable = [link for link in self._open if link.usable]
        for link in usable:
            if self._open[link][location]:
                return link
        for link in usable:
            others = self._served[link] - {location}
            if location in self._served[link] and not REGISTRY.watched:
                continue
            if not others or link.welcome.capabilities.locations == "many":
                return link
        return None

    def _started(self) -> Link:
        for link in [each for each, open_ in self._open.items() if not open_ or not each.usable]:
            del self._open[link], self._served[link]
            link.retire()
            self._retired.append(link)
        for link in self._retired[:-_RETIRED_MOST]:
            link.close()
        del self._retired[:-_RETIRED_MOST]
        link = self._start()
        self._open[link], self._served[link] = Counter(), set()
        return link

    def forget(self) -> None:
        """Begin anew in a process that was forked: the copies are its parent's."""
        for link in (*self._open, *self._retired):
            link.process.forget()
        self._begin()

    def close(self) -> None:
        """Kill all copies."""
        for link in (*self._open, *self._retired):
            link.close()
        self._open.clear()
        self._served.clear()
        self._retired.clear()


class Registry:
    """All copies of this process, by command, and by where word of a fault is left.

    `watched`: this process races, or is held. Whoever started it looks after its calls, so none is
    given up here; and a location that was closed is opened again by the same copy, for it takes a
    tenth of a second to start one, and nothing is asked about what is kept.
    """

    def __init__(self) -> None:
        self.watched = False
        self._lock = threading.Lock()
        self._copies: dict[tuple[tuple[str, ...], str | None], Copies] = {}
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self._close)

    def copies(self, words: tuple[str, ...], target: str, faults: str | None) -> Copies:
        """Answer the copies of a command; `target` is its name in what is told."""
        with self._lock:
            found = self._copies.get((words, faults))
            if found is None:
                found = self._copies[words, faults] = Copies(
                    lambda: self._link(words, target, faults)
                )
            return found

    def _link(self, words: tuple[str, ...], target: str, faults: str | None) -> Link:
        return Link(words, target, faults, call_s=WATCHED_S if self.watched else CALL_S)

    def _forget(self) -> None:
        self._lock = threading.Lock()  # a thread that the fork did not copy may have held the old
        for each in self._copies.values():
            each.forget()

    def _close(self) -> None:
        for each in self._copies.values():
            each.close()


REGISTRY: Final = Registry()
