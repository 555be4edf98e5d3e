"""A policy's health follows the facts, in its status, its conditions and its events, and is written only on change."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from holdfast.errors import (
    AuthenticationFailed,
    ClusterUnavailable,
    HoldfastError,
    NotAuthorized,
    OperationFailed,
    SourceUnavailable,
)
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, CRON_JOB, SECRET, KubeObject
from holdfast.resources.base import format_time
from holdfast.services.look_after_health import look_after_health
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.specs.names import policy_labels
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.fake_probe import FakeProbe
from tests.support.kube_objects import IMAGE, NAMESPACE, SECRETS, policy_body, run_body, secret_body

HOUR, DAY = 3600.0, 86400.0
MINUTE = 60.0
CHECKS = ["DatabaseConnection", "RecentBackup", "BackupIntegrity", "RetentionCompliance", "CronSchedule"]
LAST_NIGHT = START.replace(hour=2, minute=5)


class Site:
    """A policy that was made a month ago, with backups at 02:05 of the last five nights."""

    def __init__(self, **spec: Any) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.probe = FakeProbe()
        self.clock.advance(-30 * DAY)
        self.cluster.put(SECRET, secret_body())
        self.cluster.put(BACKUP_POLICY, policy_body(**spec))
        self.reconcile()
        self.clock.advance(30 * DAY)
        self.settle_missed()
        for nights in reversed(range(5)):
            self.run(f"good-{nights}", ended=LAST_NIGHT - timedelta(days=nights))
        self.reconcile()
        self.look()

    def settle_missed(self) -> None:
        """The month went by while nobody looked; what was missed then is another test's matter."""
        settled = {**self.status()["missedSchedules"], "settledUntil": format_time(LAST_NIGHT)}
        assert self.cluster.patch_status(BACKUP_POLICY, self.policy(), {"missedSchedules": settled})

    def run(self, name: str, phase: str = "Succeeded", *, ended: datetime | None = None, **status: Any) -> None:
        self.clock.advance(1)
        body = run_body(name)
        body["metadata"]["labels"] = policy_labels("shop")
        said = {"backupId": name, "database": "shop", "logicalBytes": 10**9, "storedBytes": 10**8}
        body["status"] = {
            "phase": phase,
            "reason": phase if phase == "Succeeded" else "SourceUnavailable",
            "message": "" if phase == "Succeeded" else "The database does not answer.",
            "completionTime": format_time(ended or self.clock()),
            "startTime": format_time((ended or self.clock()) - timedelta(seconds=90)),
            **(said if phase == "Succeeded" else {}),
            **status,
        }
        self.cluster.put(BACKUP_RUN, body)

    def reconcile(self) -> None:
        reconcile_policy(self.cluster, NAMESPACE, "shop", image=IMAGE, clock=self.clock)

    def look(self, after: float = 0.0) -> float | None:
        self.clock.advance(after)
        self.cluster.writes.clear()
        return look_after_health(self.cluster, self.probe, NAMESPACE, "shop", clock=self.clock)

    def policy(self) -> KubeObject:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        return body

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.policy()["status"]
        assert not any(secret in str(found) for secret in SECRETS)
        return found

    def verdict(self) -> str:
        return str(self.status()["health"]["verdict"])

    def check(self, name: str) -> tuple[str, str]:
        [one] = [one for one in self.status()["health"]["checks"] if one["name"] == name]
        return one["status"], one["message"]

    def condition(self) -> tuple[str, str, str]:
        [one] = [one for one in self.status()["conditions"] if one["type"] == "Healthy"]
        return one["status"], one["reason"], one["message"]


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_policy_whose_backups_are_good_is_healthy(site: Site) -> None:
    health = site.status()["health"]
    assert (health["verdict"], health["message"]) == ("Healthy", "All five checks are good.")
    assert [check["name"] for check in health["checks"]] == CHECKS
    assert site.condition() == ("True", "Healthy", "All five checks are good.")


