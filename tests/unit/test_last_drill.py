"""What the operator takes from the Jobs of drills: success only where the worker's own words say so."""

from datetime import timedelta
from typing import Any

import pytest

from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from holdfast.ports import JOB, POD, KubeObject
from holdfast.resources.base import format_time
from holdfast.resources.drill import DRILLS_KEPT, LastDrill
from holdfast.services.see_to_drills import drill_history
from holdfast.services.survey import Key, run_key
from holdfast.specs.names import CRON_JOB_NAME_LIMIT, DRILL_LABEL, drill_cron_job_name
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import NAMESPACE, container, cron_job_job, pod_body, policy_model

DRILL = {"drill": {"schedule": "@weekly", "target": {"ephemeral": {"image": "mongo:7.0"}}}}
POLICY = policy_model(verification=DRILL)
PASSED = WorkerMessage(
    "DrillPassed", "All is well.", Phase.SUCCEEDED, {"backupId": "b", "documents": 7, "durationSeconds": 90}
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    return FakeCluster(clock)


def drill_job(
    cluster: FakeCluster, clock: FakeClock, name: str, end: str, words: WorkerMessage | None, **told: str
) -> KubeObject:
    ended = {"type": end, "status": "True", "lastTransitionTime": format_time(clock.now), **told}
    body = cron_job_job(name, conditions=[ended])
    body["metadata"]["labels"] = {**body["metadata"]["labels"], DRILL_LABEL: "true"}
    job = cluster.put(JOB, body)
    state: dict[str, Any] = {"exitCode": 0, "message": words.encode() if words else "Killed"}
    statuses = container(terminated=state)
    cluster.put(POD, pod_body(job, clock.now, name=f"{name}-pod", phase="Succeeded", containerStatuses=statuses))
    return job


def told(cluster: FakeCluster, *known: LastDrill, **status: Any) -> tuple[LastDrill, ...]:
    """``known``: what the status says already."""
    status = {"drills": known, **status}
    return drill_history(cluster, POLICY.model_copy(update={"status": POLICY.status.model_copy(update=status)}))


def results(drills: tuple[LastDrill, ...]) -> list[tuple[str, str]]:
    return [(one.job, one.result) for one in drills]


def test_without_a_drill_nothing_is_known(cluster: FakeCluster) -> None:
    assert told(cluster) == ()


def test_a_drill_that_passed_tells_all(cluster: FakeCluster, clock: FakeClock) -> None:
    drill_job(cluster, clock, "one", "Complete", PASSED)
    [found] = told(cluster)
    assert (found.result, found.backup_id, found.documents, found.duration_seconds) == ("Passed", "b", 7, 90)
    assert (found.duration, found.message) == ("1m30s", "All is well.")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("Complete", None),
        ("Complete", WorkerMessage("DamagedBackup", "A chunk is gone.", Phase.FAILED)),
        ("Failed", PASSED),
        ("Failed", None),
    ],
)
def test_nothing_passes_without_the_words_and_the_end_of_success(
    cluster: FakeCluster, clock: FakeClock, end: str, words: WorkerMessage | None
) -> None:
    drill_job(cluster, clock, "one", end, words)
    assert results(told(cluster)) == [("one", "Failed")]


