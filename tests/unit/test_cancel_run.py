"""A run that somebody cancels by its spec ends, and its Job with it."""

from typing import Any

import pytest

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, KubeObject
from holdfast.services.reconcile_run import reconcile_run
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, condition_body, cron_job_job, policy_body, run_body

SCHEDULED = "shop-29384720"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_POLICY, policy_body())
    return cluster


def reconcile(cluster: FakeCluster, clock: FakeClock, name: str = "by-hand") -> float | None:
    return reconcile_run(cluster, NAMESPACE, name, image=IMAGE, clock=clock)


def run(cluster: FakeCluster, name: str = "by-hand") -> KubeObject:
    body = cluster.get(BACKUP_RUN, NAMESPACE, name)
    assert body is not None
    return body


def says(cluster: FakeCluster, name: str = "by-hand") -> tuple[str, str]:
    status: dict[str, Any] = run(cluster, name)["status"]
    return status["phase"], status["reason"]


def cancel(cluster: FakeCluster, name: str = "by-hand") -> None:
    cluster.patch(BACKUP_RUN, run(cluster, name), {"spec": {"cancel": True}})


def test_a_cancelled_run_by_hand_ends_with_its_job(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body())
    reconcile(cluster, clock)
    cancel(cluster)
    assert reconcile(cluster, clock) is None
    assert says(cluster) == ("Cancelled", "CancelRequested")
    assert not cluster.list(JOB, NAMESPACE)


def test_a_cancelled_run_of_the_schedule_ends_with_its_job(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(SCHEDULED))
    reconcile(cluster, clock, SCHEDULED)
    cancel(cluster, SCHEDULED)
    reconcile(cluster, clock, SCHEDULED)
    assert says(cluster, SCHEDULED) == ("Cancelled", "CancelRequested")
    assert not cluster.list(JOB, NAMESPACE)


def test_a_run_that_is_cancelled_before_it_has_a_job_never_gets_one(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body())
    cancel(cluster)
    reconcile(cluster, clock)
    assert says(cluster) == ("Cancelled", "CancelRequested")
    assert not cluster.list(JOB, NAMESPACE)


def test_a_job_that_nobody_noted_goes_with_its_cancelled_run(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body())
    reconcile(cluster, clock)
    cluster.patch(BACKUP_RUN, run(cluster), {"metadata": {"labels": None}})
    cancel(cluster)
    reconcile(cluster, clock)
    assert not cluster.list(JOB, NAMESPACE)


def test_a_kill_between_the_end_and_the_job_is_made_up_for(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body())
    reconcile(cluster, clock)
    cancel(cluster)
    ended = {"phase": "Cancelled", "reason": "CancelRequested"}
    cluster.patch_status(BACKUP_RUN, run(cluster), ended)
    reconcile(cluster, clock)
    assert not cluster.list(JOB, NAMESPACE)


def test_a_job_that_ended_first_says_how_the_run_ended(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body())
    reconcile(cluster, clock)
    (job,) = cluster.list(JOB, NAMESPACE)
    cluster.patch_status(JOB, job, {"conditions": [condition_body("Failed")]})
    cancel(cluster)
    reconcile(cluster, clock)
    assert says(cluster)[0] == "Failed"
    assert cluster.list(JOB, NAMESPACE)


def test_a_job_of_somebody_else_outlives_a_cancelled_run(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, {"metadata": {"name": "by-hand", "namespace": NAMESPACE}, "spec": {}})
    cluster.put(BACKUP_RUN, run_body())
    cancel(cluster)
    reconcile(cluster, clock)
    assert says(cluster) == ("Cancelled", "CancelRequested")
    assert cluster.list(JOB, NAMESPACE)