def test_nothing_is_written_when_nothing_changed(site: Site) -> None:
    for _ in range(3):
        assert site.look(MINUTE) is None
        assert site.cluster.writes == []


def test_a_policy_that_nobody_has_made_yet_is_left_alone() -> None:
    cluster, clock = FakeCluster(FakeClock()), FakeClock()
    cluster.put(BACKUP_POLICY, policy_body())
    look_after_health(cluster, FakeProbe(), NAMESPACE, "shop", clock=clock)
    assert cluster.writes == []


def test_a_deleted_policy_is_left_alone(site: Site) -> None:
    assert look_after_health(site.cluster, site.probe, NAMESPACE, "gone", clock=site.clock) is None


def test_health_goes_down_and_up_with_the_facts(site: Site) -> None:
    told = [site.verdict()]
    for name, phase in (("one", "Failed"), ("two", "Failed"), ("three", "Succeeded")):
        site.clock.advance(HOUR)
        site.run(name, phase)
        site.reconcile()
        site.look()
        told.append(site.verdict())
    assert told == ["Healthy", "Warning", "Critical", "Healthy"]
    events = [event for event in site.cluster.recorded if event[1].startswith("Health")]
    assert events == [("Warning", "HealthWarning"), ("Warning", "HealthCritical"), ("Normal", "HealthHealthy")]


def test_a_backup_that_grows_old_becomes_critical_after_two_looks(site: Site) -> None:
    assert site.look(26 * HOUR) == 45
    assert site.verdict() == "Healthy"
    assert site.look(MINUTE) is None
    assert site.check("RecentBackup")[0] == "Critical"
    assert site.condition()[:2] == ("False", "Critical")
    assert "was due by 2026-" in site.condition()[2]


def test_the_age_that_is_allowed_can_be_set() -> None:
    site = Site(health={"maxAgeSeconds": 14 * 86400})
    site.look(10 * DAY)
    site.look(MINUTE)
    assert site.check("RecentBackup")[0] == "Healthy"


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailable("db does not answer."),
        AuthenticationFailed("wrong password."),
        OperationFailed("The server says what nobody knows."),
    ],
)
def test_a_source_that_cannot_be_read_becomes_critical_after_two_looks(site: Site, error: Exception) -> None:
    site.probe.failing = lambda: error  # type: ignore[assignment,return-value]
    site.look(MINUTE)
    assert site.verdict() == "Healthy"
    site.look(MINUTE)
    assert site.check("DatabaseConnection") == ("Critical", f"The source cannot be read: {error}")
    site.probe.failing = lambda: None
    site.look(MINUTE)
    site.look(MINUTE)
    assert site.verdict() == "Healthy"


def test_one_look_that_fails_changes_nothing(site: Site) -> None:
    for fails in (True, False, True, False):
        site.probe.failing = lambda fails=fails: SourceUnavailable("no") if fails else None  # type: ignore[misc]
        site.look(MINUTE)
        assert site.verdict() == "Healthy"


def test_a_source_is_asked_as_backups_read_it(site: Site) -> None:
    assert site.probe.asked == ["secondaryPreferred"]


def test_where_the_operator_is_not_to_ask_it_does_not() -> None:
    site = Site(health={"ping": False})
    assert site.probe.asked == []
    assert site.check("DatabaseConnection") == ("Healthy", "BackupRun good-0 read all of it.")


def test_a_secret_that_is_gone_is_told(site: Site) -> None:
    body = site.cluster.get(SECRET, NAMESPACE, "shop")
    assert body is not None
    site.cluster.delete(SECRET, body)
    for _ in range(2):
        site.reconcile()
        site.look(MINUTE)
    assert site.check("DatabaseConnection")[0] == "Critical"
    assert "There is no Secret default/shop. Create it, with key MONGODB_URI." in site.check("DatabaseConnection")[1]
    assert site.check("CronSchedule")[0] == "Critical"


