"""The five checks of a policy, and the verdict that flaps for nobody."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.health import (
    DISTANCE,
    CheckName,
    Drills,
    Ended,
    Finding,
    Judged,
    Ping,
    Verdict,
    connection,
    cron_schedule,
    integrity,
    overall,
    recent_backup,
    retention,
    settle,
)
from holdfast.domain.phases import Phase
from holdfast.domain.schedule import Schedule, parse_schedule

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NIGHTLY = parse_schedule("0 2 * * *", "Etc/UTC")
WEEKLY = parse_schedule("0 2 * * 0", "Etc/UTC")
WEEKDAYS = parse_schedule("0 2 * * 1-5", "Etc/UTC")
MAX_AGE = timedelta(hours=26)
CHECK = CheckName.DATABASE_CONNECTION
GOOD, WARN, BAD = Verdict.HEALTHY, Verdict.WARNING, Verdict.CRITICAL


def run(phase: Phase = Phase.SUCCEEDED, ago: timedelta = HOUR, name: str = "a") -> Ended:
    return Ended(name, phase, NOW - ago, "" if phase is Phase.SUCCEEDED else "It broke.")


FAILED, PARTIAL = run(Phase.FAILED), run(Phase.PARTIALLY_FAILED)


# --- the connection ---------------------------------------------------------------------------------------------------


def test_a_source_that_answers_is_healthy() -> None:
    assert connection(Ping(member="Replica set rs0"), []).verdict is GOOD


def test_a_source_that_does_not_is_critical_and_says_why() -> None:
    found = connection(Ping(problem="no route to db:27017."), [run()])
    assert (found.verdict, found.message) == (BAD, "The source cannot be read: no route to db:27017.")
    assert not found.certain


@pytest.mark.parametrize(("runs", "verdict"), [([], GOOD), ([run()], GOOD), ([FAILED, run()], WARN)])
def test_where_nobody_asks_the_newest_run_tells(runs: list[Ended], verdict: Verdict) -> None:
    assert connection(None, runs).verdict is verdict


# --- a recent backup --------------------------------------------------------------------------------------------------


def recent(good: Ended | None, schedule: Schedule | None = NIGHTLY, created: timedelta = HOUR) -> Verdict:
    return recent_backup(good, schedule, MAX_AGE, created=NOW - created, now=NOW).verdict


@pytest.mark.parametrize(("hours", "verdict"), [(1, GOOD), (26, GOOD), (27, BAD), (500, BAD)])
def test_a_good_backup_may_be_26_hours_old(hours: int, verdict: Verdict) -> None:
    assert recent(run(ago=hours * HOUR)) is verdict


@pytest.mark.parametrize(("days", "verdict"), [(3, GOOD), (7, GOOD), (7.1, BAD)])
def test_a_weekly_schedule_leaves_a_week(days: float, verdict: Verdict) -> None:
    assert recent(run(ago=timedelta(days=days)), WEEKLY) is verdict


def test_a_weekend_without_a_schedule_counts_as_one() -> None:
    monday = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    friday = Ended("a", Phase.SUCCEEDED, datetime(2026, 2, 27, 2, 5, tzinfo=UTC))
    for hours, verdict in ((0, GOOD), (3, GOOD), (3.1, BAD)):
        found = recent_backup(friday, WEEKDAYS, MAX_AGE, created=friday.time, now=monday + hours * HOUR)
        assert found.verdict is verdict


def test_a_new_policy_is_warned_about_until_its_first_backup_is_overdue() -> None:
    assert (recent(None), recent(None, created=2 * DAY)) == (WARN, BAD)


def test_without_a_schedule_the_age_alone_counts() -> None:
    assert (recent(run(ago=2 * DAY), None), recent(run(), None)) == (BAD, GOOD)


def test_no_message_tells_an_age() -> None:
    told = {
        recent_backup(
            run(ago=timedelta()), NIGHTLY, MAX_AGE, created=NOW, now=NOW + minutes * timedelta(minutes=1)
        ).message
        for minutes in range(60)
    }
    assert len(told) == 1


# --- integrity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ([], GOOD),
        ([run()], GOOD),
        ([run(), FAILED, FAILED], GOOD),
        ([FAILED, run()], WARN),
        ([FAILED], WARN),
        ([PARTIAL, run()], WARN),
        ([PARTIAL, PARTIAL, run()], WARN),
        ([FAILED, FAILED, run()], BAD),
        ([FAILED, PARTIAL, run()], BAD),
    ],
)
def test_one_failed_backup_is_a_warning_and_two_in_a_row_are_critical(runs: list[Ended], verdict: Verdict) -> None:
    found = integrity(runs, None, [], now=NOW)
    assert (found.verdict, found.certain) == (verdict, True)


def test_a_failed_backup_is_told_by_its_name_and_its_words() -> None:
    assert integrity([run(Phase.FAILED, name="x")], None, [], now=NOW).message == "BackupRun x failed: It broke."


def drills(*, last: timedelta | None = HOUR, passed: bool = True, suspended: bool = False) -> Drills:
    moment = NOW - last if last is not None else None
    return Drills(WEEKLY, NOW - 30 * DAY, suspended=suspended, last=moment, passed=passed, message="A chunk is gone.")


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (drills(), GOOD),
        (drills(passed=False), BAD),
        (drills(passed=False, suspended=True), BAD),
        (drills(last=5 * DAY), WARN),
        (drills(last=5 * DAY, suspended=True), GOOD),
        (drills(last=None), WARN),
    ],
)
def test_drills_must_pass_and_must_happen(told: Drills, verdict: Verdict) -> None:
    assert integrity([run()], told, [], now=NOW).verdict is verdict


def test_a_drill_that_was_asked_for_today_is_not_missing() -> None:
    new = Drills(WEEKLY, NOW - HOUR)
    assert integrity([run()], new, [], now=NOW).verdict is GOOD


def test_a_surprise_is_a_warning_and_is_told_after_what_is_worse() -> None:
    found = integrity([run()], drills(passed=False), ["Collection 'users' is empty."], now=NOW)
    assert found.verdict is BAD
    assert found.message.endswith("failed: A chunk is gone. Collection 'users' is empty.")


# --- retention, and the schedule --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compliant", "verdict"), [(True, GOOD), (None, GOOD), (False, WARN)])
def test_a_rule_that_is_not_kept_is_a_warning(compliant: bool | None, verdict: Verdict) -> None:
    assert retention(compliant, "").verdict is verdict


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, GOOD),
        ({"in_force": False}, BAD),
        ({"unready": "There is no Secret."}, BAD),
        ({"unready": "cron is wrong.", "stalled": True}, WARN),
        ({"in_force": False, "unready": "cron is wrong.", "stalled": True}, BAD),
        ({"suspended": True}, WARN),
        ({"missed": "02:00 was missed."}, WARN),
    ],
)
def test_backups_must_start_by_themselves(facts: dict[str, object], verdict: Verdict) -> None:
    every = {"in_force": True, "unready": "", "stalled": False, "suspended": False, "missed": ""} | facts
    assert cron_schedule(**every).verdict is verdict  # type: ignore[arg-type]


# --- the verdict ------------------------------------------------------------------------------------------------------


def look(before: Judged | None, verdict: Verdict, after: timedelta, *, certain: bool = False) -> Judged:
    return settle(Finding(CHECK, verdict, verdict.lower(), certain), before, NOW + after)


def test_the_first_look_is_believed() -> None:
    assert look(None, BAD, 0 * HOUR) == Judged(CHECK, BAD, "critical", NOW)


def test_another_verdict_takes_two_looks_at_a_distance() -> None:
    first = look(None, GOOD, 0 * HOUR)
    second = look(first, BAD, HOUR)
    assert (second.verdict, second.message, second.pending) == (GOOD, "healthy", BAD)
    near = look(second, BAD, HOUR + DISTANCE / 2)
    assert near == second
    far = look(near, BAD, HOUR + DISTANCE)
    assert far == Judged(CHECK, BAD, "critical", NOW + HOUR + DISTANCE)


def test_one_bad_look_between_good_ones_changes_nothing() -> None:
    first = look(None, GOOD, 0 * HOUR)
    second = look(look(first, BAD, HOUR), GOOD, 2 * HOUR)
    assert second == first
    assert look(second, BAD, 3 * HOUR).verdict is GOOD


def test_what_is_certain_is_said_at_once() -> None:
    assert look(look(None, GOOD, 0 * HOUR), BAD, timedelta(seconds=1), certain=True).verdict is BAD


def test_a_verdict_that_stays_takes_the_newest_words_and_keeps_its_time() -> None:
    first = settle(Finding(CHECK, BAD, "one"), None, NOW)
    second = settle(Finding(CHECK, BAD, "two"), first, NOW + HOUR)
    assert (second.message, second.since) == ("two", NOW)


@given(st.lists(st.tuples(st.sampled_from(Verdict), st.integers(1, 120)), min_size=1, max_size=40))
def test_no_verdict_changes_without_two_equal_looks_at_a_distance(looks: list[tuple[Verdict, int]]) -> None:
    now, judged = NOW, None
    seen: list[tuple[datetime, Verdict]] = []
    for verdict, seconds in looks:
        now += timedelta(seconds=seconds)
        seen.append((now, verdict))
        before, judged = judged, settle(Finding(CHECK, verdict, ""), judged, now)
        if before is None or judged.verdict is before.verdict:
            continue
        streak = [moment for moment, value in seen if moment > before.since and value is judged.verdict]
        assert len(streak) >= 2
        assert streak[-1] - streak[0] >= DISTANCE


@given(st.lists(st.sampled_from(Verdict), max_size=5))
def test_the_worst_check_is_the_verdict(verdicts: list[Verdict]) -> None:
    checks = [Judged(CHECK, verdict, "", NOW) for verdict in verdicts]
    order = [GOOD, WARN, BAD]
    assert overall(checks) is order[max((order.index(verdict) for verdict in verdicts), default=0)]
