"""The operator says how the rule is kept, starts a Job where nobody prunes, and forgets runs that stand for nothing."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, SECRET
from holdfast.resources.base import format_time
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.specs.names import policy_labels
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, policy_body, run_body, secret_body

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TWO = {"keepDaily": 0, "keepMonthly": 0, "keepLast": 2}
"""The clock stands at noon; backups are at 02:00."""


class Site:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.cluster.put(SECRET, secret_body())
        self.uid = self.cluster.put(BACKUP_POLICY, policy_body(retention=TWO))["metadata"]["uid"]

    def look(self) -> None:
        reconcile_policy(self.cluster, NAMESPACE, "shop", image=IMAGE, clock=self.clock)

    def run(self, name: str, age: timedelta, phase: str = "Succeeded", *, ours: bool = True, **status: Any) -> None:
        body = run_body(name)
        ended: datetime = START - age
        body["metadata"]["labels"] = policy_labels("shop")
        body["metadata"]["creationTimestamp"] = format_time(ended)
        if ours:
            owner = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupPolicy", "name": "shop", "uid": self.uid}
            body["metadata"]["ownerReferences"] = [owner]
        backup = {"backupId": f"id-{name}"} if phase in ("Succeeded", "PartiallyFailed") else {}
        times = {"startTime": format_time(ended), "completionTime": format_time(ended)}
        body["status"] = {"phase": phase, **times, **backup, **status}
        self.cluster.put(BACKUP_RUN, body)

    def change(self, **spec: Any) -> None:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        self.cluster.patch(BACKUP_POLICY, body, {"spec": spec})

    def annotate(self, name: str, value: str) -> None:
        body = self.cluster.get(BACKUP_RUN, NAMESPACE, name)
        assert body is not None
        self.cluster.patch(BACKUP_RUN, body, {"metadata": {"annotations": {"holdfast.dev/hold": value}}})

    @property
    def status(self) -> dict[str, Any]:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        result: dict[str, Any] = body["status"]
        return result

    @property
    def compliant(self) -> tuple[str, str]:
        (one,) = [one for one in self.status["conditions"] if one["type"] == "RetentionCompliant"]
        return one["status"], one["reason"]

    @property
    def job(self) -> dict[str, Any] | None:
        return self.cluster.get(JOB, NAMESPACE, "prune-shop")

    @property
    def runs(self) -> list[str]:
        return [run["metadata"]["name"] for run in self.cluster.list(BACKUP_RUN, NAMESPACE)]


def pruned_at(age: timedelta, generation: int = 1, **more: Any) -> dict[str, Any]:
    return {"time": format_time(START - age), "generation": generation, "freedBytes": 7, **more}


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def three(site: Site) -> Site:
    """Three nights, the last of which has not pruned; the rule keeps two."""
    for number in (1, 2, 3):
        site.run(f"night-{number}", DAY * (3 - number) + 10 * HOUR)
    return site


def test_without_backups_the_rule_is_kept(site: Site) -> None:
    site.look()
    assert site.compliant == ("True", "Compliant")
    assert site.status["retention"] == {"kept": 0, "expired": 0, "overdue": 0, "generation": 1, "preview": []}


def test_what_the_next_prune_removes_is_shown_before_with_its_reason(three: Site) -> None:
    three.look()
    retention = three.status["retention"]
    assert (retention["kept"], retention["expired"], retention["overdue"]) == (2, 1, 0)
    assert retention["preview"] == [{"backupId": "id-night-1", "reason": "older than every rule"}]
    assert three.compliant == ("True", "PruneDue")
    assert three.job is None


def test_a_changed_rule_is_shown_before_it_acts(site: Site) -> None:
    for number in (1, 2):
        site.run(f"night-{number}", DAY * (2 - number) + 10 * HOUR)
    site.look()
    assert site.status["retention"]["preview"] == []
    site.change(retention={"keepLast": 1})
    site.look()
    assert [one["backupId"] for one in site.status["retention"]["preview"]] == ["id-night-1"]


def test_what_the_next_backup_would_prune_is_overdue_an_hour_after_that_was_due(three: Site) -> None:
    three.look()
    assert three.status["retention"]["dueTime"] == "2026-03-02T03:00:00Z"
    three.clock.advance(15 * 3600 - 1)
    three.look()
    assert three.job is None
    three.clock.advance(1)
    three.look()
    assert three.status["retention"]["overdue"] == 1
    assert three.compliant == ("False", "PruneOverdue")
    assert three.job is not None


def test_the_job_prunes_as_the_worker_and_is_taken_for_no_backup(three: Site) -> None:
    three.look()
    three.clock.advance(16 * 3600)
    three.look()
    job = three.job
    assert job is not None
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["worker", "prune"]
    assert job["metadata"]["ownerReferences"][0]["uid"] == three.uid
    assert "holdfast.dev/policy" not in job["metadata"]["labels"]


def test_there_is_one_job_and_nothing_more_is_written(three: Site) -> None:
    three.look()
    three.clock.advance(16 * 3600)
    three.look()
    three.cluster.writes.clear()
    for _ in range(3):
        three.clock.advance(60)
        three.look()
    assert three.cluster.writes == []


def test_a_job_that_has_ended_makes_room_for_another_after_an_hour(three: Site) -> None:
    three.look()
    three.clock.advance(16 * 3600)
    three.look()
    first = three.job
    assert first is not None
    ended = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    three.cluster._patch("test", JOB, first, ended)
    three.clock.advance(1800)
    three.look()
    assert three.job is not None
    three.clock.advance(1800)
    three.look()
    three.look()
    second = three.job
    assert second is not None
    assert second["metadata"]["uid"] != first["metadata"]["uid"]


def test_a_job_of_that_name_that_is_not_ours_is_left_alone(three: Site) -> None:
    theirs = three.cluster.put(JOB, {"metadata": {"name": "prune-shop", "namespace": NAMESPACE}, "spec": {}})
    three.look()
    three.clock.advance(48 * 3600)
    three.look()
    assert three.job == theirs


def test_a_suspended_policy_prunes_nothing(three: Site) -> None:
    three.change(schedule={"cron": "0 2 * * *", "suspend": True})
    three.look()
    three.clock.advance(10 * 24 * 3600)
    three.look()
    assert three.job is None
    assert three.compliant == ("True", "Suspended")
    assert three.status["retention"]["expired"] == 1


def test_while_a_backup_runs_no_job_is_started(three: Site) -> None:
    three.look()
    three.clock.advance(16 * 3600)
    three.run("now", -DAY, "Running")
    three.look()
    assert three.job is None


def test_a_prune_that_failed_is_said_and_made_up_for_after_an_hour(site: Site) -> None:
    site.run("night-1", 2 * DAY)
    site.run("night-2", DAY)
    site.run("night-3", 2 * HOUR, retention=pruned_at(HOUR / 2, reason="RepositoryBusy", error="A restore reads."))
    site.look()
    assert site.compliant == ("False", "RepositoryBusy")
    assert site.job is None
    site.clock.advance(1800)
    site.look()
    assert site.compliant == ("False", "PruneOverdue")
    assert site.job is not None


def test_what_a_prune_by_the_present_rule_left_is_kept(three: Site) -> None:
    """The repository may hold backups that have no run; it decides."""
    three.run("night-4", 9 * HOUR, retention=pruned_at(8 * HOUR))
    three.look()
    retention = three.status["retention"]
    assert (retention["kept"], retention["expired"]) == (4, 0)
    assert (retention["lastPruneTime"], retention["freedBytes"]) == ("2026-03-01T04:00:00Z", 7)


def test_a_prune_by_another_rule_proves_nothing(three: Site) -> None:
    three.run("night-4", 9 * HOUR, retention=pruned_at(8 * HOUR))
    three.change(retention={"keepLast": 1})
    three.look()
    assert three.status["retention"]["expired"] == 3


def test_what_is_held_is_kept_and_counted(three: Site) -> None:
    three.annotate("night-1", "true")
    three.look()
    retention = three.status["retention"]
    assert (retention["kept"], retention["held"], retention["expired"]) == (3, 1, 0)


def test_what_is_gone_is_not_counted(site: Site) -> None:
    site.run("night-1", 2 * DAY, pruneTime=format_time(START - DAY))
    site.run("night-2", DAY)
    site.look()
    assert site.status["retention"]["kept"] == 1


def test_a_backup_before_a_restore_does_not_stand_for_a_nightly_one(three: Site) -> None:
    body = run_body("before-back")
    body["spec"]["reason"] = "PreRestore"
    body["metadata"]["labels"] = policy_labels("shop")
    at = format_time(START - HOUR)
    body["status"] = {"phase": "Succeeded", "startTime": at, "completionTime": at, "backupId": "before"}
    three.cluster.put(BACKUP_RUN, body)
    three.look()
    assert [one["backupId"] for one in three.status["retention"]["preview"]] == ["id-night-1"]


def test_two_databases_are_apart(three: Site) -> None:
    for number in (4, 5):
        three.run(f"night-{number}", (7 - number) * HOUR, database="other")
    three.look()
    assert [one["backupId"] for one in three.status["retention"]["preview"]] == ["id-night-1"]


def test_failed_runs_beyond_the_limit_go_the_oldest_first(site: Site) -> None:
    site.change(historyLimits={"failedRuns": 2})
    site.run("good", 9 * DAY)
    for number in range(4):
        site.run(f"failed-{number}", (8 - number) * DAY, "Failed" if number % 2 else "Cancelled")
    site.look()
    assert site.runs == ["failed-2", "failed-3", "good"]


def test_runs_whose_backup_was_removed_go_beyond_their_own_limit(site: Site) -> None:
    site.change(historyLimits={"prunedRuns": 1})
    for number in range(3):
        site.run(f"night-{number}", (8 - number) * DAY, pruneTime=format_time(START - DAY))
    site.run("night-3", DAY)
    site.look()
    assert site.runs == ["night-2", "night-3"]


@pytest.mark.parametrize(
    "status",
    [
        {"backupId": "kept"},
        {"notifications": {"deliveries": [{"to": "a@b.example", "event": "BackupFailed", "phase": "Owed"}]}},
        {"completionTime": format_time(START - HOUR / 2)},
    ],
    ids=["its backup is there", "mail is owed", "it has just ended"],
)
def test_a_failed_run_that_still_matters_stays(site: Site, status: dict[str, Any]) -> None:
    site.change(historyLimits={"failedRuns": 1})
    site.run("old", 9 * DAY, "Failed", **status)
    for number in range(2):
        site.run(f"later-{number}", (8 - number) * DAY, "Failed")
    site.look()
    assert "old" in site.runs


def test_a_run_that_is_not_ours_or_not_over_stays(site: Site) -> None:
    site.change(historyLimits={"failedRuns": 1})
    site.run("theirs", 9 * DAY, "Failed", ours=False)
    site.run("running", 9 * DAY, "Running")
    for number in range(2):
        site.run(f"later-{number}", (8 - number) * DAY, "Failed")
    site.look()
    assert {"theirs", "running", "later-1"} <= set(site.runs)
