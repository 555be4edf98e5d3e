"""What the pages of the dashboard show, from policies and runs as the cluster has them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.domain.phases import Phase
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.web.dashboard.views.calendar import Fate
from holdfast.web.dashboard.views.charts import HEIGHT, WIDTH, bytes_chart, seconds_chart
from holdfast.web.dashboard.views.marks import Tone, mark, words
from holdfast.web.dashboard.views.overview import PAGE, overview
from holdfast.web.dashboard.views.policy import policy_view
from holdfast.web.dashboard.views.run import Place, run_view
from holdfast.web.dashboard.views.strip import RUNS, strip
from tests.support.kube_objects import policy_body, run_body

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MIB = 1024 * 1024


def policy(name: str = "shop", verdict: str | None = None, **status: Any) -> BackupPolicy:
    since = "2026-02-27T02:00:00Z"
    health = {"verdict": verdict, "since": since, "message": "Said."} if verdict else None
    body = policy_body(name)
    body["metadata"] |= {"uid": "uid", "generation": 1}
    return BackupPolicy.model_validate({**body, "status": {"health": health, **status}})


def run(age: int, phase: str | None = "Succeeded", *, hold: bool = False, **status: Any) -> BackupRun:
    """One that started so many days ago."""
    start = NOW - age * DAY
    body = run_body(f"run-{age}")
    body["spec"]["hold"] = hold
    body["metadata"]["creationTimestamp"] = start.isoformat()
    if phase in ("Succeeded", "PartiallyFailed"):
        ended = {"completionTime": start + timedelta(seconds=8), "duration": "8s", "backupId": f"{start:%Y%m%d}-a"}
        status = {"storedBytes": 10 * MIB, "newBytes": MIB, **ended, **status}
    return BackupRun.model_validate({**body, "status": {"phase": phase, "startTime": start, **status}})


def none(policies: Sequence[BackupPolicy]) -> list[list[BackupRun]]:
    return [[] for _ in policies]


def test_those_that_need_somebody_come_first() -> None:
    some = [policy("well", "Healthy"), policy("new"), policy("ill", "Critical"), policy("odd", "Warning")]
    view = overview(some, none)
    assert [one.name for one in view.cards] == ["ill", "odd", "new", "well"]
    assert [(one.word, count) for one, count in view.counts] == [
        ("Critical", 1), ("Warning", 1), ("Unknown", 1), ("Healthy", 1),
    ]  # fmt: skip


def test_a_part_of_a_name_or_namespace_finds_policies() -> None:
    some = [policy("orders"), policy("billing")]
    assert [one.name for one in overview(some, none, text="ORD").cards] == ["orders"]
    assert len(overview(some, none, text="default/").cards) == 2
    assert overview(some, none, text="nothing").total == 2


def test_many_policies_come_in_pages_and_only_the_runs_of_one_page_are_asked_for() -> None:
    asked: list[int] = []

    def recent(policies: Sequence[BackupPolicy]) -> list[list[BackupRun]]:
        asked.append(len(policies))
        return none(policies)

    many = [policy(f"p{number:03}") for number in range(PAGE + 1)]
    last = overview(many, recent, page=99)
    assert (last.page, last.pages, [one.name for one in last.cards]) == (2, 2, [f"p{PAGE:03}"])
    assert asked == [1]


def test_the_strip_goes_on_as_time_does_and_tells_of_each_run() -> None:
    ticks = strip([run(0, "Failed", reason="SourceUnavailable"), run(1)])
    assert [tick.mark.tone for tick in ticks] == [Tone.GOOD, Tone.BAD]
    assert ticks[0].details == "Succeeded, 28 Feb 2026, 12:00 UTC, took 8s, 10.0 MiB"
    assert ticks[1].details.endswith("SourceUnavailable")
    assert len(strip([run(age) for age in range(RUNS + 5)])) == RUNS


@pytest.mark.parametrize("phase", list(Phase))
def test_each_phase_is_a_word_with_a_shape(phase: Phase) -> None:
    assert mark(phase).word == words(phase)
    assert (mark(phase).tone is Tone.GOOD) == (phase is Phase.SUCCEEDED)


def test_names_of_checks_are_words() -> None:
    assert words("DatabaseConnection") == "Database connection"
    assert words("TLSError") == "TLS error"


def test_a_chart_has_all_points_within_and_says_what_it_shows() -> None:
    chart = bytes_chart("sizes", "Size", [("Stored", [(NOW + n * DAY, n * 3.7 * MIB) for n in range(9)])])
    assert chart is not None
    points = chart.lines[0].points
    assert len(points) == 9
    assert all(chart.left <= one.x <= chart.right and 0 < one.y <= chart.bottom for one in points)
    assert (chart.width, chart.height) == (WIDTH, HEIGHT)
    assert chart.summary == "Stored: 0 B at first, 29.6 MiB now, 29.6 MiB at most."
    assert [one.text for one in chart.across] == ["0 B", "10.0 MiB", "20.0 MiB", "30.0 MiB", "40.0 MiB"]


def test_two_backups_within_a_second_are_drawn_and_one_is_not() -> None:
    assert seconds_chart("d", "Duration", [("Took", [(NOW, 3.0), (NOW, 4.0)])]) is not None
    assert seconds_chart("d", "Duration", [("Took", [(NOW, 3.0)])]) is None


def test_the_calendar_tells_what_stays_and_why_and_what_goes() -> None:
    going = {"backupId": "20260220-a", "reason": "no rule needs it"}
    state = {"kept": 2, "expired": 1, "overdue": 0, "preview": [going]}
    runs = [run(0), run(9), run(30, hold=True), run(40, "Failed"), run(41, pruneTime=NOW)]
    calendar = policy_view(policy(retention=state), runs, [], NOW).calendar
    assert calendar is not None
    told = [(one.run, one.fate, one.reasons) for one in calendar.backups]
    assert told[0] == ("run-0", Fate.KEPT, "newest good, newest verified, daily 1 of 7")
    assert told[1] == ("run-9", Fate.GOES, "no rule needs it")
    assert told[2][:2] == ("run-30", Fate.HELD)
    assert "held" in told[2][2]
    assert (len(told), calendar.going) == (3, 1)
    assert [month.name for month in calendar.months] == ["March 2026", "February 2026", "January 2026"]
    days = {day.number: day.fate for week in calendar.months[0].weeks for day in week}
    assert days[1] is Fate.KEPT
    assert days[2] is None


def test_who_may_not_see_restores_is_shown_none_rather_than_an_empty_list() -> None:
    assert policy_view(policy(), [], None, NOW).restores is None
    assert policy_view(policy(), [], [], NOW).restores == ()


def test_what_was_there_already_is_told() -> None:
    view = policy_view(policy(), [run(0), run(1, newBytes=12 * MIB)], [], NOW)
    assert [one.reused_percent for one in view.measured] == [90, 0]


def test_a_run_at_work_tells_its_speed_and_what_is_left() -> None:
    at_work = run(0, "Running", progress="25%", logicalBytes=300 * MIB, attempts=1)
    view = run_view(at_work, NOW + timedelta(seconds=30))
    assert (view.percent, view.bytes_per_second, view.left) == (25, 10 * MIB, timedelta(seconds=90))
    assert [(one.mark.word, one.place) for one in view.steps] == [
        ("Asked for", Place.PAST), ("Running", Place.HERE), ("Verifying", Place.AHEAD), ("Succeeded", Place.AHEAD),
    ]  # fmt: skip


def test_nothing_is_foretold_from_the_first_two_percent() -> None:
    view = run_view(run(0, "Running", progress="2%"), NOW + timedelta(seconds=30))
    assert view.left is None


def test_a_run_that_failed_shows_how_far_it_came() -> None:
    never = run_view(run(0, "Failed", reason="ImagePullFailed", message="No."), NOW)
    assert [one.mark.word for one in never.steps] == ["Asked for", "Failed"]
    began = run_view(run(0, "Failed", reason="SourceUnavailable", attempts=2), NOW)
    assert [one.mark.word for one in began.steps] == ["Asked for", "Running", "Failed"]
    assert began.reason == "Source unavailable"


def test_a_run_that_waits_says_so() -> None:
    waiting = run(0, None, queue={"ahead": 3})
    view = run_view(waiting, NOW)
    assert view.ahead == 3
    assert view.steps[1].mark.word == "Pending"


def drill(day: int, result: str = "Passed", seconds: int | None = 90) -> dict[str, Any]:
    return {"job": f"drill-{day}", "result": result, "time": f"2026-03-0{day}T03:00:00Z", "durationSeconds": seconds,
            "message": "All is well."}  # fmt: skip


def test_drills_are_listed_and_the_recovery_times_of_those_that_passed_are_drawn() -> None:
    drills = [drill(4, seconds=120), drill(3, "Failed", None), drill(2)]
    view = policy_view(policy(drills=drills, lastDrill=drills[0]), [], [], NOW)
    assert [one.job for one in view.drills] == ["drill-4", "drill-3", "drill-2"]
    assert view.drill is not None
    assert view.drill.job == "drill-4"
    assert [bool(one.message) for one in view.drills] == [False, True, False], "only a failure needs words"
    assert view.recovery is not None
    [line] = view.recovery.lines
    assert [point.text for point in line.points] == ["02 Mar 03:00: 1m30s", "04 Mar 03:00: 2m"]


def test_an_older_status_tells_of_its_newest_drill_all_the_same() -> None:
    view = policy_view(policy(lastDrill=drill(4)), [], [], NOW)
    assert [one.job for one in view.drills] == ["drill-4"]
    assert view.recovery is None
