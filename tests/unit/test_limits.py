"""How often something may be done: so many at once, then at a steady pace, each key for itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.rate import Rate
from holdfast.web.limits import Limiter, Places, TooMany

GAPS = st.lists(st.floats(0, 30, allow_nan=False), max_size=60)


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def admitted(limiter: Limiter, key: str) -> bool:
    try:
        limiter.admit(key)
    except TooMany:
        return False
    return True


@given(GAPS, st.integers(1, 5), st.floats(0.5, 10))
def test_never_more_than_the_burst_and_what_came_back(gaps: list[float], burst: int, seconds: float) -> None:
    watch = Watch()
    limiter, times = Limiter("tries", Rate(burst, seconds), watch), []
    for gap in gaps:
        watch.now += gap
        if admitted(limiter, "ann"):
            times.append(watch.now)
    for first, start in enumerate(times):
        for last, end in enumerate(times[first:], 1):
            assert last <= burst + (end - start) / seconds + 1e-6


@given(st.integers(1, 5), st.floats(0.5, 10))
def test_who_waits_as_long_as_told_gets_in(burst: int, seconds: float) -> None:
    watch = Watch()
    limiter = Limiter("tries", Rate(burst, seconds), watch)
    assert all(admitted(limiter, "ann") for _ in range(burst))
    with pytest.raises(TooMany) as refused:
        limiter.admit("ann")
    watch.now += refused.value.seconds
    assert admitted(limiter, "ann")


def test_a_refused_try_does_not_make_the_wait_longer() -> None:
    watch = Watch()
    limiter = Limiter("tries", Rate(1, 60), watch)
    assert admitted(limiter, "ann")
    for _ in range(10):
        assert not admitted(limiter, "ann")
    watch.now = 60
    assert admitted(limiter, "ann")


def test_to_check_counts_nothing_and_refuses_what_would_be_refused() -> None:
    limiter = Limiter("tries", Rate(1, 60), Watch())
    for _ in range(3):
        limiter.check("ann")
    assert admitted(limiter, "ann")
    with pytest.raises(TooMany) as refused:
        limiter.check("ann")
    assert refused.value.seconds == 60


def test_one_does_not_pay_for_another() -> None:
    limiter = Limiter("tries", Rate(1, 60), Watch())
    assert admitted(limiter, "ann")
    assert admitted(limiter, "bob")


def test_many_keys_do_not_fill_the_memory_and_who_was_refused_last_stays_so() -> None:
    limiter = Limiter("tries", Rate(1, 60), Watch(), limit=3)
    assert [admitted(limiter, key) for key in "abcd"] == [True] * 4
    assert not admitted(limiter, "d")
    assert admitted(limiter, "a"), "the oldest is forgotten"


def test_nobody_takes_all_places() -> None:
    places = Places("streams", 2, 1)
    places.take("ann")
    with pytest.raises(TooMany):
        places.take("ann")
    places.take("bob")
    with pytest.raises(TooMany):
        places.take("cay")
    places.give_back("ann")
    places.take("ann")
