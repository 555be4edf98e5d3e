"""Which scheduled backups never started."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.missed_ticks import AT_ONCE, Settled, settle_ticks
from holdfast.domain.schedule import parse_schedule

HOURLY = parse_schedule("0 * * * *", "Etc/UTC")
START = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
PATIENCE = timedelta(minutes=10)


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def settle(now: datetime, *served: datetime, since: datetime = START) -> Settled:
    return settle_ticks(HOURLY, since=since, now=now, served=set(served), patience=PATIENCE)


def test_nothing_is_missed_before_it_is_due() -> None:
    assert settle(at(12, 59)) == Settled(START)


def test_a_tick_may_be_late() -> None:
    assert settle(at(13, 10)) == Settled(START)


def test_a_tick_that_is_too_late_to_start_is_missed() -> None:
    assert settle(at(13, 11)) == Settled(at(13), 1, at(13))


def test_a_served_tick_is_settled_at_once() -> None:
    settled = settle(at(13, 1), at(13))
    assert settled == Settled(at(13))
    assert not settled.missing


def test_a_tick_before_a_served_one_is_missed_at_once() -> None:
    assert settle(at(14, 1), at(14)) == Settled(at(14), 1, at(13))


def test_after_an_outage_one_is_caught_up_and_the_others_are_missed() -> None:
    settled = settle(at(17, 5), at(17))
    assert (settled.missed, settled.last_missed) == (4, at(16))
    assert not settled.missing


def test_what_was_settled_is_not_counted_again() -> None:
    assert settle(at(14, 30), since=at(14)) == Settled(at(14))


def test_a_tick_before_the_policy_is_never_missed() -> None:
    assert settle(at(12, 59), at(11)) == Settled(START)


def test_a_run_from_before_the_clock_was_set_back_settles_nothing() -> None:
    assert settle(at(12, 59), at(15)) == Settled(START)


def test_an_hour_that_the_clock_change_skips_is_not_missed() -> None:
    berlin = parse_schedule("30 2 * * *", "Europe/Berlin")
    since = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the 29th has no 02:30
    settled = settle_ticks(berlin, since=since, now=since + timedelta(days=1), served=set(), patience=PATIENCE)
    assert settled == Settled(since)


def test_a_long_outage_is_settled_in_several_looks() -> None:
    minutely = parse_schedule("* * * * *", "Etc/UTC")
    now, since, missed = START + timedelta(minutes=2 * AT_ONCE + 100), START, 0
    for expected in (AT_ONCE, AT_ONCE, 100 - 10 - 1):
        settled = settle_ticks(minutely, since=since, now=now, served=set(), patience=PATIENCE)
        assert settled.missed == expected
        since, missed = settled.until, missed + settled.missed
    assert since == now - PATIENCE - timedelta(minutes=1)


@given(
    hours=st.integers(0, 400),
    served=st.sets(st.integers(0, 400)),
    looks=st.lists(st.integers(0, 400 * 60), max_size=6),
    zone=st.sampled_from(("Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
    minute=st.integers(0, 365 * 24 * 60),
    cron=st.sampled_from(("0 * * * *", "30 2 * * *", "15 1,2,3 * * *")),
)
def test_however_often_it_is_looked_at_each_tick_is_counted_once(
    hours: int, served: set[int], looks: list[int], zone: str, minute: int, cron: str
) -> None:
    """Runs start at their ticks: a look sees those that have started by then."""
    schedule, begin = parse_schedule(cron, zone), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    end = begin + timedelta(hours=hours) + PATIENCE
    ticks = list(takewhile(lambda tick: tick <= end, schedule.after(begin)))
    started = {tick for index, tick in enumerate(ticks) if index in served}
    since, missed = begin, 0
    for now in [*sorted(begin + timedelta(minutes=minutes) for minutes in looks), end]:
        if now > end:
            continue
        seen = {tick for tick in started if tick <= now}
        settled = settle_ticks(schedule, since=since, now=now, served=seen, patience=PATIENCE)
        assert settled.until >= since
        since, missed = settled.until, missed + settled.missed
    assert missed == sum(tick not in started and tick <= since for tick in ticks)
    assert all(tick <= since or tick + PATIENCE >= end for tick in ticks)
