"""A policy tells of scheduled backups that never started."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, KubeObject
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.specs.names import policy_labels
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, cron_job_job, policy_body, run_body

HOUR = 3600.0
SCHEDULE = {"cron": "0 * * * *", "timeZone": "Etc/UTC", "startingDeadlineSeconds": 600}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    """A policy that was looked at once, at 12:00."""
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_POLICY, policy_body(schedule=SCHEDULE))
    look(cluster, clock)
    return cluster


def look(cluster: FakeCluster, clock: FakeClock, after: float = 0.0) -> None:
    clock.advance(after)
    cluster.writes.clear()
    reconcile_policy(cluster, NAMESPACE, "shop", image=IMAGE, clock=clock)


def policy(cluster: FakeCluster) -> KubeObject:
    body = cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    return body


def missed(cluster: FakeCluster) -> tuple[int, str | None]:
    told: dict[str, Any] = policy(cluster)["status"]["missedSchedules"]
    return told["count"], told.get("last")


def verdict(cluster: FakeCluster) -> str | None:
    conditions = {one["type"]: one["status"] for one in policy(cluster)["status"]["conditions"]}
    return conditions.get("ScheduleMissed")


def name_of(tick: datetime) -> str:
    return f"shop-{int(tick.timestamp()) // 60}"


def start(cluster: FakeCluster, tick: datetime) -> None:
    body = run_body(name_of(tick))
    body["metadata"]["labels"] = policy_labels("shop")
    cluster.put(BACKUP_RUN, body)


def events(cluster: FakeCluster) -> int:
    return cluster.recorded.count(("Warning", "ScheduleMissed"))


def change(cluster: FakeCluster, **schedule: Any) -> None:
    cluster.patch(BACKUP_POLICY, policy(cluster), {"spec": {"schedule": schedule}})


def test_a_run_on_time_is_not_missed(cluster: FakeCluster, clock: FakeClock) -> None:
    start(cluster, START + timedelta(hours=1))
    look(cluster, clock, 1.5 * HOUR)
    assert missed(cluster) == (0, None)
    assert verdict(cluster) is None


def test_a_backup_that_never_started_is_told_once(cluster: FakeCluster, clock: FakeClock) -> None:
    look(cluster, clock, 1.5 * HOUR)
    assert missed(cluster) == (1, "2026-03-01T13:00:00Z")
    assert verdict(cluster) == "True"
    assert events(cluster) == 1
    assert "2026-03-01T13:00:00Z" in cluster.notes[-1]
    look(cluster, clock, 60)
    assert events(cluster) == 1
    assert cluster.writes == []


def test_the_next_run_on_time_clears_the_condition_and_keeps_the_count(cluster: FakeCluster, clock: FakeClock) -> None:
    look(cluster, clock, 1.5 * HOUR)
    start(cluster, START + timedelta(hours=2))
    look(cluster, clock, HOUR)
    assert verdict(cluster) == "False"
    assert missed(cluster) == (1, "2026-03-01T13:00:00Z")


def test_what_was_missed_while_the_operator_was_down_is_told_when_it_is_back(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    start(cluster, START + timedelta(hours=2))
    look(cluster, clock, 5.5 * HOUR)
    assert missed(cluster) == (4, "2026-03-01T17:00:00Z")
    assert events(cluster) == 1


def test_a_job_without_its_run_yet_is_not_missed(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(name_of(START + timedelta(hours=1))))
    look(cluster, clock, 1.5 * HOUR)
    assert missed(cluster) == (0, None)


def test_a_run_that_is_removed_later_was_not_missed(cluster: FakeCluster, clock: FakeClock) -> None:
    start(cluster, START + timedelta(hours=1))
    look(cluster, clock, 1.01 * HOUR)
    run = cluster.get(BACKUP_RUN, NAMESPACE, name_of(START + timedelta(hours=1)))
    assert run is not None
    cluster.delete(BACKUP_RUN, run)
    look(cluster, clock, 0.5 * HOUR)
    assert missed(cluster) == (0, None)


def test_nothing_is_missed_while_suspended(cluster: FakeCluster, clock: FakeClock) -> None:
    change(cluster, suspend=True)
    look(cluster, clock, 60)
    look(cluster, clock, 5 * HOUR)
    change(cluster, suspend=False)
    look(cluster, clock)
    look(cluster, clock, 0.5 * HOUR)
    assert missed(cluster) == (0, None)


def test_a_suspended_policy_is_not_written_again_and_again(cluster: FakeCluster, clock: FakeClock) -> None:
    change(cluster, suspend=True)
    look(cluster, clock, 60)
    look(cluster, clock, 5 * HOUR)
    assert cluster.writes == []


def test_nothing_is_missed_from_before_a_change_of_the_schedule(cluster: FakeCluster, clock: FakeClock) -> None:
    clock.advance(5.5 * HOUR)
    change(cluster, cron="15 * * * *")
    look(cluster, clock)
    assert missed(cluster) == (0, None)


def test_a_new_policy_counts_from_its_creation(clock: FakeClock) -> None:
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_POLICY, policy_body(schedule=SCHEDULE))
    look(cluster, clock, 2.5 * HOUR)
    assert missed(cluster) == (2, "2026-03-01T14:00:00Z")


def test_a_policy_of_an_earlier_release_counts_from_now(clock: FakeClock) -> None:
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_POLICY, policy_body(schedule=SCHEDULE) | {"status": {"observedGeneration": 1}})
    look(cluster, clock, 50.5 * HOUR)
    assert missed(cluster) == (0, None)
