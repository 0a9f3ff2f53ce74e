"""The stateful model for stores that declare newer operations: programs draw those as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from onewinner.strategies import programs
from onewinner.suite.machine import SPACES, StoreMachine

if TYPE_CHECKING:
    from onewinner.suite.handle import Handle

_KEYS = st.integers(0, 5)
_NUMBERS = st.integers(-2, 3)
_CHANGES = st.one_of(
    st.builds(lambda n: {"increment": n}, _NUMBERS),
    st.builds(lambda v: {"append": v}, programs.values()),
    st.builds(lambda v: {"replace": v}, programs.values()),
)
_CONDITIONS = st.one_of(
    st.builds(lambda n: {"above": n}, _NUMBERS),
    st.builds(lambda v: {"equals": v}, st.one_of(_NUMBERS, programs.values())),
)
_SCALARS = st.one_of(_NUMBERS, st.booleans(), st.none(), st.sampled_from(["", "1", "again"]))
_INTENTS = st.one_of(
    st.builds(lambda v: {"set": v}, programs.values()),
    st.sampled_from([{"delete": None}, {"keep": None}]),
)
_UNITS = st.sampled_from([None, None, 2])


class NewerStoreMachine(StoreMachine):
    """One program of a store that has more operations than all have."""

    def __init__(self) -> None:
        super().__init__()
        self.comparisons: list[str] = []

    @rule(space=SPACES, key=_KEYS, change=_CHANGES, units=_UNITS)
    def update(self, space: Handle, key: int, change: dict[str, Any], units: int | None) -> None:
        """Apply a function to a value, or to its absence."""
        if self._has("update"):
            ttl_ms = self._ttl_ms(units)
            self.drive(lambda: space.update(self._key(key), change, ttl_ms=ttl_ms))

    @rule(space=SPACES, key=_KEYS, condition=_CONDITIONS, scalar=_SCALARS, how=st.booleans())
    def delete_conditionally(
        self, space: Handle, key: int, condition: dict[str, Any], scalar: Any, how: bool
    ) -> None:
        """Delete a row on a condition, often of a number that is there."""
        if how and self._has("delete_if"):
            self.drive(lambda: space.delete_if(self._key(key), condition))
        elif self._has("delete_if_equal"):
            self.drive(lambda: space.delete_if_equal(self._key(key), scalar))

    @rule(space=SPACES, keys=st.lists(_KEYS, max_size=4))
    def look_at_many(self, space: Handle, keys: list[int]) -> None:
        """Count the rows, and look several up at once."""
        if self._has("count"):
            self.drive(space.count)
        if self._has("lookup_many"):
            self.drive(lambda: space.lookup_many(*map(self._key, keys)))

    @rule(space=SPACES, key=_KEYS)
    def note(self, space: Handle, key: int) -> None:
        """Observe a key, to compare with it later, there or elsewhere."""
        if self._has("observe"):
            self.comparisons.append(self.drive(lambda: space.observation(self._key(key))))

    @rule(space=SPACES, key=_KEYS, which=st.integers(0, 3), intent=_INTENTS, units=_UNITS)
    def compare(
        self, space: Handle, key: int, which: int, intent: dict[str, Any], units: int | None
    ) -> None:
        """Compare with one of the last observations, of this key or of another."""
        if self._has("compare_and_apply") and self.comparisons:
            comparison = self.comparisons[-1 - which % len(self.comparisons)]
            ttl_ms = self._ttl_ms(units)
            self.drive(lambda: space.compare(self._key(key), comparison, intent, ttl_ms=ttl_ms))

    @rule(target=SPACES, place=programs.places(), size=st.integers(1, 3))
    def open_rejecting(self, place: tuple[str, str], size: int) -> Any:
        """Open a place that takes no new key when it is full."""
        if place in self.handles or not self.session.capabilities.overflow_option:
            return self.handles.get(place) or next(iter(self.handles.values()))
        return self._open(*place, max_entries=size, overflow_policy="reject-new")

    def _ttl_ms(self, units: int | None) -> int | None:
        capabilities = self.session.capabilities
        if units is None or capabilities.ttl_unit_ms is None:
            return None
        return units * self.session.unit_ms * (1 if self.session.virtual else 1000)
