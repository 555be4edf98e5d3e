"""The brake on the live database."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.pace import SLOWEST, Pace

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def test_without_a_limit_there_is_no_pause() -> None:
    assert Pace(None, START).pause(10**12, START) == 0


@given(st.integers(1, 10**9), st.lists(st.tuples(st.integers(0, 10**8), st.floats(0, 100)), max_size=30))
def test_after_each_pause_the_average_keeps_the_limit(limit: int, steps: list[tuple[int, float]]) -> None:
    pace, now, done = Pace(limit, START), START, 0
    for size, seconds in steps:
        done += size
        now += timedelta(seconds=seconds)
        now += timedelta(seconds=pace.pause(done, now))
        assert done <= limit * ((now - START).total_seconds() + 0.001)


def test_a_reader_below_the_limit_is_never_held_up() -> None:
    assert Pace(1000, START).pause(999, START + timedelta(seconds=1)) == 0


def test_without_a_limit_the_source_chooses_its_steps() -> None:
    assert Pace(None, START).batch_bytes is None


@given(limit=st.integers(SLOWEST, 10**10))
def test_a_limit_means_many_small_steps_a_second(limit: int) -> None:
    step = Pace(limit, START).batch_bytes
    assert step is not None
    assert 64 * 1024 <= step <= 4 * 1024 * 1024
    assert limit / step >= 15
