"""What is overdue after an outage begins spread over a while; what is on time begins at once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.catching_up import begin_after, spread
from holdfast.domain.schedule import parse_schedule

TICK = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAILY = "0 2 * * *"


def moment(
    late: timedelta, *, uid: str = "a", cron: str = DAILY, latest: timedelta = HOUR, deadline: timedelta = 6 * HOUR
) -> timedelta | None:
    """How long after it was made a run begins."""
    made = TICK + late
    schedule = parse_schedule(cron, "Etc/UTC")
    begin = begin_after(TICK, made, uid, latest=latest, deadline=deadline, schedule=schedule)
    return begin - made if begin else None


@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=10), 2 * MINUTE])
def test_a_run_on_time_begins_at_once(late: timedelta) -> None:
    assert moment(late) is None


def test_a_run_that_is_later_than_any_may_be_is_no_scheduled_one() -> None:
    """A Job by hand whose name looks like it."""
    assert moment(2 * HOUR) is None


@given(st.uuids(version=4))
def test_a_late_run_begins_within_ten_minutes(uid: object) -> None:
    wait = moment(HOUR, uid=str(uid))
    assert wait is not None
    assert timedelta() <= wait < 10 * MINUTE


def test_many_policies_are_spread_evenly() -> None:
    window = 10 * MINUTE
    moments = [spread(f"policy-{number}", window) for number in range(1000)]
    for minute in range(10):
        assert 60 <= sum(minute * MINUTE <= one < (minute + 1) * MINUTE for one in moments) <= 140


def test_a_policy_has_always_the_same_moment() -> None:
    assert moment(HOUR) == moment(HOUR)


@given(st.uuids(version=4))
def test_the_wait_takes_a_tenth_of_the_deadline_at_most(uid: object) -> None:
    wait = moment(HOUR, uid=str(uid), deadline=MINUTE)
    assert wait is not None
    assert wait < MINUTE / 10


@given(st.uuids(version=4))
def test_the_wait_takes_a_tenth_of_the_time_to_the_next_run_at_most(uid: object) -> None:
    wait = moment(HOUR, uid=str(uid), cron="* * * * *")
    assert wait is not None
    assert wait < MINUTE / 10