def test_a_failed_drill_is_critical_at_once(site: Site) -> None:
    drill = {"schedule": "@weekly", "target": {"ephemeral": {"image": "mongo:7.0"}}}
    body = site.policy()
    assert site.cluster.patch(BACKUP_POLICY, body, {"spec": {"verification": {"drill": drill}}})
    site.reconcile()
    site.look()
    assert site.verdict() == "Healthy"
    last = {"job": "d", "result": "Failed", "time": format_time(site.clock()), "message": "A chunk is gone."}
    assert site.cluster.patch_status(BACKUP_POLICY, site.policy(), {"lastDrill": last})
    site.look()
    assert site.check("BackupIntegrity")[0] == "Critical"
    assert "A chunk is gone." in site.condition()[2]
    passed = {**last, "result": "Passed", "time": format_time(site.clock() + timedelta(seconds=9))}
    assert site.cluster.patch_status(BACKUP_POLICY, site.policy(), {"lastDrill": passed})
    site.look()
    assert site.verdict() == "Healthy"


def test_an_emptied_collection_is_a_warning() -> None:
    site = Site()
    for number, count in enumerate((40, 41, 41, 42, 42, 0)):
        site.clock.advance(HOUR)
        users = [{"name": "users", "phase": "Succeeded", "documents": count}]
        site.run(f"hourly-{number}", collections=users)
    site.look()
    assert site.check("BackupIntegrity") == ("Warning", "Collection 'users' is empty, where it had about 41.")


def test_a_collection_that_is_not_asked_for_any_more_is_not_missed(site: Site) -> None:
    for number in range(5):
        site.clock.advance(HOUR)
        site.run(f"hourly-{number}", collections=[{"name": "log", "phase": "Succeeded", "documents": 900}])
    source = {**site.policy()["spec"]["source"], "exclude": ["log"]}
    assert site.cluster.patch(BACKUP_POLICY, site.policy(), {"spec": {"source": source}})
    site.run("without", collections=[{"name": "users", "phase": "Succeeded", "documents": 9}])
    site.look()
    assert site.check("BackupIntegrity")[0] == "Healthy"


def test_a_suspended_schedule_is_a_warning(site: Site) -> None:
    schedule = {**site.policy()["spec"]["schedule"], "suspend": True}
    assert site.cluster.patch(BACKUP_POLICY, site.policy(), {"spec": {"schedule": schedule}})
    for _ in range(2):
        site.reconcile()
        site.look(MINUTE)
    assert site.check("CronSchedule") == ("Warning", "Scheduled backups are suspended by spec.schedule.suspend.")


def test_a_cron_job_that_is_gone_is_critical(site: Site) -> None:
    cron_job = site.cluster.get(CRON_JOB, NAMESPACE, "shop")
    assert cron_job is not None
    site.cluster.delete(CRON_JOB, cron_job)
    site.look(MINUTE)
    site.look(MINUTE)
    assert site.check("CronSchedule")[0] == "Critical"


def test_a_missed_tick_is_a_warning(site: Site) -> None:
    site.clock.advance(18 * HOUR)  # past the next night's backup, and the time it may be late by
    for _ in range(2):
        site.reconcile()
        site.look(MINUTE)
    assert site.check("CronSchedule")[0] == "Warning"
    assert "never started" in site.check("CronSchedule")[1]


def test_cancelled_runs_and_backups_before_a_restore_say_nothing(site: Site) -> None:
    site.clock.advance(HOUR)
    site.run("stopped", "Cancelled")
    body = run_body("before-back")
    body["metadata"]["labels"] = policy_labels("shop")
    body["spec"]["reason"] = "PreRestore"
    body["status"] = {"phase": "Failed", "completionTime": format_time(site.clock())}
    site.cluster.put(BACKUP_RUN, body)
    site.look()
    assert site.verdict() == "Healthy"


