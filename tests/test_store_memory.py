"""What only the store in memory does."""

from __future__ import annotations

from onewinner import ABSENT, Capabilities, ManualClock
from onewinner.contract import NEWER
from onewinner.stores.memory import connect


def test_it_declares_what_it_is() -> None:
    """The store lives in one process, keeps nothing, and takes its time from the clock given."""
    backend = connect("declares", clock=ManualClock(), profile=NEWER)
    assert backend.capabilities == Capabilities(
        scope="thread", durable=False, virtual_clock=True, plugin_row_cap=50_000, profile=NEWER
    )
    backend.close()


def test_the_data_go_with_the_last_handle() -> None:
    """A location is empty again once every handle on it was closed, and not before."""
    clock = ManualClock()
    first, second = connect("goes", clock=clock), connect("goes", clock=clock)
    first.open("p", "n", max_entries=1).register("k", 1)
    first.close()
    assert second.open("p", "n", max_entries=1).lookup("k") == 1
    second.close()
    third = connect("goes", clock=clock)
    assert third.open("p", "n", max_entries=1).lookup("k") is ABSENT
    third.close()


def test_locations_are_apart() -> None:
    """What is stored at one location is not at another."""
    clock = ManualClock()
    one, other = connect("one", clock=clock), connect("other", clock=clock)
    one.open("p", "n", max_entries=1).register("k", 1)
    assert other.open("p", "n", max_entries=1).lookup("k") is ABSENT
    one.close()
    other.close()
