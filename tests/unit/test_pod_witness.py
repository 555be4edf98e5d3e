"""What a worker can know of the pod whose lock is in its way."""

from collections.abc import Mapping
from typing import Any

import pytest

from holdfast.errors import ClusterUnavailable, NotAuthorized
from holdfast.ports import POD, Fate
from holdfast.services.pod_witness import PodWitness
from tests.support.fake_cluster import START, FakeCluster
from tests.support.kube_objects import NAMESPACE, container, cron_job_job, pod_body

RUNNING = {"phase": "Running", "containerStatuses": container(running={})}
KILLED = {"phase": "Failed", "containerStatuses": container(terminated={"exitCode": 137})}
GIVEN_UP = {"phase": "Failed", "reason": "NodeLost", "containerStatuses": container(running={})}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def witness(cluster: FakeCluster, pod: str = "other", uid: str = "uid", policy: str = "policy-uid") -> PodWitness:
    return PodWitness(cluster, NAMESPACE, pod, uid, policy)


def there(cluster: FakeCluster, **status: Any) -> Mapping[str, str]:
    """A pod, and what it has written into its lock."""
    job = cron_job_job()
    job["metadata"]["uid"] = "job-uid"
    body = cluster.put(POD, pod_body(job, START, name="worker-1", **status))
    return witness(cluster, "worker-1", body["metadata"]["uid"]).myself()


@pytest.mark.parametrize(
    ("status", "fate"), [(RUNNING, Fate.UNKNOWN), ({}, Fate.UNKNOWN), (KILLED, Fate.ENDED), (GIVEN_UP, Fate.GONE)]
)
def test_what_kubernetes_says_of_its_container_counts(cluster: FakeCluster, status: dict[str, Any], fate: Fate) -> None:
    assert witness(cluster).fate(there(cluster, **status)) is fate


def test_a_pod_that_is_not_there_is_gone_to_a_worker_of_the_same_policy_only(cluster: FakeCluster) -> None:
    holder = witness(cluster, "removed").myself()
    assert witness(cluster).fate(holder) is Fate.GONE
    assert witness(cluster, policy="that of another cluster").fate(holder) is Fate.UNKNOWN


def test_a_pod_of_another_uid_is_not_the_one_that_is_asked_for(cluster: FakeCluster) -> None:
    assert witness(cluster).fate({**there(cluster, **RUNNING), "podUid": "another"}) is Fate.GONE


def test_of_a_pod_in_another_namespace_nothing_is_known(cluster: FakeCluster) -> None:
    assert witness(cluster).fate({**there(cluster, **KILLED), "namespace": "elsewhere"}) is Fate.UNKNOWN


@pytest.mark.parametrize("error", [ClusterUnavailable("away"), NotAuthorized("an older Role")])
def test_who_cannot_ask_knows_nothing(cluster: FakeCluster, error: Exception) -> None:
    holder = there(cluster, **KILLED)
    cluster.failing = lambda *_: error  # type: ignore[assignment]
    assert witness(cluster).fate(holder) is Fate.UNKNOWN


def test_a_worker_that_does_not_know_its_own_pod_writes_none(cluster: FakeCluster) -> None:
    assert witness(cluster, "", "").myself() == {}
