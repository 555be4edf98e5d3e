"""Schedules: what is accepted is what Kubernetes accepts, and when it is due."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from holdfast.domain.schedule import parse_schedule
from holdfast.errors import InvalidSpec

NOON = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)


def due(cron: str, zone: str = "Etc/UTC", count: int = 2, after: datetime = NOON) -> list[str]:
    return [moment.strftime("%m-%dT%H:%M") for moment in islice(parse_schedule(cron, zone).after(after), count)]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 2 * * *", ["03-28T02:00", "03-29T02:00"]),
        ("  0  2 * * * ", ["03-28T02:00", "03-29T02:00"]),
        ("*/15 * * * *", ["03-27T12:15", "03-27T12:30"]),
        ("5/20 * * * *", ["03-27T12:05", "03-27T12:25"]),
        ("0 1-5/2 * * *", ["03-28T01:00", "03-28T03:00"]),
        ("0 0 * * SUN,wed", ["03-29T00:00", "04-01T00:00"]),
        ("0 0 1 feb-mar ?", ["02-01T00:00", "03-01T00:00"]),
        ("@daily", ["03-28T00:00", "03-29T00:00"]),
        ("@hourly", ["03-27T13:00", "03-27T14:00"]),
    ],
)
def test_cron_is_read_as_kubernetes_reads_it(cron: str, expected: list[str]) -> None:
    assert due(cron) == expected


def test_a_day_of_month_and_a_day_of_week_are_alternatives() -> None:
    assert due("0 0 30 * mon", count=3) == ["03-30T00:00", "04-06T00:00", "04-13T00:00"]
    assert due("0 0 */10 * mon", count=3) == ["03-30T00:00", "03-31T00:00", "04-01T00:00"]


def test_the_time_zone_of_the_policy_counts() -> None:
    assert due("0 2 * * *", "Asia/Tokyo") == ["03-27T17:00", "03-28T17:00"]


def test_a_time_that_the_clock_change_skips_is_skipped() -> None:
    # Berlin goes from 02:00 to 03:00 on 2026-03-29.
    assert due("30 2 * * *", "Europe/Berlin", 3) == ["03-28T01:30", "03-30T00:30", "03-31T00:30"]


def test_a_schedule_that_is_due_now_is_due_next_time() -> None:
    assert due("0 12 * * *", count=1) == ["03-28T12:00"]


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("", "0 fields"),
        ("0 2 * *", "4 fields"),
        ("0 0 2 * * *", "6 fields"),
        ("60 * * * *", "not a minute"),
        ("* 24 * * *", "not a hour"),
        ("0 0 0 * *", "not a day of month"),
        ("0 0 * 13 *", "not a month"),
        ("0 0 * * 7", "not a day of week"),
        ("0 0 L * *", "not a day of month"),
        ("0 0 * * mon#1", "not a day of week"),
        ("5-1 * * * *", "backwards"),
        ("*/0 * * * *", "step of 0"),
        ("²5 * * * *", "not a minute"),
        ("0 0 31 2 *", "never due"),
        ("@every 1h", "not a known macro"),
        ("TZ=Europe/Berlin 0 2 * * *", "names a time zone"),
        ("CRON_TZ=UTC 0 2 * * *", "names a time zone"),
    ],
)
def test_cron_that_kubernetes_would_refuse_names_the_field(cron: str, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said) as caught:
        parse_schedule(cron, "Etc/UTC")
    assert "spec.schedule.cron" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("zone", ["Mars/Phobos", "Local", "", "../../etc/passwd", "/etc/localtime", "+02:00"])
def test_an_unknown_time_zone_names_the_field(zone: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.schedule\.timeZone"):
        parse_schedule("0 2 * * *", zone)


@pytest.mark.parametrize(
    ("cron", "moment", "hours"),
    [
        ("0 2 * * *", "2026-03-04T02:00", 24),
        ("0 2 * * *", "2026-03-04T01:59", 24),
        ("*/15 * * * *", "2026-03-04T01:59", 0.25),
        ("0 2 * * 1-5", "2026-03-06T02:05", 72),
        ("0 2 * * 1-5", "2026-03-05T02:05", 24),
        ("0 2 * * 0", "2026-03-04T12:00", 168),
        ("0 0 1 1 *", "2026-03-04T12:00", 365 * 24),
    ],
)
def test_the_interval_at_a_moment_is_between_the_two_times_around_it(cron: str, moment: str, hours: float) -> None:
    at = datetime.fromisoformat(f"{moment}+00:00")
    assert parse_schedule(cron, "Etc/UTC").interval_at(at) == timedelta(hours=hours)


def test_the_interval_over_a_change_of_the_clock_is_real_time() -> None:
    berlin = parse_schedule("0 4 * * *", "Europe/Berlin")
    assert berlin.interval_at(datetime(2026, 3, 28, 12, tzinfo=UTC)) == timedelta(hours=23)
