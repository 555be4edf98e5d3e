"""The checks of the fault tests find what they look for."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from tests.faults import checks
from tests.faults.scene import DEADLINE_SECONDS, CommandLineFailed, Place, Scene

BEGIN = "2026-06-01T12:00:00Z"
SHORT = Place("short", "s3://bucket", 2)


def run(name: str = "a", **status: Any) -> dict[str, Any]:
    whole = {"phase": "Succeeded", "startTime": BEGIN, "completionTime": "2026-06-01T12:00:30Z", "backupId": name}
    return {
        "metadata": {"name": name, "creationTimestamp": BEGIN},
        "spec": {"policyRef": {"name": "short"}},
        "status": {**whole, **status},
    }


def mail(phase: str = "Sent") -> dict[str, Any]:
    return {"deliveries": [{"to": "a@b.example", "event": "BackupSucceeded", "phase": phase, "messageId": "<1@b>"}]}


def stored(*names: str) -> list[dict[str, Any]]:
    return [{"backupId": name, "phase": "Succeeded", "startTime": BEGIN} for name in names]


def test_a_run_that_goes_on_is_open() -> None:
    assert checks.open_runs([run(phase="Running"), run(phase="Failed")]) == ["a is Running"]


def test_a_run_without_a_phase_is_open() -> None:
    assert checks.open_runs([{"metadata": {"name": "a"}}])


@pytest.mark.parametrize(("seconds", "found"), [(0, 0), (1, 1)])
def test_a_run_may_take_its_deadline_and_two_minutes(seconds: int, found: int) -> None:
    minute, second = divmod(DEADLINE_SECONDS + 120 + seconds, 60)
    late = run(completionTime=f"2026-06-01T12:{minute:02}:{second:02}Z")
    assert len(list(checks.in_time([late], []))) == found


def test_time_without_an_api_server_is_not_counted() -> None:
    begin = datetime.fromisoformat(BEGIN)
    late = run(completionTime=(begin + timedelta(seconds=DEADLINE_SECONDS + 150)).isoformat())
    outage = (begin + timedelta(seconds=10), begin + timedelta(seconds=40))
    assert not list(checks.in_time([late], [outage]))
    assert list(checks.in_time([late], [(begin - timedelta(seconds=40), begin + timedelta(seconds=29))]))


def test_a_failure_without_a_message_is_found() -> None:
    assert list(checks.explained([run(phase="Failed", reason="Any", message="")]))


def test_mail_that_is_owed_is_found() -> None:
    assert list(checks.told([], [run(notifications=mail("Owed"))], ["<1@b>"]))


def test_mail_that_counts_as_sent_and_did_not_arrive_is_found() -> None:
    assert list(checks.told([], [run(notifications=mail())], ["<2@b>"]))


def test_an_end_that_nobody_is_told_is_found() -> None:
    assert list(checks.told([], [run()], []))


def test_nobody_is_told_of_a_run_that_was_cancelled() -> None:
    assert not list(checks.told([], [run(phase="Cancelled")], []))


def test_mail_that_arrived_is_well() -> None:
    assert not list(checks.told([run(notifications=mail())], [run(notifications=mail())], ["<1@b>"]))


def test_a_second_copy_of_a_mail_is_counted() -> None:
    assert checks.doubled(["<1@b>", "<1@b>", "<2@b>"]) == 1


def test_more_backups_than_the_rule_keeps_are_found() -> None:
    assert list(checks.kept(SHORT, [], stored("a", "b", "c")))


def test_a_success_whose_backup_is_gone_too_early_is_found() -> None:
    assert list(checks.kept(SHORT, [run("a")], stored("b")))


def test_a_success_whose_backup_made_room_for_newer_ones_is_well() -> None:
    assert not list(checks.kept(SHORT, [run("a")], stored("b", "c")))


def test_a_success_without_a_backup_is_found() -> None:
    assert list(checks.kept(SHORT, [run("a", backupId=None)], stored("b", "c")))


def test_nobody_is_told_of_a_run_that_the_catalogue_gave_back() -> None:
    imported = run()
    imported["spec"]["reason"] = "Imported"
    assert not list(checks.told([], [imported], []))


class Refusing:
    """A scene whose command line says no."""

    def __init__(self, words: str) -> None:
        self._words = words

    def holdfast(self, *_arguments: object, **_options: object) -> None:
        raise CommandLineFailed(self._words)


def test_a_lock_that_is_left_is_found() -> None:
    words = "The repository in s3://bucket is locked: backup by a."
    assert words in " ".join(checks.swept(cast("Scene", Refusing(words)), SHORT))


PRUNED = {"time": BEGIN, "removed": []}
BUSY = {"time": BEGIN, "reason": "RepositoryBusy", "error": "It is locked."}


@pytest.mark.parametrize(
    ("status", "pruned"),
    [({"retention": PRUNED}, True), ({}, False), ({"retention": BUSY}, False), ({"phase": "Failed"}, False)],
)
def test_a_good_backup_is_followed_by_a_prune(status: dict[str, Any], pruned: bool) -> None:
    assert checks.has_pruned(run(**status)) is pruned


def test_prunes_that_did_not_go_are_counted_by_their_cause() -> None:
    runs = [run(), run(retention=BUSY), run(retention=BUSY), run(retention=PRUNED), run(phase="Failed")]
    assert checks.unpruned(runs) == {"RepositoryBusy": 2, "NotReported": 1}
