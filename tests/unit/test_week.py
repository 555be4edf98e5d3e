"""The week that a summary tells of, and the minute that it is due at."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.week import days_of_week, last_due

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([ZoneInfo(name) for name in ("Etc/UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia")])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-02T06:59:59+00:00", "2026-02-23T07:00:00+00:00"),
        ("2026-03-02T07:00:00+00:00", "2026-03-02T07:00:00+00:00"),
        ("2026-03-08T23:00:00+00:00", "2026-03-02T07:00:00+00:00"),
        ("2026-03-30T06:00:00+00:00", "2026-03-30T06:00:00+00:00"),  # summer time has begun
    ],
)
def test_it_is_due_on_monday_at_eight_by_the_clock_on_the_wall(now: str, due: str) -> None:
    assert last_due(datetime.fromisoformat(now), BERLIN) == datetime.fromisoformat(due)


@given(MOMENTS, ZONES)
def test_the_last_one_is_never_ahead_nor_older_than_a_week_and_an_hour(now: datetime, zone: ZoneInfo) -> None:
    due = last_due(now, zone)
    assert due <= now < due + timedelta(days=7, hours=1)
    local = due.astimezone(zone)
    assert (local.weekday(), local.hour, local.minute) == (0, 8, 0)
    assert last_due(due, zone) == due


@given(MOMENTS, ZONES)
def test_seven_days_from_midnight_to_midnight(now: datetime, zone: ZoneInfo) -> None:
    days = days_of_week(last_due(now, zone), zone)
    assert [begin.astimezone(zone).strftime("%a %H") for begin, _ in days] == [
        f"{day} 00" for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    ]
    assert all(end == begin for (_, end), (begin, _) in pairwise(days))
