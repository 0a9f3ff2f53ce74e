"""Values: what is JSON, what is equal as JSON, how large and how deep a value is."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewinner.contract.values import (
    canonical,
    containers_deep,
    has_unkeepable_text,
    is_json,
    levels_deep,
    size_bytes,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def nested(depth: int, innermost: Any) -> Any:
    """Answer `innermost` inside `depth` arrays."""
    for _ in range(depth):
        innermost = [innermost]
    return innermost


class TestCanonical:
    @given(VALUES)
    def test_it_is_json_of_the_same_value(self, value: Any) -> None:
        """The canonical text is JSON, and reads back as a value with the same canonical text."""
        assert canonical(json.loads(canonical(value))) == canonical(value)

    @given(VALUES)
    def test_the_spelling_does_not_count(self, value: Any) -> None:
        """White space, escapes and what a JSON parser makes of the text change nothing."""
        assert canonical(json.loads(json.dumps(value, indent=2, ensure_ascii=True))) == canonical(
            value
        )

    @given(st.dictionaries(TEXT, SCALARS, min_size=2, max_size=5), st.randoms())
    def test_the_order_of_members_does_not_count(self, value: dict[str, Any], random: Any) -> None:
        """An object is the same whatever order its members stand in."""
        members = list(value.items())
        random.shuffle(members)
        assert canonical(dict(members)) == canonical(value)

    @given(st.lists(SCALARS, min_size=2, max_size=4).filter(lambda v: v[0] != v[-1]))
    def test_the_order_of_elements_counts(self, value: list[Any]) -> None:
        """An array is another value when it is turned round, unless it reads the same."""
        assert canonical(value[::-1]) != canonical(value)

    @given(VALUES, VALUES)
    def test_other_values_have_other_texts(self, one: Any, other: Any) -> None:
        """Two values have one text only where Python, told apart by type, calls them equal."""
        if canonical(one) == canonical(other):
            assert one == other

    @pytest.mark.parametrize(
        ("one", "other"), [(1, 1.0), (0, -0.0), (-3, -3.0), ([2], (2.0,)), ({"a": 1}, {"a": 1.0})]
    )
    def test_equal_numbers_are_one(self, one: Any, other: Any) -> None:
        """The spelling of a number does not count (READ-7)."""
        assert canonical(one) == canonical(other)

    @given(st.floats(allow_nan=False, allow_infinity=False).filter(float.is_integer))
    def test_a_whole_number_has_one_text_however_large(self, number: float) -> None:
        """A store may write a whole float without exponent, and read it back as an integer."""
        assert canonical(number) == canonical(int(number))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (True, 1),
            (False, 0),
            (None, "null"),
            (None, ""),
            (1, "1"),
            ([], {}),
            ([[]], []),
            ("\u00e9", "e\u0301"),
            (2**53, 2**53 + 1),
        ],
    )
    def test_near_values_are_two(self, one: Any, other: Any) -> None:
        """Values that some languages or databases fold into one stay apart (READ-7)."""
        assert canonical(one) != canonical(other)

    def test_it_shares_nothing_with_the_value(self) -> None:
        """The text stays as it was when the value is changed afterwards (READ-6)."""
        value = {"a": [1]}
        text = canonical(value)
        value["a"].append(2)
        assert text == '{"a":[1]}'


class TestIsJson:
    @given(VALUES)
    def test_json_values_are_json(self, value: Any) -> None:
        """Whatever JSON can spell is JSON, also where one part stands in several places."""
        assert is_json(value)
        assert is_json([value, {"twice": value}])

    @pytest.mark.parametrize(
        "value",
        [math.nan, math.inf, -math.inf, b"bytes", {1, 2}, 1j, {1: "a"}, {None: 1}],
        ids=repr,
    )
    def test_other_values_are_not(self, value: Any) -> None:
        """What JSON cannot spell is not JSON, wherever in a value it stands (INPUT-7)."""
        assert not is_json(value)
        assert not is_json([1, {"a": value}])

    def test_a_cycle_is_not_json(self) -> None:
        """A value that contains itself is refused, and looking for it ends."""
        around: list[Any] = []
        around.append({"back": around})
        assert not is_json(around)


class TestSize:
    @given(VALUES)
    def test_it_counts_the_bytes_of_compact_json(self, value: Any) -> None:
        """The size is that of compact UTF-8 JSON without needless escapes."""
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        assert size_bytes(value) == len(text.encode())

    @pytest.mark.parametrize(
        ("value", "size"),
        [
            (None, 4),
            ("", 2),
            ("a", 3),
            ("\u00e9", 4),
            ("\u20ac", 5),
            ("\U0001f600", 6),
            ("\ud800", 5),
            ({"a": [1, 2]}, 11),
        ],
    )
    def test_it_counts_bytes_and_not_characters(self, value: Any, size: int) -> None:
        """Text outside ASCII counts with its UTF-8 bytes (INPUT-9)."""
        assert size_bytes(value) == size


class TestDepth:
    @given(VALUES)
    def test_both_counts_differ_by_one_at_most(self, value: Any) -> None:
        """An empty container is the only place where the two counts differ, and by one."""
        assert levels_deep(value) <= containers_deep(value) <= levels_deep(value) + 1

    @given(VALUES, st.integers(0, 40))
    def test_a_container_adds_one(self, value: Any, depth: int) -> None:
        """Each array around a value makes it one deeper by both counts."""
        assert containers_deep(nested(depth, value)) == containers_deep(value) + depth
        assert levels_deep(nested(depth, value)) == levels_deep(value) + depth

    @pytest.mark.parametrize(
        ("value", "containers", "levels"),
        [(1, 0, 0), ([], 1, 0), ([1], 1, 1), ([[]], 2, 1), ({"a": {"b": 1}}, 2, 2)],
    )
    def test_small_values(self, value: Any, containers: int, levels: int) -> None:
        """The root is level 0; a container counts itself."""
        assert (containers_deep(value), levels_deep(value)) == (containers, levels)


class TestUnkeepableText:
    @given(TEXT.filter(lambda text: "\0" not in text))
    def test_plain_text_can_be_kept(self, text: str) -> None:
        """Any Unicode text without NUL and without a lone surrogate can be kept."""
        assert not has_unkeepable_text(text)

    @pytest.mark.parametrize("text", ["\0", "a\0b", chr(0xD800), "a" + chr(0xDFFF)])
    def test_nul_and_lone_surrogates_may_be_refused(self, text: str) -> None:
        """A store may refuse a NUL or a lone surrogate (INPUT-10)."""
        assert has_unkeepable_text(text)
