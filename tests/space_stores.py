"""Reference stores for the tests of whole namespaces: with a small cap, and in real time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from onewinner.clock import SystemClock
from onewinner.contract import BASE, NEWER
from onewinner.mutants import MUTANTS
from onewinner.stores import newer_sqlite, sqlite

if TYPE_CHECKING:
    from onewinner.clock import Clock
    from onewinner.contract import Backend

REJECTING = dataclasses.replace(BASE, plugin_row_cap=4)
EVICTING = dataclasses.replace(NEWER, plugin_row_cap=4)


def rejecting(location: str, *, clock: Clock) -> Backend:
    """At four rows a plugin is full."""
    return sqlite.connect(location, clock=clock, profile=REJECTING)


def evicting(location: str, *, clock: Clock) -> Backend:
    """At four rows a plugin evicts its oldest."""
    return sqlite.connect(location, clock=clock, profile=EVICTING)


def uncapped(location: str, *, clock: Clock) -> Backend:
    """It declares a cap of four rows and holds none."""
    return MUTANTS["claims-ignore-cap"].connect(location, clock=clock, profile=REJECTING)  # type: ignore[call-arg]


def real(location: str, *, clock: Clock) -> Backend:
    """It takes its time from the machine, whatever clock it is given."""
    return _in_real_time(sqlite.connect(location, clock=SystemClock()))


def real_and_wrong(location: str, *, clock: Clock) -> Backend:
    """In real time too, it evicts the youngest."""
    return _in_real_time(MUTANTS["evicts-youngest"].connect(location, clock=SystemClock()))


def _in_real_time(backend: Backend) -> Backend:
    backend.capabilities = dataclasses.replace(backend.capabilities, virtual_clock=False)
    return backend


def strict(location: str, *, clock: Clock) -> Backend:
    """No two rows of a namespace are of one age."""
    return newer_sqlite.connect_strict(location, clock=clock)
