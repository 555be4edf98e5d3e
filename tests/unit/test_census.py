"""What is measured follows what the cluster has, and nothing else is kept."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.metrics.prometheus import Prometheus
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, KubeObject
from holdfast.resources.base import format_time
from holdfast.services.census import Census
from holdfast.specs.series import FAMILIES
from tests.support.fake_cluster import FakeClock
from tests.support.kube_objects import policy_body, restore_body, run_body

ROOT = Path(__file__).parents[2]
OWN = {"holdfast_operator_info", "holdfast_reconcile_duration_seconds", "holdfast_reconcile_errors_total"}
NAMES = {family.name for family in FAMILIES} | OWN


class Site:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.census = Census(self.clock)
        self.metrics = Prometheus(FAMILIES, self.census.samples)

    def policy(self, name: str = "shop", status: Mapping[str, Any] | None = None, **spec: Any) -> KubeObject:
        body = policy_body(name, **spec) | {"status": dict(status or {})}
        self.census.note(BACKUP_POLICY, body)
        return body

    def run(self, name: str, phase: str = "Succeeded", *, ago: float = 0, **status: Any) -> KubeObject:
        end = self.clock() - timedelta(seconds=ago)
        times = {"startTime": format_time(end - timedelta(seconds=90)), "completionTime": format_time(end)}
        body = run_body(name) | {"status": {"phase": phase, **times, **status}}
        self.census.note(BACKUP_RUN, body)
        return body

    def values(self, name: str) -> dict[str, float]:
        """Labels beyond namespace and policy, and the value."""
        found = {}
        for sample in self.census.samples():
            if sample.family == f"holdfast_{name}":
                found[" ".join(sample.labels[1:])] = sample.value
        return found

    def value(self, name: str) -> float | None:
        return self.values(name).get("shop")


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_survey_reads_what_changed_and_drops_what_is_gone(site: Site) -> None:
    def listed(version: str, documents: int) -> KubeObject:
        body = site.run("a", backupId="b", documents=documents)
        return body | {"metadata": body["metadata"] | {"resourceVersion": version}}

    site.policy()
    first, second = listed("1", 10), listed("2", 20)
    for body, documents in ((first, 10), (second, 20), (second, 20)):
        site.census.replace(BACKUP_RUN, iter([body]), None)
        assert site.value("backup_last_documents") == documents
    site.census.replace(BACKUP_RUN, iter([]), None)
    assert site.value("backup_last_documents") is None


def test_what_an_event_told_is_not_read_again_by_the_survey(site: Site) -> None:
    site.policy()
    body = site.run("a", backupId="b", documents=10)
    body["metadata"]["resourceVersion"] = "1"
    site.census.note(BACKUP_RUN, body)
    same = {"metadata": body["metadata"]}  # it could not be read
    site.census.replace(BACKUP_RUN, iter([same]), None)
    assert site.value("backup_last_documents") == 10


def test_a_new_policy_says_only_what_is_known(site: Site) -> None:
    site.policy()
    assert site.values("policy_info") == {"shop 0 2 * * * Etc/UTC mongodb": 1}
    assert site.value("policy_ready") == 0
    for name in ("backup_age_seconds", "backup_last_documents", "drill_last_passed", "backup_success_ratio"):
        assert site.value(name) is None


def test_the_newest_good_backup_is_measured(site: Site) -> None:
    site.policy()
    site.run("old", ago=7200, documents=1)
    site.run("new", ago=3600, documents=7, logicalBytes=100, storedBytes=50, newBytes=5)
    site.run("bad", "Failed", ago=60)
    site.run("partial", "PartiallyFailed", ago=30, documents=3)
    figures = {"documents": 7, "logical_bytes": 100, "stored_bytes": 50, "new_bytes": 5}
    assert {name: site.value(f"backup_last_{name}") for name in figures} == figures
    assert site.value("backup_last_duration_seconds") == 90
    assert site.value("backup_age_seconds") == 3600
    assert site.value("backup_last_success_timestamp_seconds") == site.clock().timestamp() - 3600


def test_the_age_is_of_the_moment_of_the_scrape(site: Site) -> None:
    site.policy()
    site.run("new")
    site.clock.advance(42)
    assert site.value("backup_age_seconds") == 42


def test_a_backup_whose_run_is_gone_is_known_from_the_policy(site: Site) -> None:
    last = {"name": "gone", "completionTime": format_time(site.clock()), "documents": 9, "storedBytes": 4}
    site.policy(status={"lastSuccessfulRun": last})
    site.run("older", ago=9999, documents=1)
    assert (site.value("backup_age_seconds"), site.value("backup_last_documents")) == (0, 9)
    assert site.value("backup_last_new_bytes") is None


def test_a_backup_before_a_restore_is_not_the_policys_own(site: Site) -> None:
    site.policy()
    body = site.run("before")
    body["spec"]["reason"] = "PreRestore"
    site.census.note(BACKUP_RUN, body)
    assert site.value("backup_age_seconds") is None


def test_runs_and_restores_are_counted_by_phase_with_zeros(site: Site) -> None:
    site.policy()
    site.run("a")
    site.run("b")
    site.run("c", "Failed")
    site.census.note(RESTORE_RUN, restore_body() | {"status": {"phase": "Restoring"}})
    runs = site.values("backup_runs")
    assert (runs["shop Succeeded"], runs["shop Failed"], runs["shop Running"]) == (2, 1, 0)
    assert site.values("restore_runs")["shop Restoring"] == 1


def test_health_is_one_for_the_status_that_it_has(site: Site) -> None:
    since = format_time(site.clock())
    checks = [{"name": "RecentBackup", "status": "Critical", "message": "", "since": since}]
    site.policy(status={"health": {"verdict": "Critical", "since": since, "message": "", "checks": checks}})
    assert site.values("policy_health") == {"shop Healthy": 0, "shop Warning": 0, "shop Critical": 1}
    assert site.values("policy_health_check")["shop RecentBackup Critical"] == 1
    assert site.values("policy_health_check")["shop RecentBackup Healthy"] == 0


def test_what_the_policy_says_is_measured(site: Site) -> None:
    moment = format_time(site.clock())
    condition = {"type": "Ready", "status": "True", "reason": "Scheduled", "lastTransitionTime": moment}
    site.policy(
        status={
            "conditions": [condition],
            "nextScheduleTime": moment,
            "retention": {"kept": 8, "expired": 2, "overdue": 1},
            "missedSchedules": {"count": 3, "schedule": "x", "settledUntil": moment},
            "lastDrill": {"job": "d", "result": "Failed", "time": moment, "durationSeconds": 77},
            "statistics": {"runs": 8, "succeeded": 6, "partiallyFailed": 1, "failed": 1},
        },
        schedule={"cron": "0 2 * * *", "suspend": True},
    )
    expected = {
        "policy_ready": 1,
        "policy_suspended": 1,
        "backup_next_timestamp_seconds": site.clock().timestamp(),
        "backups_kept": 8,
        "backups_expired": 2,
        "backups_overdue": 1,
        "missed_schedules_total": 3,
        "drill_last_passed": 0,
        "drill_recovery_seconds": 77,
        "drill_last_timestamp_seconds": site.clock().timestamp(),
        "backup_success_ratio": 0.75,
    }
    assert {name: site.value(name) for name in expected} == expected


def test_messages_of_a_policy_and_its_runs_are_counted_by_phase(site: Site) -> None:
    def told(*phases: str) -> dict[str, Any]:
        events = ("BackupFailed", "BackupSucceeded")
        return {"deliveries": [{"to": "a@b.c", "event": e, "phase": p} for e, p in zip(events, phases, strict=False)]}

    site.policy(status={"notifications": told("Sent")})
    site.run("a", notifications=told("Failed", "Sent"))
    assert site.values("notifications") == {"shop Owed": 0, "shop Sent": 2, "shop Failed": 1}


def test_a_deleted_policy_leaves_no_series(site: Site) -> None:
    body = site.policy()
    site.run("a")
    assert "holdfast_backup_runs{" in site.metrics.text()
    site.census.forget(BACKUP_POLICY, body)
    assert not [line for line in site.metrics.text().splitlines() if 'policy="shop"' in line]


def test_what_was_deleted_while_nobody_watched_is_forgotten_by_the_next_survey(site: Site) -> None:
    site.policy("one")
    two = site.policy("two")
    elsewhere = policy_body("three", namespace="elsewhere")
    site.census.note(BACKUP_POLICY, elsewhere)
    site.census.replace(BACKUP_POLICY, [two], "default")
    assert set(site.values("policy_ready")) == {"two", "three"}
    site.census.replace(BACKUP_POLICY, [two], None)
    assert set(site.values("policy_ready")) == {"two"}


def test_a_policy_that_makes_no_sense_is_left_out_and_the_others_are_not(site: Site) -> None:
    site.policy("good")
    site.census.note(BACKUP_POLICY, policy_body("bad", schedule={"crown": 1}))
    assert set(site.values("policy_ready")) == {"good"}


def test_a_label_with_strange_characters_does_not_break_the_text(site: Site) -> None:
    site.policy(schedule={"cron": '"\\\n* * * * *'})
    assert 'schedule="\\"\\\\\\n* * * * *"' in site.metrics.text()


def test_the_operators_own_work_is_counted(site: Site) -> None:
    site.metrics.took("BackupRun", 0.01)
    site.metrics.failed("BackupRun", "ClusterUnavailable")
    text = site.metrics.text()
    assert 'holdfast_reconcile_duration_seconds_count{kind="BackupRun"} 1.0' in text
    assert 'holdfast_reconcile_errors_total{kind="BackupRun",reason="ClusterUnavailable"} 1.0' in text


def test_every_series_is_in_the_documents_and_no_other() -> None:
    told = re.findall(r"^\| `(holdfast_\w+)` \|", (ROOT / "docs" / "monitoring.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(NAMES)


def test_alerts_and_the_dashboard_ask_only_for_what_is_there() -> None:
    files = ROOT / "charts" / "holdfast" / "files"
    rules = yaml.safe_load((files / "alerts.yaml").read_text())["groups"][0]["rules"]
    panels = json.loads((files / "dashboard.json").read_text())["panels"]
    asked = " ".join([rule["expr"] for rule in rules] + [one["expr"] for panel in panels for one in panel["targets"]])
    names = {name.removesuffix("_bucket") for name in re.findall(r"holdfast_\w+", asked)}
    assert names <= NAMES
    assert {rule["alert"] for rule in rules} == set(
        re.findall(r"`(Holdfast\w+)`", (ROOT / "docs/monitoring.md").read_text())
    )


def test_how_far_behind_an_archive_is_grows_while_nothing_is_told(site: Site) -> None:
    now = site.clock()
    gap = {"from": format_time(now - timedelta(hours=2)), "to": format_time(now - timedelta(hours=1))}
    told = {"from": format_time(now - timedelta(days=1)), "to": format_time(now), "lagSeconds": 1, "gaps": [gap]}
    site.policy(status={"pointInTime": told})
    site.clock.advance(90)
    assert site.value("point_in_time_lag_seconds") == 90
    assert site.value("point_in_time_to_timestamp_seconds") == now.timestamp()
    assert site.value("point_in_time_from_timestamp_seconds") == now.timestamp() - 86400
    assert site.value("point_in_time_gaps") == 1


def test_where_no_oplog_is_archived_nothing_is_measured_of_it(site: Site) -> None:
    site.policy()
    assert site.value("point_in_time_lag_seconds") is None