def test_a_drill_whose_job_failed_after_good_words_says_so_and_shows_no_recovery_time(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    drill_job(cluster, clock, "one", "Failed", PASSED, reason="PodFailurePolicy", message="Container mongod failed")
    [found] = told(cluster)
    assert (found.result, found.backup_id) == ("Failed", "b")
    assert (found.documents, found.duration_seconds, found.duration) == (None, None, None)
    assert found.message == (
        "The worker said: All is well. But Job one failed: Container mongod failed. "
        "Nothing is proven: make another one by kubectl create job."
    )


def test_a_drill_that_takes_up_more_than_its_disk_is_told_so_and_what_to_raise(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    ended = {"type": "Failed", "reason": "BackoffLimitExceeded", "message": "The limit is reached."}
    body = cron_job_job("one", conditions=[{**ended, "status": "True", "lastTransitionTime": format_time(clock.now)}])
    body["metadata"]["labels"] = {**body["metadata"]["labels"], DRILL_LABEL: "true"}
    job = cluster.put(JOB, body)
    said = 'Usage of EmptyDir volume "drill-data" exceeds the limit "10Gi". '
    for number in range(2):
        evicted = pod_body(job, clock.now, name=f"pod-{number}", phase="Failed", reason="Evicted", message=said)
        cluster.put(POD, evicted)
    [found] = told(cluster)
    assert found.result == "Failed"
    assert 'exceeds the limit "10Gi"' in (found.message or "")
    assert "spec.verification.drill.target.ephemeral.disk" in (found.message or "")


def test_the_last_of_several_tries_of_a_drill_is_told(cluster: FakeCluster, clock: FakeClock) -> None:
    job = drill_job(cluster, clock, "one", "Failed", WorkerMessage("SourceUnavailable", "It does not answer."))
    clock.advance(-60)
    cluster.put(POD, pod_body(job, clock.now, name="earlier", phase="Failed", reason="Evicted", message="Full."))
    [found] = told(cluster)
    assert (found.result, found.message) == ("Failed", "It does not answer.")


def test_drills_are_told_newest_first(cluster: FakeCluster, clock: FakeClock) -> None:
    drill_job(cluster, clock, "newer", "Failed", None)
    clock.advance(-timedelta(days=7).total_seconds())
    drill_job(cluster, clock, "older", "Complete", PASSED)
    assert results(told(cluster)) == [("newer", "Failed"), ("older", "Passed")]


def test_a_drill_whose_job_is_gone_stays_known(cluster: FakeCluster, clock: FakeClock) -> None:
    job = drill_job(cluster, clock, "one", "Complete", PASSED)
    known = told(cluster)
    cluster.delete(JOB, job)
    clock.advance(60)
    drill_job(cluster, clock, "two", "Failed", None)
    assert results(told(cluster, *known)) == [("two", "Failed"), ("one", "Passed")]
    assert told(cluster, *told(cluster, *known)) == told(cluster, *known)


def test_what_an_older_status_knows_of_its_newest_drill_is_the_first_of_the_history(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    drill_job(cluster, clock, "one", "Complete", PASSED)
    [known] = told(cluster)
    assert told(cluster, last_drill=known) == (known,)


def test_a_job_that_was_made_anew_under_its_name_is_another_drill(cluster: FakeCluster, clock: FakeClock) -> None:
    job = drill_job(cluster, clock, "drill-now", "Failed", None)
    known = told(cluster)
    for kind, body in ((JOB, job), (POD, cluster.list(POD)[0])):
        cluster.delete(kind, body)
    clock.advance(60)
    drill_job(cluster, clock, "drill-now", "Complete", PASSED)
    assert results(told(cluster, *known)) == [("drill-now", "Passed"), ("drill-now", "Failed")]


def test_only_the_newest_drills_are_kept(cluster: FakeCluster, clock: FakeClock) -> None:
    for number in range(DRILLS_KEPT + 2):
        clock.advance(60)
        drill_job(cluster, clock, f"drill-{number}", "Failed", None)
    known = told(cluster)
    assert [one.job for one in known] == [f"drill-{number}" for number in range(DRILLS_KEPT + 1, 1, -1)]
    assert told(cluster, *known) == known


def test_a_look_at_the_job_of_a_drill_is_a_look_at_its_policy(cluster: FakeCluster, clock: FakeClock) -> None:
    job = drill_job(cluster, clock, "one", "Complete", PASSED)
    assert run_key(job) == Key("BackupPolicy", NAMESPACE, "shop")


def test_the_name_of_the_cron_job_always_fits() -> None:
    assert drill_cron_job_name("shop") == "shop-drill"
    assert len(drill_cron_job_name("p" * 52)) <= CRON_JOB_NAME_LIMIT
    assert drill_cron_job_name("p" * 52) != drill_cron_job_name("p" * 51)
