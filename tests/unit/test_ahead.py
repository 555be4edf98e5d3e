"""A thread that runs ahead changes nothing of what comes, and leaves nothing behind."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.services.ahead import PART, PARTS, ahead


@given(st.lists(st.integers(0, 2**21), max_size=3 * PART))
def test_all_come_and_in_order(items: list[int]) -> None:
    assert list(ahead(items, lambda item: item)) == items


def test_what_goes_wrong_is_raised_behind_what_came_before() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = ahead(failing(), lambda _item: 1)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_it_runs_ahead_by_a_bounded_weight_and_ends_with_its_reader() -> None:
    made = []

    def many() -> Iterator[int]:
        for number in range(10**6):
            made.append(number)
            yield number

    reader = ahead(many(), lambda _item: 1)
    assert next(reader) == 0
    reader.close()  # type: ignore[attr-defined]
    assert len(made) <= PART * (PARTS + 3)
    assert "ahead" not in [thread.name for thread in threading.enumerate()]
