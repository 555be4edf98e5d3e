"""One plan: what is kept, what goes, and the reason that is given."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.duration import format_duration, parse_duration
from holdfast.domain.retention import Rule, StoredBackup, plan
from holdfast.errors import InvalidSpec

UTC_ZONE = ZoneInfo("Etc/UTC")
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def aged(*ages: timedelta, **facts: bool) -> list[StoredBackup]:
    return [StoredBackup(f"{age}", NOW - age, **facts) for age in ages]


def days(*ages: float, **facts: bool) -> list[StoredBackup]:
    return aged(*(DAY * age for age in ages), **facts)


def reasons(backups: list[StoredBackup], rule: Rule, zone: ZoneInfo = UTC_ZONE) -> dict[float, str]:
    """Age in days to what is said of it; a minus in front of what goes."""
    return {
        (NOW - one.backup.time) / DAY: ("" if one.keep else "-") + ", ".join(one.reasons)
        for one in plan(backups, rule, NOW, zone)
    }


def kept(backups: list[StoredBackup], rule: Rule, zone: ZoneInfo = UTC_ZONE) -> list[float]:
    return [(NOW - one.backup.time) / DAY for one in plan(backups, rule, NOW, zone) if one.keep]


def test_every_backup_has_a_reason() -> None:
    backups = days(0, 1, 2, 3, 10, 30, 60)
    assert reasons(backups, Rule(keep_daily=3, keep_monthly=1)) == {
        0: "newest good, daily 1 of 3",
        1: "daily 2 of 3",
        2: "daily 3 of 3",
        3: "-no rule needs it",
        10: "on its way to monthly",
        30: "monthly 1 of 1",
        60: "-older than every rule",
    }


def test_of_a_day_the_newest_is_kept_in_the_zone_of_the_policy() -> None:
    backups = aged(4 * HOUR, 10 * HOUR, 28 * HOUR)  # 23:00, 17:00 of the 22nd; 23:00 of the 21st, in UTC
    assert kept(backups, Rule(keep_daily=2)) == [4 / 24, 28 / 24]
    # In Tokyo they are 08:00 of the 23rd, 02:00 of the 23rd, 08:00 of the 22nd.
    assert kept(backups, Rule(keep_daily=2), ZoneInfo("Asia/Tokyo")) == [4 / 24, 28 / 24]
    # In New York 18:00, 12:00 of the 22nd, 18:00 of the 21st; and with one more in between:
    assert kept([*backups, *aged(24 * HOUR)], Rule(keep_daily=2), ZoneInfo("America/New_York")) == [4 / 24, 1]


def test_an_hour_that_the_clock_repeats_is_two_hours() -> None:
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    backups = [StoredBackup("first", first), StoredBackup("second", second)]
    decisions = plan(backups, Rule(keep_hourly=2), NOW, ZoneInfo("Europe/Berlin"))
    assert [one.keep for one in decisions] == [True, True]


def test_keep_last_counts_good_ones() -> None:
    assert kept([*days(0, 1, 3, 4), *days(2, good=False)], Rule(keep_last=3)) == [0, 1, 3]


def test_keep_within_counts_from_the_newest_good_one_so_an_outage_removes_nothing() -> None:
    rule = Rule(keep_within=timedelta(days=10))
    assert reasons(days(100, 105, 110, 111), rule) == {
        100: "newest good, within 10d",
        105: "within 10d",
        110: "within 10d",
        111: "-older than every rule",
    }


def test_an_empty_rule_keeps_everything() -> None:
    assert Rule().empty
    assert reasons(days(0, 1000), Rule()) == {0: "no rule", 1000: "no rule"}


def test_what_is_held_stays_for_ever() -> None:
    assert reasons([*days(0), *days(4000, held=True)], Rule(keep_last=1))[4000] == "held"


def test_a_held_partial_one_stays_too() -> None:
    assert kept([*days(0), *days(50, held=True, good=False)], Rule(keep_last=1)) == [0, 50]


def test_the_newest_verified_one_stays() -> None:
    backups = [*days(0, 1, 2), *days(90, 95, verified=True)]
    assert reasons(backups, Rule(keep_last=1))[90] == "newest verified"
    assert 95 not in kept(backups, Rule(keep_last=1))


def test_so_many_good_ones_stay_as_the_rule_says_at_least() -> None:
    said = reasons(days(0, 40, 80, 120), Rule(keep_within=DAY, min_successful=3))
    assert [age for age, text in said.items() if not text.startswith("-")] == [0, 40, 80]
    assert said[80] == "good 3 of at least 3"


def test_the_last_good_one_stays_whatever_partial_ones_follow() -> None:
    backups = [*days(0, 1, 2, good=False), *days(500, 501)]
    assert reasons(backups, Rule(keep_last=2, min_successful=0)) == {
        0: "partial, and newer than every good one",
        1: "-partial, and not the newest",
        2: "-partial, and not the newest",
        500: "newest good, last 1 of 2",
        501: "last 2 of 2",
    }


def test_a_partial_one_goes_when_a_good_one_comes() -> None:
    assert kept([*days(0), *days(1, good=False)], Rule(keep_daily=7)) == [0]


def test_a_partial_one_is_all_there_is() -> None:
    assert kept(days(0, 1, good=False), Rule(keep_daily=7, keep_monthly=1)) == [0]


def test_what_is_dated_ahead_of_the_clock_stays_and_takes_no_place() -> None:
    said = reasons(days(-400, 0, 1, 2), Rule(keep_daily=2))
    assert said == {
        -400: "ahead of the clock",
        0: "newest good, daily 1 of 2",
        1: "daily 2 of 2",
        2: "-older than every rule",
    }


def test_one_that_is_ahead_by_a_day_is_counted() -> None:
    assert kept(days(-1, 0, 1), Rule(keep_daily=2)) == [-1, 0]


def test_two_of_one_moment_are_told_apart_by_their_ids() -> None:
    twins = [StoredBackup("a", NOW), StoredBackup("b", NOW)]
    assert [(one.backup.id, one.keep) for one in plan(twins, Rule(keep_last=1), NOW, UTC_ZONE)] == [
        ("b", True),
        ("a", False),
    ]


backups = st.builds(
    lambda hours, good, verified, held: (hours, good, verified and good, held),
    st.integers(-24 * 40, 24 * 800),
    st.booleans(),
    st.booleans(),
    st.sampled_from([False] * 9 + [True]),
)
rules = st.builds(
    Rule,
    *[st.integers(0, 4)] * 6,
    st.none() | st.integers(1, 2000).map(lambda hours: timedelta(hours=hours)),
    st.integers(0, 5),
)


@given(st.lists(backups, max_size=60), rules)
def test_whatever_the_rule_what_must_stay_stays_and_a_second_plan_agrees(
    facts: list[tuple[int, bool, bool, bool]], rule: Rule
) -> None:
    stored = [
        StoredBackup(f"{n:03d}", NOW - timedelta(hours=h), good, verified, held)
        for n, (h, good, verified, held) in enumerate(facts)
    ]
    decisions = plan(stored, rule, NOW, UTC_ZONE)
    assert sorted(one.backup.id for one in decisions) == sorted(one.id for one in stored)
    assert all(one.reasons for one in decisions)
    stays = {one.backup.id for one in decisions if one.keep}
    good = sorted((one for one in stored if one.good and one.time <= NOW), key=lambda one: (one.time, one.id))
    ahead = [one.id for one in stored if one.good and one.time > NOW]
    least = max(1, rule.min_successful)
    assert len([one for one in stored if one.good and one.id in stays]) >= min(least, len(good) + len(ahead))
    assert {one.id for one in stored if one.held} <= stays
    assert {one.id for one in stored if one.time > NOW + 3 * DAY} <= stays
    if not any(NOW < one.time <= NOW + 3 * DAY for one in stored):
        assert {one.id for one in good[-least:]} <= stays
        assert {one.id for one in [one for one in good if one.verified][-1:]} <= stays
    again = plan([one.backup for one in decisions if one.keep], rule, NOW, UTC_ZONE)
    assert all(one.keep for one in again), "a second prune at the same moment removes more"


@pytest.mark.parametrize(
    ("text", "hours"), [("90d", 2160), ("36h", 36), ("2w", 336), ("1w2d3h", 219), ("90m", 1.5), ("1d12h", 36)]
)
def test_a_duration(text: str, hours: float) -> None:
    assert parse_duration(text, "keepWithin") == timedelta(hours=hours)
    assert parse_duration(format_duration(timedelta(hours=hours)), "x") == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "90", "d", "1h1d", "-1d", "0d", "1.5d", "1y", " 1d", "1d\n"])
def test_not_a_duration(text: str) -> None:
    with pytest.raises(InvalidSpec, match="keepWithin"):
        parse_duration(text, "keepWithin")