def test_a_good_backup_whose_run_somebody_deleted_still_counts(site: Site) -> None:
    for body in list(site.cluster.list(BACKUP_RUN, NAMESPACE)):
        site.cluster.delete(BACKUP_RUN, body)
    site.look(MINUTE)
    assert site.check("RecentBackup")[0] == "Healthy"


def test_statistics_tell_the_last_30_days(site: Site) -> None:
    site.clock.advance(HOUR)
    site.run("bad", "Failed")
    site.look()
    numbers = site.status()["statistics"]
    assert (numbers["runs"], numbers["succeeded"], numbers["failed"], numbers["successPercent"]) == (6, 5, 1, 83)
    assert numbers["failures"] == [{"reason": "SourceUnavailable", "count": 1}]
    assert numbers["averageIntervalSeconds"] == DAY
    assert numbers["logicalBytes"] == {"newest": 10**9, "average": 10**9, "perWeek": 0}
    assert numbers["durationSeconds"]["average"] == 90


def test_statistics_follow_when_runs_grow_old(site: Site) -> None:
    site.look(29 * DAY)
    assert site.status()["statistics"]["runs"] < 5


def test_whoever_writes_in_between_is_not_overwritten(site: Site) -> None:
    probe = site.probe.probe

    def writes_too(*arguments: Any, **named: Any) -> str:
        assert site.cluster.patch_status(BACKUP_POLICY, site.policy(), {"lastRun": {"name": "x", "phase": "Running"}})
        return probe(*arguments, **named)

    site.probe.probe = writes_too  # type: ignore[method-assign]
    site.clock.advance(HOUR)
    site.run("bad", "Failed")
    assert site.look() == 1
    assert site.status()["lastRun"]["name"] == "x"
    site.probe.probe = probe  # type: ignore[method-assign]
    site.look()
    assert (site.verdict(), site.status()["lastRun"]["name"]) == ("Warning", "x")


def test_a_cluster_that_does_not_answer_is_the_callers_matter(site: Site) -> None:
    site.cluster.failing = lambda _verb, _kind, _name: ClusterUnavailable("no")
    site.clock.advance(HOUR)
    site.probe.failing = lambda: SourceUnavailable("no")
    with pytest.raises(ClusterUnavailable):
        site.look()


def refuse_secrets(site: Site, error: HoldfastError) -> None:
    site.cluster.failing = lambda verb, kind, _name: error if (verb, kind) == ("get", SECRET) else None


def test_an_api_server_that_does_not_give_the_secret_says_nothing_of_the_source(site: Site) -> None:
    refuse_secrets(site, ClusterUnavailable("no"))
    for _ in range(2):
        with pytest.raises(ClusterUnavailable):
            site.look(MINUTE)
    assert site.check("DatabaseConnection")[0] == "Healthy"


def test_a_secret_that_the_operator_may_not_read_is_told(site: Site) -> None:
    refuse_secrets(site, NotAuthorized("It may not get secrets."))
    site.look(MINUTE)
    site.look(MINUTE)
    assert site.check("DatabaseConnection") == ("Critical", "The source cannot be read: It may not get secrets.")


def test_a_gap_in_the_archived_oplog_is_critical_at_once_and_over_with_a_backup() -> None:
    site = Site(pointInTime={"enabled": True})
    to = site.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    gap = {"from": "2026-02-01T00:00:00Z", "message": "The oplog rolled over."}
    told = {"from": "2026-01-01T00:00:00Z", "to": to, "lineage": "1772366400-0a", "gaps": [gap]}
    site.run("a")
    site.cluster.patch_status(BACKUP_POLICY, site.policy(), {"pointInTime": told})
    site.look()
    assert site.check("BackupIntegrity")[0] == "Critical"
    assert "rolled over" in site.check("BackupIntegrity")[1]
    told["gaps"] = [{**gap, "to": to}]
    site.cluster.patch_status(BACKUP_POLICY, site.policy(), {"pointInTime": told})
    site.look()
    assert site.check("BackupIntegrity")[0] == "Healthy"
